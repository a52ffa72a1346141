"""Ancillary services of a load: it is paid to stand ready to stop, so it must run; deployed, it must stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.charges import ancillary_usd_per_hour
from models.jit import jit_apart
from models.power_rules.contract import (
    ACTIVE,
    ASSUMED,
    AWARD,
    DEPLOYMENT,
    FREE,
    MUST_RUN,
    MUST_STOP,
    QUIET,
    Answer,
    PowerRule,
    Window,
    window_at,
    window_change_us,
)
from models.records import require_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancillary(PowerRule):
    """An award of reserve from a load that can be curtailed.

    ``share`` of the load's MW is offered at the clearing price of ``series`` [USD/MW-h], ``usd_per_mw_hour`` while that
    is unknown; ``deployment_usd_per_mwh`` is the expected loss of being deployed, for each MW-hour offered. Revenue
    needs a load that runs: it lowers the cost of running. ``must_run``: the award forbids to stop for economic
    reasons. A deployment forbids to run. ``award`` and ``deployment`` are windows known to the document; live ones come
    with the log.
    """

    kind: ClassVar[str] = "ancillary"

    usd_per_mw_hour: float
    series: str | None = None
    share: float = 1.0
    deployment_usd_per_mwh: float = 0.0
    must_run: bool = True
    award: tuple[Window, ...] = ()
    deployment: tuple[Window, ...] = ()

    def check(self) -> None:
        """Bounds: reserve has cleared at the energy cap."""
        require_range("usd_per_mw_hour", self.usd_per_mw_hour, 0.0, 10_000.0)
        require_range("share", self.share, 0.0, 1.0)
        require_range("deployment_usd_per_mwh", self.deployment_usd_per_mwh, 0.0, 10_000.0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The clearing price, where it is read."""
        return () if self.series is None else (self.series,)

    @property
    def planned(self) -> tuple[Window, ...]:
        """Awards and deployments of the document."""
        return (*self.award, *self.deployment)


def fill(row: np.void, rule: Ancillary) -> None:
    """Write what is offered and what it brings."""
    row["share"], row["price"], row["deployment"] = rule.share, rule.usd_per_mw_hour, rule.deployment_usd_per_mwh
    row["binding"], row["source"] = rule.must_run, rule.series is not None


@jit_apart
def effect(rule: np.void, readings: np.ndarray, windows: np.ndarray, at_us: int, known_us: int) -> Answer:
    """Awarded: paid to run. Deployed: off, whatever is awarded; the reserve that was sold is still paid."""
    award = window_at(rule, windows, AWARD, 0, at_us, known_us)
    deployed = window_at(rule, windows, DEPLOYMENT, 0, at_us, known_us)
    until_us = min(
        window_change_us(rule, windows, AWARD, 0, at_us, known_us),
        window_change_us(rule, windows, DEPLOYMENT, 0, at_us, known_us),
    )
    if award < 0 and deployed < 0:
        return 0.0, 0.0, 0.0, FREE, until_us, QUIET
    state, price = ACTIVE, rule["price"]
    if rule["source"] == 1:
        read = readings[rule["first_reading"]]
        if np.isfinite(read):
            price = read
        else:
            state = ASSUMED
    if deployed >= 0:
        pay = rule["share"] * price if award >= 0 else 0.0
        return 0.0, pay, 0.0, MUST_STOP, until_us, state
    forced = MUST_RUN if rule["binding"] == 1 else FREE
    earned = ancillary_usd_per_hour(rule["share"], price, rule["share"] * rule["deployment"])
    return -earned, 0.0, 0.0, forced, until_us, state


def words(rule: Ancillary, answer: Answer, _readings: tuple[float, ...]) -> str:
    """In plain words."""
    if answer[5] == QUIET:
        return f"{rule.key}: no award"
    stated = " at the stated price" if answer[5] == ASSUMED else ""
    if answer[3] == MUST_STOP:
        return f"{rule.key}: deployed, must stop; its reserve pays {answer[1]:.2f} USD/MWh{stated}"
    duty = ", must run" if answer[3] == MUST_RUN else ""
    return f"{rule.key}: awarded{duty}; running earns {-answer[0]:.2f} USD/MWh beside its own{stated}"
