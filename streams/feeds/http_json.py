"""Any HTTP address that answers with JSON: curves of one's own, each one number of it, said in the settings.

A curve's series lies in the private namespace of `http-json`, as if it had been written to topic `observations` by a
principal of that name: nothing configured here can touch a series of another source. What the parser needs stands in
each record's note, so that a replay reads it as it was read then, whatever the settings say by now.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.records import DAY_US, SECOND_US, GpuRate, Observation, PowerPrice, Utilisation, require_range
from streams.errors import FeedError
from streams.feeds.contract import MAX_NOTE, Appender, Feed, Options, Parsed, Source
from streams.feeds.http import Client, Request
from streams.feeds.reading import integer, iso_us, json_of, number, obj, text
from streams.wire import RawRecord

FEED = "http-json"
Kind = Literal["power_price", "gpu_rate", "utilisation"]
Unit = Literal[
    "usd_per_mwh",
    "usd_per_kwh",
    "cents_per_kwh",
    "usd_per_gpu_hour",
    "cents_per_gpu_hour",
    "fraction",
    "percent",
]

UNITS: Mapping[str, tuple[Kind, Decimal]] = {
    "usd_per_mwh": ("power_price", Decimal(1)),
    "usd_per_kwh": ("power_price", Decimal(1_000)),
    "cents_per_kwh": ("power_price", Decimal(10)),
    "usd_per_gpu_hour": ("gpu_rate", Decimal(1)),
    "cents_per_gpu_hour": ("gpu_rate", Decimal("0.01")),
    "fraction": ("utilisation", Decimal(1)),
    "percent": ("utilisation", Decimal("0.01")),
}
"""Unit -> what it is of, and the exact factor to ours: USD/MWh, USD/GPU-h, a fraction."""

SERIES: Mapping[Kind, tuple[str, str]] = {
    "power_price": (f"power:PRIVATE:{FEED}.", ":rt"),
    "gpu_rate": (f"gpu:private.{FEED}.", ""),
    "utilisation": (f"utilisation:{FEED}.", ""),
}
"""Kind -> what stands before and after a curve's name in its series."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9_+-]{0,28}$"
INDEX = re.compile(r"(?:0|[1-9][0-9]{0,6})\Z")
LONGEST_POINTER = 500
TICKS_PER_SECOND = (1, 1_000, 1_000_000)
LATE = 2  # polls after which a curve is due again


