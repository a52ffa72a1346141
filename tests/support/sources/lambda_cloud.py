"""Lambda's instance types, as its API documents them."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from models.records import GpuRate
from streams.feeds.lambda_cloud import LambdaOptions
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000
DOCS = "https://docs.lambda.ai/api/cloud (GET /api/v1/instance-types)"
KEY = "key-of-the-test"
REGION = {"name": "us-west-1", "description": "California, USA"}


def kind(key: str, gpu: str, cents: object, gpus: int, **changes: Any) -> dict[str, Any]:
    """One entry of the map."""
    return {
        key: {
            "instance_type": {
                "name": key,
                "description": f"{gpus}x {gpu}",
                "gpu_description": gpu,
                "price_cents_per_hour": cents,
                "specs": {"vcpus": 26 * gpus, "memory_gib": 225 * gpus, "storage_gib": 2_816, "gpus": gpus},
                "architecture": "x86_64",
            }
            | changes,
            "regions_with_capacity_available": [REGION] if gpus == 1 else [],
        }
    }


def types(*entries: dict[str, Any], gives: dict[str, float] | None = None, faults: int = 0) -> Payload:
    """The whole map, and the rates it gives by model."""
    data: dict[str, Any] = {}
    for entry in entries:
        data |= entry
    rates = tuple(
        GpuRate(
            series=f"gpu:{model}@lambda",
            source="lambda-cloud",
            event_time_us=AT,
            receipt_time_us=AT,
            next_due_us=AT + 3_600_000_000,
            usd_per_gpu_hour=usd,
        )
        for model, usd in (gives or {}).items()
    )
    body = orjson.dumps({"data": data})
    return Payload(feed="lambda-cloud", body=body, cites=DOCS, receipt_time_us=AT, gives=rates, faults=faults)


ONE = kind("gpu_1x_h100_sxm5", "H100 (80 GB SXM5)", 429, 1)
TWO = kind("gpu_2x_h100_sxm5", "H100 (80 GB SXM5)", 838, 2)
EIGHT = kind("gpu_8x_h100_sxm5", "H100 (80 GB SXM5)", 3_192, 8)
PCIE = kind("gpu_1x_h100_pcie", "H100 (80 GB PCIe)", 329, 1)
A100 = kind("gpu_8x_a100", "NVIDIA A100 (40 GB SXM4)", 1_592, 8)
A10 = kind("gpu_1x_a10", "A10 (24 GB PCIe)", 129, 1)
UNSAID = kind("gpu_1x_a100", "NVIDIA A100 (80 GB)", 199, 1)


def options(url: str) -> LambdaOptions:
    """Options for a local server."""
    return LambdaOptions(url=f"{url}/api/v1/instance-types", every_s=60.0)


def serve(request: web.Request) -> web.Response:
    """The instance types, to whoever has the key."""
    if request.headers.get("Authorization") != f"Bearer {KEY}":
        error = {
            "code": "global/invalid-api-key",
            "message": "API key was invalid, expired, or deleted.",
            "suggestion": "Check your API key or create a new one, then try again.",
        }
        return web.json_response({"error": error}, status=401)
    if request.path != "/api/v1/instance-types" or request.method != "GET":
        return web.json_response({"error": {"code": "global/not-found", "message": "Not found."}}, status=404)
    return web.json_response({"data": ONE | EIGHT | A10})


CASE = Case(
    source="lambda-cloud",
    payloads=(
        types(ONE, TWO, EIGHT, PCIE, A100, A10, gives={"H100-SXM": 4.19, "H100-PCIE": 3.29, "A100-SXM-40": 1.99}),
        types(ONE, EIGHT, gives={"H100-SXM": 4.14}),
        types(PCIE, UNSAID, gives={"H100-PCIE": 3.29}, faults=1),
        types(PCIE, kind("gpu_8x_h100_sxm5", "H100 (80 GB SXM5)", 3_192, 1), gives={"H100-PCIE": 3.29}, faults=1),
        types(PCIE, kind("gpu_1x_h100_sxm5", "H100 (80 GB SXM5)", 4.29, 1), gives={"H100-PCIE": 3.29}, faults=1),
        types(PCIE, kind("gpu_1x_h100_sxm5", "H100 (80 GB SXM5)", 0, 1), gives={"H100-PCIE": 3.29}, faults=1),
        types(kind("gpu_1x_h100_pcie", "H100 (80 GB PCIe)", 329, 1, name="gpu_1x_a10"), faults=1),
        types(kind("gpu_1x_h100_pcie", "H100 (80 GB PCIe)", 329_000_000, 1), faults=1),
    ),
    ignored=(types(A10), types()),
    refused=(
        Payload(
            feed="lambda-cloud",
            body=b'{"error":{"code":"provider/internal-unavailable","message":"Unavailable","suggestion":null}}',
            cites=DOCS,
            receipt_time_us=AT,
        ),
        Payload(feed="lambda-cloud", body=b'{"data":[]}', cites=DOCS, receipt_time_us=AT),
        Payload(feed="lambda-cloud", body=b"", cites=DOCS, receipt_time_us=AT),
    ),
    options=options,
    aggregates=True,
    keys={"LAMBDA_API_KEY": KEY},
    serve=serve,
)
