"""MISO's public market data as recorded: rows of text, and a day ahead as a CSV below four lines of words."""

from __future__ import annotations

import re
from datetime import date

import orjson
from aiohttp import web

from models.records import HOUR_US, PowerPrice
from streams.feeds.contract import Options
from streams.feeds.local_time import EST, wall_of
from streams.feeds.miso import AGENT, MisoOptions
from streams.feeds.power_reading import note_of
from streams.now import now_us
from tests.support.power import at, csv_of, da, moment, rt
from tests.support.sources_contract import Case, Payload

RECORDED = "https://github.com/api-evangelist/miso/blob/main/openapi/miso-marketpricing-api-openapi.yml"
REFUSES = "https://github.com/gridstatus/gridstatus/issues/725"
REPORTS = (
    "https://www.misoenergy.org/markets-and-operations/real-time--market-data/market-reports/, Historical LMP: "
    "YYYYMMDD_da_expost_lmp.csv, its preamble as in files of 2024-01-01 to 2026-09-23"
)
SHORT_DAY = "the file of 2026-03-08 has HE 1 to HE 24: the market keeps standard time"
NODE = "INDIANA.HUB"
HEADERS = ["INTERVAL", "CPNODE", "LMP", "MLC", "MCC"]
RECEIVED_US = at("2026-07-27T13:21:05Z")
SPRING_US = at("2026-03-07T19:30Z")


def answer(*rows: list[object], headers: list[str] | None = None) -> bytes:
    """An answer of the current interval."""
    return orjson.dumps({"headers": headers or HEADERS, "data": rows})


CURRENT = answer(
    ["2026-07-27T08:15:00", "EES.KRBYVLE.AZ", "22.12", "-1.67", "-1.91"],
    ["2026-07-27T08:15:00", NODE, "-24.84", "-0.86", "0.00"],
)
MOVED = answer(["0.00", "-0.86", "-24.84", NODE, "2026-07-27T08:15:00"], headers=HEADERS[::-1])
FLAWED = answer(
    ["2026-07-27T08:15:00", NODE, "", "-0.86", "0.00"],
    ["2026-07-27T08:15:00", NODE],
    ["08:15", NODE, "24.84", "-0.86", "0.00"],
    ["2026-07-27T08:10:00", NODE, 31.5, "-0.86", "0.00"],
)

HEADER = ",".join(["Node", "Type", "Value", *(f"HE {hour}" for hour in range(1, 25))])
STANDARD = ",,,All Hours-Ending are Eastern Standard Time (EST)"


def ahead(day: str, *rows: str, title: str = "Day Ahead Market ExPost LMPs", words: str = STANDARD) -> bytes:
    """A day-ahead file of a day, ``MM/DD/YYYY``."""
    return csv_of(title, day, "", words, HEADER, *rows).encode()


def day_row(node: str, component: str, *cells: object) -> str:
    """A row of 24 hours; the last cell given stands for the hours after it too."""
    return ",".join([node, "Hub", component, *map(str, [*cells, *[cells[-1]] * (24 - len(cells))])])


def day_of(day: str) -> bytes:
    """The file of a day: a node's price and its parts, and another node."""
    return ahead(
        day,
        day_row("AECI", "LMP", 30),
        day_row(NODE, "LMP", 41.19, -3.02, 38.5),
        day_row(NODE, "MCC", -7.71),
        day_row(NODE, "MLC", 0.42),
    )


FLAWED_DAY = ahead(
    "07/28/2026",
    day_row(NODE, "LMP", 41.19, "", "n/a", 99_000, 38.5),
    day_row(NODE, "LMP", 42.5, "", "", "", 38.5),
    f"{NODE},Hub,LMP,41.19",
    day_row(NODE, "MEC", 40),
)


def payload(body: bytes, cites: str = RECORDED, **more: object) -> Payload:
    """A payload of the API."""
    usual = {"feed": "miso", "body": body, "cites": cites, "receipt_time_us": RECEIVED_US, "note": note_of((NODE,))}
    return Payload(**(usual | more))  # type: ignore[arg-type]  # a table of cases names the rest


