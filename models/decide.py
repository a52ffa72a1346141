"""What a site's loads should do now, given a view: locks first, then the choice under the cap. Compiled.

Also asked again with another view when a signal is explained, so it reads no market and changes no load.
"""

from __future__ import annotations

import numpy as np

from models import choice, policies
from models.arrays import HOLD, LOCKED, NO_ORDER, NONE, OFF, ONE, POOL, RUN
from models.jit import jit, jit_apart
from models.margins import draw_mw, hashprice_of, margin_usd_per_mwh
from models.plan import mode_of
from models.planning import (
    ITEM,
    WANTED_NEXT,
    forecast,
    gather,
    mode_before,
    note_plan,
    plan_load,
    plan_together,
)
from models.price_path import HORIZON_US
from models.records import HOUR_US
from models.state import State

# Why a load is where it is; rows of `State.modes`.
ECONOMIC, WAITING, CONTRACT, FAILURE, DWELL, CAP, LOCKOUT, ORDER = 0, 1, 2, 3, 4, 5, 6, 7
WANTED, RULE, BEFORE = 0, 1, 2

# Sums of MW are not exact: a cap counts as kept within a part in a billion.
CAP_SLACK = 1e-9


@jit
def is_dwelling(load: np.void, log_time_us: int) -> bool:
    """Whether a load's shortest stay in its mode has not passed."""
    stay_us = load["min_on_us"] if load["mode"] == 1 else load["min_off_us"]
    return log_time_us - load["since_us"] < stay_us


@jit
def lock(load: np.void, log_time_us: int, served: int) -> int:
    """Which rule fixes a load's mode, ECONOMIC where none does. ``served``: take every dwell as served.

    A failure direction ``off`` is safety and stands above an order; one that holds or starts yields to it, and to a
    lock-out above all.
    """
    order = load["order"] if log_time_us < load["order_until_us"] else NO_ORDER
    if order == LOCKED:
        return LOCKOUT
    failing = load["usable"] == 0 and load["awaiting"] == 0
    if failing and load["failure"] == OFF and load["dispatched"] == 1:
        return FAILURE
    if order != NO_ORDER and load["dispatched"] == 1:
        return ORDER
    if load["usable"] == 0:
        return FAILURE if failing else WAITING
    if load["dispatched"] == 0:
        return CONTRACT
    if served == 0 and is_dwelling(load, log_time_us):
        return DWELL
    return ECONOMIC


@jit
def fixed_mode(load: np.void, rule: int) -> int:
    """Mode of a load that a rule fixes. A contracted load is not switched off by a missing price."""
    if rule == LOCKOUT:
        return 0
    if rule == ORDER:
        return load["order_mode"]
    if load["dispatched"] == 0:
        return load["initially"]
    if rule != FAILURE or load["failure"] == HOLD:
        return load["mode"]
    return 1 if load["failure"] == RUN else 0


@jit
def lock_all(state: State, number: int, view: np.ndarray, first: int, served: int) -> float:
    """Set wanted modes and rules of the loads that are fixed. Returns the MW they draw.

    A failure direction starts a load only in the room that all but dwells leave: the cap is a limit of the meter.
    """
    site = state.sites[number]
    log_time_us = state.clocks[0]["log_time_us"]
    firm_mw, dwelling_mw, starting = 0.0, 0.0, 0
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        load = state.loads[item]
        rule = lock(load, log_time_us, served)
        state.modes[RULE, item] = rule
        if rule != ECONOMIC:
            mode = fixed_mode(load, rule)
            state.modes[WANTED, item] = mode
            if mode == 1:
                if load["mode"] == 0 and rule == FAILURE:
                    starting = 1
                elif rule == DWELL:
                    dwelling_mw += draw_mw(load, view, first)
                else:
                    firm_mw += draw_mw(load, view, first)
    if starting == 1:
        firm_mw = start_failed(state, number, view, first, firm_mw)
    return firm_mw + dwelling_mw


