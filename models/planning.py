"""Plans inside the step: what a site's loads do next by the prices expected for six hours. Compiled.

What is forecast, and how, stands in :mod:`models.price_path`; how a plan is found, in :mod:`models.site_plan`. Here are
the state's arrays turned into theirs. A plan sees a view, as :mod:`models.decide` does, and changes no load: asked
again with another view, the price in it is taken as the last one known.
"""

from __future__ import annotations

import math

import numpy as np

from models.arrays import CURVE_SLOTS, NEVER, VIEW_FIXED
from models.jit import jit, jit_apart
from models.joint_plan import UNLIMITED_MW
from models.margins import draw_mw, margin_usd_per_mwh
from models.plan import FREE, MARGIN, advantage_usd_per_mw, dwell_steps
from models.price_memory import NO_SLOT, renew_median
from models.price_path import (
    DECAY,
    HORIZON_US,
    NO_DAY_AHEAD,
    QUARTER_HOUR_US,
    SPIKE_DECAY,
    build_path,
    decay_per_step,
    reference_at,
)
from models.records import HOUR_US, MINUTE_US
from models.site_plan import plan_site
from models.state import STEPS, State
from models.zones import market_day

PRINT_GRACE_US = MINUTE_US  # after an interval's begin: a print that has not come by then is not waited for
LOOK_BACK_US = QUARTER_HOUR_US  # how far before the newest price the curve is needed

PATH, CURVE, BEGAN = 0, 1, 2  # rows of `State.path`
ITEM, MODE, LOCKED, MIN_ON, MIN_OFF, WANTED_NEXT = 0, 1, 2, 3, 4, 5  # rows of `State.plan_modes`
STOP, START = 0, 1  # rows of `State.plan_cost`
KEEP, FREE_START = 3, 4  # places of `State.policy`


@jit
def step_of(state: State, number: int) -> int:
    """Length of the intervals that a site plans in [us]: its real-time market's, else a quarter of an hour."""
    site = state.sites[number]
    memory = state.series[state.inputs[site["first_input"] + VIEW_FIXED]["series"]]["memory"]
    if memory >= 0 and state.memories[memory]["step_us"] > 0:
        return state.memories[memory]["step_us"]
    return QUARTER_HOUR_US


@jit
def next_plan_us(state: State, number: int) -> int:
    """When a site is planned again though nothing printed: a minute into the interval after the one planned for."""
    planned_us = state.sites[number]["planned_us"]
    return planned_us + step_of(state, number) + PRINT_GRACE_US if planned_us > 0 else NEVER


@jit
def awaits_print(state: State, number: int) -> bool:
    """Whether an interval has just begun whose first print is awaited: the price now is about to be replaced."""
    site, log_time_us = state.sites[number], state.clocks[0]["log_time_us"]
    step_us = step_of(state, number)
    begun_us = log_time_us // step_us * step_us
    return site["planned_us"] > 0 and site["planned_us"] < begun_us and log_time_us < begun_us + PRINT_GRACE_US


@jit
def is_unplanned(state: State, number: int) -> bool:
    """Whether a site that is settled at its curve has not been planned in this interval: it waits for no print."""
    site = state.sites[number]
    step_us = step_of(state, number)
    own = state.series[state.inputs[site["first_input"] + VIEW_FIXED]["series"]]["curve"] >= 0
    return own and site["planned_us"] < state.clocks[0]["log_time_us"] // step_us * step_us


