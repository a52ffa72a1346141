"""Rules that others publish or use, each over one load's rows, to be scored beside the policies. Compiled.

Every rule writes its modes (1 runs) into ``modes`` and knows, for the row it decides, only the rows ``lag`` and more
before it; before anything is known it runs. None knows a switching cost.
"""

from __future__ import annotations

import math

import numpy as np

from models.jit import jit


@jit
def always_on(modes: np.ndarray) -> None:
    """Run, whatever the price."""
    for row in range(len(modes)):
        modes[row] = 1


@jit
def strike(modes: np.ndarray, lmp_usd_per_mwh: np.ndarray, lag: int, strike_usd_per_mwh: float) -> None:
    """Off while the price lies above a fixed strike.

    >>> modes = np.zeros(4, np.int64)
    >>> strike(modes, np.array([50.0, 90.0, 50.0, 50.0]), 1, 80.0)
    >>> modes.tolist()
    [1, 1, 0, 1]
    """
    for row in range(len(modes)):
        known = row - lag
        modes[row] = 0 if known >= 0 and lmp_usd_per_mwh[known] > strike_usd_per_mwh else 1


@jit
def myopic(modes: np.ndarray, margin_usd_per_mwh: np.ndarray, lag: int) -> None:
    """The better mode by the last margin known, in every row (argmax).

    >>> modes = np.zeros(3, np.int64)
    >>> myopic(modes, np.array([5.0, -1.0, 5.0]), 0)
    >>> modes.tolist()
    [1, 0, 1]
    """
    for row in range(len(modes)):
        known = row - lag
        modes[row] = 0 if known >= 0 and margin_usd_per_mwh[known] <= 0.0 else 1


@jit
def window_rule(
    modes: np.ndarray,
    lmp_usd_per_mwh: np.ndarray,
    lag: int,
    low_usd_per_mwh: float,
    high_usd_per_mwh: float,
    rows_above: int,
    rows_below: int,
) -> None:
    """Off after ``rows_above`` rows running above the low strike, or at once above the high; on after ``rows_below``.

    A published example: 80 and 150 USD/MWh, 2 and 4 windows of 5 minutes.

    >>> modes = np.zeros(6, np.int64)
    >>> window_rule(modes, np.array([90.0, 90.0, 70.0, 70.0, 160.0, 70.0]), 0, 80.0, 150.0, 2, 2)
    >>> modes.tolist()
    [1, 0, 0, 1, 0, 0]
    """
    mode, above, below = 1, 0, 0
    for row in range(len(modes)):
        known = row - lag
        if known >= 0:
            price = lmp_usd_per_mwh[known]
            above = above + 1 if price > low_usd_per_mwh else 0
            below = below + 1 if price < low_usd_per_mwh else 0
            if above >= rows_above or price > high_usd_per_mwh:
                mode = 0
            elif below >= rows_below:
                mode = 1
        modes[row] = mode


@jit
def minimum_gain(
    modes: np.ndarray,
    revenue_usd_per_mwh: np.ndarray,
    cost_usd_per_mwh: np.ndarray,
    lag: int,
    gain_fraction: float,
    dwell_rows: int,
) -> None:
    """Change only for a gain of ``gain_fraction`` (a published rule: 12 %), ``dwell_rows`` after the last change.

    Stops where cost exceeds revenue by that share of revenue, starts where revenue exceeds cost by that share of cost.

    >>> modes = np.zeros(4, np.int64)
    >>> minimum_gain(modes, np.full(4, 50.0), np.array([55.0, 57.0, 48.0, 44.0]), 0, 0.12, 1)
    >>> modes.tolist()
    [1, 0, 0, 1]
    """
    mode, since = 1, dwell_rows
    for row in range(len(modes)):
        known = row - lag
        if known >= 0 and since >= dwell_rows:
            revenue, cost = revenue_usd_per_mwh[known], cost_usd_per_mwh[known]
            if mode == 1 and cost - revenue > gain_fraction * revenue:
                mode, since = 0, 0
            elif mode == 0 and revenue - cost > gain_fraction * abs(cost):
                mode, since = 1, 0
        modes[row] = mode
        since += 1


@jit
def middle_of_three(first: float, second: float, third: float) -> float:
    """The median of three.

    >>> middle_of_three(3.0, 900.0, 5.0)
    5.0
    """
    return max(min(first, second), min(max(first, second), third))


@jit
def shrinking_dwell(
    modes: np.ndarray,
    margin_usd_per_mwh: np.ndarray,
    lag: int,
    longest_rows: int,
    half_usd_per_mwh: float,
    outlier_usd_per_mwh: float,
) -> None:
    """Change after a dwell that shrinks as the gain grows: ``longest * half / (half + gain)`` rows from the last.

    A margin further than ``outlier`` from the median of the last three is cut to that median: one print moves nothing.

    >>> modes = np.zeros(5, np.int64)
    >>> shrinking_dwell(modes, np.array([9.0, -500.0, 9.0, -20.0, -20.0]), 0, 2, 20.0, 100.0)
    >>> modes.tolist()
    [1, 1, 1, 0, 0]
    """
    mode, since = 1, longest_rows
    for row in range(len(modes)):
        known = row - lag
        if known >= 0:
            margin = margin_usd_per_mwh[known]
            if known >= 2:
                middle = middle_of_three(margin_usd_per_mwh[known - 2], margin_usd_per_mwh[known - 1], margin)
            else:
                middle = margin_usd_per_mwh[0]
            if abs(margin - middle) > outlier_usd_per_mwh:
                margin = middle
            gain = math.fabs(margin)
            wanted = 1 if margin > 0.0 else 0
            if wanted != mode and since * (half_usd_per_mwh + gain) >= longest_rows * half_usd_per_mwh:
                mode, since = wanted, 0
        modes[row] = mode
        since += 1
