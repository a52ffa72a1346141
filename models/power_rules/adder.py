"""Adder: what a metered MWh costs beside its energy: volumetric delivery, riders, fees; all hours or some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.jit import jit_apart
from models.power_rules import season as seasons
from models.power_rules.contract import ACTIVE, FREE, NEVER, QUIET, Answer, PowerRule, require_usd_per_mwh
from models.power_rules.season import Season, fill_season


@dataclass(frozen=True, slots=True, kw_only=True)
class Adder(PowerRule):
    """A charge on each MWh taken [USD/MWh at the meter], within ``season`` where one is given; negative is a credit.

    It comes on top of the site's own ``adder_usd_per_mwh``.
    """

    kind: ClassVar[str] = "adder"

    usd_per_mwh: float
    season: Season | None = None

    def check(self) -> None:
        """Bounds of a rate."""
        require_usd_per_mwh("usd_per_mwh", self.usd_per_mwh)


def fill(row: np.void, rule: Adder) -> None:
    """Write the rate and the hours it holds in."""
    row["on"] = rule.usd_per_mwh
    if rule.season is not None:
        fill_season(row, rule.season)


@jit_apart
def effect(rule: np.void, _readings: np.ndarray, _windows: np.ndarray, at_us: int, _known_us: int) -> Answer:
    """The rate, while its hours last."""
    if rule["months"] == 0:
        return rule["on"], 0.0, 0.0, FREE, NEVER, ACTIVE
    start_us, end_us = seasons.window_of(rule, at_us)
    if start_us <= at_us:
        return rule["on"], 0.0, 0.0, FREE, end_us, ACTIVE
    return 0.0, 0.0, 0.0, FREE, start_us, QUIET


def words(rule: Adder, answer: Answer, _readings: tuple[float, ...]) -> str:
    """In plain words."""
    if answer[5] == QUIET:
        return f"{rule.key}: nothing at this hour"
    return f"{rule.key}: {rule.usd_per_mwh:+.2f} USD for each MWh taken"
