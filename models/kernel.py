"""The compiled step: rows of the log in, modes, margins and events out. No Python objects, no allocation.

``advance`` runs until a row caused events (or a mark or a fleet date was reached), so that whoever explains the events
finds the state as it was when they arose; then it is called again for the next row.
"""

from __future__ import annotations

import numpy as np

from models import policies
from models.arrays import AWAITED, NEVER, NO_ORDER, NONE, PLAIN, UNCONFIRMED, UNUSABLE, USABLE, VIEW_FIXED
from models.decide import BEFORE, RULE, WANTED, decide
from models.gate import agree
from models.jit import jit
from models.margins import draw_mw, hashprice_of, margin_usd_per_mwh, read_view
from models.market import AHEAD, REPLAN, accept_curve, accept_value, age_market, move_clock
from models.planning import awaits_print, is_unplanned, next_plan_us
from models.rows import CLOCK, CURVE, Rows
from models.state import State

SWITCH, QUALITY, ORDER_ENDED = 1, 2, 3
TURNED, LOST = 1, 2
ON, FLEET_DUE, MARK = 0, 1, 2


@jit
def note_inputs(state: State, number: int, count: int) -> int:
    """Publish what changed in the usability of a site's inputs. Returns the new count of events."""
    site = state.sites[number]
    log_time_us = state.clocks[0]["log_time_us"]
    for place in range(site["first_input"], site["first_input"] + site["inputs"]):
        source = state.inputs[place]
        series = state.series[source["series"]]
        before = source["state"]
        if series["known"] == 1 and series["fresh"] == 1:
            after = USABLE
        elif before == AWAITED and series["known"] == 0 and log_time_us < site["warm_until_us"]:
            after = AWAITED
        else:
            after = UNUSABLE
        source["state"] = after
        if after == USABLE and before != USABLE:
            fill_views(state, number, place - site["first_input"])
        silent = source["component"] != PLAIN or source["needed"] == 0 or (before == AWAITED and after == USABLE)
        if after != before and not silent:
            event = state.events[count]
            event["code"] = QUALITY
            event["site"] = number
            event["item"] = place
            event["before"] = before
            event["after"] = after
            count += 1
    return count


@jit
def fill_views(state: State, number: int, offset: int) -> None:
    """Give an input that was unknown when loads were last explained its first value there: it did not change since."""
    site = state.sites[number]
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        kept = state.loads[item]["last_view"] + offset
        if np.isnan(state.last_views[kept]):
            state.last_views[kept] = state.views[site["first_input"] + offset]


@jit
def input_state(state: State, site_first: int, place: int) -> int:
    """State of one input of a view; a load that needs nothing there finds it usable."""
    return state.inputs[site_first + place]["state"] if place >= 0 else USABLE


@jit
def value_loads(state: State, number: int) -> int:
    """Margins and draws of a site's loads from its view; the first valuation of each is kept to explain by.

    Returns LOST where a load may be valued again or no more, TURNED where a margin changed its sign, else 0.
    """
    site, turned = state.sites[number], 0
    first = site["first_input"]
    usd_per_ph_day = hashprice_of(state.views, first)
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        load = state.loads[item]
        usable, unusable = 1, 0
        for place in (load["view_power"], load["view_rate"], load["view_utilisation"]):
            found = input_state(state, first, place)
            usable = usable if found == USABLE else 0
            unusable = 1 if found == UNUSABLE else unusable
        if load["view_btc"] >= 0:
            for place in range(VIEW_FIXED):
                found = input_state(state, first, place)
                usable = usable if found == USABLE else 0
                unusable = 1 if found == UNUSABLE else unusable
        if load["usable"] != usable:
            turned = LOST
        load["usable"] = usable
        load["awaiting"] = 1 - max(usable, unusable)  # what one input still awaits does not excuse what another lost
        load["draw_mw"] = draw_mw(load, state.views, first)
        if usable == 0:
            continue
        margin = margin_usd_per_mwh(load, state.views, first, usd_per_ph_day)
        if (margin > 0.0) != (load["margin"] > 0.0):
            turned = max(turned, TURNED)
        load["margin"] = margin
        if load["valued"] == 0:
            load["valued"] = 1
            for place in range(site["inputs"]):
                state.last_views[load["last_view"] + place] = state.views[first + place]
    return turned


@jit
def end_orders(state: State, number: int, count: int) -> int:
    """Lift the orders of a site whose time is over. Returns the new count of events."""
    site = state.sites[number]
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        load = state.loads[item]
        if load["order"] != NO_ORDER and load["order_until_us"] <= state.clocks[0]["log_time_us"]:
            load["order"] = NO_ORDER
            event = state.events[count]
            event["code"] = ORDER_ENDED
            event["site"] = number
            event["item"] = item
            count += 1
    return count


