"""Prime Intellect's availability, page by page, as its API reference documents it."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from models.records import GpuRate
from streams.feeds.http import joined
from streams.feeds.prime_intellect import PrimeIntellectOptions
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000
DOCS = "https://docs.primeintellect.ai/api-reference/availability/get-gpu-availability"
KEY = "key-of-the-test"


def row(provider: str, gpus: int, usd: object, **changes: Any) -> dict[str, Any]:
    """One configuration."""
    return {
        "cloudId": f"{gpus}x H100 of {provider}",
        "gpuType": "H100_80GB",
        "socket": "SXM5",
        "provider": provider,
        "region": "united_states",
        "dataCenter": "US-KS-2",
        "country": "US",
        "gpuCount": gpus,
        "gpuMemory": 80,
        "disk": {"minCount": 80, "defaultCount": 80, "maxCount": 1_000, "pricePerUnit": 0.00014},
        "vcpu": {"defaultCount": 16},
        "memory": {"defaultCount": 251},
        "stockStatus": "Low",
        "security": "secure_cloud",
        "prices": {"onDemand": usd, "communityPrice": None, "isVariable": None, "currency": "USD"},
        "isSpot": None,
        "prepaidTime": None,
    } | changes


def rate(provider: str, usd: float, model: str = "H100-SXM", market: str = "") -> GpuRate:
    """The rate of one provider."""
    return GpuRate(
        series=f"gpu:{model}{market}@prime-{provider}",
        source="prime-intellect",
        event_time_us=AT,
        receipt_time_us=AT,
        next_due_us=AT + 3_600_000_000,
        usd_per_gpu_hour=usd,
    )


def pages(
    *listed: list[dict[str, Any]], gives: tuple[GpuRate, ...] = (), faults: int = 0, total: int | None = None
) -> Payload:
    """All pages of one poll."""
    count = sum(len(rows) for rows in listed) if total is None else total
    parts = [
        (f"page {number}", orjson.dumps({"items": rows, "totalCount": count}))
        for number, rows in enumerate(listed, start=1)
    ]
    return Payload(
        feed="prime-intellect", body=joined(parts), cites=DOCS, receipt_time_us=AT, gives=gives, faults=faults
    )


ROWS = [row("runpod", 1, 2.75), row("runpod", 8, 20.0), row("hyperstack", 1, 2.4)]
SPOT = row("datacrunch", 1, 1.25, isSpot=True)
OTHERS = [
    row("runpod", 1, 0.2, gpuType="RTX3090_24GB", socket="PCIe"),
    row("vast", 1, 1.5, security="community_cloud"),
    row("nebius", 8, 16.0, stockStatus="Unavailable"),
    row("nebius", 1, None),
    row("nebius", 1, 2.0, socket=None),
]
EUROS = row("scaleway", 1, 2.7, prices={"onDemand": 2.7, "currency": "EUR"})


def options(url: str) -> PrimeIntellectOptions:
    """Options for a local server."""
    return PrimeIntellectOptions(url=f"{url}/api/v1/availability/gpus", every_s=300.0)


def serve(request: web.Request) -> web.Response:
    """One page, to whoever has the key."""
    if request.headers.get("Authorization") != f"Bearer {KEY}":
        return web.json_response({"detail": "Authorization failed"}, status=401)
    if request.path != "/api/v1/availability/gpus" or request.method != "GET":
        return web.json_response({"detail": "Not Found"}, status=404)
    if request.query.get("page_size") != "100" or not request.query.get("page", "").isdigit():
        return web.json_response({"errors": [{"param": "page", "details": "invalid"}]}, status=422)
    items = [*ROWS, *OTHERS] if request.query["page"] == "1" else []
    return web.json_response({"items": items, "totalCount": len(ROWS) + len(OTHERS)})


CASE = Case(
    source="prime-intellect",
    payloads=(
        pages(
            [*ROWS, SPOT],
            OTHERS,
            gives=(
                rate("runpod", 2.625),
                rate("hyperstack", 2.4),
                rate("datacrunch", 1.25, market=":spot"),
            ),
        ),
        pages([ROWS[2], EUROS], gives=(rate("hyperstack", 2.4),), faults=1),
        pages([ROWS[2], row("runpod", 8, 2.5), ROWS[0]], gives=(rate("hyperstack", 2.4),), faults=1),
        pages([ROWS[2], row("runpod", 0, 2.5)], gives=(rate("hyperstack", 2.4),), faults=1),
        pages([ROWS[2], row("run/pod", 1, 2.5)], gives=(rate("hyperstack", 2.4),), faults=1),
        pages([ROWS[2], row("runpod", 1, 2.5, isSpot="no")], gives=(rate("hyperstack", 2.4),), faults=1),
        pages(
            [row("massedcompute", 1, 2.5, gpuType="H100_80GB", socket="PCIe")],
            gives=(rate("massedcompute", 2.5, "H100-PCIE"),),
        ),
    ),
    ignored=(pages(OTHERS), pages([])),
    refused=(
        pages(ROWS, total=247),
        Payload(
            feed="prime-intellect",
            body=joined([("page 1", b'{"detail":"Authorization failed"}')]),
            cites=DOCS,
            receipt_time_us=AT,
        ),
        Payload(feed="prime-intellect", body=b"[]", cites=DOCS, receipt_time_us=AT),
        Payload(feed="prime-intellect", body=b'{"items":[],"totalCount":0}', cites=DOCS, receipt_time_us=AT),
    ),
    options=options,
    aggregates=True,
    keys={"PRIME_INTELLECT_API_KEY": KEY},
    serve=serve,
)
