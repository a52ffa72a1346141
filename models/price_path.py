"""The prices a plan counts with: the last one known, then its deviation from a reference, dying away. Compiled.

    reference(t) = (day-ahead(t) + median of 14 days) / 2          the other alone where one is unknown
    deviation    = p(k) - reference(k)                              k: the newest interval known
                   + keep * (largest deviation of the 15 minutes before - deviation), where that one was larger
    path(t)      = p(k)                                             t: the interval that is decided now
    path(t + j)  = reference(t + j) + deviation * decay^j           j = 1, 2, ...

``keep`` = 0 is the plain rolling plan. A price that has just fallen back often comes again, and a load started into
the next spike pays for a start and a stop: ``keep`` is the share of a fall that the plan does not yet believe.
"""

from __future__ import annotations

import math

import numpy as np

from models.jit import jit, jit_apart
from models.price_memory import NO_SLOT, price_at

QUARTER_HOUR_US = 900_000_000
HORIZON_US = 6 * 3_600_000_000

# Per 15 minutes; the two decays and the limit are those of the documented rule.
DECAY, SPIKE_DECAY = 0.75, 0.85
SPIKE_USD_PER_MWH = 100.0
# Chosen on each half of June to October 2024 for the other one: see docs/reference/decisions.md.
KEEP = 0.3

# What a path was built without, as bits.
COMPLETE, NO_MEDIAN, NO_DAY_AHEAD, NO_PRICE = 0, 1, 2, 4


@jit_apart
def decay_per_step(decay_per_quarter_hour: float, step_us: int) -> float:
    """Decay over one interval of ``step_us`` that gives ``decay_per_quarter_hour`` over 15 minutes.

    For whole parts and multiples of 15 minutes. The root is found by bisection of a running product, so its bits are
    the same on every machine.

    >>> decay_per_step(0.75, 900_000_000), decay_per_step(0.75, 3_600_000_000)
    (0.75, 0.31640625)
    >>> third = decay_per_step(0.75, 300_000_000)
    >>> abs(third * third * third - 0.75) < 1e-15
    True
    """
    if step_us >= QUARTER_HOUR_US:
        product = 1.0
        for _ in range(step_us // QUARTER_HOUR_US):
            product *= decay_per_quarter_hour
        return product
    parts = QUARTER_HOUR_US // step_us
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        product = 1.0
        for _ in range(parts):
            product *= middle
        if product < decay_per_quarter_hour:
            low = middle
        else:
            high = middle
    return high


@jit
def reference_usd_per_mwh(day_ahead_usd_per_mwh: float, median_usd_per_mwh: float) -> float:
    """Where a price is expected to return to [USD/MWh]; nan where neither part is known.

    >>> reference_usd_per_mwh(40.0, 20.0), reference_usd_per_mwh(40.0, float("nan"))
    (30.0, 40.0)
    """
    if math.isnan(median_usd_per_mwh):
        return day_ahead_usd_per_mwh
    if math.isnan(day_ahead_usd_per_mwh):
        return median_usd_per_mwh
    return (day_ahead_usd_per_mwh + median_usd_per_mwh) / 2.0


@jit
def reference_at(day_ahead: np.ndarray, first_slot: int, slot: int, median_usd_per_mwh: float) -> float:
    """Reference of an interval, from a day-ahead curve whose first place is the interval ``first_slot``."""
    place = slot - first_slot
    known = day_ahead[place] if 0 <= place < len(day_ahead) else math.nan
    return reference_usd_per_mwh(known, median_usd_per_mwh)


@jit
def deviation_usd_per_mwh(
    memories: np.ndarray,
    slots: np.ndarray,
    prices: np.ndarray,
    number: int,
    day_ahead: np.ndarray,
    first_slot: int,
    keep: float,
) -> float:
    """How far the newest price lies from its reference, with a share of the last 15 minutes' fall [USD/MWh].

    nan where no price, or no reference of its interval, is known.
    """
    newest = memories[number]["newest"]
    median = memories[number]["median"]
    price = price_at(memories, slots, prices, number, newest)
    deviation = price - reference_at(day_ahead, first_slot, newest, median)
    before = deviation
    for back in range(1, max(1, QUARTER_HOUR_US // memories[number]["step_us"]) + 1):
        earlier = price_at(memories, slots, prices, number, newest - back)
        apart = earlier - reference_at(day_ahead, first_slot, newest - back, median)
        if apart > before:  # noqa: PLR1730 - max() of a number and an unknown one (nan) depends on their order
            before = apart
    return deviation + keep * (before - deviation)


@jit_apart
def build_path(
    path: np.ndarray,
    steps: int,
    slot: int,
    memories: np.ndarray,
    slots: np.ndarray,
    prices: np.ndarray,
    number: int,
    day_ahead: np.ndarray,
    first_slot: int,
    keep: float,
    decay: float,
    spike_decay: float,
) -> int:
    """Fill ``path[0:steps]`` with the prices expected from interval ``slot`` on [USD/MWh]. Returns what was unknown.

    ``day_ahead`` holds the curve from interval ``first_slot`` on as far as it is published, nan where it is not; it
    should begin 15 minutes before the newest price. The decays are per interval. Without any price the reference
    stands alone; without a reference the last price stays; with neither the path is nan and nothing can be planned.
    """
    newest = memories[number]["newest"]
    median = memories[number]["median"]
    missing = NO_MEDIAN if math.isnan(median) else COMPLETE
    price = math.nan
    deviation = math.nan
    if newest == NO_SLOT:
        missing |= NO_PRICE
    else:
        price = price_at(memories, slots, prices, number, newest)
        deviation = deviation_usd_per_mwh(memories, slots, prices, number, day_ahead, first_slot, keep)
    factor = spike_decay if deviation > SPIKE_USD_PER_MWH else decay
    for step in range(steps):
        place = slot + step - first_slot
        if place < 0 or place >= len(day_ahead) or math.isnan(day_ahead[place]):
            missing |= NO_DAY_AHEAD
        expected = reference_at(day_ahead, first_slot, slot + step, median)
        if step > 0:
            deviation *= factor
        if math.isnan(price):
            path[step] = expected
        elif step == 0 or math.isnan(expected):
            path[step] = price
        elif math.isnan(deviation):
            path[step] = expected
        else:
            path[step] = expected + deviation
    return missing