@jit
def switch_loads(state: State, number: int, count: int) -> int:
    """Carry out what was decided for a site. Returns the new count of events."""
    site = state.sites[number]
    log_time_us = state.clocks[0]["log_time_us"]
    first_load, end = site["first_load"], site["first_load"] + site["loads"]
    switched, drawn_mw = 0, 0.0
    for item in range(first_load, end):
        load = state.loads[item]
        before, after = load["mode"], state.modes[WANTED, item]
        state.modes[BEFORE, item] = before
        if after != before:
            event = state.events[count]
            event["code"] = SWITCH
            event["site"] = number
            event["item"] = item
            event["before"] = before
            event["after"] = after
            event["rule"] = state.modes[RULE, item]
            load["mode"] = after
            load["since_us"] = log_time_us
            load["decision"] = site["decisions"] + 1
            load["confirmed"] = UNCONFIRMED
            count += 1
            switched = 1
        if after == 1:
            drawn_mw += draw_mw(load, state.views, site["first_input"])
    site["decisions"] += switched
    site["over_cap"] = 1 if drawn_mw > site["mw_cap"] * (1.0 + 1e-9) else 0
    return count


@jit
def next_wake(state: State, number: int) -> int:
    """When a site must be looked at again though no price came: the end of a dwell, an order, a wait for a series."""
    site = state.sites[number]
    log_time_us = state.clocks[0]["log_time_us"]
    wake_us = NEVER
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        load = state.loads[item]
        stay_us = load["min_on_us"] if load["mode"] == 1 else load["min_off_us"]
        end_us = load["since_us"] + stay_us
        if load["dispatched"] == 1 and end_us > log_time_us:
            wake_us = min(wake_us, end_us)
        if load["order"] != NO_ORDER:
            wake_us = min(wake_us, load["order_until_us"])
    for place in range(site["first_input"], site["first_input"] + site["inputs"]):
        if state.inputs[place]["state"] == AWAITED and site["warm_until_us"] > log_time_us:
            wake_us = min(wake_us, site["warm_until_us"])
    return min(wake_us, next_plan_us(state, number)) if policies.is_plan(int(state.policy[0])) else wake_us


@jit
def evaluate(state: State, number: int, count: int, replan: int) -> int:
    """Value a site and decide for it; ``replan`` 0 leaves a plan as it is. Returns the new count of events."""
    site = state.sites[number]
    before = count
    read_view(state, number)
    count = end_orders(state, number, count)
    count = note_inputs(state, number, count)
    turned = value_loads(state, number)
    if turned == TURNED and not awaits_print(state, number):
        replan = 1
    if count > before or turned == LOST or is_unplanned(state, number):
        replan = 1
    site["gap_usd_per_hour"] = decide(state, number, state.views, site["first_input"], NONE, replan)
    count = switch_loads(state, number, count)
    site["wake_us"] = next_wake(state, number)
    state.clocks[0]["next_wake_us"] = min(state.clocks[0]["next_wake_us"], site["wake_us"])
    return count


@jit
def settle(state: State) -> int:
    """What a tick does once log time has moved. Returns the count of events."""
    clocks = state.clocks[0]
    count = NONE
    marked = age_market(state)
    if clocks["log_time_us"] >= clocks["next_wake_us"]:
        clocks["next_wake_us"] = NEVER
        for number in range(len(state.sites)):
            if state.sites[number]["wake_us"] <= clocks["log_time_us"]:
                state.dirty[number] = REPLAN
                marked += 1
            else:
                clocks["next_wake_us"] = min(clocks["next_wake_us"], state.sites[number]["wake_us"])
    if marked > 0:
        for number in range(len(state.sites)):
            if state.dirty[number] > 0:
                replan = 1 if state.dirty[number] == REPLAN and not awaits_print(state, number) else 0
                state.dirty[number] = 0
                count = evaluate(state, number, count, replan)
    return count


@jit
def is_marked(state: State) -> bool:
    """Whether log time passed a checkpoint mark; the next one is set if so."""
    clocks = state.clocks[0]
    if clocks["log_time_us"] < clocks["next_mark_us"]:
        return False
    clocks["next_mark_us"] = (clocks["log_time_us"] // clocks["mark_every_us"] + 1) * clocks["mark_every_us"]
    return True


@jit
def observe(state: State, row: np.void) -> int:
    """Apply one print. Returns the count of events."""
    number = row["series"]
    changed = accept_curve(state, row) if row["kind"] == CURVE else accept_value(state, row)
    group = state.series[number]["member_of"]
    if group >= 0:
        changed = agree(state, group)
        number = state.groups[group]["head"]
    if changed == 0 or state.clocks[0]["log_time_us"] == 0:
        return 0
    if changed == AHEAD and not policies.is_plan(int(state.policy[0])):
        return 0
    count, replan = NONE, state.series[number]["plans"]
    for place in range(state.dep_start[number], state.dep_start[number + 1]):
        count = evaluate(state, state.dep_site[place], count, replan)
    return count


@jit
def advance(state: State, rows: Rows, start: int, end: int, marks: int) -> tuple[int, int, int]:
    """Apply rows[start:end] until one has events. Returns (next row, count of events, ON | FLEET_DUE | MARK).

    ``marks``: 1 stops at checkpoint marks too.
    """
    for place in range(start, end):
        row = rows[place]
        if row["kind"] != CLOCK:
            count = observe(state, row)
            if count > 0:
                return place + 1, count, ON
        elif move_clock(state, row):
            if state.clocks[0]["log_time_us"] >= state.clocks[0]["next_fleet_us"]:
                return place + 1, 0, FLEET_DUE
            count = settle(state)
            if marks == 1 and is_marked(state):
                return place + 1, count, MARK
            if count > 0:
                return place + 1, count, ON
    return end, 0, ON
