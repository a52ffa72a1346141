"""Akash's GPU prices, as its console's schema describes them."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from models.records import GpuRate
from streams.feeds.akash import AkashOptions
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000
SCHEMA = "https://github.com/akash-network/console (apps/api, gpu.schema.ts), a test answer of 2026-07"


def model(name: str, ram: str, interface: str, med: object, **changes: Any) -> dict[str, Any]:
    """One row; no price where ``med`` is None."""
    price = {"currency": "USD", "min": 1.0, "max": 9.0, "avg": 2.6, "weightedAverage": 2.4, "med": med}
    return {
        "vendor": "nvidia",
        "model": name,
        "ram": ram,
        "interface": interface,
        "availability": {"total": 8, "available": 2},
        "providerAvailability": {"total": 3, "available": 2},
        "price": None if med is None else price,
        "priceUakt": None if med is None else {"currency": "uakt", "med": 4_000_000},
    } | changes


def prices(*models: object, gives: dict[str, float] | None = None, faults: int = 0) -> Payload:
    """The answer, and the rates it gives by model."""
    rates = tuple(
        GpuRate(
            series=f"gpu:{name}@akash",
            source="akash",
            event_time_us=AT,
            receipt_time_us=AT,
            next_due_us=AT + 7_200_000_000,
            usd_per_gpu_hour=usd,
        )
        for name, usd in (gives or {}).items()
    )
    body = orjson.dumps({"availability": {"total": 68, "available": 19}, "models": models})
    return Payload(feed="akash", body=body, cites=SCHEMA, receipt_time_us=AT, gives=rates, faults=faults)


H100 = model("h100", "80Gi", "SXM5", 2.5)
A100 = model("a100", "80Gi", "SXM4", 1.84)
NO_BIDS = model("h200", "141Gi", "SXM5", None)
OTHER = model("rtx3090", "24Gi", "PCIe", 0.2)
IN_TOKENS = model("h100", "80Gi", "PCIe", 1.9, price={"currency": "uakt", "med": 4_000_000})


def options(url: str) -> AkashOptions:
    """Options for a local server."""
    return AkashOptions(url=f"{url}/v1/gpu-prices", every_s=900.0)


def serve(request: web.Request) -> web.Response:
    """The prices."""
    if request.path != "/v1/gpu-prices" or request.method != "GET":
        return web.json_response({"error": "NotFoundError", "message": "Not found"}, status=404)
    return web.json_response({"availability": {"total": 68, "available": 19}, "models": [H100, A100, NO_BIDS, OTHER]})


CASE = Case(
    source="akash",
    payloads=(
        prices(H100, A100, NO_BIDS, OTHER, gives={"H100-SXM": 2.5, "A100-SXM-80": 1.84}),
        prices(H100, IN_TOKENS, gives={"H100-SXM": 2.5}, faults=1),
        prices(H100, model("a100", "40Gi", "PCIe", ""), gives={"H100-SXM": 2.5}, faults=1),
        prices(H100, model("a100", "40Gi", "PCIe", 250.0), gives={"H100-SXM": 2.5}, faults=1),
    ),
    ignored=(prices(NO_BIDS, OTHER), prices(), prices(model("h100", "64Gi", "SXM5", 2.0))),
    refused=(
        Payload(feed="akash", body=b'{"error":"InternalServerError"}', cites=SCHEMA, receipt_time_us=AT),
        Payload(feed="akash", body=b'{"models":null}', cites=SCHEMA, receipt_time_us=AT),
        Payload(feed="akash", body=b"<html>Bad gateway</html>", cites=SCHEMA, receipt_time_us=AT),
    ),
    options=options,
    serve=serve,
)
