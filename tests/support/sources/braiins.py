"""Braiins Insights' hashrate statistics, as the types of a public client describe them."""

from __future__ import annotations

import orjson
from aiohttp import web

from models.records import Hashprice
from streams.feeds.braiins import BraiinsOptions
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000
CLIENT = "https://github.com/Ryno-Crypto-Mining-Services/braiins-insights-mcp-server (types of hashrate-stats)"
STATS: dict[str, object] = {
    "avg_fees_per_block": 0.021,
    "current_hashrate": 1_012.4,
    "current_hashrate_estimated": 1_020.1,
    "fees_percent": 0.67,
    "hash_price": 0.038,
    "hash_rate_30": 1_003.2,
    "hash_value": 5.4e-7,
    "monthly_avg_hashrate_change_1_year": {"relative": 0.031, "absolute": 24.5},
    "rev_usd": 38_900_000,
}


def answer(*gives: float, **changes: object) -> Payload:
    """The statistics, with some changed."""
    prices = tuple(
        Hashprice(
            series="hashprice:braiins",
            source="braiins",
            event_time_us=AT,
            receipt_time_us=AT,
            next_due_us=AT + 1_200_000_000,
            usd_per_ph_day=usd,
        )
        for usd in gives
    )
    body = orjson.dumps(STATS | changes)
    return Payload(feed="braiins", body=body, cites=CLIENT, receipt_time_us=AT, gives=prices)


def options(url: str) -> BraiinsOptions:
    """Options for a local server."""
    return BraiinsOptions(url=f"{url}/api/v1.0/hashrate-stats", every_s=60.0)


def serve(request: web.Request) -> web.Response:
    """The statistics."""
    if request.path != "/api/v1.0/hashrate-stats" or request.method != "GET":
        return web.json_response({"detail": "Not Found"}, status=404)
    return web.json_response(STATS)


CASE = Case(
    source="braiins",
    payloads=(answer(38.0), answer(38.5, hash_price="0.0385")),
    refused=(
        answer(hash_price=38.0),  # per PH/s
        answer(hash_price=0),
        answer(hash_price=None),
        answer(hash_price=-1),
        Payload(feed="braiins", body=b'{"detail":"Not Found"}', cites=CLIENT, receipt_time_us=AT),
    ),
    options=options,
    serve=serve,
)
