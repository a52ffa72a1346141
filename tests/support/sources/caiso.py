"""CAISO OASIS as documented and recorded: a zip of one CSV with a row for each component; errors as XML in a zip."""

from __future__ import annotations

import re

from aiohttp import web

from streams.feeds.caiso import CaisoOptions
from streams.feeds.contract import Options
from streams.feeds.power_reading import note_of
from tests.support.power import at, csv_of, da, rt, zipped
from tests.support.sources_contract import Case, Payload

DOCUMENTED = "https://www.caiso.com/documents/oasis-frequently-asked-questions.pdf"
ERRORS = "https://www.caiso.com/documents/oasisapispecification.pdf, section 3.2"
RECORDED = "recorded 2022-02-01: a row of PRC_LMP, its price in the column MW"
NODE = "TH_NP15_GEN-APND"
SERIES = f"CAISO:{NODE}"
RECEIVED_US, LATER_US = at("2025-07-18T07:12Z"), at("2025-07-21T15:00Z")
MOMENT = re.compile(r"\d{8}T\d\d:\d\d-0000")

RT_HEADER = (
    "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,NODE_ID_XML,NODE_ID,NODE,MARKET_RUN_ID,LMP_TYPE,"
    "XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,VALUE,OPR_INTERVAL,GROUP"
)
DA_HEADER = (
    "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,OPR_INTERVAL,NODE_ID_XML,NODE_ID,NODE,MARKET_RUN_ID,"
    "LMP_TYPE,XML_DATA_ITEM,PNODE_RESMRID,GRP_TYPE,POS,MW,GROUP"
)


def rt_row(start: str, end: str, kind: str, item: str, value: str, *, node: str = NODE, run: str = "RTM") -> str:
    """A real-time row; times of 2025-07-18, GMT."""
    day = "2025-07-18T"
    return (
        f"{day}{start}:00-00:00,{day}{end}:00-00:00,2025-07-18,1,{node},{node},{node},{run},{kind},{item},{node},"
        f"ALL_APNODES,0,{value},1,1"
    )


def da_row(hour: int, value: str, *, item: str = "LMP_PRC", kind: str = "LMP") -> str:
    """A day-ahead row; an hour of 2025-07-18, GMT."""
    day = "2025-07-18T"
    return (
        f"{day}{hour:02d}:00:00-00:00,{day}{hour + 1:02d}:00:00-00:00,2025-07-18,1,0,{NODE},{NODE},{NODE},DAM,{kind},"
        f"{item},{NODE},ALL_APNODES,1,{value},1"
    )


def real_time(*rows: str) -> bytes:
    """An answer with real-time prices."""
    name = "20250718_20250718_PRC_INTVL_LMP_RTM_20250718_00_12_00_v3.csv"
    return zipped({name: csv_of(RT_HEADER, *rows, end="\n")})


def day_ahead(*rows: str) -> bytes:
    """An answer with day-ahead prices."""
    name = "20250718_20250719_PRC_LMP_DAM_20250718_00_12_00_v12.csv"
    return zipped({name: csv_of(DA_HEADER, *rows, end="\n")})


def error(code: str, words: str) -> bytes:
    """An error: 200, and this in the zip."""
    body = f"""<?xml version="1.0" encoding="UTF-8"?>
<m:OASISReport xmlns:m="http://www.caiso.com/soa/OASISReport_v1.xsd">
<m:MessageHeader><m:TimeDate>2026-07-27T21:19:31.777Z</m:TimeDate><m:Source>OASIS</m:Source></m:MessageHeader>
<m:MessagePayload><m:RTO><m:name>CAISO</m:name>
<m:ERROR><m:ERR_CODE>{code}</m:ERR_CODE><m:ERR_DESC>{words}</m:ERR_DESC></m:ERROR>
</m:RTO></m:MessagePayload></m:OASISReport>"""
    return zipped({"INVALID_REQUEST.xml": body})


