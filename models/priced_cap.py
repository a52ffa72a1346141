"""The plan of any number of loads under one cap: a price on the cap's megawatts, and how far it may be from the best.

Each step's MW get a price; at given prices every load plans for itself, and the prices move until the loads fit about
as well as they can (a Lagrangian dual by subgradients with Polyak's step). Any prices give an upper bound of what a
plan can earn; a plan that fits is made from them at every turn, and the best one is kept. Their distance is the gap.
"""

from __future__ import annotations

import numpy as np

from models.jit import jit_apart

TURNS = 60
PATIENCE = 5  # turns without a better bound before the step is halved

# Rows of the float scratch space by load: worth entering a step on and off, density in a step.
ENTER_ON, ENTER_OFF = 0, 1
# Rows of the float scratch space by step.
PRICE, USED = 0, 1
# Rows of the integer scratch space.
NOW, ORDER, FIRST, HELD = 0, 1, 2, 3


@jit_apart
def plan_at_prices(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: float,
    start_usd: float,
    load: int,
    steps: int,
    worth: np.ndarray,
    by_step: np.ndarray,
) -> None:
    """Fill ``worth[:, load, 0..steps]``: worth of one load of entering each step on and off, its MW paid for [USD]."""
    on, off = start_usd, 0.0
    worth[ENTER_ON, load, steps], worth[ENTER_OFF, load, steps] = on, off
    for step in range(steps - 1, -1, -1):
        run = gain_usd[load, step] - by_step[PRICE, step] * draw_mw[load, step] + on
        rest = off
        on, off = max(run, rest - stop_usd), max(rest, run - start_usd)
        worth[ENTER_ON, load, step], worth[ENTER_OFF, load, step] = on, off


@jit_apart
def runs_at_prices(
    gain: float, price_usd: float, mode: int, stop_usd: float, start_usd: float, on_next: float, off_next: float
) -> float:
    """What running a step is worth over not running it, from a mode (-1: free) and the worth of what follows [USD]."""
    run = gain - price_usd + on_next
    rest = off_next
    if mode == 0:
        run -= start_usd
    elif mode == 1:
        rest -= stop_usd
    return run - rest


@jit_apart
def bound_at_prices(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    count: int,
    steps: int,
    room_mw: float,
    worth: np.ndarray,
    by_step: np.ndarray,
) -> float:
    """Upper bound of any plan's worth from the present prices [USD]; fills the MW that loads would use at them."""
    bound = 0.0
    for step in range(steps):
        by_step[USED, step] = 0.0
        bound += by_step[PRICE, step] * room_mw
    for load in range(count):
        stop, start = stop_usd[load], start_usd[load]
        plan_at_prices(gain_usd, draw_mw, stop, start, load, steps, worth, by_step)
        mode = modes[load]
        for step in range(steps):
            price_usd = by_step[PRICE, step] * draw_mw[load, step]
            on_next, off_next = worth[ENTER_ON, load, step + 1], worth[ENTER_OFF, load, step + 1]
            apart = runs_at_prices(gain_usd[load, step], price_usd, mode, stop, start, on_next, off_next)
            runs = 1 if apart > 0.0 or (apart == 0.0 and mode == 1) else 0
            if step == 0:
                if locked[load] == 1:
                    runs = max(mode, 0)
                if runs == 1:
                    bound += gain_usd[load, 0] - price_usd + on_next - (start if mode == 0 else 0.0)
                else:
                    bound += off_next - (stop if mode == 1 else 0.0)
            by_step[USED, step] += runs * draw_mw[load, step]
            mode = runs
    return bound


@jit_apart
def rank_step(density: np.ndarray, order: np.ndarray, count: int) -> None:
    """Sort loads by density, best first; equal ones keep their order."""
    for load in range(count):
        at = load
        while at > 0 and density[order[ORDER, at - 1]] < density[load]:
            order[ORDER, at] = order[ORDER, at - 1]
            at -= 1
        order[ORDER, at] = load


