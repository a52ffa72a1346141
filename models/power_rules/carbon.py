"""Carbon: a shadow price on what a MWh emits, from a stated intensity or one that is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.charges import carbon_usd_per_mwh
from models.jit import jit_apart
from models.power_rules.contract import ACTIVE, ASSUMED, FREE, NEVER, Answer, PowerRule
from models.records import require_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon(PowerRule):
    """Intensity [t/MWh] times a price [USD/t], added to every MWh taken.

    ``intensity_series`` gives the grid's intensity as it is; the stated one stands while that is unknown.
    """

    kind: ClassVar[str] = "carbon"

    usd_per_tonne: float
    tonnes_per_mwh: float
    intensity_series: str | None = None

    def check(self) -> None:
        """Bounds: coal emits about 1 t/MWh."""
        require_range("usd_per_tonne", self.usd_per_tonne, 0.0, 10_000.0)
        require_range("tonnes_per_mwh", self.tonnes_per_mwh, -2.0, 3.0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The intensity, where it is read."""
        return () if self.intensity_series is None else (self.intensity_series,)


def fill(row: np.void, rule: Carbon) -> None:
    """Write price and intensity."""
    row["price"], row["chance"] = rule.usd_per_tonne, rule.tonnes_per_mwh
    row["source"] = rule.intensity_series is not None


@jit_apart
def effect(rule: np.void, readings: np.ndarray, _windows: np.ndarray, _at_us: int, _known_us: int) -> Answer:
    """Intensity times price."""
    state, intensity = ACTIVE, rule["chance"]
    if rule["source"] == 1:
        read = readings[rule["first_reading"]]
        if np.isfinite(read):
            intensity = read
        else:
            state = ASSUMED
    return carbon_usd_per_mwh(intensity, rule["price"]), 0.0, 0.0, FREE, NEVER, state


def words(rule: Carbon, answer: Answer, _readings: tuple[float, ...]) -> str:
    """In plain words."""
    stated = " at the stated intensity" if answer[5] == ASSUMED else ""
    return f"{rule.key}: carbon at {rule.usd_per_tonne:.2f} USD/t adds {answer[0]:.2f} USD/MWh{stated}"
