"""What a plan counted with, as the content of a signal."""

from __future__ import annotations

import math

from models import policies
from models.decide import ECONOMIC
from models.planning import step_of
from models.price_path import NO_DAY_AHEAD, NO_MEDIAN, NO_PRICE
from models.records import MINUTE_US
from models.signals import Forecast
from models.state import State

WITHOUT = {
    NO_MEDIAN: "median of 14 days",
    NO_DAY_AHEAD: "day-ahead curve of the whole horizon",
    NO_PRICE: "real-time price",
}


def known(value: float) -> float | None:
    """A figure as JSON has it: null for what is not a number, or not finite.

    >>> known(2.5), known(math.nan), known(math.inf)
    (2.5, None, None)
    """
    return value if math.isfinite(value) else None


def forecast_of(state: State, number: int, item: int, rule: int) -> Forecast | None:
    """The forecast behind a switch; None where no plan decided it."""
    if rule != ECONOMIC or not policies.is_plan(int(state.policy[0])):
        return None
    site, without = state.sites[number], int(state.sites[number]["plan_without"])
    return {
        "reference_usd_per_mwh": known(float(site["plan_reference"])),
        "horizon_minutes": int(site["plan_steps"]) * int(step_of(state, number)) / MINUTE_US,
        "without": [words for bit, words in WITHOUT.items() if without & bit],
        "expected_gain_usd": known(float(state.loads[item]["plan_usd"])),
    }
