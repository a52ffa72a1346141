"""ERCOT's public files as documented and as clients read them: lists of documents, zips of one CSV."""

from __future__ import annotations

import orjson
from aiohttp import web

from models.commands import Record
from models.records import PowerPrice
from streams.feeds.contract import Options
from streams.feeds.ercot_mis import ErcotMisOptions
from streams.feeds.power_reading import note_of
from tests.support.power import at, csv_of, da, rt, zipped
from tests.support.sources_contract import Case, Payload

COLUMNS = "recorded 2025-07-30 (report 12301): the header and a row of the real file"
DAM_COLUMNS = "https://www.ercot.com/mp/data-products/data-product-details?id=NP4-190-CD"
LISTED = "github.com/gridstatus/gridstatus ercot.py: ListDocsByRptTypeRes, DocumentList, retry names, xhr names"
CORRECTED = "github.com/gridstatus/gridstatus ercot.py _handle_price_corrections: the columns it renames"
REPEATED = "DSTFlag Y on the second hour ending 02:00, as documented for ERCOT's hourly files"

SPP_HEADER = (
    "DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,SettlementPointPrice,DSTFlag"
)
DAM_HEADER = "DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag"
SPP_CORRECTED = (
    "DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,"
    "SPPOriginal,SPPCorrected,PriceCorrectionTime,DSTFlag"
)
DAM_CORRECTED = "DeliveryDate,HourEnding,SettlementPoint,SPPOriginal,SPPCorrected,PriceCorrectionTime,DSTFlag"

NAME = "cdr.00012301.0000000000000000.20250730.084701.SPPHLZNP6905_20250730_0845.csv"
PUBLISHED = "2025-07-30T08:47:01-05:00"
RECEIVED_US = at("2025-07-30T08:47:30-05:00")
NOVEMBER_US = at("2024-11-04T00:02-06:00")
MARCH_US = at("2025-03-09T12:00-05:00")
SERIES = "ERCOT:HB_SOUTH"


def spp(*rows: str) -> bytes:
    """A file of real-time prices."""
    return zipped({NAME: csv_of(SPP_HEADER, *rows)})


def dam(*rows: str) -> bytes:
    """A file of day-ahead prices."""
    return zipped({"cdr.00012331.0000000000000000.DAMSPNP4190.csv": csv_of(DAM_HEADER, *rows)})


def note(node: str = "HB_SOUTH", published: str = PUBLISHED) -> str:
    """What the feed says beside a file."""
    return note_of((node,), doc="1078", name=NAME, published=published)


def document(number: str, friendly: str, published: str = PUBLISHED) -> dict[str, object]:
    """An entry of a list."""
    name = f"cdr.00012301.0000000000000000.20250730.084701.{friendly}.zip"
    found = {"DocID": number, "FriendlyName": friendly, "ConstructedName": name, "PublishDate": published}
    return {
        "Document": {"ExpiredDate": "2025-08-06T23:59:59-05:00", "Extension": "zip", "ContentSize": "9000", **found}
    }


def listed(*documents: dict[str, object]) -> bytes:
    """A list of documents."""
    return orjson.dumps({"ListDocsByRptTypeRes": {"DocumentList": list(documents)}})


FRIENDLY = {
    "12301": "SPPHLZNP6905_20250730_0845_csv",
    "12331": "DAMSPNP4190_csv",
    "13045": "pricecorrection_RTM_SPP_2025_csv",
    "13044": "pricecorrection_DAM_SPP_2025_csv",
}
LIST = listed(
    document("1078", "SPPHLZNP6905_20250730_0845_csv"),
    document("1077", "SPPHLZNP6905_20250730_0845_xml"),
    document("1070", "SPPHLZNP6905_retry_20250730_0830_csv", "2025-07-30T08:33:40-05:00"),
)

