"""Vast.ai's search: offers as documented and recorded, with the fields that count."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from models.records import GpuRate
from streams.feeds.vast import VastOptions
from tests.support.asked import body_of
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000
DOCS = "https://docs.vast.ai/api-reference/search/search-offers, a recorded offer of 2024-07"
QUOTA = "https://github.com/vast-ai/vast-cli (vastai/api/client.py): 429 search_quota_exceeded"
NOTE = '{"gpu_name":"H100 SXM","limit":1000}'
A100_NOTE = '{"gpu_name":"A100 SXM4","limit":1000}'


def offer(machine: int, gpus: int, usd_per_hour: float, **changes: Any) -> dict[str, Any]:
    """An offer of a machine, priced whole."""
    return {
        "id": machine * 100 + gpus,
        "ask_contract_id": machine * 100 + gpus,
        "machine_id": machine,
        "host_id": machine // 3,
        "gpu_name": "H100 SXM",
        "num_gpus": gpus,
        "gpu_frac": gpus / 8,
        "gpu_ram": 81_559,
        "gpu_total_ram": 81_559 * gpus,
        "dph_base": usd_per_hour,
        "dph_total": usd_per_hour + 0.013,
        "discounted_dph_total": usd_per_hour + 0.013,
        "min_bid": 0.8 * usd_per_hour,
        "storage_cost": 0.15,
        "reliability2": 0.99,
        "cpu_cores": None,
        "is_bid": False,
        "external": None,
        "rentable": True,
        "rented": False,
        "verification": "verified",
        "geolocation": "Texas, US",
    } | changes


def search(
    *offers: dict[str, Any], gives: dict[str, float] | None = None, faults: int = 0, note: str = NOTE
) -> Payload:
    """The answer to a search, and the medians it gives by model."""
    rates = tuple(
        GpuRate(
            series=f"gpu:{model}@vast",
            source="vast",
            event_time_us=AT,
            receipt_time_us=AT,
            next_due_us=AT + 3_600_000_000,
            usd_per_gpu_hour=usd,
        )
        for model, usd in (gives or {}).items()
    )
    body = orjson.dumps({"offers": offers})
    return Payload(feed="vast", body=body, cites=DOCS, receipt_time_us=AT, note=note, gives=rates, faults=faults)


THREE = (offer(1, 8, 16.0), offer(2, 1, 2.25), offer(3, 4, 10.0))
SLICES = (offer(1, 1, 3.5), offer(1, 2, 6.0), offer(1, 8, 18.0))
"""One machine thrice: only the whole of it counts, not its dearer parts."""
OTHERS = (
    offer(11, 1, 0.5, verification="unverified"),
    offer(12, 1, 0.5, rentable=False),
    offer(13, 1, 0.5, rented=True),
    offer(14, 1, 0.5, is_bid=True),
    offer(15, 1, 0.5, external=True),
    offer(16, 1, 0.5, verified=False),
)
A100 = [offer(each, 1, 1.0 + each / 4, gpu_name="A100 SXM4", gpu_ram=40_536) for each in (1, 2, 3)]
A100 += [offer(each, 2, 4.0, gpu_name="A100 SXM4", gpu_ram=81_251) for each in (4, 5, 6)]


def options(url: str) -> VastOptions:
    """Options for a local server."""
    return VastOptions(url=f"{url}/api/v0/bundles/", gpu_names=("H100 SXM",), every_s=300.0)


def serve(request: web.Request) -> web.Response:
    """A search of one GPU by POST."""
    if request.method != "POST" or request.path != "/api/v0/bundles/":
        return web.json_response({"success": False, "error": "not_found"}, status=404)
    asked = orjson.loads(body_of(request))
    if asked["type"] != "on-demand" or asked["verified"] != {"eq": True} or not asked["limit"]:
        return web.json_response({"success": False, "error": "invalid_args"}, status=400)
    names = asked["gpu_name"]["in"]
    return web.json_response({"offers": [each for each in (*THREE, *OTHERS) if each["gpu_name"] in names]})


CASE = Case(
    source="vast",
    payloads=(
        search(*THREE, *OTHERS, gives={"H100-SXM": 2.25}),
        search(*SLICES, *THREE[1:], gives={"H100-SXM": 2.25}),
        search(*(each | {"verified": True} for each in THREE), gives={"H100-SXM": 2.25}),
        search(*THREE, offer(4, 2, 5.5), gives={"H100-SXM": 2.375}),
        search(*THREE, offer(4, 0, 5.5), offer(5, 1, -1.0), gives={"H100-SXM": 2.25}, faults=2),
        search(*THREE, offer(4, 1, 5.5, gpu_name="H100 NVL"), gives={"H100-SXM": 2.25}, faults=1),
        search(*THREE[:2], *OTHERS, faults=1),
        search(*SLICES, faults=1),
        search(*A100, gives={"A100-SXM-40": 1.5, "A100-SXM-80": 2.0}, note=A100_NOTE),
        search(
            *A100,
            offer(7, 1, 1.0, gpu_name="A100 SXM4", gpu_ram=61_000),
            gives={"A100-SXM-40": 1.5, "A100-SXM-80": 2.0},
            note=A100_NOTE,
            faults=1,
        ),
    ),
    ignored=(search(), search(*OTHERS)),
    refused=(
        search(*THREE, note='{"gpu_name":"H100 SXM","limit":3}'),
        search(*THREE, note='{"gpu_name":"GTX 1080","limit":1000}'),
        search(*THREE, note=""),
        Payload(
            feed="vast",
            body=b'{"success":false,"error":"search_quota_exceeded"}',
            cites=QUOTA,
            receipt_time_us=AT,
            note=NOTE,
        ),
        Payload(feed="vast", body=b'{"offers":{}}', cites=DOCS, receipt_time_us=AT, note=NOTE),
    ),
    options=options,
    aggregates=True,
    serve=serve,
)
