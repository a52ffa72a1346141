"""All arrays the compiled step reads and writes, in one named tuple, and how they grow as new names appear."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from models.arrays import (
    BTC_SERIES,
    CLOCKS,
    CURVE_SLOTS,
    CURVES,
    EVENTS,
    GROUPS_OF_SERIES,
    LONG_AGO,
    MAX_SEEN,
    NEVER,
    SERIES,
    Array,
    Floats,
    Ints,
)
from models.joint_plan import MOST_LOADS
from models.layout import Layout
from models.limits import MEMBER, group_of, jump_limit, limit_us, plans
from models.price_memory import MEMORIES, NO_DAY, NO_SLOT, WIDEST
from models.records import SECOND_US, DecidingConfig, is_curve
from models.rows import Catalogue
from models.zones import zone_of

SLOTS = np.dtype(
    [
        ("start_us", "i8"),
        ("end_us", "i8"),
        ("receipt_us", "i8"),
        ("value", "f8"),
        ("source", "i8"),
        ("revision", "i8"),
        ("seen", "i8"),
    ]
)


class State(NamedTuple):
    """The market, the fleet and scratch space. ``seen`` and ``slot_seen``: values already had under one key.

    Shapes: series (S,), groups (G,), seen (S, MAX_SEEN, 2), curves (C,), slots (C, CURVE_SLOTS), slot_seen
    (C, CURVE_SLOTS, MAX_SEEN), heard (names of instances,), the fleet's as in :class:`models.layout.Layout`, view and
    usable as inputs, the rest as loads or sites.
    """

    clocks: Array
    heard: Ints
    series: Array
    groups: Array  # of series: one consensus each
    members: Ints  # series numbers, group after group
    votes: Floats  # scratch: one value per member of the largest group
    seen: Floats
    curves: Array
    slots: Array
    slot_seen: Floats
    memories: Array  # of real-time power prices, for plans
    memory_slots: Ints  # (M, WIDEST): intervals of the rings, by their numbers
    memory_prices: Floats
    memory_work: Floats  # scratch: (WIDEST,)
    sites: Array
    loads: Array
    inputs: Array
    references: Array
    last_views: Floats
    dep_start: Ints
    dep_site: Ints
    policy: (
        Floats  # code, dead band [USD/MWh], hours of a switching cost, share of a fall not believed, first mode free
    )
    views: Floats
    dirty: Ints
    events: Array
    work: Floats  # (3, loads of the largest site): the search under the cap, see models.choice
    order: Ints  # (4, loads of the largest site)
    modes: Ints  # (3, loads): wanted modes, rules that locked them, modes before
    path: Floats  # (3, STEPS + 1): prices of a plan, its day-ahead curve, spare
    plan_work: Floats  # (3, STEPS + 1): of one load, see models.plan
    plan_gain: Floats  # (loads, STEPS) of the largest site that may be coupled, as all that follow
    plan_draw: Floats
    plan_cost: Floats  # (2, loads): stop and start [USD]
    plan_modes: Ints  # (7, loads): see models.planning
    plan_table: Floats  # (3, sets of loads)
    plan_worth: Floats  # (2, loads, STEPS + 1)
    plan_prices: Floats  # (2, STEPS)
    plan_density: Floats  # (loads,)
    plan_order: Ints  # (5, loads)


STEPS = 72  # of a plan: six hours of five minutes


def is_remembered(series: str) -> bool:
    """Whether a series' prices are kept for plans: those of real-time power."""
    return series.startswith("power:") and not is_curve(series)


def groups_of(names: Catalogue, config: DecidingConfig) -> dict[str, Any]:
    """The groups among the names, and which series are in them.

    An index is one publisher's own: it needs no second voice. Venues of another currency than USD are one each.
    """
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names.series_names):
        if MEMBER in name:
            found.setdefault(group_of(name), []).append(number)
    groups = np.zeros(len(found), GROUPS_OF_SERIES)
    members: list[int] = []
    for group, (head, numbers) in zip(groups, found.items(), strict=True):
        is_btc = head.startswith("btc:")
        voices = config.btc_least_venues if head == BTC_SERIES else config.gpu_least_providers
        group["least"] = 1 if head.endswith(":index") or (is_btc and head != BTC_SERIES) else voices
        group["band"] = config.btc_band_fraction if is_btc else 0.0
        group["widest"] = 0.0 if is_btc else config.gpu_widest_fraction
        group["head"], group["first"], group["members"] = names.series(head), len(members), len(numbers)
        group["leave_us"] = config.apart_after_s * SECOND_US
        group["return_us"] = config.readmit_after_s * SECOND_US if is_btc else 0
        members += numbers
    largest = max((len(numbers) for numbers in found.values()), default=1)
    return {"groups": groups, "members": np.array(members, np.int64), "votes": np.zeros(2 * largest)}


OF_NAMES = ("limit_us", "jump", "head_of", "member_of", "zone", "plans")
"""Fields of a series that follow from its name, the other names and the configuration."""


