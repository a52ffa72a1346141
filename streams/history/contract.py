"""The contract of an importer of history: files in, raw records with honest receipt times out, in receipt order.

An importer of imported history has no receipt time of its own. Each states one rule that gives it: the publication
time where it is known, else the interval's end plus a stated lag; never earlier than anyone could have known the value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import orjson
from pydantic import BaseModel, ConfigDict

from models.records import OBSERVATION_KINDS, Observation
from streams.wire import RawRecord

OBSERVATION_FEED = "observation"


class Options(BaseModel):
    """What a manifest may set for an importer. Frozen; unknown keys are refused; every field has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Imported:
    """One file as read: records in their order (may be iterated again), what the reader should know about them.

    ``in_log_order``: the order is that of a log once written (a recording) and is kept even where receipt times step
    back; otherwise the records are in receipt order. ``groups`` holds the observations of each record where the
    importer made the records from observations; None where only a parser knows.
    """

    name: str
    records: Iterable[RawRecord]
    notes: tuple[str, ...] = ()
    in_log_order: bool = False
    groups: Sequence[Sequence[Observation]] | None = None


def imported(name: str, groups: Sequence[Sequence[Observation]], instance: str, notes: Sequence[str] = ()) -> Imported:
    """Observations, grouped by what became known together, as raw records in receipt order, counted from 0."""
    ordered = sorted(groups, key=lambda group: group[0].receipt_time_us)
    records = tuple(observation_record(instance, counter, group) for counter, group in enumerate(ordered))
    return Imported(name, records, tuple(notes), groups=tuple(ordered))


class Importer(ABC):
    """Reads one kind of file. A new kind is a new module with one of these and a line in the catalogue."""

    name: ClassVar[str]
    """What a manifest calls it."""
    series: ClassVar[tuple[str, ...]]
    """The series it can give; empty where only the file knows (then a manifest cannot choose among them)."""
    options: ClassVar[type[Options]] = Options
    """The settings it takes."""

    @abstractmethod
    def recognises(self, first_line: bytes) -> bool:
        """Whether a file that begins with this line is of this kind.

        Called once for every importer when a file is given without naming one. Must look at nothing but the line; the
        usual mistake is to recognise by a substring that other files have as well.
        """

    @abstractmethod
    def read(self, path: Path, options: Options, series: Sequence[str], instance: str) -> Imported:
        """Read a file into raw records of the series wanted.

        Called once a file. ``options`` is an instance of this importer's class of options, ``series`` a choice from
        its series; records it makes carry ``instance`` and count from 0. Must refuse a file that breaks its rules
        (FeedError with file and line) before anything is replayed, and must not look ahead: the usual mistake is to
        stamp an interval's value with the interval's start.
        """


_FIELDS: dict[str, tuple[str, ...]] = {
    name: tuple(field.name for field in fields(kind) if field.name != "receipt_time_us")
    for name, kind in OBSERVATION_KINDS.items()
}


def observation_object(observation: Observation) -> dict[str, object]:
    """An observation as it stands in a payload: its kind and fields, without the receipt time (a header has it).

    >>> from models.records import GpuRate
    >>> t = 1_719_190_800_000_000
    >>> rate = GpuRate(series="gpu:H100-SXM", source="x", event_time_us=t, receipt_time_us=t, next_due_us=t,
    ...     usd_per_gpu_hour=4.46)
    >>> list(observation_object(rate))  # doctest: +NORMALIZE_WHITESPACE
    ['kind', 'series', 'source', 'event_time_us', 'next_due_us', 'publish_time_us', 'revision', 'usd_per_gpu_hour']
    """
    return {"kind": observation.kind, **{name: getattr(observation, name) for name in _FIELDS[observation.kind]}}


def observation_record(instance: str, counter: int, observations: Sequence[Observation]) -> RawRecord:
    """The raw record of observations that became known at one time.

    Raises ValueError where there are none or their receipt times differ.
    """
    receipt_times = {observation.receipt_time_us for observation in observations}
    if len(receipt_times) != 1:
        raise ValueError(f"a raw record has one receipt time, these observations have {len(receipt_times)}")
    payload = orjson.dumps([observation_object(observation) for observation in observations])
    return RawRecord(OBSERVATION_FEED, receipt_times.pop(), instance, counter, payload)
