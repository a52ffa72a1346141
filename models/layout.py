"""The engine's state as arrays: what a fleet and its market look like to the compiled step. Built at fleet changes.

A site reads its market through a short vector of inputs, its *view*: USD per BTC, difficulty, block reward, then its
power price, GPU rates and utilisations. Everything about a load is a function of that view.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from models import power as power_room
from models.arrays import (
    ASIC,
    AWAITED,
    BTC_GROUP,
    BTC_SERIES,
    FAILURE_CODES,
    INPUTS,
    LEASE,
    LOADS,
    LONG_AGO,
    NETWORK_GROUP,
    NETWORK_SERIES,
    PLAIN,
    POOL,
    POWER_GROUP,
    RATE_GROUP,
    REWARD,
    SITES,
    UTILISATION_GROUP,
    VIEW_BTC,
    VIEW_FIXED,
    Array,
    Floats,
    Ints,
)
from models.fleet import AsicTier, GpuPool, Lease, Load, Miner, Site
from models.rows import Catalogue


@dataclass(slots=True)
class Layout:
    """Arrays of one miner's fleet at one time, and the names behind their places."""

    site_keys: list[str]
    curves: list[str]  # series of each site's day-ahead curve, which may not have been named yet
    load_keys: list[tuple[str, str]]
    documents: list[Load]
    sites: Array
    loads: Array
    inputs: Array
    references: Array  # (sites, 2): the ASIC tier and the AI load a site is compared with where it owns none
    last_views: Floats
    dep_start: Ints
    dep_site: Ints


def view_of(site: Site) -> list[tuple[str, int, int]]:
    """What a site's view holds, in order: (series, component, group).

    The first three places are always BTC price, difficulty and block reward.
    """
    view = [
        (BTC_SERIES, PLAIN, BTC_GROUP),
        (NETWORK_SERIES, PLAIN, NETWORK_GROUP),
        (NETWORK_SERIES, REWARD, NETWORK_GROUP),
        (site.power.series, PLAIN, POWER_GROUP),
    ]
    pools = (*site.gpu, site.reference.gpu) if site.reference.gpu else site.gpu
    for pool in pools:
        for series, group in ((pool.series, RATE_GROUP), (pool.utilisation_series, UTILISATION_GROUP)):
            if series is not None and (series, PLAIN, group) not in view:
                view.append((series, PLAIN, group))
    return view


def spot_shares(site: Site, loads: list[Load]) -> list[float]:
    """Share of each load's MW that lies above the site's committed volume, 0 to 1.

    The commitment is given to the loads in the order of the fleet file, AI first: a fixed rule, so that a load's
    marginal price does not depend on what the others happen to do.
    """
    left = site.power.committed_mw or 0.0
    shares = []
    for load in loads:
        mw = meter_mw(load)
        covered = min(left, mw)
        left -= covered
        shares.append((mw - covered) / mw)
    return shares


def meter_mw(load: Load) -> float:
    """Nameplate of a load at the meter [MW].

    >>> meter_mw(Lease(key="l", usd_per_kw_month=150.0, it_mw=100.0, pue=1.25))
    125.0
    """
    match load:
        case AsicTier():
            return load.mw
        case GpuPool():
            return load.gpus * load.kw_per_gpu * load.pue / 1000.0
        case Lease():
            return load.it_mw * load.pue
        case _:
            raise TypeError(f"no meter for {type(load).__name__}")


def note_series(miner: Miner, names: Catalogue) -> None:
    """Number every series that a fleet reads, at whatever date. Raises :class:`models.rows.NamesFullError`."""
    for site in miner.site:
        for series, _, _ in view_of(site):
            names.series(series)


def layout_of(sites_owned: tuple[Site, ...], present: dict[str, list[Load]], names: Catalogue) -> Layout:
    """Arrays for the loads that exist now. State fields are set to their starting values.

    ``present`` gives the loads of each site key that has any.
    """
    site_docs = [site for site in sites_owned if present.get(site.key)]
    views = [view_of(site) for site in site_docs]
    counts = [len(present[site.key]) for site in site_docs]
    input_starts = list(accumulate((len(view) for view in views), initial=0))
    load_starts = list(accumulate(counts, initial=0))
    sites = np.zeros(len(site_docs), SITES)
    loads, inputs = np.zeros(load_starts[-1], LOADS), np.zeros(input_starts[-1], INPUTS)
    references = np.zeros((len(site_docs), 2), LOADS)
    references["site"] = -1
    load_keys, documents, last_view = [], [], 0
    for number, (site, view) in enumerate(zip(site_docs, views, strict=True)):
        first_input, first_load = input_starts[number], load_starts[number]
        row = sites[number]
        row["day_ahead"] = names.find(site.power.day_ahead_series)
        row["first_load"], row["loads"], row["mw_cap"] = first_load, counts[number], site.mw_cap
        row["first_input"], row["inputs"], row["acknowledge"] = first_input, len(view), site.acknowledge
        for place, (series, component, group) in enumerate(view):
            inputs[first_input + place] = (names.series(series), component, group, 0, AWAITED)
        for row, reference in zip(references[number], reference_loads(site), strict=True):
            if reference is not None:
                fill_load(row, number, site, reference, 1.0)
                fill_places(row, site, reference, view)
        here = present[site.key]
        for offset, (load, share) in enumerate(zip(here, spot_shares(site, here), strict=True)):
            row = loads[first_load + offset]
            fill_load(row, number, site, load, share)
            fill_places(row, site, load, view)
            note_needs(inputs[first_input : first_input + len(view)], row)
            row["last_view"] = last_view
            last_view += len(view)
            load_keys.append((site.key, load.key))
            documents.append(load)
    start, dependants = dependencies(sites, inputs, len(names.series_names))
    return Layout(
        [site.key for site in site_docs],
        [site.power.day_ahead_series for site in site_docs],
        load_keys,
        documents,
        sites,
        loads,
        inputs,
        references,
        np.full(last_view, np.nan),
        start,
        dependants,
    )


