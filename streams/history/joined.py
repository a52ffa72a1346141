"""A history: one or more imported files as one sequence of raw records, counted and checked before it is replayed."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from streams.errors import FeedError, SettingsError
from streams.history.contract import OBSERVATION_FEED, Imported
from streams.wire import RawRecord

CLOCK_FEED = "clock"


@dataclass(slots=True)
class Span:
    """How often a series is observed, and from when to when [us UTC, event times]."""

    observations: int = 0
    first_event_us: int = 2**63
    last_event_us: int = -(2**63)

    def add(self, event_time_us: int) -> None:
        """Count one observation."""
        self.observations += 1
        self.first_event_us = min(self.first_event_us, event_time_us)
        self.last_event_us = max(self.last_event_us, event_time_us)

    def overlaps(self, other: Span) -> bool:
        """Whether the two have a moment in common."""
        return self.first_event_us <= other.last_event_us and other.first_event_us <= self.last_event_us


@dataclass(slots=True)
class Counts:
    """What a source of records holds: records by feed, observations by series, first and last receipt [us UTC]."""

    records: int = 0
    feeds: dict[str, int] = field(default_factory=dict)
    series: dict[str, Span] = field(default_factory=dict)
    first_receipt_us: int = 2**63
    last_receipt_us: int = 0

    @property
    def observations(self) -> int:
        """Observations of feed ``observation``; what other feeds say is known only to their parsers."""
        return sum(span.observations for span in self.series.values())

    def add(self, record: RawRecord) -> None:
        """Count one record."""
        self.records += 1
        self.feeds[record.feed] = self.feeds.get(record.feed, 0) + 1
        self.first_receipt_us = min(self.first_receipt_us, record.receipt_time_us)
        self.last_receipt_us = max(self.last_receipt_us, record.receipt_time_us)
        if record.feed == OBSERVATION_FEED:
            for series, event_time_us in _observed(record.payload):
                self.series.setdefault(series, Span()).add(event_time_us)


def _observed(payload: bytes) -> list[tuple[str, int]]:
    """Series and event times of a payload; none where it is broken: that is for the parser to say, when it is replayed.

    >>> _observed(b'[{"series": "btc:usd", "event_time_us": 1}, 7]'), _observed(b"NaN")
    ([('btc:usd', 1)], [])
    """
    try:
        items = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return []
    found = []
    for item in items if isinstance(items, list) else []:
        series, event_time_us = (item.get("series"), item.get("event_time_us")) if isinstance(item, dict) else (0, 0)
        if isinstance(series, str) and isinstance(event_time_us, int):
            found.append((series, event_time_us))
    return found


@dataclass(frozen=True, slots=True)
class History:
    """Raw records in the order in which they became known; iterate as often as needed.

    ``notes`` says what a reader should know of it, ``hypothetical`` what in it never happened.
    """

    name: str
    sources: tuple[Imported, ...]
    counts: Counts
    notes: tuple[str, ...]
    hypothetical: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[RawRecord]:
        """Begin anew at the first record."""
        if len(self.sources) == 1:
            return iter(self.sources[0].records)
        keyed = [_by_time_known(source) for source in self.sources]
        return (record for _, record in heapq.merge(*keyed, key=_time_known))

    @property
    def carries_clock(self) -> bool:
        """Whether it brings its own clock ticks, as a recording does."""
        return CLOCK_FEED in self.counts.feeds


def _time_known(keyed: tuple[int, RawRecord]) -> int:
    return keyed[0]


def _by_time_known(source: Imported) -> Iterator[tuple[int, RawRecord]]:
    """Each record with the latest receipt time so far: a log whose receipt times step back keeps its order."""
    latest_us = 0
    for record in source.records:
        if record.receipt_time_us > latest_us:
            latest_us = record.receipt_time_us
        elif record.receipt_time_us < latest_us and not source.in_log_order:
            raise ValueError(f"{source.name}: the importer gives records out of receipt order at {record.counter}")
        yield latest_us, record


def count(source: Imported) -> Counts:
    """Read a source once, so that whatever is broken in it shows before anything is replayed.

    Raises FeedError where it is broken or empty.
    """
    counts = Counts()
    for _, record in _by_time_known(source):
        counts.add(record)
    if not counts.records:
        raise FeedError(f"{source.name}: holds no records")
    return counts


def join(
    name: str, sources: Sequence[Imported], notes: Sequence[str] = (), hypothetical: Sequence[str] = ()
) -> History:
    """One history of several sources; at equal receipt times the earlier source goes first.

    Raises SettingsError where two sources say something of one series at one time: which of them counts is not ours
    to guess.
    """
    total = Counts()
    counted: list[tuple[Imported, Counts]] = []
    for source in sources:
        counts = count(source)
        for other, other_counts in counted:
            _refuse_overlap(name, (source, counts.series), (other, other_counts.series))
        counted.append((source, counts))
    for _, counts in counted:
        _add(total, counts)
    said = [f"{source.name}: {note}" for source in sources for note in source.notes]
    return History(name, tuple(sources), total, (*notes, *said), tuple(hypothetical))


def _refuse_overlap(
    name: str, one: tuple[Imported, Mapping[str, Span]], other: tuple[Imported, Mapping[str, Span]]
) -> None:
    for series, span in one[1].items():
        if series in other[1] and span.overlaps(other[1][series]):
            raise SettingsError(
                f"{name}: {other[0].name} and {one[0].name} both give {series} over the same time; join them in a "
                "manifest and choose by 'series' which file gives it"
            )


def _add(total: Counts, counts: Counts) -> None:
    total.records += counts.records
    total.first_receipt_us = min(total.first_receipt_us, counts.first_receipt_us)
    total.last_receipt_us = max(total.last_receipt_us, counts.last_receipt_us)
    for feed, records in counts.feeds.items():
        total.feeds[feed] = total.feeds.get(feed, 0) + records
    for series, span in counts.series.items():
        joined = total.series.setdefault(series, Span())
        joined.observations += span.observations
        joined.first_event_us = min(joined.first_event_us, span.first_event_us)
        joined.last_event_us = max(joined.last_event_us, span.last_event_us)
