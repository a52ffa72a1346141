"""Day-ahead: the curve published the day before, as information. It costs nothing and forces nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.jit import jit_apart
from models.power_rules.contract import ACTIVE, ASSUMED, FREE, NEVER, Answer, PowerRule

CURVE, SIGNAL = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAhead(PowerRule):
    """Shows what the day before expected of this hour beside what it became: ``curve`` and ``signal`` are series.

    A site that settles on the curve says so in ``power.market``; a plan reads the curve itself.
    """

    kind: ClassVar[str] = "day_ahead"

    curve: str
    signal: str

    def check(self) -> None:
        """Refuse what is no series of power."""
        for name in ("curve", "signal"):
            if not getattr(self, name).startswith("power:"):
                raise ValueError(f"{name} {getattr(self, name)!r} must begin with 'power:'")

    @property
    def inputs(self) -> tuple[str, ...]:
        """The curve at this hour and the price that is."""
        return self.curve, self.signal


def fill(_row: np.void, _rule: DayAhead) -> None:
    """Nothing: it decides nothing."""


@jit_apart
def spread_usd_per_mwh(readings: np.ndarray, first: int) -> float:
    """Real time above day-ahead [USD/MWh]; NaN where either is unknown."""
    return readings[first + SIGNAL] - readings[first + CURVE]


@jit_apart
def effect(rule: np.void, readings: np.ndarray, _windows: np.ndarray, _at_us: int, _known_us: int) -> Answer:
    """No cost and no force."""
    state = ACTIVE if np.isfinite(spread_usd_per_mwh(readings, rule["first_reading"])) else ASSUMED
    return 0.0, 0.0, 0.0, FREE, NEVER, state


def words(rule: DayAhead, answer: Answer, readings: tuple[float, ...]) -> str:
    """In plain words."""
    if answer[5] == ASSUMED:
        return f"{rule.key}: curve or price unknown"
    spread = readings[SIGNAL] - readings[CURVE]
    return f"{rule.key}: day-ahead {readings[CURVE]:.2f}, now {readings[SIGNAL]:.2f} USD/MWh ({spread:+.2f})"