COMPONENTS = real_time(
    rt_row("07:00", "07:05", "MCC", "LMP_CONG_PRC", "-1.68082"),
    rt_row("07:00", "07:05", "MCE", "LMP_ENE_PRC", "48.94640"),
    rt_row("07:00", "07:05", "MCL", "LMP_LOSS_PRC", "-0.60000"),
    rt_row("07:00", "07:05", "LMP", "LMP_PRC", "46.66558"),
    rt_row("07:00", "07:05", "MGHG", "LMP_GHG_PRC", "0"),
    rt_row("07:05", "07:10", "LMP", "LMP_PRC", "-12.10000"),
)
FLAWED = real_time(
    rt_row("07:00", "07:15", "LMP", "LMP_PRC", "40.0"),
    rt_row("07:00", "07:05", "LMP", "LMP_PRC", "40.0", run="HASP"),
    rt_row("07:00", "07:05", "LMP", "LMP_ENE_PRC", "40.0"),
    rt_row("07:00", "07:05", "LMP", "LMP_PRC", ""),
    rt_row("07:00", "07:05", "LMP", "LMP_PRC", "41.5"),
    rt_row("07:00", "07:05", "LMP", "LMP_PRC", "42.5"),
    rt_row("07:00", "07:05", "LMP", "LMP_PRC", "43.5", node="TH_SP15_GEN-APND"),
)
CORRECTED = real_time(
    rt_row("07:00", "07:05", "LMP", "LMP_PRC", "46.66558"),
    rt_row("07:05", "07:10", "LMP", "LMP_PRC", "31.40000"),
)
AHEAD = day_ahead(da_row(7, "31.02"), da_row(8, "-4.5"), da_row(8, "12.1", kind="MCE", item="LMP_ENE_PRC"))


def payload(kind: str, body: bytes, cites: str = DOCUMENTED, **more: object) -> Payload:
    """A payload of a report, the node wanted in its note."""
    usual = {"feed": f"caiso:{kind}", "body": body, "cites": cites, "receipt_time_us": RECEIVED_US}
    return Payload(**(usual | {"note": note_of((NODE,))} | more))  # type: ignore[arg-type]  # a table of cases names the rest


PAYLOADS = (
    payload(
        "rt",
        COMPONENTS,
        gives=(
            rt("caiso", SERIES, "2025-07-18T07:00Z", 46.66558, RECEIVED_US),
            rt("caiso", SERIES, "2025-07-18T07:05Z", -12.1, RECEIVED_US),
        ),
    ),
    payload("rt", FLAWED, gives=(rt("caiso", SERIES, "2025-07-18T07:00Z", 41.5, RECEIVED_US),), faults=5),
    payload(
        "rt",
        COMPONENTS,
        "a node that the answer has not",
        note=note_of((NODE, "TH_ZP26_GEN-APND")),
        faults=1,
        gives=(
            rt("caiso", SERIES, "2025-07-18T07:00Z", 46.66558, RECEIVED_US),
            rt("caiso", SERIES, "2025-07-18T07:05Z", -12.1, RECEIVED_US),
        ),
    ),
    payload(
        "rt",
        CORRECTED,
        "the same report asked for again after a correction, which PRC_CORR_GRP names without its prices: "
        "https://github.com/gridstatus/gridstatus/pull/900",
        receipt_time_us=LATER_US,
        gives=(
            rt("caiso", SERIES, "2025-07-18T07:00Z", 46.66558, LATER_US),
            rt("caiso", SERIES, "2025-07-18T07:05Z", 31.4, LATER_US),
        ),
    ),
    payload(
        "da",
        AHEAD,
        RECORDED,
        gives=(
            da("caiso", SERIES, "2025-07-18T07:00Z", 31.02, RECEIVED_US),
            da("caiso", SERIES, "2025-07-18T08:00Z", -4.5, RECEIVED_US),
        ),
    ),
)
REFUSED = (
    payload("rt", error("1000", "No data returned for the specified selection"), ERRORS),
    payload("da", error("1001", "Invalid Parameters of the given report name"), ERRORS),
    payload("rt", b"<html>CAISO Acceptable Use Policy Violation. Please retry your request after 5 seconds.</html>"),
)


def serve(request: web.Request) -> web.Response:
    """Answers as oasis.caiso.com does."""
    query = request.query
    if request.path != "/oasisapi/SingleZip":
        return web.Response(status=404, text="<html>Not found</html>")
    window = [query.get("startdatetime", ""), query.get("enddatetime", "")]
    if query.get("resultformat") != "6" or query.get("node") != NODE or not all(map(MOMENT.fullmatch, window)):
        return web.Response(body=error("1001", "Invalid Parameters of the given report name"))
    asked = (query.get("queryname"), query.get("version"), query.get("market_run_id"))
    bodies = {("PRC_INTVL_LMP", "3", "RTM"): COMPONENTS, ("PRC_LMP", "12", "DAM"): AHEAD}
    if asked not in bodies:
        return web.Response(body=error("1005", "Report name does not exit, please use valid report name"))
    return web.Response(body=bodies[asked], content_type="application/x-zip-compressed")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    return CaisoOptions(nodes=(NODE,), url=f"{base_url}/oasisapi/SingleZip", every_s=30, pause_s=0.1)


CASE = Case(source="caiso", payloads=PAYLOADS, refused=REFUSED, options=options, serve=serve)
