"""The time of Redis as this machine knows it: between two bounds, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_S = 60.0  # an answer older than this says nothing: another server may have taken over
DRIFT = 500e-6  # how far a machine's clock may run fast or slow; NTP mends at most as much


@dataclass(frozen=True, slots=True)
class Readings:
    """This machine's clocks at one moment [s]: ``running`` counts the time asleep too, ``wall`` may be set by hand."""

    running_s: float
    wall_s: float


def read_clocks() -> Readings:
    """Read both clocks."""
    # CLOCK_MONOTONIC stands still on Linux while the machine sleeps; a signal must not stay valid through that.
    running = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    return Readings(running, time.time())


@dataclass(frozen=True, slots=True)
class Measure:
    """One TIME command: what Redis said [us UTC], and our clocks before it was asked and after it answered."""

    said_us: int
    asked: Readings
    answered: Readings


class RedisClock:
    """Bounds of the time of Redis, from its last TIME and the round trip of it.

    The answer was true at some moment between question and answer. Since then this machine's clocks have gone on; where
    two of them do not agree, both count. Wider apart than ``max_skew_s``, measured long ago, or never: unknown.
    """

    def __init__(self, max_skew_s: float = 0.5, read: Callable[[], Readings] = read_clocks) -> None:
        self.max_skew_s = max_skew_s
        self.read = read
        self._measure: Measure | None = None

    def learn(self, said_us: int, asked: Readings) -> None:
        """Take the answer to a TIME command; ``asked``: the clocks before it was sent."""
        self._measure = Measure(said_us, asked, self.read())

    def bounds_us(self) -> tuple[float, float] | None:
        """Earliest and latest that it can be at Redis now [us UTC]; None where that cannot be bounded.

        >>> moments = iter([Readings(10.0, 50.0), Readings(10.2, 50.2)])
        >>> clock = RedisClock(0.5, lambda: next(moments))
        >>> clock.learn(1_000_000, Readings(9.9, 49.9))
        >>> [round(bound, -3) for bound in clock.bounds_us()]
        [1200000.0, 1300000.0]
        """
        measure = self._measure
        if measure is None:
            return None
        now = self.read()
        since_asked = (now.running_s - measure.asked.running_s, now.wall_s - measure.asked.wall_s)
        since_answered = (now.running_s - measure.answered.running_s, now.wall_s - measure.answered.wall_s)
        drift_s = DRIFT * max(since_asked)
        earliest_s, latest_s = min(since_answered) - drift_s, max(since_asked) + drift_s
        if earliest_s < -drift_s or latest_s > LONGEST_S or latest_s - earliest_s > self.max_skew_s:
            return None  # too slow an answer, or a clock of ours was set meanwhile
        return measure.said_us + earliest_s * 1e6, measure.said_us + latest_s * 1e6
