"""Fixed charges: capacity and demand that are already set. They stand on the bill and move no decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.charges import capacity_usd_per_mwh, demand_charge_usd_per_mwh
from models.jit import jit_apart
from models.power_rules.contract import ACTIVE, FREE, NEVER, Answer, PowerRule
from models.records import require_range


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCharge(PowerRule):
    """A capacity price [USD/MW-day] or a demand charge [USD/kW-month], spread over the energy at ``load_factor``.

    PJM 2026/27: 329.17 USD/MW-day [confirmed], 13.72 USD/MWh at a load factor of 1.
    """

    kind: ClassVar[str] = "fixed_charge"

    usd_per_mw_day: float | None = None
    usd_per_kw_month: float | None = None
    load_factor: float = 1.0

    def check(self) -> None:
        """Refuse both rates, or none."""
        if (self.usd_per_mw_day is None) == (self.usd_per_kw_month is None):
            raise ValueError("give one of usd_per_mw_day and usd_per_kw_month")
        require_range("usd_per_mw_day", self.usd_per_mw_day or 0.0, 0.0, 10_000.0)
        require_range("usd_per_kw_month", self.usd_per_kw_month or 0.0, 0.0, 1_000.0)
        require_range("load_factor", self.load_factor, 0.01, 1.0)


def fill(row: np.void, rule: FixedCharge) -> None:
    """Write what a MWh bears.

    >>> from models.power_rules.contract import RULE
    >>> row = np.zeros(1, RULE)[0]
    >>> fill(row, FixedCharge(key="pjm", usd_per_mw_day=329.17))
    >>> round(float(row["bill"]), 2)
    13.72
    """
    if rule.usd_per_mw_day is not None:
        row["bill"] = capacity_usd_per_mwh(rule.usd_per_mw_day, rule.load_factor)
    elif rule.usd_per_kw_month is not None:
        row["bill"] = demand_charge_usd_per_mwh(rule.usd_per_kw_month, rule.load_factor)


@jit_apart
def effect(rule: np.void, _readings: np.ndarray, _windows: np.ndarray, _at_us: int, _known_us: int) -> Answer:
    """On the bill alone: a charge that is set does not change with what runs."""
    return 0.0, 0.0, rule["bill"], FREE, NEVER, ACTIVE


def words(rule: FixedCharge, answer: Answer, _readings: tuple[float, ...]) -> str:
    """In plain words."""
    return f"{rule.key}: {answer[2]:.2f} USD/MWh on the bill, whatever runs"