@jit
def start_failed(state: State, number: int, view: np.ndarray, first: int, firm_mw: float) -> float:
    """Let failure directions start loads one by one while the cap holds. Returns what is fixed then [MW]."""
    site = state.sites[number]
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        load = state.loads[item]
        if state.modes[RULE, item] == FAILURE and state.modes[WANTED, item] == 1 and load["mode"] == 0:
            mw = draw_mw(load, view, first)
            if firm_mw + mw <= site["mw_cap"] + CAP_SLACK * site["mw_cap"]:
                firm_mw += mw
            else:
                state.modes[WANTED, item] = 0
    return firm_mw


@jit
def shed_orders(state: State, number: int, view: np.ndarray, first: int, room_mw: float) -> float:
    """Where even orders to run exceed the cap: keep, in the order of the fleet file, those it holds. Returns the room.

    Loads that run are kept before loads that an order would start.
    """
    site = state.sites[number]
    start, end = site["first_load"], site["first_load"] + site["loads"]
    for item in range(start, end):
        if state.modes[RULE, item] == ORDER and state.modes[WANTED, item] == 1:
            room_mw += draw_mw(state.loads[item], view, first)
    for mode in (1, 0):
        for item in range(start, end):
            load = state.loads[item]
            if state.modes[RULE, item] == ORDER and state.modes[WANTED, item] == 1 and load["mode"] == mode:
                mw = draw_mw(load, view, first)
                if mw <= room_mw:
                    room_mw -= mw
                else:
                    state.modes[WANTED, item] = 0
                    state.modes[RULE, item] = CAP
    return room_mw


@jit
def worth_usd_per_mwh(state: State, load: np.void, view: np.ndarray, first: int, usd_per_ph_day: float) -> float:
    """What running a load is worth to the choice, by the policy in force [USD/MWh]."""
    return policies.worth(
        int(state.policy[0]),
        margin_usd_per_mwh(load, view, first, usd_per_ph_day),
        load["mode"],
        load["stop_usd_per_mw"],
        load["start_usd_per_mw"],
        state.policy[1],
        state.policy[2],
    )


@jit
def spare_dwelling(state: State, number: int, view: np.ndarray, first: int, room_mw: float) -> None:
    """Leave on what need not be shed: loads within their dwell that the choice left out but the room still holds."""
    site = state.sites[number]
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        load = state.loads[item]
        if state.modes[RULE, item] == CAP and state.modes[WANTED, item] == 0:
            mw = draw_mw(load, view, first)
            if mw <= room_mw:
                room_mw -= mw
                state.modes[WANTED, item] = 1
                state.modes[RULE, item] = DWELL


@jit_apart
def plan_all(
    state: State, number: int, view: np.ndarray, first: int, served: int, room_mw: float, replan: int
) -> float:
    """What a site's free loads do by a plan, or still do where none is due. Returns the gap to the best [USD/h]."""
    site = state.sites[number]
    start, end = site["first_load"], site["first_load"] + site["loads"]
    if replan == 0:
        for item in range(start, end):
            if state.modes[RULE, item] == ECONOMIC:
                state.modes[WANTED, item] = state.loads[item]["mode"]
        return site["gap_usd_per_hour"]
    steps, without, reference = forecast(state, number, view, first)
    if served == 0:
        note_plan(state, number, steps, without, reference)
    usd_per_ph_day, count = hashprice_of(view, first), NONE
    alone = is_alone(state, number)
    for item in range(start, end):
        load, rule = state.loads[item], state.modes[RULE, item]
        if alone and rule == ECONOMIC:
            advantage = plan_load(state, number, item, view, first, usd_per_ph_day, steps)
            state.modes[WANTED, item] = mode_of(advantage, mode_before(state, load))
            if served == 0:
                load["plan_usd"], load["placed"] = abs(advantage), 1
        elif not alone and rule in (ECONOMIC, DWELL):
            gather(state, number, count, item, ONE if rule == DWELL else NONE, view, first, usd_per_ph_day, steps)
            room_mw += draw_mw(load, view, first) if rule == DWELL and load["mode"] == 1 else 0.0
            count += 1
    if count == 0:
        return 0.0
    gain, gap = plan_together(state, count, steps, room_mw)
    for place in range(count):
        item = state.plan_modes[ITEM, place]
        state.modes[WANTED, item] = state.plan_modes[WANTED_NEXT, place]
        if served == 0:
            state.loads[item]["plan_usd"], state.loads[item]["placed"] = gain, 1
    return gap / (HORIZON_US / HOUR_US)


