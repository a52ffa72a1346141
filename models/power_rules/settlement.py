"""Settlement: what a MWh will be settled at, where that is not the price that signals. Compiled.

ERCOT prints a price about every five minutes and settles quarter hours at an average of them by time [confirmed: its
market pages]; load settles at its load zone, a hub is a proxy. While a quarter hour runs, the prices seen so far count
as they were and the last stands for the rest:

    expected = (sum of price * time so far + last * time left) / interval
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.jit import jit_apart
from models.power_rules.contract import (
    ACTIVE,
    ASSUMED,
    FREE,
    NEVER,
    Answer,
    PowerRule,
    require_usd_per_mwh,
)
from models.records import MINUTE_US, require_range

INTERVAL = np.dtype([("start_us", "i8"), ("until_us", "i8"), ("sum", "f8"), ("last", "f8")])
SIGNAL, MEAN, SEEN = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement(PowerRule):
    """The site decides by ``signal`` and settles at the mean of an interval, at another place by ``basis``.

    ``basis_usd_per_mwh`` is what the settlement point costs above the signal's (a load zone above its hub)
    [unconfirmed: measure it].
    """

    kind: ClassVar[str] = "settlement"

    signal: str
    interval_minutes: int = 15
    basis_usd_per_mwh: float = 0.0

    def check(self) -> None:
        """Refuse what is no series of power, or an interval that no market has."""
        if not self.signal.startswith("power:"):
            raise ValueError(f"signal {self.signal!r} must begin with 'power:'")
        require_range("interval_minutes", self.interval_minutes, 1, 60)
        require_usd_per_mwh("basis_usd_per_mwh", self.basis_usd_per_mwh)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The signal; the mean of the running interval so far; the fraction of it that is over (:data:`INTERVAL`)."""
        return self.signal, f"{self.signal}#mean", f"{self.signal}#seen"


def fill(row: np.void, rule: Settlement) -> None:
    """Write basis and interval."""
    row["on"], row["interval_us"] = rule.basis_usd_per_mwh, rule.interval_minutes * MINUTE_US


@jit_apart
def observe(interval: np.void, interval_us: int, at_us: int, usd_per_mwh: float) -> None:
    """Take in a price that holds from ``at_us`` on; the one before counts up to then.

    Begins anew where another interval has begun: its time before the first print of its own counts at the price that
    held then, or at this one where none is known.
    """
    start_us = at_us // interval_us * interval_us
    if start_us > interval["start_us"]:
        interval["start_us"], interval["until_us"], interval["sum"] = start_us, start_us, 0.0
    if at_us < interval["until_us"]:
        return
    if at_us > interval["until_us"] and np.isfinite(interval["last"]):
        interval["sum"] = interval["sum"] + interval["last"] * (at_us - interval["until_us"])
    elif at_us > interval["until_us"]:
        interval["sum"] = interval["sum"] + usd_per_mwh * (at_us - interval["until_us"])
    interval["until_us"], interval["last"] = at_us, usd_per_mwh


@jit_apart
def mean_so_far(interval: np.void, interval_us: int, at_us: int) -> tuple[float, float]:
    """Mean price of the running interval so far [USD/MWh] and the fraction of it that is over; NaN where none is."""
    start_us = at_us // interval_us * interval_us
    passed_us = at_us - start_us
    if passed_us == 0:
        return np.nan, 0.0
    if interval["start_us"] < start_us:
        return interval["last"], passed_us / interval_us
    total = interval["sum"] + interval["last"] * (at_us - interval["until_us"])
    return total / passed_us, passed_us / interval_us


@jit_apart
def expected_usd_per_mwh(mean: float, seen: float, last: float) -> float:
    """Expected settlement of the running interval [USD/MWh].

    >>> expected_usd_per_mwh(30.0, 0.75, 900.0), expected_usd_per_mwh(0.0, 0.0, 900.0)
    (247.5, 900.0)
    """
    return mean * seen + last * (1.0 - seen)


@jit_apart
def effect(rule: np.void, readings: np.ndarray, _windows: np.ndarray, at_us: int, known_us: int) -> Answer:
    """Expected settlement less signal, in the running interval; the basis alone in those to come."""
    end_us = (known_us // rule["interval_us"] + 1) * rule["interval_us"]
    if at_us >= end_us:
        return rule["on"], 0.0, 0.0, FREE, NEVER, ACTIVE
    first = rule["first_reading"]
    signal, mean, seen = readings[first + SIGNAL], readings[first + MEAN], readings[first + SEEN]
    if not (np.isfinite(signal) and np.isfinite(mean) and np.isfinite(seen)):
        return rule["on"], 0.0, 0.0, FREE, end_us, ASSUMED
    expected = expected_usd_per_mwh(mean, min(max(seen, 0.0), 1.0), signal)
    return rule["on"] + (expected - signal), 0.0, 0.0, FREE, end_us, ACTIVE


def words(rule: Settlement, answer: Answer, readings: tuple[float, ...]) -> str:
    """In plain words."""
    if answer[5] == ASSUMED or answer[4] == NEVER:
        return f"{rule.key}: settles at the signal, basis {answer[0]:+.2f} USD/MWh"
    signal = readings[SIGNAL]
    return f"{rule.key}: signal {signal:.2f}, expected settlement {signal + answer[0]:.2f} USD/MWh"
