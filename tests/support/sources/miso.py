"""MISO's public market data as recorded: headers and rows of text, Eastern standard time all year."""

from __future__ import annotations

import orjson
from aiohttp import web

from streams.feeds.contract import Options
from streams.feeds.miso import AGENT, MisoOptions
from streams.feeds.power_reading import note_of
from tests.support.power import at, rt
from tests.support.sources_contract import Case, Payload

RECORDED = "https://github.com/api-evangelist/miso/blob/main/openapi/miso-marketpricing-api-openapi.yml"
REFUSES = "https://github.com/gridstatus/gridstatus/issues/725"
NODE = "INDIANA.HUB"
HEADERS = ["INTERVAL", "CPNODE", "LMP", "MLC", "MCC"]
RECEIVED_US = at("2026-07-27T13:21:05Z")


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


def payload(body: bytes, cites: str = RECORDED, **more: object) -> Payload:
    """A payload of the API."""
    return Payload(
        feed="miso",
        body=body,
        cites=cites,
        receipt_time_us=RECEIVED_US,
        **({"note": note_of((NODE,))} | more),  # type: ignore[arg-type]  # a table of cases names the rest
    )


PRINTED = rt("miso", f"MISO:{NODE}", "2026-07-27T08:15-05:00", -24.84, RECEIVED_US)
PAYLOADS = (
    payload(CURRENT, gives=(PRINTED,)),
    payload(MOVED, "columns in another order, as one client has them", gives=(PRINTED,)),
    payload(FLAWED, gives=(rt("miso", f"MISO:{NODE}", "2026-07-27T13:10Z", 31.5, RECEIVED_US),), faults=3),
    payload(CURRENT, "a node that the answer has not", note=note_of((NODE, "MINN.HUB")), gives=(PRINTED,), faults=1),
)
REFUSED = (
    payload(b"<!DOCTYPE html><html><title>Attention Required! | Cloudflare</title></html>", REFUSES),
    payload(answer(headers=["INTERVAL", "CPNODE", "MLC"])),
    payload(b'{"message":"An error has occurred."}'),
)


def serve(request: web.Request) -> web.Response:
    """Answers as public-api.misoenergy.org does."""
    if request.headers.get("User-Agent") != AGENT:
        return web.Response(status=403, text="<html>Cloudflare</html>", content_type="text/html")
    if request.path != "/api/MarketPricing/GetRealTimeFiveMinExPost/Current":
        return web.json_response({"message": "No HTTP resource was found"}, status=404)
    return web.Response(body=CURRENT, content_type="application/json")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    return MisoOptions(nodes=(NODE,), url=f"{base_url}/api/MarketPricing/GetRealTimeFiveMinExPost/Current", every_s=60)


CASE = Case(source="miso", payloads=PAYLOADS, refused=REFUSED, options=options, serve=serve)
