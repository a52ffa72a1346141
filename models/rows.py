"""Records as rows of numbers: the form in which the compiled step reads the log, and the names behind the numbers.

One row is one observation of one series or one tick. Names (series, sources, producer instances) are numbered in the
order in which they were first seen; which number a name has changes no result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.limits import MEMBER, group_of
from models.records import (
    BtcPrice,
    Clock,
    GpuRate,
    Hashprice,
    Network,
    Observation,
    PowerPrice,
    Utilisation,
    is_curve,
)

VALUE, CURVE, NETWORK, CLOCK = 0, 1, 2, 3

MAX_NAMES = 100_000  # of series, of sources. Names come from outside; each takes 350 bytes in every engine


class NamesFullError(ValueError):
    """A record brings a name for which there is no more room."""


ROW = np.dtype(
    [
        ("position", "i8"),  # place in the log
        ("receipt_us", "i8"),
        ("event_us", "i8"),  # source's time; an interval's start; a tick's time
        ("end_us", "i8"),  # an interval's end, else event_us
        ("due_us", "i8"),  # when the next print is due
        ("order", "i8"),  # what "newest" means: event time, for the network the height
        ("value", "f8"),
        ("second", "f8"),  # network: mean fees [BTC/block]
        ("series", "i8"),
        ("source", "i8"),  # for a tick: the producer's instance
        ("revision", "i8"),  # -1: the source has none
        ("kind", "i8"),  # VALUE, CURVE, NETWORK, CLOCK
        ("exempt", "i8"),  # a replayed tick, exempt from the jump rule
        ("blocks", "i8"),  # network: blocks its mean fees were taken over
    ]
)

Rows = npt.NDArray[np.void]


@dataclass(slots=True)
class Catalogue:
    """Numbers for names, in order of first sight. A member's series, as ``btc:usd@kraken``, brings that of its group.

    >>> names = Catalogue()
    >>> names.series("btc:usd"), names.series("network:btc"), names.series("btc:usd")
    (0, 1, 0)
    """

    series_names: list[str] = field(default_factory=list)
    source_names: list[str] = field(default_factory=list)
    _series: dict[str, int] = field(default_factory=dict)
    _sources: dict[str, int] = field(default_factory=dict)

    def series(self, name: str) -> int:
        """Number of a series."""
        if name not in self._series and MEMBER in name:
            _number(group_of(name), self._series, self.series_names)
        return _number(name, self._series, self.series_names)

    def find(self, name: str) -> int:
        """Number of a series that was named before, -1 if none was."""
        return self._series.get(name, -1)

    def source(self, name: str) -> int:
        """Number of a source or of a producer's instance."""
        return _number(name, self._sources, self.source_names)


def _number(name: str, numbers: dict[str, int], names: list[str]) -> int:
    found = numbers.get(name)
    if found is None:
        if len(names) >= MAX_NAMES:
            raise NamesFullError(f"{name!r} would be name number {MAX_NAMES + 1}: too many series or sources")
        found = numbers[name] = len(names)
        names.append(name)
    return found


RowTuple = tuple[int, int, int, int, int, int, float, float, int, int, int, int, int, int]


def observation_row(observation: Observation, position: int, names: Catalogue) -> RowTuple:
    """One observation as a row, in the order of :data:`ROW`'s fields."""
    event_us = end_us = order = observation.event_time_us
    second, kind, blocks = 0.0, VALUE, 0
    match observation:
        case BtcPrice():
            value = observation.usd_per_btc
        case PowerPrice():
            value, end_us = observation.usd_per_mwh, observation.end_time_us
            kind = CURVE if is_curve(observation.series) else VALUE
        case GpuRate():
            value = observation.usd_per_gpu_hour
        case Utilisation():
            value = observation.utilisation
        case Network():
            value, second, order = observation.difficulty, observation.fees_btc_per_block, observation.height
            kind, blocks = NETWORK, observation.fee_blocks
        case Hashprice():
            value = observation.usd_per_ph_day
        case _:
            raise TypeError(f"no row for {type(observation).__name__}")
    return (
        position,
        observation.receipt_time_us,
        event_us,
        end_us,
        observation.next_due_us,
        order,
        value,
        second,
        names.series(observation.series),
        names.source(observation.source),
        -1 if observation.revision is None else observation.revision,
        kind,
        0,
        blocks,
    )


def clock_row(tick: Clock, receipt_us: int, position: int, names: Catalogue) -> RowTuple:
    """One tick as a row."""
    time_us = tick.time_us
    return (
        position,
        receipt_us,
        time_us,
        time_us,
        time_us,
        time_us,
        0.0,
        0.0,
        -1,
        names.source(tick.instance),
        -1,
        CLOCK,
        int(tick.replayed),
        0,
    )


def rows_of(tuples: list[RowTuple]) -> Rows:
    """Rows as one array."""
    return np.array(tuples, dtype=ROW)
