"""Which loads run under a site's cap: the set worth most. Compiled, exact, and it says so where it is not.

Loads are lumps, so this is a 0/1 knapsack: branch and bound in order of worth per MW with the fractional bound. Up to
:data:`NODE_LIMIT` branches it is exact; past that the best set found is returned with the bound's distance.
"""

from __future__ import annotations

import numpy as np

from models.jit import jit

NODE_LIMIT = 20_000

# Rows of the float scratch space and of the integer one.
WORTH, MW, DENSITY = 0, 1, 2
RANK, TAKEN, BEST, IDENTITY = 0, 1, 2, 3


@jit
def rank_by_density(work: np.ndarray, order: np.ndarray, count: int) -> None:
    """Sort places 0..count-1 by worth per MW, best first; equal ones keep their order."""
    for place in range(count):
        work[DENSITY, place] = work[WORTH, place] / work[MW, place]
    for place in range(count):
        at = place
        while at > 0 and work[DENSITY, order[RANK, at - 1]] < work[DENSITY, place]:
            order[RANK, at] = order[RANK, at - 1]
            at -= 1
        order[RANK, at] = place


@jit
def fractional_bound(work: np.ndarray, order: np.ndarray, count: int, start: int, room_mw: float) -> float:
    """The most that loads from rank ``start`` on can be worth in the room left, were they divisible [USD/h]."""
    total, room = 0.0, room_mw
    for rank in range(start, count):
        place = order[RANK, rank]
        if work[MW, place] <= room:
            room -= work[MW, place]
            total += work[WORTH, place]
        else:
            return total + work[DENSITY, place] * room
    return total


@jit
def choose(work: np.ndarray, order: np.ndarray, count: int, room_mw: float) -> float:
    """Choose among ``count`` loads with worth > 0 [USD/h] and MW > 0 what runs in ``room_mw``.

    Reads ``work[WORTH]`` and ``work[MW]``, writes ``order[BEST]`` (1 runs). Returns how far the set may lie below the
    best [USD/h]: 0.0 where it is exact. On equal worth the set with the earlier, denser loads wins.
    """
    total_mw = 0.0
    for place in range(count):
        total_mw += work[MW, place]
        order[BEST, place] = 1
    if total_mw <= room_mw:
        return 0.0
    rank_by_density(work, order, count)
    root = fractional_bound(work, order, count, 0, room_mw)
    for place in range(count):
        order[TAKEN, place] = 0
        order[BEST, place] = 0
    best, value, room, rank, nodes = -1.0, 0.0, room_mw, 0, 0
    while True:
        nodes += 1
        open_end = nodes <= NODE_LIMIT or best < 0.0
        if open_end and value + fractional_bound(work, order, count, rank, room) > best:
            if rank < count:
                place = order[RANK, rank]
                if work[MW, place] <= room:
                    order[TAKEN, place] = 1
                    room -= work[MW, place]
                    value += work[WORTH, place]
                rank += 1
                continue
            best = value
            for place in range(count):
                order[BEST, place] = order[TAKEN, place]
        rank = backtrack(order, rank)
        if rank < 0:
            break
        value, room = standing(work, order, rank, room_mw)
        rank += 1
    return 0.0 if nodes <= NODE_LIMIT else max(root - best, 0.0)


@jit
def backtrack(order: np.ndarray, rank: int) -> int:
    """Undo the last load taken before ``rank``: returns its rank, -1 where none was taken."""
    at = rank - 1
    while at >= 0:
        place = order[RANK, at]
        if order[TAKEN, place] == 1:
            order[TAKEN, place] = 0
            return at
        at -= 1
    return -1


@jit
def standing(work: np.ndarray, order: np.ndarray, rank: int, room_mw: float) -> tuple[float, float]:
    """Worth [USD/h] and room left [MW] of what is taken up to ``rank``, summed afresh in rank order.

    Summed afresh because taking a load back by subtraction would not give the same bits.
    """
    value, room = 0.0, room_mw
    for at in range(rank):
        place = order[RANK, at]
        if order[TAKEN, place] == 1:
            value += work[WORTH, place]
            room -= work[MW, place]
    return value, room
