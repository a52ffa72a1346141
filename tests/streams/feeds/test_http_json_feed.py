"""Curves of one's own: what the settings may say, what a pointer names, who is sent the token, who is asked when."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import orjson
import pytest
from aiohttp import web
from pydantic import ValidationError

from streams.errors import FeedError
from streams.feeds.contract import MAX_NOTE
from streams.feeds.http_json import LONGEST_POINTER, Curve, HttpJsonFeed, HttpJsonOptions, build, parse, pointed
from streams.wire import RawRecord
from tests.support.appended import fails, run_until
from tests.support.faulty_server import serving
from tests.support.sources.http_json import AT, TOKEN, curve

DOCUMENT = orjson.loads(
    b'{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\\\j":5,"k\\"l":6," ":7,"m~n":8}'
)


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_pointers_name_what_rfc_6901_says(pointer: str, expected: object) -> None:
    assert pointed(DOCUMENT, pointer) == expected


@pytest.mark.parametrize("pointer", ["/foo/2", "/foo/-", "/foo/00", "/foo/-1", "/foo/1.0", "/foo/bar", "/m~n/x", "/x"])
def test_pointers_that_lead_nowhere_are_refused(pointer: str) -> None:
    with pytest.raises(FeedError, match="leads nowhere"):
        pointed(DOCUMENT, pointer)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": "usd_per_gpu_hour"}, "unit usd_per_gpu_hour is not one of power_price: usd_per_mwh, usd_per_kwh"),
        ({"unit": "eur_per_mwh"}, "Input should be"),
        ({"pointer": "price"}, "does not begin with /"),
        ({"time_pointer": "at"}, "does not begin with /"),
        ({"interval_s": None}, "interval_s is needed for power_price"),
        ({"kind": "gpu_rate", "unit": "usd_per_gpu_hour"}, "and for nothing else"),
        ({"interval_s": 90_000}, "less than or equal to 86400"),
        ({"name": "ERCOT:HB"}, "match pattern"),
        ({"url": "file:///etc/passwd"}, "match pattern"),
        ({"every_s": 0.1}, "greater than or equal to 1"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_curve_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        curve(**changes)
    assert said in str(caught.value)


def test_two_curves_of_a_kind_may_not_share_a_name() -> None:
    with pytest.raises(ValidationError, match="share a name: hub"):
        HttpJsonOptions(curves=(curve(), curve(pointer="/other")))
    gpu = curve(kind="gpu_rate", unit="usd_per_gpu_hour", interval_s=None)
    assert len(HttpJsonOptions(curves=(curve(), gpu)).curves) == 2


def test_a_curve_always_fits_into_a_note() -> None:
    plain = "/" + "é" * (LONGEST_POINTER - 1)
    assert len(curve("x" * 29, pointer=plain, time_pointer=plain).note) < MAX_NOTE
    escaped = "/" + "\x01" * (LONGEST_POINTER - 1)
    with pytest.raises(ValidationError, match="too long once written as JSON"):
        curve(pointer=escaped, time_pointer=escaped)


@pytest.mark.parametrize(
    ("unit", "given", "expected"),
    [
        ("usd_per_mwh", b"30.5", 30.5),
        ("usd_per_kwh", b"0.0305", 30.5),
        ("cents_per_kwh", b"3.05", 30.5),
        ("cents_per_kwh", b'"-1.1"', -11.0),
        ("usd_per_kwh", b"0.07", 70.0),
    ],
)
def test_units_are_converted_exactly(unit: str, given: bytes, expected: float) -> None:
    found = parse(RawRecord("http-json", AT, "test", 1, given, note=curve(pointer="", unit=unit).note))
    assert [record.usd_per_mwh for record in found.records] == [expected]  # type: ignore[union-attr]  # prices of power


async def test_the_token_goes_only_where_the_settings_send_it() -> None:
    seen: dict[str, str | None] = {}

    async def handler(request: web.Request) -> web.StreamResponse:
        seen[request.path] = request.headers.get("Authorization")
        return web.json_response({"price": 1.0})

    async with serving(handler) as url:
        mine, other = curve("mine", url=f"{url}/mine", bearer=True), curve("other", url=f"{url}/other")
        feed = build(HttpJsonOptions(curves=(mine, other)), {"HTTP_JSON_TOKEN": TOKEN})
        out = await run_until(feed, lambda out: len(out.records) >= 2)
    assert seen == {"/mine": f"Bearer {TOKEN}", "/other": None}
    assert TOKEN not in "".join(out.notes)


async def test_each_curve_keeps_its_own_rhythm_also_when_another_fails() -> None:
    asked: Counter[str] = Counter()

    async def handler(request: web.Request) -> web.StreamResponse:
        asked[request.path] += 1
        return web.json_response({"price": 1.0} if request.path != "/broken" else {})

    def often(name: str, url: str, every_s: float) -> Curve:
        return Curve.model_construct(**curve(name, url=f"{url}/{name}").model_dump() | {"every_s": every_s})

    async with serving(handler) as url:
        curves = (often("fast", url, 0.05), often("slow", url, 60.0), often("broken", url, 60.0))
        feed = HttpJsonFeed(HttpJsonOptions.model_construct(curves=curves), None)
        out, fault = await fails(feed)
        began = time.monotonic()
        await run_until(feed, lambda out: len(out.records) >= 4)
    assert "power:PRIVATE:http-json.broken:rt: pointer '/price' leads nowhere" in str(fault)
    assert out.payloads[-1] == b"{}"  # what was refused is in the log
    assert asked["/slow"] == asked["/broken"] == 1
    assert asked["/fast"] >= 4
    assert time.monotonic() - began > 0.14


async def test_without_curves_there_is_nothing_to_say() -> None:
    await HttpJsonFeed(HttpJsonOptions(), None).run(None)  # type: ignore[arg-type]  # nothing is appended