@jit_apart
def fill_curve(state: State, series: int, first_slot: int, step_us: int) -> None:
    """Write a curve's prices from an interval on into the scratch path, nan where it is not published.

    Where two of its intervals hold a step the one that began later counts.
    """
    number = state.series[series]["curve"] if series >= 0 else -1
    for step in range(STEPS + 1):
        state.path[CURVE, step], state.path[BEGAN, step] = math.nan, 0.0
    for place in range(CURVE_SLOTS if number >= 0 else 0):
        slot = state.slots[number, place]
        first = max((slot["start_us"] - 1) // step_us + 1 - first_slot, 0)
        last = min((slot["end_us"] - 1) // step_us - first_slot, STEPS)
        for step in range(first, last + 1):
            if slot["start_us"] > state.path[BEGAN, step]:
                state.path[BEGAN, step] = slot["start_us"]
                state.path[CURVE, step] = slot["value"]


@jit_apart
def forecast(state: State, number: int, view: np.ndarray, first: int) -> tuple[int, int, float]:
    """Write the prices a site's plan counts with into the scratch path.

    Returns (steps planned, what it had to do without, the price it expects others to return to now [USD/MWh]).
    """
    site = state.sites[number]
    log_time_us, step_us = state.clocks[0]["log_time_us"], step_of(state, number)
    slot = log_time_us // step_us
    steps = min(max(HORIZON_US // step_us, 1), STEPS)
    power = state.inputs[site["first_input"] + VIEW_FIXED]["series"]
    memory = state.series[power]["memory"]
    if memory < 0:
        return curve_alone(state, number, slot, steps, step_us, view[first + VIEW_FIXED])
    newest = state.memories[memory]["newest"]
    begin = min(slot, newest) if newest != NO_SLOT else slot
    back = max(LOOK_BACK_US // step_us, 1)
    first_slot = max(begin - back, slot + steps - 1 - STEPS)
    fill_curve(state, site["day_ahead"], first_slot, step_us)
    day = market_day(state.series[power]["zone"], log_time_us)
    renew_median(state.memories, state.memory_slots, state.memory_prices, memory, day, state.memory_work)
    place = newest % max(state.memories[memory]["cells"], 1) if newest != NO_SLOT else 0
    kept = state.memory_prices[memory, place]
    if newest != NO_SLOT:
        state.memory_prices[memory, place] = view[first + VIEW_FIXED]
    without = build_path(
        state.path[PATH],
        steps,
        slot,
        state.memories,
        state.memory_slots,
        state.memory_prices,
        memory,
        state.path[CURVE],
        first_slot,
        state.policy[KEEP],
        decay_per_step(DECAY, step_us),
        decay_per_step(SPIKE_DECAY, step_us),
    )
    state.memory_prices[memory, place] = kept
    return steps, without, reference_at(state.path[CURVE], first_slot, slot, state.memories[memory]["median"])


@jit_apart
def curve_alone(
    state: State, number: int, slot: int, steps: int, step_us: int, now_usd_per_mwh: float
) -> tuple[int, int, float]:
    """The path of a site that is settled at its day-ahead curve: the curve itself, as far as it is published."""
    site = state.sites[number]
    fill_curve(state, site["day_ahead"], slot, step_us)
    for step in range(steps):
        price = now_usd_per_mwh if step == 0 else state.path[CURVE, step]
        if step > 0 and math.isnan(price):
            return step, NO_DAY_AHEAD, now_usd_per_mwh
        state.path[PATH, step] = price
    return steps, 0, now_usd_per_mwh


@jit
def margin_at_no_price(load: np.void, view: np.ndarray, first: int, usd_per_ph_day: float) -> float:
    """Cash margin of a load at an LMP of nothing [USD/MWh]; a plan takes the price of each step from it."""
    kept = view[first + VIEW_FIXED]
    view[first + VIEW_FIXED] = 0.0
    margin = margin_usd_per_mwh(load, view, first, usd_per_ph_day)
    view[first + VIEW_FIXED] = kept
    return margin


@jit
def fill_gains(
    gains: np.ndarray, path: np.ndarray, steps: int, load: np.void, margin: float, first_hours: float, hours: float
) -> None:
    """What an MW of a load earns in each step of a path [USD/MW]."""
    factor = load["lmp_factor"] if load["view_power"] >= 0 else 0.0
    for step in range(steps):
        price = path[step] if factor != 0.0 else 0.0
        gains[step] = (margin - factor * price) * (first_hours if step == 0 else hours)


@jit
def mode_before(state: State, load: np.void) -> int:
    """Mode that a plan starts from: none yet where the first one is free and was not chosen."""
    return FREE if state.policy[FREE_START] == 1.0 and load["placed"] == 0 else load["mode"]


@jit_apart
def plan_load(
    state: State, number: int, item: int, view: np.ndarray, first: int, usd_per_ph_day: float, steps: int
) -> float:
    """What running a load now is worth over not running it, switching included [USD]. Its dwell is served."""
    load, step_us = state.loads[item], step_of(state, number)
    margin = margin_at_no_price(load, view, first, usd_per_ph_day)
    left_us = step_us - state.clocks[0]["log_time_us"] % step_us
    fill_gains(state.plan_work[MARGIN], state.path[PATH], steps, load, margin, left_us / HOUR_US, step_us / HOUR_US)
    return draw_mw(load, view, first) * advantage_usd_per_mw(
        state.plan_work,
        steps,
        mode_before(state, load),
        load["stop_usd_per_mw"],
        load["start_usd_per_mw"],
        dwell_steps(load["min_on_us"], step_us),
        dwell_steps(load["min_off_us"], step_us),
    )


@jit_apart
def gather(
    state: State, number: int, count: int, item: int, locked: int, view: np.ndarray, first: int, usd: float, steps: int
) -> None:
    """Write one load of a site whose loads compete into the arrays of the joint plan."""
    load, step_us = state.loads[item], step_of(state, number)
    mw = draw_mw(load, view, first)
    left_us = step_us - state.clocks[0]["log_time_us"] % step_us
    margin = margin_at_no_price(load, view, first, usd)
    fill_gains(state.plan_gain[count], state.path[PATH], steps, load, margin, left_us / HOUR_US, step_us / HOUR_US)
    for step in range(steps):
        state.plan_gain[count, step] *= mw
        state.plan_draw[count, step] = mw
    state.plan_cost[STOP, count] = load["stop_usd_per_mw"] * mw
    state.plan_cost[START, count] = load["start_usd_per_mw"] * mw
    state.plan_modes[ITEM, count] = item
    state.plan_modes[MODE, count] = mode_before(state, load)
    state.plan_modes[LOCKED, count] = locked
    state.plan_modes[MIN_ON, count] = dwell_steps(load["min_on_us"], step_us)
    state.plan_modes[MIN_OFF, count] = dwell_steps(load["min_off_us"], step_us)


@jit_apart
def plan_together(state: State, count: int, steps: int, room_mw: float) -> tuple[float, float]:
    """Plan the loads gathered. Returns (worth over changing nothing, how far from the best it may lie) [USD]."""
    _, gain, gap = plan_site(
        state.plan_gain,
        state.plan_draw,
        state.plan_cost[STOP],
        state.plan_cost[START],
        state.plan_modes[MODE],
        state.plan_modes[LOCKED],
        state.plan_modes[MIN_ON],
        state.plan_modes[MIN_OFF],
        count,
        steps,
        room_mw,
        UNLIMITED_MW,
        state.plan_work,
        state.plan_table,
        state.plan_worth,
        state.plan_prices,
        state.plan_density,
        state.plan_order,
        state.plan_modes[WANTED_NEXT],
    )
    return gain, gap


@jit_apart
def note_plan(state: State, number: int, steps: int, without: int, reference_usd_per_mwh: float) -> None:
    """Remember for which interval a site was planned, and on what."""
    site = state.sites[number]
    step_us = step_of(state, number)
    site["planned_us"] = state.clocks[0]["log_time_us"] // step_us * step_us
    site["plan_steps"], site["plan_without"], site["plan_reference"] = steps, without, reference_usd_per_mwh
