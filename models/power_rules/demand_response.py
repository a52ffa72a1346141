"""Demand response: a load promised to be off when called, and is paid for what it does not take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.jit import jit_apart
from models.power_rules.contract import (
    ACTIVE,
    CALL,
    FREE,
    MUST_STOP,
    QUIET,
    START,
    Answer,
    PowerRule,
    Window,
    require_usd_per_mwh,
    window_at,
    window_change_us,
)
from models.records import MINUTE_US, require_range


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandResponse(PowerRule):
    """A commitment: called, the load is off from ``ready_minutes`` before the window's start to its end.

    ``off_usd_per_mwh`` is paid for each MWh not taken within a called window. ``binding``: a call forbids to run;
    otherwise running costs ``penalty_usd_per_mwh`` and the load may weigh it. ``call``: calls known to the document;
    live ones come with the log.
    """

    kind: ClassVar[str] = "demand_response"

    off_usd_per_mwh: float
    penalty_usd_per_mwh: float = 0.0
    ready_minutes: float = 0.0
    binding: bool = True
    call: tuple[Window, ...] = ()

    def check(self) -> None:
        """Bounds of rates and of the time to be ready."""
        require_usd_per_mwh("off_usd_per_mwh", self.off_usd_per_mwh)
        require_usd_per_mwh("penalty_usd_per_mwh", self.penalty_usd_per_mwh)
        require_range("ready_minutes", self.ready_minutes, 0.0, 1_440.0)

    @property
    def planned(self) -> tuple[Window, ...]:
        """Calls of the document."""
        return self.call


def fill(row: np.void, rule: DemandResponse) -> None:
    """Write pay, penalty and how early the load must be off."""
    row["off"], row["on"] = rule.off_usd_per_mwh, rule.penalty_usd_per_mwh
    row["ahead_us"], row["binding"] = int(rule.ready_minutes * MINUTE_US), rule.binding


@jit_apart
def effect(rule: np.void, _readings: np.ndarray, windows: np.ndarray, at_us: int, known_us: int) -> Answer:
    """Within a call: off, paid from its start on."""
    until_us = window_change_us(rule, windows, CALL, rule["ahead_us"], at_us, known_us)
    place = window_at(rule, windows, CALL, rule["ahead_us"], at_us, known_us)
    if place < 0:
        return 0.0, 0.0, 0.0, FREE, until_us, QUIET
    forced = MUST_STOP if rule["binding"] == 1 else FREE
    if window_at(rule, windows, CALL, 0, at_us, known_us) < 0:
        return 0.0, 0.0, 0.0, forced, min(until_us, windows[place, START]), ACTIVE
    return rule["on"], rule["off"], 0.0, forced, until_us, ACTIVE


def words(rule: DemandResponse, answer: Answer, _readings: tuple[float, ...]) -> str:
    """In plain words."""
    if answer[5] == QUIET:
        return f"{rule.key}: not called"
    duty = "called off" if answer[3] == MUST_STOP else "asked to be off"
    if answer[1] == 0.0 and rule.off_usd_per_mwh != 0.0:
        return f"{rule.key}: {duty}, to be ready before its window begins"
    return f"{rule.key}: {duty}, {answer[1]:.2f} USD for each MWh not taken, {answer[0]:.2f} for each taken"
