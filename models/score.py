"""What a run of modes was worth, and how it compares: the figures every policy and baseline is given. Compiled loops.

Modes are one whole number a row (1 runs), gains what running the row earns [USD/MW]; the first mode is free and ending
costs nothing, as for the bound.
"""

from __future__ import annotations

import math

import numpy as np

from models.jit import jit

HOURS_PER_YEAR = 8_760.0


@jit
def net_usd_per_mw(
    modes: np.ndarray, gain_usd_per_mw: np.ndarray, stop_usd_per_mw: float, start_usd_per_mw: float
) -> float:
    """What the modes earned, switching paid [USD/MW].

    >>> net_usd_per_mw(np.array([1, 0, 0, 1]), np.array([5.0, -8.0, -2.0, 5.0]), 2.0, 3.0)
    5.0
    """
    total = 0.0
    for row in range(len(modes)):
        if row > 0 and modes[row] != modes[row - 1]:
            total -= start_usd_per_mw if modes[row] == 1 else stop_usd_per_mw
        if modes[row] == 1:
            total += gain_usd_per_mw[row]
    return total


@jit
def switches(modes: np.ndarray) -> int:
    """Changes of mode.

    >>> switches(np.array([1, 0, 0, 1]))
    2
    """
    count = 0
    for row in range(1, len(modes)):
        if modes[row] != modes[row - 1]:
            count += 1
    return count


@jit
def rows_on(modes: np.ndarray) -> int:
    """Rows that ran.

    >>> rows_on(np.array([1, 0, 0, 1]))
    2
    """
    count = 0
    for row in range(len(modes)):
        count += modes[row]
    return count


@jit
def switches_per_day(changes: int, rows: int, row_hours: float) -> float:
    """Changes of mode a day.

    >>> switches_per_day(3, 192, 0.25)
    1.5
    """
    return changes * 24.0 / (rows * row_hours)


@jit
def usd_per_mwh(net_usd: float, ran_mwh: float) -> float:
    """Net per metered MWh that ran [USD/MWh], nan where none did.

    >>> usd_per_mwh(300.0, 10.0)
    30.0
    """
    return net_usd / ran_mwh if ran_mwh > 0.0 else math.nan


@jit
def usd_per_mw_year(net_usd_per_mw: float, rows: int, row_hours: float) -> float:
    """Net per MW, scaled to a year of 8,760 h [USD/MW-year].

    >>> usd_per_mw_year(100.0, 96, 0.25)
    36500.0
    """
    return net_usd_per_mw * HOURS_PER_YEAR / (rows * row_hours)


@jit
def capture_pooled(policy_usd: np.ndarray, constant_usd: np.ndarray, clairvoyant_usd: np.ndarray) -> float:
    """Share of the attainable gain that was taken, pooled over loads; nan where nothing was to be gained.

    ``sum(policy - best constant) / sum(clairvoyant - best constant)``. For one load with little to gain the ratio means
    nothing, so loads are summed before they are divided.

    >>> capture_pooled(np.array([8.0, 4.0]), np.array([0.0, 4.0]), np.array([10.0, 6.0]))
    0.6666666666666666
    """
    taken, attainable = 0.0, 0.0
    for load in range(len(policy_usd)):
        taken += policy_usd[load] - constant_usd[load]
        attainable += clairvoyant_usd[load] - constant_usd[load]
    return taken / attainable if attainable > 0.0 else math.nan


@jit
def missed_spike_minutes(
    modes: np.ndarray, best_modes: np.ndarray, gain_usd_per_mw: np.ndarray, row_minutes: float
) -> float:
    """Minutes that ran at a loss while the clairvoyant stood still.

    >>> missed_spike_minutes(np.array([1, 1, 0, 1]), np.array([1, 0, 0, 0]), np.array([1.0, -9.0, -9.0, 2.0]), 15.0)
    15.0
    """
    minutes = 0.0
    for row in range(len(modes)):
        if modes[row] == 1 and best_modes[row] == 0 and gain_usd_per_mw[row] < 0.0:
            minutes += row_minutes
    return minutes


@jit
def false_trigger_usd_per_mw(
    modes: np.ndarray, gain_usd_per_mw: np.ndarray, stop_usd_per_mw: float, start_usd_per_mw: float
) -> float:
    """What stops that should not have been cost [USD/MW]: the loss of every stay off that lost more than it saved.

    A stay off costs its stop, its start where one followed, and the gains forgone; the free first mode is no stop.

    >>> false_trigger_usd_per_mw(np.array([1, 0, 1, 0, 1]), np.array([5.0, 4.0, 5.0, -90.0, 5.0]), 2.0, 3.0)
    9.0
    """
    total, stay, stopped = 0.0, 0.0, 0
    for row in range(1, len(modes)):
        if modes[row] == 0:
            if modes[row - 1] == 1:
                stay, stopped = stop_usd_per_mw, 1
            stay += gain_usd_per_mw[row]
        elif modes[row - 1] == 0 and stopped == 1:
            total += max(stay + start_usd_per_mw, 0.0)
            stopped = 0
    return total + max(stay, 0.0) if stopped == 1 else total
