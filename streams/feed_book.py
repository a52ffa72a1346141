"""What is known of each feed while ingest runs: counts, ages, last prices, why it is off or waits. No I/O, no clock.

The parsers run here a second time, beside the log: what they say is counted and shown, never appended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from models.limits import limit_us
from models.records import (
    SECOND_US,
    BtcPrice,
    DecidingConfig,
    GpuRate,
    Hashprice,
    Network,
    Observation,
    PowerPrice,
    Utilisation,
)
from streams.errors import ChangeoverError
from streams.feeds.contract import Parse
from streams.feeds.sources import SOURCES
from streams.wire import RawRecord

PARSERS: Mapping[str, Parse] = {name: parse for source in SOURCES for name, parse in source.parsers.items()}
CURVE = ":da"
"""How the name of a series ends that is known a day ahead."""
MOST_SERIES = 200
"""Series of a feed that are kept to be shown; a payload of a whole market may hold thousands."""


def figure(observation: Observation) -> tuple[float, str]:
    """The one number of an observation that is shown, and its unit."""
    match observation:
        case BtcPrice():
            return observation.usd_per_btc, "USDT" if observation.series.startswith("btc:usdt") else "USD"
        case PowerPrice():
            return observation.usd_per_mwh, "USD/MWh"
        case GpuRate():
            return observation.usd_per_gpu_hour, "USD/GPU-h"
        case Hashprice():
            return observation.usd_per_ph_day, "USD/PH/day"
        case Utilisation():
            return observation.utilisation, "fraction"
        case Network():
            return observation.difficulty, "difficulty"
        case _:
            raise TypeError(f"{type(observation).__name__} has no figure")


class SeriesLine(TypedDict):
    """A series as shown: its latest print, of a day ahead that of the hour that it is now."""

    series: str
    value: float
    unit: str
    age_s: float
    late_s: float


class FeedLine(TypedDict):
    """One feed, as shown. Times in seconds before now, null where there was none."""

    feed: str
    state: str
    why: str
    received: int
    parsed: int
    ignored: int
    rejected: int
    failures: int
    age_s: float | None
    stale: list[str]
    series: list[SeriesLine]


@dataclass(slots=True)
class FeedEntry:
    """What is known of one feed. ``state``: on, waiting, off, done. ``ailing``: it failed and gave no price since."""

    name: str
    state: str = "on"
    why: str = ""
    received: int = 0
    parsed: int = 0
    ignored: int = 0
    rejected: int = 0
    failures: int = 0
    heard_us: int = 0
    began_us: int = 0
    ailing: bool = False
    latest: dict[str, Observation] = field(default_factory=dict)
    curves: dict[str, dict[int, PowerPrice]] = field(default_factory=dict)

    def hear(self, raw: RawRecord) -> None:
        """Count a payload that was appended."""
        self.received += 1
        self.heard_us = raw.receipt_time_us
        parser = PARSERS.get(raw.feed)
        if parser is None:
            return
        try:
            found = parser(raw)
        except (ChangeoverError, ValueError) as fault:
            self.rejected += 1
            self.why = str(fault)
            return
        self.parsed += len(found.records)
        self.rejected += len(found.faults)
        self.ignored += not found.records and not found.faults
        if found.records and self.ailing:
            self.why, self.ailing = "", False
        if found.faults:
            self.why = found.reason
        for record in found.records:
            if isinstance(record, Observation) and (record.series in self.latest or len(self.latest) < MOST_SERIES):
                kept = self.latest.get(record.series)
                if kept is None or record.event_time_us >= kept.event_time_us:
                    self.latest[record.series] = record
                if isinstance(record, PowerPrice) and record.series.endswith(CURVE):
                    self._draw(record, raw.receipt_time_us)

    def _draw(self, price: PowerPrice, heard_us: int) -> None:
        """Keep an interval of a curve until it is over."""
        curve = self.curves.setdefault(price.series, {})
        if price.end_time_us > heard_us:
            curve[price.event_time_us] = price
        for over in [start_us for start_us, each in curve.items() if each.end_time_us <= heard_us]:
            del curve[over]

    def at(self, series: str, now_us: int) -> Observation:
        """The print of a series that counts at a time: of a curve the interval that holds it, else the latest."""
        for price in self.curves.get(series, {}).values():
            if price.event_time_us <= now_us < price.end_time_us:
                return price
        return self.latest[series]

    def stale(self, now_us: int, config: DecidingConfig) -> list[str]:
        """Series whose print is later than its limit allows."""
        return sorted(
            series for series, latest in self.latest.items() if now_us > latest.next_due_us + limit_us(series, config)
        )

    def line(self, now_us: int, config: DecidingConfig) -> FeedLine:
        """The feed as shown at a time."""
        return {
            "feed": self.name,
            "state": self.state,
            "why": self.why,
            "received": self.received,
            "parsed": self.parsed,
            "ignored": self.ignored,
            "rejected": self.rejected,
            "failures": self.failures,
            "age_s": (now_us - self.heard_us) / SECOND_US if self.heard_us else None,
            "stale": self.stale(now_us, config),
            "series": [series_line(self.at(name, now_us), self.latest[name], now_us) for name in sorted(self.latest)],
        }


def series_line(counts: Observation, latest: Observation, now_us: int) -> SeriesLine:
    """A series as shown at a time: the print that counts; it is late when the latest is."""
    value, unit = figure(counts)
    return {
        "series": counts.series,
        "value": value,
        "unit": unit,
        "age_s": (now_us - counts.event_time_us) / SECOND_US,
        "late_s": max(0.0, (now_us - latest.next_due_us) / SECOND_US),
    }


class FeedBook:
    """All feeds of an ingest. ``now_us`` is the clock that ages are told by."""

    def __init__(self, config: DecidingConfig, now_us: Callable[[], int]) -> None:
        self.entries: dict[str, FeedEntry] = {}
        self._config = config
        self._now_us = now_us

    def entry(self, name: str) -> FeedEntry:
        """The entry of a feed, made at first sight."""
        return self.entries.setdefault(name, FeedEntry(name))

    def off(self, name: str, why: str) -> None:
        """Note a source that does not run."""
        entry = self.entry(name)
        entry.state, entry.why = "off", why

    def silent(self, name: str) -> list[str]:
        """The series of a feed if every one of them is stale, else none: one late node is the market's affair."""
        entry = self.entry(name)
        stale = entry.stale(self._now_us(), self._config)
        return stale if stale and len(stale) == len(entry.latest) else []

    def lines(self) -> list[FeedLine]:
        """All feeds as shown now, those that run first."""
        now_us = self._now_us()
        order = {"on": 0, "waiting": 1, "done": 2, "off": 3}
        entries = sorted(self.entries.values(), key=lambda entry: (order[entry.state], entry.name))
        return [entry.line(now_us, self._config) for entry in entries]
