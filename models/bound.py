"""What a policy is measured against: the best it could have earned knowing every price, and the best constant mode.

Compiled, over rows of history. One load: exact, dwells included. Loads under one cap: exact over sets of up to 12 where
no dwell is longer than a row, and an upper bound where one is; the dual bound for any number of loads and dwells. An
upper bound makes the capture ratio shown a lower bound. The first mode is free and ending costs nothing.
"""

from __future__ import annotations

import numpy as np

from models import choice
from models.jit import jit
from models.joint_plan import VALUE, pass_step, pass_switches

ON_ROW, OFF_ROW = 0, 1
# Rows of the scratch space of the dual bound by row of history: price of a MW, MW used.
PRICE, USED = 0, 1


@jit
def clairvoyant_usd_per_mw(
    gain_usd_per_mw: np.ndarray,
    stop_usd_per_mw: float,
    start_usd_per_mw: float,
    min_on_rows: int,
    min_off_rows: int,
    worth: np.ndarray,
) -> float:
    """Most that one load could have earned [USD/MW], from what running each row earns [USD/MW]. Exact.

    Fills ``worth[2, rows + 1]``: worth of entering each row on and off, the dwell there served. A stay that the end
    cuts short counts as served.

    >>> gains = np.array([4.0, -9.0, 4.0, -1.0, 4.0])
    >>> clairvoyant_usd_per_mw(gains, 1.0, 1.0, 1, 1, np.zeros((2, 6)))
    9.0
    >>> clairvoyant_usd_per_mw(gains, 1.0, 1.0, 1, 2, np.zeros((2, 6)))
    6.0
    """
    rows = len(gain_usd_per_mw)
    worth[ON_ROW, rows] = worth[OFF_ROW, rows] = 0.0
    for row in range(rows - 1, -1, -1):
        last = min(row + min_on_rows, rows)
        start = worth[ON_ROW, last]
        for place in range(last - 1, row - 1, -1):
            start = gain_usd_per_mw[place] + start
        stop = worth[OFF_ROW, min(row + min_off_rows, rows)]
        stay = gain_usd_per_mw[row] + worth[ON_ROW, row + 1]
        worth[ON_ROW, row] = max(stay, stop - stop_usd_per_mw)
        worth[OFF_ROW, row] = max(worth[OFF_ROW, row + 1], start - start_usd_per_mw)
    return max(worth[ON_ROW, 0], worth[OFF_ROW, 0])


@jit
def clairvoyant_modes(
    gain_usd_per_mw: np.ndarray,
    stop_usd_per_mw: float,
    min_on_rows: int,
    min_off_rows: int,
    worth: np.ndarray,
    modes: np.ndarray,
) -> None:
    """Write the modes that earn it, from the ``worth`` that :func:`clairvoyant_usd_per_mw` filled; on a tie it stays.

    >>> gains, worth, modes = np.array([4.0, -9.0, 4.0, -1.0]), np.zeros((2, 5)), np.zeros(4, np.int64)
    >>> clairvoyant_usd_per_mw(gains, 1.0, 1.0, 1, 1, worth)
    5.0
    >>> clairvoyant_modes(gains, 1.0, 1, 1, worth, modes)
    >>> modes.tolist()
    [1, 0, 1, 1]
    """
    rows = len(gain_usd_per_mw)
    mode = 1 if worth[ON_ROW, 0] > worth[OFF_ROW, 0] else 0
    owed = 0  # rows of the present stay still to be served
    for row in range(rows):
        if owed == 0:
            if mode == 1:
                stay = gain_usd_per_mw[row] + worth[ON_ROW, row + 1]
                if worth[OFF_ROW, min(row + min_off_rows, rows)] - stop_usd_per_mw > stay:
                    mode, owed = 0, min_off_rows
            elif worth[OFF_ROW, row] > worth[OFF_ROW, row + 1]:
                mode, owed = 1, min_on_rows
        owed = max(owed - 1, 0)
        modes[row] = mode


@jit
def capped_clairvoyant_usd(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    count: int,
    room_mw: float,
    table: np.ndarray,
) -> float:
    """Most that up to 12 loads could have earned under one cap [USD], from ``gain_usd[load, row]``.

    Exact where no dwell is longer than a row, else an upper bound, for longer dwells only take away. ``table`` has 3
    rows of 2^count.
    """
    rows = gain_usd.shape[1]
    for mask in range(1 << count):
        table[VALUE, mask] = 0.0
    for row in range(rows - 1, -1, -1):
        pass_step(table, gain_usd, draw_mw, row, rows, count, room_mw)
        if row > 0:
            pass_switches(table, stop_usd, start_usd, count)
    most = table[VALUE, 0]
    for mask in range(1 << count):
        most = max(most, table[VALUE, mask])
    return most


