"""The plan of up to 12 loads under one cap: exact along the forecast, over every set of loads that fits. Compiled.

A set is a bit mask, bit i for load i. Switching costs add up over loads, so the best change from any set to any other
is found load by load, in as many passes as there are loads instead of one per pair of sets (n * 2^n, not 4^n).

Exact for: each load's gains, draws and costs as given, the cap in every step, locks and the ramp in the first one.
Relaxed: dwells and ramps after the first step, which is planned again before it comes.
"""

from __future__ import annotations

import numpy as np

from models.jit import jit_apart

MOST_LOADS = 12
MASKS = 1 << MOST_LOADS
UNREACHABLE = -np.inf
UNLIMITED_MW = np.inf

# Rows of the scratch space, each with a place for every mask.
VALUE, GAIN, DRAW = 0, 1, 2


@jit_apart
def sum_by_mask(table: np.ndarray, row: int, per_load: np.ndarray, step: int, count: int) -> None:
    """Write the sum over each mask's loads of ``per_load[load, step]`` into ``table[row]``, in the order of loads.

    >>> table = np.zeros((1, 4))
    >>> sum_by_mask(table, 0, np.array([[1.0], [2.0]]), 0, 2)
    >>> table[0].tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    table[row, 0] = 0.0
    for load in range(count):
        size = 1 << load
        each = per_load[load, step]
        for mask in range(size):
            table[row, size + mask] = table[row, mask] + each


@jit_apart
def pass_switches(table: np.ndarray, stop_usd: np.ndarray, start_usd: np.ndarray, count: int) -> None:
    """Turn the worth of being in each set into the worth of coming from it, free to change to any other [USD].

    >>> table = np.array([[0.0, 10.0]])
    >>> pass_switches(table, np.array([3.0]), np.array([4.0]), 1)
    >>> table[0].tolist()
    [6.0, 10.0]
    """
    for load in range(count):
        size = 1 << load
        stop, start = stop_usd[load], start_usd[load]
        for block in range(0, 1 << count, 2 * size):
            for mask in range(block, block + size):
                off, on = table[VALUE, mask], table[VALUE, mask + size]
                table[VALUE, mask] = max(off, on - start)
                table[VALUE, mask + size] = max(on, off - stop)


@jit_apart
def draws_change(draw_mw: np.ndarray, step: int, count: int) -> bool:
    """Whether a load draws otherwise in the next step."""
    for load in range(count):
        if draw_mw[load, step] != draw_mw[load, step + 1]:
            return True
    return False


@jit_apart
def pass_step(
    table: np.ndarray, gain_usd: np.ndarray, draw_mw: np.ndarray, step: int, steps: int, count: int, room_mw: float
) -> None:
    """Add what each set earns in a step; a set that draws more than the room is out of reach, the empty one never.

    Steps are passed from the last one to the first.
    """
    sum_by_mask(table, GAIN, gain_usd, step, count)
    if step == steps - 1 or draws_change(draw_mw, step, count):
        sum_by_mask(table, DRAW, draw_mw, step, count)
    for mask in range(1, 1 << count):
        worth = table[VALUE, mask] + table[GAIN, mask]
        table[VALUE, mask] = worth if table[DRAW, mask] <= room_mw else UNREACHABLE


@jit_apart
def switch_usd(mask: int, modes: np.ndarray, stop_usd: np.ndarray, start_usd: np.ndarray, count: int) -> float:
    """Cost of going from the present modes to a set [USD]; a mode of -1 is free to be either."""
    cost = 0.0
    for load in range(count):
        on = (mask >> load) & 1
        if modes[load] == 0 and on == 1:
            cost += start_usd[load]
        elif modes[load] == 1 and on == 0:
            cost += stop_usd[load]
    return cost


@jit_apart
def worth_of_set_usd(
    table: np.ndarray, mask: int, modes: np.ndarray, stop_usd: np.ndarray, start_usd: np.ndarray, count: int
) -> float:
    """Worth of being in a set in the first step, getting there paid, after :func:`plan_jointly` [USD]; -inf: unfit."""
    return table[VALUE, mask] - switch_usd(mask, modes, stop_usd, start_usd, count)


@jit_apart
def present_mask(modes: np.ndarray, count: int) -> int:
    """The set that runs now."""
    mask = 0
    for load in range(count):
        if modes[load] == 1:
            mask |= 1 << load
    return mask


@jit_apart
def keeps_locks(mask: int, modes: np.ndarray, locked: np.ndarray, count: int) -> bool:
    """Whether a set leaves every locked load in its mode."""
    for load in range(count):
        if locked[load] == 1 and ((mask >> load) & 1) != max(modes[load], 0):
            return False
    return True


@jit_apart
def best_first_set(
    table: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    count: int,
    ramp_mw: float,
) -> int:
    """The set to be in during the first step, -1 where locks and ramp leave none that fits.

    Of equal sets the present one, else the first by its mask.
    """
    present = present_mask(modes, count)
    now_mw = table[DRAW, present]
    best, most = -1, UNREACHABLE
    for turn in range(-1, 1 << count):
        mask = present if turn < 0 else turn
        if table[VALUE, mask] == UNREACHABLE or not keeps_locks(mask, modes, locked, count):
            continue
        if abs(table[DRAW, mask] - now_mw) > ramp_mw:
            continue
        worth = worth_of_set_usd(table, mask, modes, stop_usd, start_usd, count)
        if worth > most:
            best, most = mask, worth
    return best


@jit_apart
def plan_jointly(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    count: int,
    steps: int,
    room_mw: float,
    ramp_mw: float,
    table: np.ndarray,
    wanted: np.ndarray,
) -> tuple[float, float]:
    """Write the modes of the first step into ``wanted``. Returns (worth of the plan, worth of holding now) [USD].

    ``gain_usd[load, step]`` and ``draw_mw[load, step]`` of running, costs per load in USD (per MW times MW), ``table``
    of 3 rows of 2^count. Where no set keeps locks and ramp the ramp gives way, then the locks: the cap is a limit of
    the meter. Holding is -inf where the present set does not fit.
    """
    table[VALUE, 0] = 0.0
    for load in range(count):
        for mask in range(1 << load):
            table[VALUE, (1 << load) + mask] = table[VALUE, mask] + start_usd[load]
    for step in range(steps - 1, -1, -1):
        if step < steps - 1:
            pass_switches(table, stop_usd, start_usd, count)
        pass_step(table, gain_usd, draw_mw, step, steps, count, room_mw)
    best = best_first_set(table, modes, locked, stop_usd, start_usd, count, ramp_mw)
    if best < 0:
        best = best_first_set(table, modes, locked, stop_usd, start_usd, count, UNLIMITED_MW)
    if best < 0:
        best = best_unlocked(table, modes, stop_usd, start_usd, count)
    for load in range(count):
        wanted[load] = (best >> load) & 1
    worth = worth_of_set_usd(table, best, modes, stop_usd, start_usd, count)
    return worth, table[VALUE, present_mask(modes, count)]


@jit_apart
def best_unlocked(table: np.ndarray, modes: np.ndarray, stop_usd: np.ndarray, start_usd: np.ndarray, count: int) -> int:
    """The best set that fits whatever is locked: what is locked draws more than the room."""
    best, most = 0, UNREACHABLE
    for mask in range(1 << count):
        worth = worth_of_set_usd(table, mask, modes, stop_usd, start_usd, count)
        if worth > most:
            best, most = mask, worth
    return best