PRINTED = spp(
    "07/30/2025,9,3,7RNCHSLR_ALL,RN,19.27,N",
    "07/30/2025,9,3,HB_SOUTH,HU,-20.51,N",
    "07/30/2025,9,3,LZ_SOUTH,LZ,21.4,N",
    "07/30/2025,9,3,LZ_SOUTH,LZEW,23.08,N",
)
FALL = spp(
    "11/03/2024,1,4,HB_SOUTH,HU,10.5,N",
    "11/03/2024,2,1,HB_SOUTH,HU,11,N",
    "11/03/2024,2,1,HB_SOUTH,HU,12,Y",
    "11/03/2024,3,1,HB_SOUTH,HU,13,N",
    "11/03/2024,24,4,HB_SOUTH,HU,14,N",
)
SPRING = spp(
    "03/09/2025,2,4,HB_SOUTH,HU,31,N",
    "03/09/2025,3,1,HB_SOUTH,HU,32,N",
    "03/09/2025,4,1,HB_SOUTH,HU,33,N",
)
CORRECTION = zipped(
    {
        "cdr.00013045.RTM_SPP.csv": csv_of(
            SPP_CORRECTED,
            "07/30/2025,9,3,HB_SOUTH,HU,-20.51,-18.4,07/30/2025 15:00:00,N",
            "07/30/2025,9,3,HB_SOUTH,HU,-18.4,-18.02,07/31/2025 09:30:12,N",
            "07/30/2025,9,3,HB_WEST,HU,1,2,07/30/2025 15:00:00,N",
        )
    }
)
DAM_CORRECTION = zipped(
    {"cdr.00013044.DAM_SPP.csv": csv_of(DAM_CORRECTED, "07/30/2025,09:00,HB_SOUTH,31.02,30.99,07/30/2025 10:00:00,N")}
)
LATER_US = at("2025-08-01T00:00Z")


def printed(start: str, price: float, received_us: int, published: str = "") -> PowerPrice:
    """A quarter hour's price of HB_SOUTH."""
    return rt("ercot-mis", SERIES, start, price, received_us, minutes=15, lag_min=2, published=published)


def _spp(
    body: bytes,
    cites: str,
    received_us: int = RECEIVED_US,
    *,
    beside: str = "",
    gives: tuple[Record, ...] = (),
    faults: int = 0,
) -> Payload:
    """A payload of real-time prices."""
    return Payload(
        feed="ercot-mis:spp",
        body=body,
        cites=cites,
        receipt_time_us=received_us,
        note=beside or note(),
        gives=gives,
        faults=faults,
    )


def listing(body: bytes) -> Payload:
    """A payload of the list."""
    return Payload(feed="ercot-mis:list", body=body, cites=LISTED, receipt_time_us=RECEIVED_US, note='{"nodes":[]}')


