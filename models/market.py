"""The market as known now: which print is a series' current value, what is stale, and what moves log time.

Compiled. The current value of a series is the one with the greatest (event time, revision), never the latest arrival:
a second, slower source of the same prints changes nothing.
"""

from __future__ import annotations

import numpy as np

from models.arrays import CURVE_SLOTS, LONG_AGO, MAX_SEEN, NEVER
from models.gate import agree, hold_mean, judge, note_mean, waits
from models.jit import jit
from models.price_memory import learn
from models.records import SECOND_US
from models.rows import NETWORK
from models.state import State

AHEAD = 2
REVALUE, REPLAN = 1, 2  # what a site that was marked needs
MAX_JUMP_US = 5 * SECOND_US
LONELY_TICKS = 10


@jit
def is_seen(seen: np.ndarray, count: int, value: float, second: float) -> bool:
    """Whether this value was already printed under the current key. seen has shape (MAX_SEEN, 2)."""
    for place in range(min(count, MAX_SEEN)):
        if seen[place, 0] == value and seen[place, 1] == second:
            return True
    return False


@jit
def remember(seen: np.ndarray, count: int, value: float, second: float) -> int:
    """Keep a value of the current key; past MAX_SEEN the oldest gives way. Returns the new count."""
    place = count % MAX_SEEN
    seen[place, 0] = value
    seen[place, 1] = second
    return count + 1


@jit
def restate(series: np.void, row: np.void, log_time_us: int) -> int:
    """The same print again: it may be due later, and so usable again. Returns 1 where usability changed."""
    if row["due_us"] > series["due_us"]:
        series["due_us"] = row["due_us"]
        series["receipt_us"] = row["receipt_us"]
    return refresh(series, log_time_us)


@jit
def refresh(series: np.void, log_time_us: int) -> int:
    """Set whether a series may be used at this log time. Returns 1 where that changed."""
    fresh = 1 if log_time_us <= series["due_us"] + series["limit_us"] else 0
    if fresh == series["fresh"]:
        return 0
    series["fresh"] = fresh
    return 1


@jit
def take(series: np.void, row: np.void, revision: int, log_time_us: int) -> None:
    """Make a print the current one."""
    series["value"] = row["value"]
    series["second"] = row["second"]
    series["order"] = row["order"]
    series["event_us"] = row["event_us"]
    series["receipt_us"] = row["receipt_us"]
    series["due_us"] = row["due_us"]
    series["source"] = row["source"]
    series["revision"] = revision
    series["known"] = 1
    refresh(series, log_time_us)


@jit
def accept_value(state: State, row: np.void) -> int:
    """Apply one print of a plain series. Returns 1 where the current value or its usability changed."""
    number = row["series"]
    series = state.series[number]
    seen = state.seen[number]
    log_time_us = state.clocks[0]["log_time_us"]
    revision = row["revision"]
    value, second = row["value"], row["second"]
    if series["head_of"] >= 0:  # a consensus is made of its members, never given
        return 0
    newer = True
    if row["kind"] == NETWORK:
        second = hold_mean(series, row)
    if series["known"] == 1:
        if row["order"] < series["order"]:
            note_price(state, series, row, revision > 0)
            return 0
        if row["order"] == series["order"]:
            newer = False
            same = value == series["value"] and second == series["second"]
            if row["kind"] == NETWORK and row["blocks"] != series["blocks"]:  # the longer mean is the better statement
                if row["blocks"] < series["blocks"]:
                    return 0
                newer, revision = True, series["revision"]
            elif same and revision <= series["revision"]:
                changed = restate(series, row, log_time_us)
                note_due(state, series)
                return changed
            if not newer and revision < 0:
                if is_seen(seen, series["seen"], value, second):
                    return 0
                revision = series["revision"] + 1
            elif not newer and revision <= series["revision"]:
                return 0
        elif waits(series, value):
            return 0
        else:
            series["seen"] = 0
    if row["kind"] == NETWORK:
        note_mean(series, row, second)
    judge(series, row, revision, newer)
    note_price(state, series, row, True)
    take(series, row, max(revision, 0), log_time_us)
    series["second"] = second
    series["seen"] = remember(seen, series["seen"], value, second)
    note_due(state, series)
    return 1


@jit
def note_price(state: State, series: np.void, row: np.void, restated: bool) -> None:
    """Keep a real-time price of power for plans."""
    length_us = row["end_us"] - row["event_us"]
    number = series["memory"]
    if number >= 0 and length_us > 0:
        rings = state.memories, state.memory_slots, state.memory_prices
        learn(*rings, number, row["event_us"], length_us, row["value"], restated)


@jit
def note_due(state: State, series: np.void) -> None:
    """Keep the earliest moment at which some usable series turns stale."""
    if series["fresh"] == 1:
        good_until_us = series["due_us"] + series["limit_us"]
        state.clocks[0]["next_stale_us"] = min(state.clocks[0]["next_stale_us"], good_until_us)


@jit
def slot_of(slots: np.ndarray, start_us: int, end_us: int) -> int:
    """Place of an interval among a curve's slots, else that of the earliest interval kept, to be given up for it.

    Looked for, not computed from a step: a curve may go from hours to quarter hours on any day.
    """
    earliest = 0
    for place in range(CURVE_SLOTS):
        if slots[place]["start_us"] == start_us and slots[place]["end_us"] == end_us:
            return place
        if slots[place]["start_us"] < slots[earliest]["start_us"]:
            earliest = place
    return earliest


