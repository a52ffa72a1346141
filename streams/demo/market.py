"""The simulated market as a pure function of seed and speed: an endless, ordered sequence of feed payloads.

No clock is read and nothing is sent here; :mod:`streams.demo.feed` paces these events in real time. Every time stands
in simulated microseconds UTC, and every observation names ``demo`` as its source.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from models.records import SECOND_US
from streams.demo.chance import Chance
from streams.demo.network import NetworkParameters, blocks
from streams.demo.prices import (
    BtcParameters,
    GpuParameters,
    PowerParameters,
    UtilisationParameters,
    btc_prices,
    gpu_rates,
    power_prices,
    utilisations,
)
from streams.errors import SettingsError

START_US = 1_767_571_200 * SECOND_US  # 2026-01-05T00:00:00Z, where simulated time begins
DEFAULT_SPEED = 60.0
SPEEDS = (1.0, 3_600.0)
TICK_REAL_S = 0.2  # a clock tick and a price of bitcoin five times a real second

Observations = Iterable[tuple[int, list[dict[str, object]]]]


class MarketEvent(NamedTuple):
    """One payload as a feed receives it; ``receipt_time_us`` [us UTC] is simulated."""

    feed: str
    receipt_time_us: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketParameters:
    """What the market is made of; each process documents its own figures and units."""

    btc: BtcParameters = field(default_factory=BtcParameters)
    power: PowerParameters = field(default_factory=PowerParameters)
    network: NetworkParameters = field(default_factory=NetworkParameters)
    gpu: GpuParameters = field(default_factory=GpuParameters)
    utilisation: UtilisationParameters = field(default_factory=UtilisationParameters)


def require_speed(speed: float) -> None:
    """Refuse a speed [simulated seconds per real second] outside 1 to 3,600.

    >>> require_speed(0.5)
    Traceback (most recent call last):
    streams.errors.SettingsError: --speed 0.5: simulated seconds per real second, from 1 to 3600
    """
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        low, high = SPEEDS
        raise SettingsError(f"--speed {speed:g}: simulated seconds per real second, from {low:g} to {high:g}")


def events(
    seed: int, speed: float = DEFAULT_SPEED, parameters: MarketParameters | None = None
) -> Iterator[MarketEvent]:
    """Everything the market says, without end, in order of receipt; of equal times the clock comes first.

    The same seed and speed give the same payloads to the bit. ``speed`` sets only how far apart in simulated time the
    ticks and bitcoin prices lie, so that they come five times a real second.

    >>> first, second = itertools.islice(events(1), 2)
    >>> first
    MarketEvent(feed='clock', receipt_time_us=1767571200000000, payload=b'{"time_us":1767571200000000,"replayed":true}')
    >>> second.feed, orjson.loads(second.payload)[0]["series"]
    ('observation', 'btc:usd')
    """
    require_speed(speed)
    drawn = parameters or MarketParameters()
    step_us = round(TICK_REAL_S * speed * SECOND_US)
    streams: list[Observations] = [
        btc_prices(drawn.btc, Chance(seed, "btc"), START_US, step_us),
        power_prices(drawn.power, seed, START_US),
        utilisations(drawn.utilisation, Chance(seed, "utilisation"), START_US),
        gpu_rates(drawn.gpu, seed, START_US),
        blocks(drawn.network, Chance(seed, "network"), START_US),
    ]
    merged = heapq.merge(_ticks(step_us), *map(_observed, streams), key=lambda event: event.receipt_time_us)
    yield from merged


def _ticks(step_us: int) -> Iterator[MarketEvent]:
    """Clock ticks; ``replayed``, as simulated time may jump further than a real clock ever does."""
    for number in itertools.count():
        time_us = START_US + number * step_us
        yield MarketEvent("clock", time_us, orjson.dumps({"time_us": time_us, "replayed": True}))


def _observed(stream: Observations) -> Iterator[MarketEvent]:
    """The observations of one process as payloads."""
    for receipt_time_us, observations in stream:
        yield MarketEvent("observation", receipt_time_us, orjson.dumps(observations))