class Curve(BaseModel):
    """One number of one address: an entry of ``[[feeds.http-json.curves]]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=NAME, description="Your name of the series: letters, digits, _ + -.")]
    url: Annotated[str, Field(pattern=r"^https?://", max_length=1_000, description="The address asked with GET.")]
    pointer: Annotated[
        str, Field(max_length=LONGEST_POINTER, description="Where the number stands: a JSON pointer (RFC 6901).")
    ]
    kind: Annotated[Kind, Field(description="What it is.")]
    unit: Annotated[Unit, Field(description="The unit it is given in.")]
    every_s: Annotated[float, Field(ge=1, le=86_400, description="Seconds between polls.")] = 60.0
    interval_s: Annotated[
        int | None, Field(ge=60, le=86_400, description="Length of a power price's interval; needed for power alone.")
    ] = None
    time_pointer: Annotated[
        str | None,
        Field(
            max_length=LONGEST_POINTER,
            description="Where its time (of power: its interval's start) stands: ISO 8601 with an offset, or s, ms or "
            "us since 1970. Without: its receipt (of power: the interval it came in, counted from midnight UTC).",
        ),
    ] = None
    bearer: Annotated[bool, Field(description="Whether HTTP_JSON_TOKEN is sent to this address.")] = False

    @model_validator(mode="after")
    def fits(self) -> Self:
        """Refuse a unit of another kind, pointers that are none and an interval where there is none, or none."""
        if UNITS[self.unit][0] != self.kind:
            allowed = ", ".join(unit for unit, (kind, _) in UNITS.items() if kind == self.kind)
            raise ValueError(f"unit {self.unit} is not one of {self.kind}: {allowed}")
        for pointer in (self.pointer, self.time_pointer or ""):
            if pointer and not pointer.startswith("/"):
                raise ValueError(f"pointer {pointer!r} does not begin with /")
        if (self.interval_s is None) == (self.kind == "power_price"):
            raise ValueError("interval_s is needed for power_price, and for nothing else")
        if len(self.note) > MAX_NOTE:
            raise ValueError("the pointers are too long once written as JSON")
        return self

    @property
    def note(self) -> str:
        """What the parser needs to know of an answer."""
        before, after = SERIES[self.kind]
        found = {
            "pointer": self.pointer,
            "unit": self.unit,
            "kind": self.kind,
            "series": f"{before}{self.name}{after}",
            "due_us": round(LATE * self.every_s * SECOND_US),
            "interval_s": self.interval_s,
            "time_pointer": self.time_pointer,
        }
        return orjson.dumps({key: value for key, value in found.items() if value is not None}).decode()


def pointed(document: object, pointer: str) -> object:
    """The value that a JSON pointer (RFC 6901) names, else FeedError saying how far it led.

    >>> pointed({"prices": [{"a/b": 1.5}]}, "/prices/0/a~1b"), pointed(7, "")
    (1.5, 7)
    >>> pointed({"prices": []}, "/prices/0")
    Traceback (most recent call last):
    streams.errors.FeedError: pointer '/prices/0' leads nowhere at '0'
    """
    found = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and INDEX.match(key) and int(key) < len(found):
            found = found[int(key)]
        else:
            raise FeedError(f"pointer {pointer[:80]!r} leads nowhere at {key[:40]!r}")
    return found


def moment_us(value: object) -> int:
    """A time [us UTC]: ISO 8601 with an offset, or whole s, ms or us since 1970 (told apart: 2009 to 2100 only).

    >>> moment_us("2026-02-26T00:00:00Z") == moment_us(1772064000) == moment_us(1772064000000)
    True
    """
    if isinstance(value, str) and not value.isdigit():
        return iso_us(value)
    ticks = integer({"time": value}, "time")
    for per_second in TICKS_PER_SECOND:
        if 1_230_940_800 <= ticks // per_second <= 4_102_444_800:
            return ticks * (SECOND_US // per_second)
    raise FeedError(f"time {ticks} is neither s nor ms nor us since 1970")


def converted(value: float, unit: str) -> float:
    """A number in our unit, exact: converted as the decimal it was written as.

    >>> converted(0.0305, "usd_per_kwh"), converted(87.1, "percent")
    (30.5, 0.871)
    """
    return float(Decimal(repr(value)) * UNITS[unit][1])


def parse(raw: RawRecord) -> Parsed:
    """One number, read as the note says."""
    note = obj(json_of(raw.note.encode()), "the note")
    kind, unit, series = text(note, "kind"), text(note, "unit"), text(note, "series")
    if kind not in SERIES or UNITS.get(unit, ("", 0))[0] != kind:
        raise FeedError(f"the note's unit {unit!r} is not one of kind {kind!r}")
    before, after = SERIES[cast("Kind", kind)]
    name = series.removeprefix(before).removesuffix(after)
    if series != f"{before}{name}{after}" or not re.fullmatch(NAME, name):
        raise FeedError(f"the note's series {series[:80]!r} is not one of {FEED}")
    document, pointer = json_of(raw.payload), note.get("pointer")
    if not isinstance(pointer, str):
        raise FeedError("the note has no pointer")
    value = converted(number({"value": pointed(document, pointer)}, "value"), unit)
    when = note.get("time_pointer")
    event_us = raw.receipt_time_us if when is None else moment_us(pointed(document, text(note, "time_pointer")))
    return Parsed([record(raw, kind, series, value, event_us, note)])


def record(
    raw: RawRecord, kind: str, series: str, value: float, event_us: int, note: Mapping[str, object]
) -> Observation:
    """The value as a record. Without a time of its own a power price holds for the interval it came in."""
    due_us = integer(note, "due_us")
    require_range("due_us of the note", due_us, 1, LATE * DAY_US)
    common = {"series": series, "source": FEED, "receipt_time_us": raw.receipt_time_us}
    if kind == "power_price":
        interval_us = integer(note, "interval_s") * SECOND_US
        require_range("interval_s of the note", interval_us, SECOND_US, DAY_US)
        start_us = event_us if "time_pointer" in note else event_us - event_us % interval_us
        end_us = start_us + interval_us
        return PowerPrice(
            event_time_us=start_us,
            end_time_us=end_us,
            next_due_us=end_us + due_us,
            usd_per_mwh=value,
            **common,  # type: ignore[arg-type]  # the fields every kind has
        )
    timed = {"event_time_us": event_us, "next_due_us": event_us + due_us, **common}
    if kind == "gpu_rate":
        return GpuRate(usd_per_gpu_hour=value, **timed)  # type: ignore[arg-type]  # the same
    return Utilisation(utilisation=value, **timed)  # type: ignore[arg-type]  # the same


class HttpJsonOptions(Options):
    """The curves."""

    curves: Annotated[
        tuple[Curve, ...], Field(max_length=100, description="One table each: [[feeds.http-json.curves]].")
    ] = ()

    @model_validator(mode="after")
    def names_differ(self) -> Self:
        """Refuse two curves of one kind under one name: their numbers would be taken for corrections."""
        named = [(curve.kind, curve.name) for curve in self.curves]
        twice = sorted({name for kind, name in named if named.count((kind, name)) > 1})
        if twice:
            raise ValueError(f"curves of one kind share a name: {', '.join(twice)}")
        return self


class HttpJsonFeed:
    """Polls each curve in its own rhythm, which a failure of another and a new start leave as it is."""

    name = FEED

    def __init__(self, options: HttpJsonOptions, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._asks = [
            (Request(feed=FEED, url=curve.url, headers=headers if curve.bearer else {}, note=curve.note), curve.every_s)
            for curve in options.curves
        ]
        self._client = Client(self.name)
        self._due_s = [float("-inf")] * len(self._asks)

    async def run(self, out: Appender) -> None:
        """Poll until cancelled; without curves there is nothing to say."""
        now_s = asyncio.get_running_loop().time
        async with self._client as client:
            while self._asks:
                place = min(range(len(self._asks)), key=lambda each: self._due_s[each])
                await asyncio.sleep(max(0.0, self._due_s[place] - now_s()))
                request, every_s = self._asks[place]
                self._due_s[place] = now_s() + every_s
                answer = await client.fetch(request)
                await out.append(FEED, answer.receipt_time_us, answer.body, request.note)
                self.check(RawRecord(FEED, answer.receipt_time_us, "", 0, answer.body, note=request.note))

    def check(self, raw: RawRecord) -> None:
        """Raise what the parser will refuse, with the curve's name, so that the failure is counted."""
        try:
            parse(raw)
        except (FeedError, ValueError) as fault:
            series = obj(json_of(raw.note.encode()), "the note").get("series")
            raise FeedError(f"{series}: {fault}", retriable=True) from fault


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    return HttpJsonFeed(cast("HttpJsonOptions", options), keys.get("HTTP_JSON_TOKEN"))


SOURCE = Source(
    name=FEED,
    kind="private",
    options=HttpJsonOptions,
    parsers={FEED: parse},
    build=build,
    documentation=("https://www.rfc-editor.org/rfc/rfc6901",),
    etiquette="as the settings say: each curve's own every_s",
    optional_keys=("HTTP_JSON_TOKEN",),
    defaults_on=False,
)
