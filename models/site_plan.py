"""What the loads of one site do in the next step: each alone where the cap cannot bind, jointly where it can. Compiled.

all draws fit in every step, no ramp   each load by itself, dwells included   exact along the path
up to 12 loads                         over sets of loads                     exact, later dwells and ramps relaxed
more loads                             prices on the cap's megawatts          gap reported, a ramp is not planned
"""

from __future__ import annotations

import numpy as np

from models.jit import jit_apart
from models.joint_plan import MOST_LOADS, UNLIMITED_MW, plan_jointly
from models.plan import MARGIN, advantage_usd_per_mw, mode_of
from models.priced_cap import plan_priced

ALONE, JOINT, PRICED = 0, 1, 2


@jit_apart
def cap_binds(draw_mw: np.ndarray, count: int, steps: int, room_mw: float) -> bool:
    """Whether the loads together could draw more than the room in some step."""
    for step in range(steps):
        total_mw = 0.0
        for load in range(count):
            total_mw += draw_mw[load, step]
        if total_mw > room_mw:
            return True
    return False


@jit_apart
def way_of(draw_mw: np.ndarray, count: int, steps: int, room_mw: float, ramp_mw: float) -> int:
    """How a site's loads are planned: ALONE, JOINT or PRICED."""
    if ramp_mw == UNLIMITED_MW and not cap_binds(draw_mw, count, steps, room_mw):
        return ALONE
    return JOINT if count <= MOST_LOADS else PRICED


@jit_apart
def plan_alone(
    gain_usd: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    min_on_steps: np.ndarray,
    min_off_steps: np.ndarray,
    count: int,
    steps: int,
    work: np.ndarray,
    wanted: np.ndarray,
) -> float:
    """Plan each load by itself. Returns what the changes are worth over holding [USD]."""
    total = 0.0
    for load in range(count):
        wanted[load] = max(modes[load], 0)
        if locked[load] == 1:
            continue
        for step in range(steps):
            work[MARGIN, step] = gain_usd[load, step]
        advantage = advantage_usd_per_mw(
            work, steps, modes[load], stop_usd[load], start_usd[load], min_on_steps[load], min_off_steps[load]
        )
        mode = mode_of(advantage, modes[load])
        if mode != wanted[load]:
            wanted[load] = mode
            total += abs(advantage)
    return total


@jit_apart
def plan_site(
    gain_usd: np.ndarray,
    draw_mw: np.ndarray,
    stop_usd: np.ndarray,
    start_usd: np.ndarray,
    modes: np.ndarray,
    locked: np.ndarray,
    min_on_steps: np.ndarray,
    min_off_steps: np.ndarray,
    count: int,
    steps: int,
    room_mw: float,
    ramp_mw: float,
    work: np.ndarray,
    table: np.ndarray,
    worth: np.ndarray,
    by_step: np.ndarray,
    density: np.ndarray,
    order: np.ndarray,
    wanted: np.ndarray,
) -> tuple[int, float, float]:
    """Write the modes of the first step into ``wanted``. Returns (way, worth over holding, gap to the best) [USD].

    ``gain_usd[load, step]`` is what running earns, ``draw_mw[load, step]`` what it draws, costs are USD per change. The
    room is the cap less what is not planned. Worth over holding is inf where the present modes do not fit. Scratch:
    ``work`` (3, steps + 1), ``table`` (3, 2^min(count, 12)), the rest as :func:`models.priced_cap.plan_priced` says.
    """
    way = way_of(draw_mw, count, steps, room_mw, ramp_mw)
    if way == ALONE:
        gain = plan_alone(
            gain_usd, stop_usd, start_usd, modes, locked, min_on_steps, min_off_steps, count, steps, work, wanted
        )
        return way, gain, 0.0
    if way == JOINT:
        most, hold = plan_jointly(
            gain_usd, draw_mw, stop_usd, start_usd, modes, locked, count, steps, room_mw, ramp_mw, table, wanted
        )
        return way, most - hold, 0.0
    most, hold, bound = plan_priced(
        gain_usd,
        draw_mw,
        stop_usd,
        start_usd,
        modes,
        locked,
        count,
        steps,
        room_mw,
        worth,
        by_step,
        density,
        order,
        wanted,
    )
    return way, most - hold, bound - most