def fill_load(row: np.void, site_number: int, site: Site, load: Load, share: float) -> None:
    """Write a load's fixed figures into its row."""
    marginal, bill = power_room.marginal(site.power, share), power_room.accounting(site.power, share)
    row["site"], row["failure"], row["mw"] = site_number, FAILURE_CODES[load.failure], meter_mw(load)
    row["lmp_factor"], row["lmp_fixed"] = marginal
    row["bill_factor"], row["bill_fixed"] = bill
    row["stop_usd_per_mw"], row["start_usd_per_mw"] = load.stop_usd_per_mw, load.start_usd_per_mw
    row["min_on_us"], row["min_off_us"] = int(load.min_on_minutes * 60e6), int(load.min_off_minutes * 60e6)
    row["act_within_us"] = int(load.act_within_minutes * 60e6)
    row["mode"], row["since_us"], row["uptime"] = load.initially_on, LONG_AGO, 1.0
    row["initially"] = load.initially_on
    match load:
        case AsicTier():
            row["kind"], row["dispatched"], row["pue"] = ASIC, 1, load.pue
            row["joules_per_th"], row["pool_fee"] = load.joules_per_th, load.pool_fee
            row["opex"], row["uptime"] = load.opex_usd_per_mwh, load.uptime
        case GpuPool():
            row["kind"], row["dispatched"], row["pue"] = POOL, load.contract == "spot", load.pue
            row["gpus"], row["kw_per_gpu"], row["idle_fraction"] = load.gpus, load.kw_per_gpu, load.idle_fraction
            row["utilisation"], row["opex"] = load.utilisation_default, load.opex_usd_per_gpu_hour
        case Lease():
            row["kind"], row["pue"] = LEASE, load.pue
            row["rent_usd_per_kw_month"], row["noi_margin"] = load.usd_per_kw_month, load.noi_margin
            row["rent_per_it"], row["rent_gross"] = load.mw_basis == "it", load.lease_type == "gross"


def reference_loads(site: Site) -> tuple[Load | None, Load | None]:
    """The ASIC tier and the AI load a site is compared with."""
    return site.reference.asic, site.reference.gpu or site.reference.lease


def fill_places(row: np.void, site: Site, load: Load, view: list[tuple[str, int, int]]) -> None:
    """Write where in its site's view a load finds what it needs; -1 where it needs nothing."""
    places = {(series, group): place for place, (series, _, group) in enumerate(view)}
    pays_lmp = row["lmp_factor"] != 0.0 and not (isinstance(load, Lease) and load.lease_type == "triple_net")
    row["view_power"] = places[site.power.series, POWER_GROUP] if pays_lmp else -1
    row["view_btc"] = VIEW_BTC if isinstance(load, AsicTier) else -1
    row["view_rate"] = row["view_utilisation"] = -1
    if isinstance(load, GpuPool):
        row["view_rate"] = places[load.series, RATE_GROUP]
        if load.utilisation_series is not None:
            row["view_utilisation"] = places[load.utilisation_series, UTILISATION_GROUP]


def note_needs(view: Array, row: np.void) -> None:
    """Mark the inputs of a site's view that a load's decision depends on."""
    for name in ("view_power", "view_rate", "view_utilisation"):
        if row[name] >= 0:
            view[row[name]]["needed"] = 1
    if row["view_btc"] >= 0:
        for place in range(VIEW_FIXED):
            view[place]["needed"] = 1


def dependencies(sites: Array, inputs: Array, series_count: int) -> tuple[Ints, Ints]:
    """Which sites read each series, as (start per series, sites): sites in their order, each once."""
    readers: list[list[int]] = [[] for _ in range(series_count)]
    for number in range(len(sites)):
        first = int(sites[number]["first_input"])
        for place in range(first, first + int(sites[number]["inputs"])):
            reader = readers[int(inputs[place]["series"])]
            if not reader or reader[-1] != number:
                reader.append(number)
        curve = int(sites[number]["day_ahead"])
        if curve >= 0 and (not readers[curve] or readers[curve][-1] != number):
            readers[curve].append(number)
    start = np.zeros(series_count + 1, np.int64)
    for number, reader in enumerate(readers):
        start[number + 1] = start[number] + len(reader)
    flat = [site for reader in readers for site in reader]
    return start, np.array(flat, np.int64)


def places_of(load: np.void) -> list[int]:
    """Places of a view that a load reads, the one that is due most often first."""
    places = [int(load[name]) for name in ("view_power", "view_rate", "view_utilisation") if load[name] >= 0]
    return [*places, *range(VIEW_BTC, VIEW_FIXED)] if load["view_btc"] >= 0 else places
