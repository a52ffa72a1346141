"""What a print is worth: jumps that must be confirmed, spikes that are flagged, members that agree or do not. Compiled.

A power price far from its usual level is used at once and flagged: spikes are real, and what the service is for. A
venue's or a provider's print that jumps waits for its next one, because others speak for it meanwhile. What several
say of one thing becomes their median once enough of them agree.
"""

from __future__ import annotations

import numpy as np

from models.arrays import (
    CORRECTED,
    IN,
    JUMPED,
    NO_REASON,
    OK,
    OUT_APART,
    OUT_STALE,
    RESTATED,
    SHORT_MEAN,
    SPIKE,
    SPIKE_CONFIRMED,
    SUSPECT,
    TOO_FEW,
    TOO_WIDE,
    WITHHELD,
)
from models.jit import jit
from models.rows import NETWORK
from models.state import State

FULL_MEAN = 144  # blocks: the mean of fees that hashprice is defined by (economics: hashprice)
NORMAL = 1.4826  # median absolute deviation -> standard deviation of a normal distribution (Rousseeuw and Croux 1993)
OUTLIER = 3.0  # standard deviations
LEAST_BAND = 0.1  # fraction: a provider this near the median always counts, however close the others stand together
BASE_WEIGHT = 1.0 / 32.0  # of a new print in the usual level: a day of quarter hours forgets to 5 %


@jit
def judge_power(series: np.void, value: float, revision: int, newer: bool) -> None:
    """Flag a power price that lies far from its usual level, and let it move that level by no more than its limit."""
    series["quality"], series["reason"] = OK, NO_REASON
    if np.isnan(series["base"]):
        series["base"] = value
    distance, limit = value - series["base"], series["jump"]
    if abs(distance) > limit:
        before = series["value"] - series["base"]
        same_side = (distance > 0.0 and before > limit) or (distance < 0.0 and before < -limit)
        series["quality"] = OK if newer and same_side else SUSPECT
        series["reason"] = SPIKE_CONFIRMED if newer and same_side else SPIKE
    if revision > 0 and not newer:
        series["quality"], series["reason"] = CORRECTED, RESTATED
    if newer:
        series["base"] += BASE_WEIGHT * min(max(distance, -limit), limit)


@jit
def judge(series: np.void, row: np.void, revision: int, newer: bool) -> None:
    """Quality of a print that is about to become the current one; ``series`` still holds the one before."""
    if row["kind"] == NETWORK:
        short = series["blocks"] < FULL_MEAN
        series["quality"], series["reason"] = (SUSPECT, SHORT_MEAN) if short else (OK, NO_REASON)
    elif series["jump"] > 0.0 and series["member_of"] < 0:
        judge_power(series, row["value"], revision, newer)
    elif revision > 0 and not newer:
        series["quality"], series["reason"] = CORRECTED, RESTATED
    else:
        series["quality"], series["reason"] = OK, NO_REASON


@jit
def waits(series: np.void, value: float) -> bool:
    """Whether a member's new print jumped too far to be believed alone; it is then kept until the next one.

    A member that is stale has nothing to be measured by: its first print counts.
    """
    limit = series["jump"]
    if series["member_of"] < 0 or limit <= 0.0 or series["known"] == 0 or series["fresh"] == 0:
        return False
    if abs(value - series["value"]) <= limit * abs(series["value"]):
        series["pending"] = np.nan
        return False
    pending = series["pending"]
    if not np.isnan(pending) and abs(value - pending) <= limit * abs(pending):
        series["pending"] = np.nan
        return False
    series["pending"] = value
    series["quality"], series["reason"] = SUSPECT, JUMPED
    return True


@jit
def hold_mean(series: np.void, row: np.void) -> float:
    """Mean of fees to go on with: the last full one while it is a day of blocks old at most, else the row's own."""
    age = row["order"] - series["mean_order"]
    held = series["known"] == 1 and series["blocks"] >= FULL_MEAN and 0 <= age <= FULL_MEAN
    if held and row["blocks"] < FULL_MEAN:
        return series["second"]
    return row["second"]


@jit
def note_mean(series: np.void, row: np.void, second: float) -> None:
    """Remember over how many blocks, and at which height, the mean of fees in use was taken."""
    if row["blocks"] >= FULL_MEAN or second == row["second"]:
        series["blocks"] = row["blocks"]
        series["mean_order"] = row["order"]


@jit
def sort(values: np.ndarray, first: int, count: int) -> None:
    """Sort values[first:first + count] in place; a group has few members."""
    for place in range(first + 1, first + count):
        value, hole = values[place], place
        while hole > first and values[hole - 1] > value:
            values[hole] = values[hole - 1]
            hole -= 1
        values[hole] = value