def market_arrays(names: Catalogue, config: DecidingConfig) -> dict[str, Any]:
    """Fresh arrays for a market of which nothing is known yet."""
    series = np.zeros(len(names.series_names), SERIES)
    curves = [place for place, name in enumerate(names.series_names) if is_curve(name)]
    series["curve"], series["source"], series["order"] = -1, -1, LONG_AGO
    series["value"], series["second"], series["pending"] = np.nan, np.nan, np.nan  # unknown, not nothing
    series["base"] = np.nan
    series["head_of"], series["member_of"] = -1, -1
    for number, place in enumerate(curves):
        series[place]["curve"] = number
    for place, name in enumerate(names.series_names):
        series[place]["limit_us"] = limit_us(name, config)
        series[place]["jump"] = jump_limit(name, config)
        series[place]["zone"], series[place]["plans"] = zone_of(name), plans(name)
    series["memory"] = -1
    remembered = [place for place, name in enumerate(names.series_names) if is_remembered(name)]
    for number, place in enumerate(remembered):
        series[place]["memory"] = number
    together = groups_of(names, config)
    for number, group in enumerate(together["groups"]):
        series[group["head"]]["head_of"] = number
        series["member_of"][together["members"][group["first"] : group["first"] + group["members"]]] = number
    memories = np.zeros(len(remembered), MEMORIES)
    memories["newest"], memories["local_day"], memories["median"] = NO_SLOT, NO_DAY, np.nan
    slots = np.zeros((len(curves), CURVE_SLOTS), SLOTS)
    slots["start_us"] = LONG_AGO
    return {
        "heard": np.full(len(names.source_names), LONG_AGO, np.int64),
        "series": series,
        "seen": np.zeros((len(series), MAX_SEEN, 2)),
        "curves": np.array([(place,) for place in curves], CURVES),
        "slots": slots,
        "slot_seen": np.zeros((len(curves), CURVE_SLOTS, MAX_SEEN)),
        "memories": memories,
        "memory_slots": np.full((len(memories), WIDEST), NO_SLOT, np.int64),
        "memory_prices": np.full((len(memories), WIDEST), np.nan),
        "memory_work": np.zeros(WIDEST),
        **together,
    }


def grown(state: State, names: Catalogue, config: DecidingConfig) -> State:
    """The same state with room for names that came since, under this configuration's limits.

    What was there keeps its place and value.
    """
    fresh = market_arrays(names, config)
    asked = {name: fresh["series"][name].copy() for name in OF_NAMES}
    for key in ("heard", "series", "seen"):
        old = getattr(state, key)
        fresh[key][: len(old)] = old
    for name, column in asked.items():
        fresh["series"][name] = column
    for key in ("memories", "memory_slots", "memory_prices"):
        old = getattr(state, key)
        fresh[key][: len(old)] = old
    old_curves = len(state.curves)
    for key in ("curves", "slots", "slot_seen"):
        fresh[key][:old_curves] = getattr(state, key)
    missing = len(names.series_names) + 1 - len(state.dep_start)
    dep_start = np.concatenate([state.dep_start, np.full(missing, state.dep_start[-1], np.int64)])
    return state._replace(dep_start=dep_start, **fresh)


def fleet_arrays(layout: Layout) -> dict[str, Any]:
    """The fleet's arrays and the scratch space they need."""
    largest = int(layout.sites["loads"].max()) if len(layout.sites) else 1
    most_events = 2 * len(layout.loads) + len(layout.inputs) + 1
    return {
        "sites": layout.sites,
        "loads": layout.loads,
        "inputs": layout.inputs,
        "references": layout.references,
        "last_views": layout.last_views,
        "dep_start": layout.dep_start,
        "dep_site": layout.dep_site,
        "views": np.full(len(layout.inputs), np.nan),
        "dirty": np.zeros(len(layout.sites), np.int64),
        "events": np.zeros(most_events, EVENTS),
        "work": np.zeros((3, largest)),
        "order": np.zeros((4, largest), np.int64),
        "modes": np.zeros((3, max(len(layout.loads), 1)), np.int64),
        **plan_arrays(layout),
    }


def plan_arrays(layout: Layout) -> dict[str, Any]:
    """Scratch space of plans: for one load alone, and for the largest site whose loads may compete for its cap."""
    largest = 1
    for site in layout.sites:
        total_mw = 0.0
        for item in range(site["first_load"], site["first_load"] + site["loads"]):
            total_mw += layout.loads[item]["mw"]
        if total_mw > site["mw_cap"]:
            largest = max(largest, int(site["loads"]))
    return {
        "path": np.zeros((3, STEPS + 1)),
        "plan_work": np.zeros((3, STEPS + 1)),
        "plan_gain": np.zeros((largest, STEPS)),
        "plan_draw": np.zeros((largest, STEPS)),
        "plan_cost": np.zeros((2, largest)),
        "plan_modes": np.zeros((7, largest), np.int64),
        "plan_table": np.zeros((3, 1 << min(largest, MOST_LOADS))),
        "plan_worth": np.zeros((2, largest, STEPS + 1)),
        "plan_prices": np.zeros((2, STEPS)),
        "plan_density": np.zeros(largest),
        "plan_order": np.zeros((5, largest), np.int64),
    }


def empty_state(layout: Layout, names: Catalogue, config: DecidingConfig, policy: tuple[float, ...]) -> State:
    """A state before the log's first record."""
    clocks = np.zeros(1, CLOCKS)
    for name in ("next_stale_us", "next_fleet_us"):  # not next_curve_us: curves may be known before the first tick
        clocks[name] = NEVER
    clocks["mark_every_us"] = config.checkpoint_every_s * SECOND_US
    clocks["run_of"] = -1
    return State(clocks=clocks, policy=np.array(policy), **market_arrays(names, config), **fleet_arrays(layout))
