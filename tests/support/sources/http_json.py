"""Curves of one's own: documents of the shapes that are met, and where in them the number stands."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from models.records import GpuRate, Observation, PowerPrice, Utilisation
from streams.feeds.http_json import Curve, HttpJsonOptions
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000  # 2026-02-04T10:13:20Z
QUARTER_US = 1_770_199_200_000_000  # 10:00
RFC = "https://www.rfc-editor.org/rfc/rfc6901"
TOKEN = "token-of-the-test"  # noqa: S105 of a local server


def curve(name: str = "hub", **changes: Any) -> Curve:
    """A curve of a power price each quarter of an hour."""
    given: dict[str, Any] = {
        "name": name,
        "url": "http://127.0.0.1/prices",
        "pointer": "/price",
        "kind": "power_price",
        "unit": "usd_per_mwh",
        "interval_s": 900,
        "every_s": 60.0,
    }
    return Curve(**given | changes)


POWER = curve()
NESTED = curve("nested", pointer="/data/0/a~1b", unit="cents_per_kwh", time_pointer="/data/0/at")
GPU = curve("H100", kind="gpu_rate", unit="cents_per_gpu_hour", interval_s=None)
USED = curve("pool", kind="utilisation", unit="percent", interval_s=None, time_pointer="/at")


def answer(of: Curve, document: object, *gives: Observation, note: str | None = None) -> Payload:
    """An answer to a curve's request."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    said = of.note if note is None else note
    return Payload(feed="http-json", body=body, cites=RFC, receipt_time_us=AT, note=said, gives=gives)


def power(name: str, usd: float, start_us: int = QUARTER_US) -> PowerPrice:
    """A power price of a quarter of an hour."""
    return PowerPrice(
        series=f"power:PRIVATE:http-json.{name}:rt",
        source="http-json",
        event_time_us=start_us,
        receipt_time_us=AT,
        end_time_us=start_us + 900_000_000,
        next_due_us=start_us + 900_000_000 + 120_000_000,
        usd_per_mwh=usd,
    )


RATE = GpuRate(
    series="gpu:private.http-json.H100",
    source="http-json",
    event_time_us=AT,
    receipt_time_us=AT,
    next_due_us=AT + 120_000_000,
    usd_per_gpu_hour=2.15,
)


def used(share: float, event_us: int) -> Utilisation:
    """A share in use."""
    return Utilisation(
        series="utilisation:http-json.pool",
        source="http-json",
        event_time_us=event_us,
        receipt_time_us=AT,
        next_due_us=event_us + 120_000_000,
        utilisation=share,
    )


def nested(price: object, at: object) -> dict[str, object]:
    """A document with the number deep inside."""
    return {"data": [{"a/b": price, "at": at}]}


def options(url: str) -> HttpJsonOptions:
    """Options for a local server."""
    return HttpJsonOptions(curves=(curve(url=f"{url}/prices", every_s=1.0, bearer=True),))


def serve(request: web.Request) -> web.Response:
    """One price, to whoever has the token."""
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return web.json_response({"error": "unauthorized"}, status=401)
    if request.path != "/prices" or request.method != "GET":
        return web.json_response({"error": "not found"}, status=404)
    return web.json_response({"price": -20.5})


NOTE = orjson.loads(POWER.note)
CASE = Case(
    source="http-json",
    payloads=(
        answer(POWER, {"price": -20.5}, power("hub", -20.5)),
        answer(POWER, {"price": "41.07"}, power("hub", 41.07)),
        answer(NESTED, nested(4.125, "2026-02-04T04:00:00-06:00"), power("nested", 41.25)),
        answer(NESTED, nested(4.125, 1_770_199_200), power("nested", 41.25)),
        answer(NESTED, nested(4.125, "1770198300000"), power("nested", 41.25, QUARTER_US - 900_000_000)),
        answer(GPU, {"price": 215}, RATE),
        answer(USED, {"price": 87.1, "at": 1_770_199_999_500_000}, used(0.871, 1_770_199_999_500_000)),
        answer(curve(pointer=""), b"35.5", power("hub", 35.5)),
    ),
    refused=(
        answer(POWER, {"price": None}),
        answer(POWER, {"price": True}),
        answer(POWER, {"price": "41,07"}),
        answer(POWER, {"price": [41.07]}),
        answer(POWER, {"prices": [41.07]}),
        answer(POWER, {"price": 4_107_000.0}),
        answer(POWER, b'{"price": NaN}'),
        answer(POWER, b"<html>busy</html>"),
        answer(NESTED, nested(4.125, "2026-02-04T10:05:00")),
        answer(NESTED, nested(4.125, 20_260_204)),
        answer(NESTED, {"data": {"00": {"a/b": 1.0}}}),
        answer(USED, {"price": 187.1, "at": 1_770_199_999}),
        answer(POWER, {"price": 1.0}, note=""),
        answer(POWER, {"price": 1.0}, note=orjson.dumps(NOTE | {"series": "power:ERCOT:HB_SOUTH:rt"}).decode()),
        answer(POWER, {"price": 1.0}, note=orjson.dumps(NOTE | {"series": "power:PRIVATE:desk.hub:rt"}).decode()),
        answer(POWER, {"price": 1.0}, note=orjson.dumps(NOTE | {"unit": "percent"}).decode()),
        answer(POWER, {"price": 1.0}, note=orjson.dumps(NOTE | {"due_us": 10**15}).decode()),
        answer(POWER, {"price": 1.0}, note=orjson.dumps(NOTE | {"interval_s": 0}).decode()),
    ),
    options=options,
    keys={"HTTP_JSON_TOKEN": TOKEN},
    serve=serve,
)
