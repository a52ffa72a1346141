"""Luxor's hashprice, as its OpenAPI document gives it."""

from __future__ import annotations

import orjson
from aiohttp import web

from models.records import Hashprice
from streams.feeds.luxor import LuxorOptions
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000  # 2026-02-04T10:13:20Z
STAMPED, STAMPED_US = "2026-02-04T10:13:15Z", 1_770_199_995_000_000
DOCS = "https://docs.hashrateindex.com (hashprice/current)"
KEY = "key-of-the-test"


def current(usd: object, btc: object, note: str = "hashunit=PHS", **changes: object) -> Payload:
    """The answer of /hashprice/current."""
    data = {"priceBTC": btc, "priceUSD": usd, "timestamp": STAMPED} | changes
    body = orjson.dumps({"$schema": "https://api.hashrateindex.com/schemas/HashpriceCurrent.json", "data": data})
    return Payload(feed="luxor", body=body, cites=DOCS, receipt_time_us=AT, note=note, gives=())


def gives(payload: Payload, usd: float) -> Payload:
    """The payload with what it gives."""
    price = Hashprice(
        series="hashprice:luxor",
        source="luxor",
        event_time_us=STAMPED_US,
        receipt_time_us=AT,
        next_due_us=STAMPED_US + 600_000_000,
        usd_per_ph_day=usd,
    )
    return Payload(
        feed=payload.feed, body=payload.body, cites=DOCS, receipt_time_us=AT, note=payload.note, gives=(price,)
    )


def options(url: str) -> LuxorOptions:
    """Options for a local server."""
    return LuxorOptions(url=f"{url}/v1/hashrateindex", every_s=15.0)


def serve(request: web.Request) -> web.Response:
    """The current hashprice, in PH/s only where asked for it."""
    if request.headers.get("X-Hi-Api-Key") != KEY:
        return web.json_response({"title": "Unauthorized", "status": 401}, status=401)
    if request.path != "/v1/hashrateindex/hashprice/current":
        return web.json_response({"title": "Not Found", "status": 404}, status=404)
    per_ph = request.query.get("hashunit") == "PHS"
    price = {"priceBTC": 0.00052, "priceUSD": 38.5} if per_ph else {"priceBTC": 5.2e-7, "priceUSD": 0.0385}
    return web.json_response({"data": price | {"timestamp": STAMPED}})


CASE = Case(
    source="luxor",
    payloads=(
        gives(current(38.5, 0.00052), 38.5),
        gives(current("38.50", "0.00052", timestamp="2026-02-04T05:13:15.000000000-05:00"), 38.5),
    ),
    refused=(
        current(0.0385, 5.2e-7),  # per TH/s: below any hashprice per PH/s
        current(38.5, 0.00052, note="hashunit=THS"),
        current(38.5, 0.00052, note=""),
        current(0.1, 0.1),  # the documented sample: its two prices are of no world
        current(None, 0.00052),
        current(38.5, 0.0),
        current(38.5, 0.00052, timestamp="2026-02-04T10:13:15"),
        Payload(
            feed="luxor",
            body=b'{"title":"Too Many Requests","status":429}',
            cites=DOCS,
            receipt_time_us=AT,
            note="hashunit=PHS",
        ),
    ),
    options=options,
    keys={"LUXOR_API_KEY": KEY},
    serve=serve,
)