@jit
def priced_load_usd(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    load: int,
    stop_usd: float,
    start_usd: float,
    min_on_rows: int,
    min_off_rows: int,
    by_row: np.ndarray,
    net_usd: np.ndarray,
    worth: np.ndarray,
    modes: np.ndarray,
) -> float:
    """Most that one load could have earned had it paid for its MW [USD]; adds the MW it would have used."""
    rows = gain_usd.shape[1]
    for row in range(rows):
        net_usd[row] = gain_usd[load, row] - by_row[PRICE, row] * draw_mw[load, row]
    most = clairvoyant_usd_per_mw(net_usd, stop_usd, start_usd, min_on_rows, min_off_rows, worth)
    clairvoyant_modes(net_usd, stop_usd, min_on_rows, min_off_rows, worth, modes)
    for row in range(rows):
        by_row[USED, row] += modes[row] * draw_mw[load, row]
    return most


@jit
def capped_bound_usd(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    min_on_rows: np.ndarray,
    min_off_rows: np.ndarray,
    count: int,
    room_mw: float,
    feasible_usd: float,
    turns: int,
    by_row: np.ndarray,
    net_usd: np.ndarray,
    worth: np.ndarray,
    modes: np.ndarray,
) -> float:
    """Upper bound of what any number of loads could have earned under one cap, dwells included [USD].

    The Lagrangian dual: at any prices of a MW, row by row and never below nothing, what the loads earn above their
    MW's price plus what the room is worth bounds every policy that fits. ``feasible_usd``, what some policy that fits
    earned, aims the steps; a wrong one costs tightness, never validity. Scratch: ``by_row`` (2, rows), ``net_usd``
    (rows), ``worth`` (2, rows + 1), ``modes`` (rows, whole numbers).
    """
    rows = gain_usd.shape[1]
    for row in range(rows):
        by_row[PRICE, row] = 0.0
    least, share, idle = np.inf, 1.0, 0
    for _ in range(turns):
        bound = 0.0
        for row in range(rows):
            by_row[USED, row] = 0.0
            bound += by_row[PRICE, row] * room_mw
        for load in range(count):
            bound += priced_load_usd(
                gain_usd,
                draw_mw,
                load,
                stop_usd[load],
                start_usd[load],
                min_on_rows[load],
                min_off_rows[load],
                by_row,
                net_usd,
                worth,
                modes,
            )
        idle = 0 if bound < least else idle + 1
        least = min(least, bound)
        if idle >= 3:
            share, idle = share / 2.0, 0
        if not raise_prices(by_row, rows, room_mw, max(bound - feasible_usd, 0.0) * share):
            break
    return least


@jit
def raise_prices(by_row: np.ndarray, rows: int, room_mw: float, apart_usd: float) -> bool:
    """Move each row's price with the MW asked for beyond the room (Polyak's step). False where nothing is to move."""
    length = 0.0
    for row in range(rows):
        over = by_row[USED, row] - room_mw
        if over > 0.0 or by_row[PRICE, row] > 0.0:
            length += over * over
    if length <= 0.0 or apart_usd <= 0.0:
        return False
    for row in range(rows):
        over = by_row[USED, row] - room_mw
        by_row[PRICE, row] = max(by_row[PRICE, row] + apart_usd / length * over, 0.0)
    return True


@jit
def total_usd(gain_usd: np.ndarray, load: int) -> float:
    """What a load would have earned running all the time [USD], in the order of rows."""
    total = 0.0
    for row in range(gain_usd.shape[1]):
        total += gain_usd[load, row]
    return total


@jit
def widest_mw(draw_mw: np.ndarray, load: int) -> float:
    """The most a load drew in any row [MW]: what a constant allocation must leave room for."""
    widest = 0.0
    for row in range(draw_mw.shape[1]):
        widest = max(widest, draw_mw[load, row])
    return widest


@jit
def best_constant_usd(
    gain_usd: np.ndarray, draw_mw: np.ndarray, count: int, room_mw: float, work: np.ndarray, order: np.ndarray
) -> tuple[float, float]:
    """The best set of loads to run all the time under a cap: (what it earns, how far it may lie below the best) [USD].

    ``work`` (3, loads) and ``order`` (4, loads, whole numbers) are the scratch of :mod:`models.choice`.
    """
    places = 0
    for load in range(count):
        total = total_usd(gain_usd, load)
        if total > 0.0:
            work[choice.WORTH, places], work[choice.MW, places] = total, widest_mw(draw_mw, load)
            places += 1
    gap = choice.choose(work, order, places, room_mw)
    best = 0.0
    for place in range(places):
        if order[choice.BEST, place] == 1:
            best += work[choice.WORTH, place]
    return best, gap
