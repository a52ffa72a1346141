"""Ornn's daily index, as its documentation and its clients give it."""

from __future__ import annotations

import orjson
from aiohttp import web

from models.records import DAY_US, GpuRate
from streams.feeds.ornn import OrnnOptions
from tests.support.sources_contract import Case, Payload

AT = 1_772_200_000_000_000  # 2026-02-27T13:46:40Z
DAY = 1_772_064_000_000_000  # 2026-02-26
DOCS = "https://data.ornn.com/docs (daily index), https://dashboard.ornnai.com/docs"


def index(
    gpu: str, value: object, *usd: float, date: object = "2026-02-26", model: str = "H100-SXM", note: str = ""
) -> Payload:
    """The index of a day, and the rate it gives."""
    rates = tuple(
        GpuRate(
            series=f"gpu:{model}:index@ornn",
            source="ornn",
            event_time_us=DAY,
            receipt_time_us=AT,
            next_due_us=DAY + 2 * DAY_US,
            usd_per_gpu_hour=each,
        )
        for each in usd
    )
    body = orjson.dumps({"success": True, "data": {"gpu_type": gpu, "index_value": value, "date": date}})
    return Payload(feed="ornn", body=body, cites=DOCS, receipt_time_us=AT, note=note, gives=rates)


def options(url: str) -> OrnnOptions:
    """Options for a local server."""
    return OrnnOptions(url=f"{url}/api/daily-index", gpu_types=("H100 SXM",), every_s=3_600.0)


def serve(request: web.Request) -> web.Response:
    """The index of one GPU."""
    if request.path != "/api/daily-index" or request.method != "GET":
        return web.json_response({"success": False, "error": "Not found"}, status=404)
    if request.query.get("gpu") != "H100 SXM":
        return web.json_response({"success": False, "error": "GPU type not found"}, status=404)
    data = {"gpu_type": "H100 SXM", "index_value": 1.66, "date": "2026-02-26T00:00:00.000Z"}
    return web.json_response({"success": True, "data": data})


CASE = Case(
    source="ornn",
    payloads=(
        index("H100 SXM", 1.66, 1.66, note="H100 SXM"),
        index("H100 SXM", "1.66", 1.66, date="2026-02-26T00:00:00.000Z"),
        index("B200", 2.879583333333333, 2.879583333333333, model="B200-SXM"),
    ),
    ignored=(index("RTX PRO 6000 WS", 1.1),),
    refused=(
        index("H200", 2.1),
        index("A100 SXM4", 0.9),
        index("B200", 2.9, note="H100 SXM"),
        index("H100 SXM", None),
        index("H100 SXM", 166.0),
        index("H100 SXM", 1.66, date="2026-02-26T13:00:00Z"),
        index("H100 SXM", 1.66, date="26.02.2026"),
        index("H100 SXM", 1.66, date=1_772_064_000),
        Payload(feed="ornn", body=b'{"success":false,"error":"Invalid API key"}', cites=DOCS, receipt_time_us=AT),
        Payload(feed="ornn", body=b'{"success":true,"data":[]}', cites=DOCS, receipt_time_us=AT),
    ),
    options=options,
    serve=serve,
)