def day_payload(body: bytes, cites: str = REPORTS, **more: object) -> Payload:
    """A day-ahead file."""
    return payload(body, cites, **({"feed": "miso:da"} | more))


def hours(first: str, *prices: float, received_us: int = RECEIVED_US) -> tuple[PowerPrice, ...]:
    """Prices of the 24 hours that begin at a moment; the last price given stands for the hours after it too."""
    start_us = at(first)
    filled = [*prices, *[prices[-1]] * (24 - len(prices))]
    starts = (moment(start_us + hour * HOUR_US) for hour in range(24))
    return tuple(
        da("miso", f"MISO:{NODE}", start, price, received_us) for start, price in zip(starts, filled, strict=True)
    )


WHOLE = hours("2026-07-28T05:00Z", 41.19, -3.02, 38.5)
THINNED = hours("2026-07-28T05:00Z", 41.19, 38.5)
PRINTED = rt("miso", f"MISO:{NODE}", "2026-07-27T08:15-05:00", -24.84, RECEIVED_US)
PAYLOADS = (
    payload(CURRENT, gives=(PRINTED,)),
    payload(MOVED, "columns in another order, as one client has them", gives=(PRINTED,)),
    payload(FLAWED, gives=(rt("miso", f"MISO:{NODE}", "2026-07-27T13:10Z", 31.5, RECEIVED_US),), faults=3),
    payload(CURRENT, "a node that the answer has not", note=note_of((NODE, "MINN.HUB")), gives=(PRINTED,), faults=1),
    day_payload(day_of("07/28/2026"), note=note_of((NODE,), day="2026-07-28"), gives=WHOLE),
    day_payload(
        day_of("03/08/2026"),
        SHORT_DAY,
        receipt_time_us=SPRING_US,
        gives=hours("2026-03-08T05:00Z", 41.19, -3.02, 38.5, received_us=SPRING_US),
    ),
    day_payload(FLAWED_DAY, gives=(THINNED[0], *THINNED[4:]), faults=9),
)
REFUSED = (
    payload(b"<!DOCTYPE html><html><title>Attention Required! | Cloudflare</title></html>", REFUSES),
    payload(answer(headers=["INTERVAL", "CPNODE", "MLC"])),
    payload(b'{"message":"An error has occurred."}'),
    day_payload(ahead("07/28/2026", title="Day Ahead Market ExAnte LMPs"), "the market before it is cleared"),
    day_payload(ahead("07/28/2026", words=",,,All Hours-Ending are Eastern Prevailing Time"), "hours of another clock"),
    day_payload(ahead("07/32/2026")),
    day_payload(
        day_of("07/27/2026"), "yesterday's file where today's was asked for", note=note_of((NODE,), day="2026-07-28")
    ),
    day_payload(b"<?xml version='1.0'?><Error><Code>BlobNotFound</Code></Error>", "the words of its 404, with 200"),
)


def serve(request: web.Request) -> web.Response:
    """Answers as public-api.misoenergy.org and docs.misoenergy.org do; the file of tomorrow is not there yet."""
    if request.headers.get("User-Agent") != AGENT:
        return web.Response(status=403, text="<html>Cloudflare</html>", content_type="text/html")
    asked = re.fullmatch(r"/marketreports/(\d{4})(\d\d)(\d\d)_da_expost_lmp\.csv", request.path)
    if asked:
        year, month, day = asked.groups()
        if date(int(year), int(month), int(day)) > wall_of(now_us(), EST).date():
            return web.Response(status=404, text="<Error><Code>BlobNotFound</Code></Error>")
        return web.Response(body=day_of(f"{month}/{day}/{year}"), content_type="application/octet-stream")
    if request.path != "/api/MarketPricing/GetRealTimeFiveMinExPost/Current":
        return web.json_response({"message": "No HTTP resource was found"}, status=404)
    return web.Response(body=CURRENT, content_type="application/json")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    return MisoOptions(
        nodes=(NODE,),
        url=f"{base_url}/api/MarketPricing/GetRealTimeFiveMinExPost/Current",
        day_ahead_url=f"{base_url}/marketreports",
        every_s=60,
        pause_s=0.1,
    )


CASE = Case(source="miso", payloads=PAYLOADS, refused=REFUSED, options=options, serve=serve)