@jit
def median(values: np.ndarray, first: int, count: int) -> float:
    """Median of sorted values[first:first + count]."""
    middle = first + count // 2
    if count % 2 == 1:
        return values[middle]
    return (values[middle - 1] + values[middle]) / 2.0


@jit
def gather(state: State, group: np.void, counted: bool) -> int:
    """Put the sorted values of fresh members, or of those that count, at the front of ``votes``; how many."""
    votes, count = state.votes, 0
    for place in range(group["first"], group["first"] + group["members"]):
        series = state.series[state.members[place]]
        if series["known"] == 1 and series["fresh"] == 1 and (not counted or series["out"] == IN):
            votes[count] = series["value"]
            count += 1
    sort(votes, 0, count)
    return count


@jit
def spread(state: State, count: int, centre: float) -> float:
    """Robust spread of the ``count`` votes about their median: their median absolute deviation, as a deviation."""
    votes = state.votes
    for place in range(count):
        votes[count + place] = abs(votes[place] - centre)
    sort(votes, count, count)
    return NORMAL * median(votes, count, count)


@jit
def admit(series: np.void, distance: float, band: float, group: np.void, log_time_us: int) -> None:
    """Whether a member counts.

    A stale one does not. One beyond the band leaves once it has been there for a while, for in a sudden move the first
    venue to follow it is the one that is right; it returns once within half the band for a while. Providers are asked
    every few minutes: without a while to wait (``return_us`` 0) the band decides at once.
    """
    if series["known"] == 0:
        return
    if group["return_us"] == 0:
        series["out"] = OUT_STALE if series["fresh"] == 0 else (OUT_APART if distance > band else IN)
        return
    if series["fresh"] == 0:
        series["out"], series["turn_us"] = OUT_STALE, 0
        return
    inside = series["out"] == IN
    turning = distance > band if inside else distance <= band / 2.0
    if not turning:
        series["turn_us"] = 0
    elif series["turn_us"] == 0:
        series["turn_us"] = log_time_us + (group["leave_us"] if inside else group["return_us"])
    elif log_time_us >= series["turn_us"]:
        series["out"], series["turn_us"] = OUT_APART if inside else IN, 0


@jit
def lead(state: State, group: np.void, head: np.void) -> None:
    """Stamp a consensus with its newest member's times; it is due when the first of its members is."""
    first = True
    for place in range(group["first"], group["first"] + group["members"]):
        series = state.series[state.members[place]]
        if series["known"] == 1 and series["fresh"] == 1 and series["out"] == IN:
            head["due_us"] = series["due_us"] if first else min(head["due_us"], series["due_us"])
            head["event_us"] = series["event_us"] if first else max(head["event_us"], series["event_us"])
            head["receipt_us"] = series["receipt_us"] if first else max(head["receipt_us"], series["receipt_us"])
            first = False
    head["order"] = head["event_us"]


@jit
def agree(state: State, number: int) -> int:
    """Take a group's consensus anew. Returns 1 where its value or its usability changed."""
    group, log_time_us = state.groups[number], state.clocks[0]["log_time_us"]
    head = state.series[group["head"]]
    if log_time_us <= 0:
        return 0
    fresh = gather(state, group, False)
    if fresh > 0:
        centre = median(state.votes, 0, fresh)
        wide = OUTLIER * spread(state, fresh, centre)
        band = group["band"] * centre if group["band"] > 0.0 else max(wide, LEAST_BAND * centre)
    else:
        centre, band = 0.0, 0.0
    for place in range(group["first"], group["first"] + group["members"]):
        series = state.series[state.members[place]]
        admit(series, abs(series["value"] - centre), band, group, log_time_us)
    count = gather(state, group, True)
    was_fresh, was_value = head["fresh"], head["value"]
    head["counted"] = count
    head["quality"], head["reason"] = OK, NO_REASON
    if count < group["least"]:
        head["quality"], head["reason"] = WITHHELD, TOO_FEW
    else:
        value = median(state.votes, 0, count)
        if group["widest"] > 0.0 and spread(state, count, value) > group["widest"] * value:
            head["quality"], head["reason"] = WITHHELD, TOO_WIDE
        else:
            head["value"], head["second"], head["known"] = value, 0.0, 1
            lead(state, group, head)
    head["fresh"] = 0 if head["quality"] == WITHHELD else 1
    return 1 if head["fresh"] != was_fresh or (head["fresh"] == 1 and head["value"] != was_value) else 0
