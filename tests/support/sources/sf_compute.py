"""SF Compute's order book quote, as its client documents it."""

from __future__ import annotations

import orjson
from aiohttp import web

from models.records import GpuRate
from streams.feeds.sf_compute import SfComputeOptions
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000
DOCS = "https://github.com/sfcompute/sfc-go (docs/sdks/orderbook), https://docs.sfcompute.com"
KEY = "key-of-the-test"
BID, ASK = {"dollars_per_node_hour": "15.20", "node_count": 4}, {"dollars_per_node_hour": "16.40", "node_count": 2}


def quote(book: object, *usd: float, note: str = "H100", model: str = "H100-SXM") -> Payload:
    """A quote, and the rate it gives."""
    rates = tuple(
        GpuRate(
            series=f"gpu:{model}:spot@sfcompute",
            source="sf-compute",
            event_time_us=AT,
            receipt_time_us=AT,
            next_due_us=AT + 1_800_000_000,
            usd_per_gpu_hour=each,
        )
        for each in usd
    )
    return Payload(feed="sf-compute", body=orjson.dumps(book), cites=DOCS, receipt_time_us=AT, note=note, gives=rates)


def options(url: str) -> SfComputeOptions:
    """Options for a local server."""
    return SfComputeOptions(url=f"{url}/preview/v2/orderbook/quote", accelerators=("H100",), every_s=60.0)


def serve(request: web.Request) -> web.Response:
    """A quote for a window of whole minutes, to whoever has the key."""
    if request.headers.get("Authorization") != f"Bearer {KEY}":
        return web.json_response({"error": {"type": "unauthorized", "message": "Invalid token"}}, status=401)
    if request.path != "/preview/v2/orderbook/quote" or request.method != "GET":
        return web.json_response({"error": {"type": "not_found", "message": "Not found"}}, status=404)
    start, end = request.query.get("start_at", ""), request.query.get("end_at", "")
    whole = start.isdigit() and end.isdigit() and int(start) % 60 == int(end) % 60 == 0 and int(start) < int(end)
    if not whole or request.query.get("requirements") != "accelerator:H100":
        return web.json_response({"error": {"type": "unprocessable_entity", "message": "window"}}, status=422)
    return web.json_response({"best_bid": BID, "best_ask": ASK})


CASE = Case(
    source="sf-compute",
    payloads=(
        quote({"best_bid": BID, "best_ask": ASK}, 2.05),
        quote({"best_bid": {"dollars_per_node_hour": "1.38"}, "best_ask": {"dollars_per_node_hour": "1.42"}}, 0.1775),
        quote({"best_bid": None, "best_ask": ASK}, 2.05),
        quote({"best_ask": ASK}, 2.05, note="H200", model="H200-SXM"),
    ),
    ignored=(quote({"best_bid": BID, "best_ask": None}), quote({"best_bid": BID}), quote({})),
    refused=(
        quote({"best_ask": {"dollars_per_node_hour": ""}}),
        quote({"best_ask": {"dollars_per_node_hour": "-1"}}),
        quote({"best_ask": {"dollars_per_node_hour": "1640.00"}}),
        quote({"best_ask": {"price": "16.40"}}),
        quote({"best_bid": BID, "best_ask": ASK}, note=""),
        quote({"best_bid": BID, "best_ask": ASK}, note="V100"),
        quote({"error": {"type": "unauthorized", "message": "Invalid token"}}),
        quote([]),
    ),
    options=options,
    keys={"SF_COMPUTE_API_KEY": KEY},
    serve=serve,
)
