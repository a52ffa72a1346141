"""Best plans of small sites by trying every sequence of sets of loads: what the planning rooms are compared with."""

from __future__ import annotations

import numpy as np

from models.jit import jit


@jit
def keeps_dwells(sequence: int, steps: int, load: int, count: int, mode: int, min_on: int, min_off: int) -> bool:
    """Whether a load's stays that begin in the sequence last long enough, unless the end cuts them short.

    Bits ``step * count + load``; the stay in ``mode`` (-1: none yet) is served.
    """
    at, since = mode, 1 << 20
    for step in range(steps):
        on = (sequence >> (step * count + load)) & 1
        if at < 0:
            at = on
        elif on != at:
            if since < (min_on if at == 1 else min_off):
                return False
            at, since = on, 0
        since += 1
    return True


@jit
def first_set(sequence: int, count: int) -> int:
    """The set of the first step."""
    return sequence & ((1 << count) - 1)


@jit
def fits(
    sequence: int,
    draw_mw: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    steps: int,
    count: int,
    room_mw: float,
    ramp_mw: float,
    ramp_steps: int,
) -> bool:
    """Whether a sequence keeps the cap in every step, locks in the first, and the ramp in the first ``ramp_steps``."""
    for step in range(steps):
        total, change = 0.0, 0.0
        for load in range(count):
            on = (sequence >> (step * count + load)) & 1
            before = max(modes[load], 0) if step == 0 else (sequence >> ((step - 1) * count + load)) & 1
            if step == 0 and locked[load] == 1 and on != before:
                return False
            total += on * draw_mw[load, step]
            change += (on - before) * draw_mw[load, step]
        if total > room_mw + 1e-9 or (step < ramp_steps and abs(change) > ramp_mw + 1e-9):
            return False
    return True


@jit
def worth_usd(
    sequence: int,
    gain_usd: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    steps: int,
    count: int,
    terminal: int,
) -> float:
    """What a sequence earns, switching paid; with ``terminal`` being on at the end is worth its start [USD]."""
    total = 0.0
    for load in range(count):
        at = modes[load]
        for step in range(steps):
            on = (sequence >> (step * count + load)) & 1
            if at >= 0 and on != at:
                total -= start_usd[load] if on == 1 else stop_usd[load]
            total += on * gain_usd[load, step]
            at = on
        if terminal == 1 and at == 1:
            total += start_usd[load]
    return total


@jit
def try_all(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    min_on: np.ndarray,
    min_off: np.ndarray,
    steps: int,
    count: int,
    room_mw: float,
    ramp_mw: float,
    ramp_steps: int,
    terminal: int,
    by_first: np.ndarray,
) -> None:
    """Fill ``by_first[set]`` with the most that any sequence earns which begins with the set [USD], -inf: none."""
    for mask in range(1 << count):
        by_first[mask] = -np.inf
    for sequence in range(1 << (count * steps)):
        if not fits(sequence, draw_mw, modes, locked, steps, count, room_mw, ramp_mw, ramp_steps):
            continue
        kept = True
        for load in range(count):
            kept = kept and keeps_dwells(sequence, steps, load, count, modes[load], min_on[load], min_off[load])
        if kept:
            mask = first_set(sequence, count)
            worth = worth_usd(sequence, gain_usd, stop_usd, start_usd, modes, steps, count, terminal)
            by_first[mask] = max(by_first[mask], worth)