PAYLOADS = (
    listing(LIST),
    _spp(PRINTED, COLUMNS, gives=(printed("2025-07-30T08:30-05:00", -20.51, RECEIVED_US, PUBLISHED),)),
    _spp(
        PRINTED,
        "the same file: the price of LZ, not that of LZEW, is the zone's",
        beside=note("LZ_SOUTH", "2025-07-30T09:47:01-05:00"),
        gives=(rt("ercot-mis", "ERCOT:LZ_SOUTH", "2025-07-30T13:30+00:00", 21.4, RECEIVED_US, minutes=15, lag_min=2),),
    ),
    _spp(PRINTED, "a node that the file has not", beside=note("HB_SUOTH"), faults=1),
    _spp(
        FALL,
        REPEATED,
        NOVEMBER_US,
        gives=(
            printed("2024-11-03T05:45Z", 10.5, NOVEMBER_US),
            printed("2024-11-03T06:00Z", 11.0, NOVEMBER_US),
            printed("2024-11-03T07:00Z", 12.0, NOVEMBER_US),
            printed("2024-11-03T08:00Z", 13.0, NOVEMBER_US),
            printed("2024-11-04T05:45Z", 14.0, NOVEMBER_US),
        ),
    ),
    _spp(
        SPRING,
        "github.com/gridstatus/gridstatus pull 804: a row inside the missing hour",
        MARCH_US,
        faults=1,
        gives=(printed("2025-03-09T07:45Z", 31.0, MARCH_US), printed("2025-03-09T08:00Z", 33.0, MARCH_US)),
    ),
    Payload(
        feed="ercot-mis:dam",
        body=dam("07/30/2025,01:00,HB_SOUTH,24.05,N", "07/30/2025,24:00,HB_SOUTH,9000.00,N"),
        cites=DAM_COLUMNS,
        receipt_time_us=RECEIVED_US,
        note=note(published="2025-07-29T12:36:11-05:00"),
        gives=(
            da("ercot-mis", SERIES, "2025-07-30T05:00Z", 24.05, RECEIVED_US, published="2025-07-29T12:36:11-05:00"),
            da("ercot-mis", SERIES, "2025-07-31T04:00Z", 9000.0, RECEIVED_US, published="2025-07-29T12:36:11-05:00"),
        ),
    ),
    Payload(
        feed="ercot-mis:dam",
        body=dam(*(f"11/03/2024,{hour:02d}:00,HB_SOUTH,{hour},N" for hour in (1, 3, 25))),
        cites="github.com/gridstatus/gridstatus ercot.py: hour ending 25 on the long day",
        receipt_time_us=NOVEMBER_US,
        note=note(published=""),
        gives=(
            da("ercot-mis", SERIES, "2024-11-03T05:00Z", 1.0, NOVEMBER_US),
            da("ercot-mis", SERIES, "2024-11-03T07:00Z", 3.0, NOVEMBER_US),
            da("ercot-mis", SERIES, "2024-11-04T05:00Z", 25.0, NOVEMBER_US),
        ),
    ),
    Payload(
        feed="ercot-mis:spp-corrections",
        body=CORRECTION,
        cites=CORRECTED,
        receipt_time_us=LATER_US,
        note=note_of(("HB_SOUTH", "HB_NORTH")),
        gives=(printed("2025-07-30T13:30Z", -18.02, LATER_US, "2025-07-31T09:30:12-05:00"),),
    ),
    Payload(
        feed="ercot-mis:dam-corrections",
        body=DAM_CORRECTION,
        cites=CORRECTED,
        receipt_time_us=LATER_US,
        note=note_of(("HB_SOUTH",)),
        gives=(da("ercot-mis", SERIES, "2025-07-30T13:00Z", 30.99, LATER_US, published="2025-07-30T10:00:00-05:00"),),
    ),
)


IGNORED = (listing(listed()), listing(b'{"ListDocsByRptTypeRes":{}}'))
REFUSED = (
    listing(b"<html><body>Service unavailable</body></html>"),
    _spp(zipped({"a.csv": csv_of("SCEDTimestamp,RepeatedHourFlag,SettlementPoint,LMP")}), "report 12300: LMP, no SPP"),
    _spp(b"<html>Access denied</html>", "an answer 200 that is a page"),
)


def serve(request: web.Request) -> web.Response:
    """Answers as ercot.com does."""
    if request.path == "/list":
        report = request.query.get("reportTypeId", "")
        if report not in FRIENDLY:
            return web.Response(status=404, text="no such report")
        return web.Response(body=LIST if report == "12301" else listed(document(f"{report}1", FRIENDLY[report])))
    bodies = {"130441": DAM_CORRECTION, "130451": CORRECTION, "123311": dam("07/30/2025,01:00,HB_SOUTH,24.05,N")}
    number = request.query.get("doclookupId", "")
    if request.path != "/download" or number not in {*bodies, "1078", "1070"}:
        return web.Response(status=404, text="no such document")
    return web.Response(body=bodies.get(number, PRINTED), content_type="application/zip")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    return ErcotMisOptions(
        nodes=("HB_SOUTH",), list_url=f"{base_url}/list", document_url=f"{base_url}/download", every_s=15
    )


CASE = Case(source="ercot-mis", payloads=PAYLOADS, ignored=IGNORED, refused=REFUSED, options=options, serve=serve)
