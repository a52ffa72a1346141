"""RunPod's two interfaces: GraphQL and the catalogue that follows it."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from models.records import GpuRate
from streams.feeds.runpod import RunpodOptions
from tests.support.asked import body_of
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000
GRAPHQL = "https://graphql-spec.runpod.io/ (GpuType), a recorded answer of 2026-08-20, gpuhunt providers/runpod.py"
CATALOG = "a recorded answer of GET /v2/catalog/gpus of 2026-08-20"


def rate(model: str, usd: float, cloud: str, market: str = "") -> GpuRate:
    """What one pool's price of a GPU gives."""
    return GpuRate(
        series=f"gpu:{model}{market}@runpod-{cloud}",
        source="runpod",
        event_time_us=AT,
        receipt_time_us=AT,
        next_due_us=AT + 1_800_000_000,
        usd_per_gpu_hour=usd,
    )


def gpu(gpu_id: str, secure: object, community: object, **changes: Any) -> dict[str, Any]:
    """A GPU type of GraphQL."""
    return {
        "id": gpu_id,
        "displayName": gpu_id.removeprefix("NVIDIA "),
        "memoryInGb": 80,
        "secureCloud": secure is not None,
        "communityCloud": community is not None,
        "securePrice": secure,
        "communityPrice": community,
        "secureSpotPrice": None,
        "communitySpotPrice": None,
        "lowestPrice": {"minimumBidPrice": secure, "uninterruptablePrice": secure, "stockStatus": "High"},
    } | changes


def graphql(*gpus: object, gives: tuple[GpuRate, ...] = (), faults: int = 0) -> Payload:
    """An answer of GraphQL."""
    body = orjson.dumps({"data": {"gpuTypes": gpus}})
    return Payload(feed="runpod:graphql", body=body, cites=GRAPHQL, receipt_time_us=AT, gives=gives, faults=faults)


def listed(gpu_id: str, secure: object, community: object) -> dict[str, Any]:
    """A GPU of the catalogue."""
    return {
        "id": gpu_id,
        "name": gpu_id.removeprefix("NVIDIA "),
        "manufacturer": gpu_id.split(maxsplit=1)[0],
        "memory": 80,
        "price": {"community": community, "secure": secure},
        "availability": "LOW",
        "dataCenters": [{"availability": "LOW", "id": "EU-RO-1", "name": "EU-RO-1"}],
    }


def catalog(*gpus: object, gives: tuple[GpuRate, ...] = (), faults: int = 0) -> Payload:
    """An answer of the catalogue."""
    body = orjson.dumps({"gpus": gpus})
    return Payload(feed="runpod:catalog", body=body, cites=CATALOG, receipt_time_us=AT, gives=gives, faults=faults)


SXM = gpu("NVIDIA H100 80GB HBM3", 3.29, 2.69, secureSpotPrice=1.75, communitySpotPrice=1.5)
SXM_GIVES = (
    rate("H100-SXM", 3.29, "secure"),
    rate("H100-SXM", 2.69, "community"),
    rate("H100-SXM", 1.75, "secure", ":spot"),
    rate("H100-SXM", 1.5, "community", ":spot"),
)
SOLD_OUT = gpu("NVIDIA H200 NVL", None, None, lowestPrice={"uninterruptablePrice": None, "stockStatus": None})
OTHER = gpu("NVIDIA RTX 2000 Ada Generation", 0.24, 0.16)
NO_COMMUNITY = gpu("NVIDIA B200", 5.98, 0)


def options(url: str) -> RunpodOptions:
    """Options for a local server."""
    return RunpodOptions(graphql_url=f"{url}/graphql", catalog_url=f"{url}/v2/catalog/gpus", every_s=60.0)


def serve(request: web.Request) -> web.Response:
    """Both interfaces. An unknown field is HTTP 400, as the server answers it."""
    if request.path == "/v2/catalog/gpus" and request.method == "GET":
        return web.json_response({"gpus": [listed("NVIDIA B200", 5.98, None)]})
    if request.path != "/graphql" or request.method != "POST":
        return web.Response(status=404, text="Not Found")
    query = orjson.loads(body_of(request))["query"]
    if "gpuTypes" not in query or "uninterruptiblePrice" in query:
        errors = [{"message": "Cannot query field", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]
        return web.json_response({"errors": errors}, status=400)
    return web.json_response({"data": {"gpuTypes": [SXM, SOLD_OUT, OTHER, NO_COMMUNITY]}})


CASE = Case(
    source="runpod",
    payloads=(
        graphql(SXM, SOLD_OUT, OTHER, NO_COMMUNITY, gives=(*SXM_GIVES, rate("B200-SXM", 5.98, "secure"))),
        graphql(gpu("NVIDIA H100 PCIe", "2.89", True), gives=(rate("H100-PCIE", 2.89, "secure"),), faults=1),
        graphql(gpu("NVIDIA H100 PCIe", 289.0e3, -1), faults=2),
        catalog(
            listed("NVIDIA GeForce RTX 4090", 0.74, 0.34),
            listed("AMD Instinct MI300X OAM", 2.39, 0.5),
            listed("NVIDIA H100 NVL", 2.59, None),
            listed("NVIDIA RTX PRO 4500 Blackwell", 0.72, 0.34),
            gives=(
                rate("RTX-4090", 0.74, "secure"),
                rate("RTX-4090", 0.34, "community"),
                rate("MI300X", 2.39, "secure"),
                rate("MI300X", 0.5, "community"),
                rate("H100-NVL", 2.59, "secure"),
            ),
        ),
        catalog(listed("NVIDIA H100 NVL", 2.59, None) | {"price": None}, faults=1),
    ),
    ignored=(graphql(SOLD_OUT, OTHER), graphql(), catalog()),
    refused=(
        Payload(
            feed="runpod:graphql",
            body=b'{"errors":[{"message":"Cannot query field \\"uninterruptiblePrice\\" on type \\"LowestPrice\\"."}]}',
            cites=GRAPHQL,
            receipt_time_us=AT,
        ),
        Payload(feed="runpod:graphql", body=b'{"data":null}', cites=GRAPHQL, receipt_time_us=AT),
        Payload(feed="runpod:catalog", body=b'{"error":"Unauthorized"}', cites=CATALOG, receipt_time_us=AT),
        Payload(feed="runpod:catalog", body=b"error code: 1015", cites=CATALOG, receipt_time_us=AT),
    ),
    options=options,
    serve=serve,
)