@jit
def accept_curve(state: State, row: np.void) -> int:
    """Apply one interval of a curve. Returns 1 where the current price changed, AHEAD where only a later one did."""
    number = state.series[row["series"]]["curve"]
    start_us, end_us = row["event_us"], row["end_us"]
    place = slot_of(state.slots[number], start_us, end_us)
    slot = state.slots[number, place]
    seen = state.slot_seen[number, place]
    revision = row["revision"]
    if slot["start_us"] == start_us and slot["end_us"] == end_us:
        if revision < 0:
            for other in range(min(slot["seen"], MAX_SEEN)):
                if seen[other] == row["value"]:
                    return 0
            revision = slot["revision"] + 1
        elif revision <= slot["revision"]:
            return 0
    elif slot["start_us"] > start_us:
        return 0
    else:
        slot["seen"] = 0
    slot["start_us"] = start_us
    slot["end_us"] = end_us
    slot["receipt_us"] = row["receipt_us"]
    slot["value"] = row["value"]
    slot["source"] = row["source"]
    slot["revision"] = max(revision, 0)
    seen[slot["seen"] % MAX_SEEN] = row["value"]
    slot["seen"] += 1
    return 1 if read_curve(state, number) == 1 else AHEAD


@jit
def read_curve(state: State, number: int) -> int:
    """Make the price of the interval that holds log time the current one. Returns 1 where something changed.

    Where two hold it, the one that began later or ends sooner is the finer statement and counts.
    """
    series = state.series[state.curves[number]["series"]]
    clocks = state.clocks[0]
    log_time_us = clocks["log_time_us"]
    if log_time_us <= 0:
        return 0
    current, next_us = -1, NEVER
    for place in range(CURVE_SLOTS):
        slot = state.slots[number, place]
        start_us, end_us = slot["start_us"], slot["end_us"]
        if start_us > log_time_us:
            next_us = min(next_us, start_us)
        elif end_us > log_time_us:
            next_us = min(next_us, end_us)
            best = state.slots[number, max(current, 0)]
            finer = start_us > best["start_us"] or (start_us == best["start_us"] and end_us < best["end_us"])
            if current < 0 or finer:
                current = place
    clocks["next_curve_us"] = min(clocks["next_curve_us"], next_us)
    if current < 0:
        return 0
    slot = state.slots[number, current]
    same = series["order"] == slot["start_us"] and series["due_us"] == slot["end_us"]
    if series["known"] == 1 and same and series["revision"] == slot["revision"]:
        return refresh(series, log_time_us)
    series["value"] = slot["value"]
    series["second"] = 0.0
    series["order"] = slot["start_us"]
    series["event_us"] = slot["start_us"]
    series["receipt_us"] = slot["receipt_us"]
    series["due_us"] = slot["end_us"]
    series["source"] = slot["source"]
    series["revision"] = slot["revision"]
    series["known"] = 1
    refresh(series, log_time_us)
    note_due(state, series)
    return 1


@jit
def move_clock(state: State, row: np.void) -> bool:
    """Whether a tick moves log time; if so it is moved.

    The first tick sets it; backward ones are ignored; one more than 5 s ahead counts only if another instance's latest
    tick lies within 5 s of it, or the last ten ticks are all its own. Replayed ticks are exempt from the jump rule.
    """
    clocks = state.clocks[0]
    time_us, instance = row["event_us"], row["source"]
    clocks["run"] = clocks["run"] + 1 if clocks["run_of"] == instance else 1
    clocks["run_of"] = instance
    state.heard[instance] = time_us
    log_time_us = clocks["log_time_us"]
    if log_time_us > 0 and time_us <= log_time_us:
        return False
    if log_time_us > 0 and row["exempt"] == 0 and time_us - log_time_us > MAX_JUMP_US:
        agreed = clocks["run"] >= LONELY_TICKS
        for other in range(len(state.heard)):
            if other != instance and state.heard[other] != LONG_AGO:
                agreed = agreed or abs(state.heard[other] - time_us) <= MAX_JUMP_US
        if not agreed:
            return False
    clocks["log_time_us"] = time_us
    clocks["ticks"] += 1
    return True


@jit
def mark_readers(state: State, number: int, need: int) -> int:
    """Mark every site that reads a series. Returns how many there are."""
    first, last = state.dep_start[number], state.dep_start[number + 1]
    for place in range(first, last):
        site = state.dep_site[place]
        state.dirty[site] = max(state.dirty[site], need)
    return last - first


@jit
def age_market(state: State) -> int:
    """At a tick: read curves of a new interval, find series gone stale. Returns how many sites were marked."""
    clocks = state.clocks[0]
    marked = 0
    if clocks["log_time_us"] >= clocks["next_curve_us"]:
        clocks["next_curve_us"] = NEVER
        for number in range(len(state.curves)):
            if read_curve(state, number) == 1:
                marked += mark_readers(state, state.curves[number]["series"], REVALUE)
    if clocks["log_time_us"] > clocks["next_stale_us"]:
        clocks["next_stale_us"] = NEVER
        for number in range(len(state.series)):
            series = state.series[number]
            if series["head_of"] >= 0:
                continue
            if series["known"] == 1 and refresh(series, clocks["log_time_us"]) == 1:
                marked += mark_readers(state, number, REVALUE)
            note_due(state, series)
    for number in range(len(state.groups)):
        if agree(state, number) == 1:
            marked += mark_readers(state, state.groups[number]["head"], REVALUE)
    return marked