@jit_apart
def fit_plan(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    count: int,
    steps: int,
    room_mw: float,
    worth: np.ndarray,
    density: np.ndarray,
    order: np.ndarray,
) -> float:
    """Make a plan that fits, step by step, what is worth most per MW first. Returns its worth [USD].

    Writes the modes of its first step into ``order[FIRST]``. Locked loads take their room first; what does not fit
    even then stops.
    """
    total = 0.0
    for load in range(count):
        order[NOW, load] = modes[load]
    for step in range(steps):
        for load in range(count):
            stop, start, mode = stop_usd[load], start_usd[load], order[NOW, load]
            on_next, off_next = worth[ENTER_ON, load, step + 1], worth[ENTER_OFF, load, step + 1]
            apart = runs_at_prices(gain_usd[load, step], 0.0, mode, stop, start, on_next, off_next)
            density[load] = apart / draw_mw[load, step]
            if step == 0 and locked[load] == 1:
                density[load] = np.inf if mode == 1 else -np.inf
        rank_step(density, order, count)
        room = room_mw
        for rank in range(count):
            load = order[ORDER, rank]
            mode = order[NOW, load]
            fits = draw_mw[load, step] <= room
            runs = 1 if fits and (density[load] > 0.0 or (density[load] == 0.0 and mode == 1)) else 0
            if runs == 1:
                room -= draw_mw[load, step]
                total += gain_usd[load, step] - (start_usd[load] if mode == 0 else 0.0)
            elif mode == 1:
                total -= stop_usd[load]
            order[NOW, load] = runs
            if step == 0:
                order[FIRST, load] = runs
    for load in range(count):
        if order[NOW, load] == 1:
            total += start_usd[load]
    return total


@jit_apart
def move_prices(by_step: np.ndarray, steps: int, room_mw: float, apart_usd: float, share: float) -> None:
    """Raise the price of MW that are asked for twice, lower that of MW left over, never below nothing."""
    length = 0.0
    for step in range(steps):
        over = by_step[USED, step] - room_mw
        if over > 0.0 or by_step[PRICE, step] > 0.0:
            length += over * over
    if length <= 0.0:
        return
    for step in range(steps):
        over = by_step[USED, step] - room_mw
        by_step[PRICE, step] = max(by_step[PRICE, step] + share * apart_usd / length * over, 0.0)


@jit_apart
def hold_now(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    count: int,
    steps: int,
    room_mw: float,
    worth: np.ndarray,
    density: np.ndarray,
    order: np.ndarray,
) -> float:
    """Worth of a plan that changes nothing in its first step [USD], -inf where the present modes do not fit."""
    for load in range(count):
        order[HELD, load] = 1
    value = fit_plan(
        gain_usd, draw_mw, stop_usd, start_usd, modes, order[HELD], count, steps, room_mw, worth, density, order
    )
    return value if keeps_modes(order[FIRST], modes, count) else -np.inf


@jit_apart
def keeps_modes(wanted: np.ndarray, modes: np.ndarray, count: int) -> bool:
    """Whether nothing changes; a load without a mode yet stands."""
    for load in range(count):
        if wanted[load] != max(modes[load], 0):
            return False
    return True


@jit_apart
def plan_priced(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    count: int,
    steps: int,
    room_mw: float,
    worth: np.ndarray,
    by_step: np.ndarray,
    density: np.ndarray,
    order: np.ndarray,
    wanted: np.ndarray,
) -> tuple[float, float, float]:
    """Write the modes of the first step into ``wanted``. Returns worth of the plan, of holding now, upper bound [USD].

    As :func:`models.joint_plan.plan_jointly`, without a ramp; the bound is one of any plan. Scratch: ``worth``
    (2, loads, steps + 1), ``by_step`` (2, steps), ``density`` (loads), ``order`` (4, loads). Draws above nothing.
    """
    for step in range(steps):
        by_step[PRICE, step] = 0.0
    least, most, share, idle = np.inf, -np.inf, 1.0, 0
    for _ in range(TURNS):
        bound = bound_at_prices(
            gain_usd, draw_mw, stop_usd, start_usd, modes, locked, count, steps, room_mw, worth, by_step
        )
        value = fit_plan(
            gain_usd, draw_mw, stop_usd, start_usd, modes, locked, count, steps, room_mw, worth, density, order
        )
        if value > most:
            most = value
            for load in range(count):
                wanted[load] = order[FIRST, load]
        idle = 0 if bound < least else idle + 1
        least = min(least, bound)
        if idle >= PATIENCE:
            share, idle = share / 2.0, 0
        if least - most <= 1e-9 * max(abs(least), abs(most)):
            break
        move_prices(by_step, steps, room_mw, max(bound - most, 0.0), share)
    hold = hold_now(gain_usd, draw_mw, stop_usd, start_usd, modes, count, steps, room_mw, worth, density, order)
    if keeps_modes(wanted, modes, count):
        hold = max(hold, most)
    if hold >= most:
        most = hold
        for load in range(count):
            wanted[load] = max(modes[load], 0)
    return most, hold, least