@jit
def decide(state: State, number: int, view: np.ndarray, first: int, served: int, replan: int) -> float:
    """Write the wanted mode and the rule of each load of a site into ``state.modes``.

    ``view[first:]`` is the site's view. Where what is locked exceeds the cap, dwells give way, then orders to run (rule
    CAP): the cap is a limit of the meter. ``replan`` 0: a policy that plans leaves its free loads as they are.
    Returns how far the choice may lie below the best [USD/h].
    """
    site = state.sites[number]
    room_mw = site["mw_cap"] + CAP_SLACK * site["mw_cap"] - lock_all(state, number, view, first, served)
    forced = 0
    if room_mw < 0.0 and served == 0:
        forced = 1
        room_mw = site["mw_cap"] + CAP_SLACK * site["mw_cap"] - lock_all(state, number, view, first, ONE)
        if room_mw < 0.0:
            room_mw = shed_orders(state, number, view, first, room_mw)
    if forced == 0 and policies.is_plan(int(state.policy[0])):
        return plan_all(state, number, view, first, served, room_mw, replan)
    usd_per_ph_day = hashprice_of(view, first)
    log_time_us = state.clocks[0]["log_time_us"]
    count = 0
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        if state.modes[RULE, item] != ECONOMIC:
            continue
        load = state.loads[item]
        state.modes[WANTED, item] = 0
        if forced == 1:
            if load["mode"] == 0:
                continue  # the cap sheds; it starts nothing in the room it makes
            if is_dwelling(load, log_time_us):
                state.modes[RULE, item] = CAP
        worth = worth_usd_per_mwh(state, load, view, first, usd_per_ph_day)
        if worth > 0.0 or (worth == 0.0 and load["mode"] == 1):
            mw = draw_mw(load, view, first)
            state.work[choice.WORTH, count] = worth * mw
            state.work[choice.MW, count] = mw
            state.order[choice.IDENTITY, count] = item
            count += 1
    gap = choice.choose(state.work, state.order, count, room_mw)
    for place in range(count):
        item = state.order[choice.IDENTITY, place]
        state.modes[WANTED, item] = state.order[choice.BEST, place]
        if state.order[choice.BEST, place] == 1:
            room_mw -= state.work[choice.MW, place]
    if forced == 1:
        spare_dwelling(state, number, view, first, room_mw)
    return gap


@jit
def is_alone(state: State, number: int) -> bool:
    """Whether a site's loads can never compete: its cap carries the nameplate of all of them."""
    site = state.sites[number]
    total_mw = 0.0
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        total_mw += state.loads[item]["mw"]
    return total_mw <= site["mw_cap"]


@jit
def mode_alone(state: State, item: int, view: np.ndarray, first: int) -> int:
    """What :func:`decide` wants of one load of a site whose loads never compete, its dwell served."""
    load = state.loads[item]
    rule = lock(load, state.clocks[0]["log_time_us"], ONE)
    if rule != ECONOMIC:
        return fixed_mode(load, rule)
    if policies.is_plan(int(state.policy[0])):
        number = load["site"]
        steps, _, _ = forecast(state, number, view, first)
        advantage = plan_load(state, number, item, view, first, hashprice_of(view, first), steps)
        return mode_of(advantage, load["mode"])
    worth = worth_usd_per_mwh(state, load, view, first, hashprice_of(view, first))
    return 1 if worth > 0.0 or (worth == 0.0 and load["mode"] == 1) else 0


@jit
def is_coupled(state: State, number: int, view: np.ndarray, first: int) -> bool:
    """Whether a site's loads compete: together they could draw more than its cap."""
    site = state.sites[number]
    total_mw = 0.0
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        load = state.loads[item]
        if load["kind"] == POOL or load["dispatched"] == 1 or load["mode"] == 1:
            total_mw += draw_mw(load, view, first)
    return total_mw > site["mw_cap"] + CAP_SLACK * site["mw_cap"]
