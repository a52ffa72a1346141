"""What a site and a miner earn now, and the headline: the relative return of hashing against AI hosting.

    r = m_h - m_a  [USD/MWh at the meter];  per hour: r times the contested MW

m_h and m_a are MW-weighted cash margins of the ASIC and the AI loads. Where a site owns none of a kind, that side is
the reference load its profile declares, and every figure says ``basis: reference``.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from models.arrays import ASIC, ORDER_WORDS, POOL, USABLE, VIEW_BTC, VIEW_FIXED, Floats
from models.fleet import GpuPool
from models.jit import jit
from models.kernel import input_state
from models.layout import Layout
from models.margins import draw_mw, hashprice_of, margin_usd_per_mwh
from models.signals import Relative
from models.state import State

OWNED, REFERENCE, NONE = 0, 1, 2
BASES = ("owned", "reference", "none")

# Places in the figures of one site's relative return.
HASH_MARGIN, AI_MARGIN, CONTESTED_MW, BASIS, PER_MWH, PER_HOUR, FIGURES = 0, 1, 2, 3, 4, 5, 6


@jit
def is_reference_usable(state: State, number: int, load: np.void) -> bool:
    """Whether a reference load exists and all its inputs are usable."""
    if load["site"] < 0:
        return False
    first = state.sites[number]["first_input"]
    usable = True
    for place in (load["view_power"], load["view_rate"], load["view_utilisation"]):
        usable = usable and input_state(state, first, place) == USABLE
    if load["view_btc"] >= 0:
        for place in range(VIEW_FIXED):
            usable = usable and input_state(state, first, place) == USABLE
    return usable


@jit
def side(state: State, number: int, is_hash: bool) -> tuple[int, float, float]:
    """One side of the comparison: (basis, margin USD/MWh, owned MW). NONE where it cannot be valued."""
    site = state.sites[number]
    first = site["first_input"]
    weighted, mw, valued = 0.0, 0.0, True
    for item in range(site["first_load"], site["first_load"] + site["loads"]):
        load = state.loads[item]
        if (load["kind"] == ASIC) == is_hash:
            valued = valued and load["usable"] == 1
            weighted += load["margin"] * load["draw_mw"]
            mw += load["draw_mw"]
    if mw > 0.0:
        return (OWNED if valued else NONE), weighted / mw, mw
    reference = state.references[number, 0 if is_hash else 1]
    if not valued or not is_reference_usable(state, number, reference):
        return NONE, 0.0, 0.0
    usd_per_ph_day = hashprice_of(state.views, first)
    return REFERENCE, margin_usd_per_mwh(reference, state.views, first, usd_per_ph_day), 0.0


@jit
def relative(state: State, number: int, figures: Floats) -> None:
    """Relative return of one site into ``figures`` (see the places above)."""
    hash_basis, hash_margin, hash_mw = side(state, number, True)
    ai_basis, ai_margin, ai_mw = side(state, number, False)
    figures[HASH_MARGIN], figures[AI_MARGIN] = hash_margin, ai_margin
    figures[BASIS] = max(hash_basis, ai_basis)
    if hash_basis == OWNED and ai_basis == OWNED:
        figures[CONTESTED_MW] = min(hash_mw, ai_mw, state.sites[number]["mw_cap"])
    else:
        figures[CONTESTED_MW] = max(hash_mw, ai_mw)
    figures[PER_MWH] = hash_margin - ai_margin
    figures[PER_HOUR] = figures[PER_MWH] * figures[CONTESTED_MW]


@jit
def relative_of_miner(state: State, figures: Floats, total: Floats) -> None:
    """Relative return of the whole miner into ``total``: the sum of USD/h over the sum of contested MW.

    Sites that cannot be valued are left out. The basis is the weakest of those that count. ``figures`` is scratch.
    """
    total[CONTESTED_MW], total[PER_HOUR], total[BASIS], counted = 0.0, 0.0, OWNED, 0
    for number in range(len(state.sites)):
        relative(state, number, figures)
        if figures[BASIS] != NONE:
            total[CONTESTED_MW] += figures[CONTESTED_MW]
            total[PER_HOUR] += figures[PER_HOUR]
            total[BASIS] = max(total[BASIS], figures[BASIS])
            counted += 1
    if counted == 0 or total[CONTESTED_MW] <= 0.0:
        total[BASIS], total[PER_MWH] = NONE, 0.0
    else:
        total[PER_MWH] = total[PER_HOUR] / total[CONTESTED_MW]


@jit
def marginal_return(state: State, number: int) -> tuple[bool, float]:
    """Margin of the ASIC tier that would make room, less that of the AI load that waits for it [USD/MWh].

    The tier: of those running whose stop makes room for the best AI load that waits, the one that earns least.
    (False, 0.0) where no AI load waits for room that one tier could make.
    """
    site = state.sites[number]
    first_load, end = site["first_load"], site["first_load"] + site["loads"]
    room_mw = site["mw_cap"] * (1.0 + 1e-9)
    for item in range(first_load, end):
        if state.loads[item]["mode"] == 1:
            room_mw -= draw_mw(state.loads[item], state.views, site["first_input"])
    found, margin, best = False, 0.0, 0.0
    for waiting in range(first_load, end):
        pool = state.loads[waiting]
        if pool["kind"] != POOL or pool["mode"] == 1 or pool["usable"] == 0 or pool["dispatched"] == 0:
            continue
        if pool["draw_mw"] <= room_mw or (found and pool["margin"] <= best):
            continue
        for item in range(first_load, end):
            tier = state.loads[item]
            if tier["kind"] == ASIC and tier["mode"] == 1 and tier["usable"] == 1:
                fits = pool["draw_mw"] <= room_mw + tier["draw_mw"]
                if fits and (not found or pool["margin"] > best or tier["margin"] < margin):
                    found, margin, best = True, tier["margin"], pool["margin"]
    return found, margin - best


def relative_content(figures: Floats) -> Relative:
    """Figures of a relative return as they stand in a signal; null where it cannot be valued."""
    if figures[BASIS] == NONE:
        return {"usd_per_mwh": None, "usd_per_hour": None, "contested_mw": 0.0, "basis": "none"}
    return {
        "usd_per_mwh": float(figures[PER_MWH]),
        "usd_per_hour": float(figures[PER_HOUR]),
        "contested_mw": float(figures[CONTESTED_MW]),
        "basis": BASES[int(figures[BASIS])],
    }


class LoadValue(TypedDict):
    """One load of a site's valuation. ``per_unit``: USD/PH/s/day net for ASIC loads, USD/PFLOPS-h for GPU pools."""

    load: str
    kind: str
    mode: str
    mw: float
    margin_usd_per_mwh: float | None
    margin_btc_per_mwh: float | None
    per_unit: float | None
    degraded: bool
    order: str | None


class SiteValue(TypedDict):
    """The latest valuation of a site, as written to Redis at clock ticks."""

    miner: str
    site: str
    log_time_us: int
    version: int
    mw_cap: float
    mw_running: float
    over_cap: bool
    gap_usd_per_hour: float
    power_usd_per_mwh: float | None
    usd_per_btc: float | None
    hashprice_usd_per_ph_day: float | None
    hashprice_btc_per_ph_day: float | None
    earning_usd_per_hour: float | None
    relative_return: Relative
    marginal_return_usd_per_mwh: float | None
    loads: list[LoadValue]


def site_value(state: State, layout: Layout, miner: str, number: int) -> SiteValue:
    """Valuation of one site as a document. Null stands for what cannot be known now."""
    site = state.sites[number]
    first = int(site["first_input"])
    figures = np.zeros(FIGURES)
    relative(state, number, figures)
    has_marginal, marginal = marginal_return(state, number)
    btc = float(state.views[first + VIEW_BTC]) if _known(state, first + VIEW_BTC) else None
    hashing = btc is not None and _known(state, first + 1)
    usd_per_ph_day = float(hashprice_of(state.views, first)) if hashing else None
    items = range(int(site["first_load"]), int(site["first_load"] + site["loads"]))
    loads = [_load_value(state, layout, item, btc, usd_per_ph_day) for item in items]
    mw_running, usd_per_hour, valued = 0.0, 0.0, True
    for item in items:
        load = state.loads[item]
        if load["mode"] == 1:
            mw_running += float(load["draw_mw"])
            usd_per_hour += float(load["margin"] * load["draw_mw"] * load["uptime"])
            valued = valued and bool(load["usable"])
    return {
        "miner": miner,
        "site": layout.site_keys[number],
        "log_time_us": int(state.clocks[0]["log_time_us"]),
        "version": int(site["version"]),
        "mw_cap": float(site["mw_cap"]),
        "mw_running": mw_running,
        "over_cap": bool(site["over_cap"]),
        "gap_usd_per_hour": float(site["gap_usd_per_hour"]),
        "power_usd_per_mwh": float(state.views[first + VIEW_FIXED]) if _known(state, first + VIEW_FIXED) else None,
        "usd_per_btc": btc,
        "hashprice_usd_per_ph_day": usd_per_ph_day,
        "hashprice_btc_per_ph_day": usd_per_ph_day / btc if usd_per_ph_day is not None and btc else None,
        "earning_usd_per_hour": usd_per_hour if valued else None,
        "relative_return": relative_content(figures),
        "marginal_return_usd_per_mwh": float(marginal) if has_marginal else None,
        "loads": loads,
    }


def _known(state: State, place: int) -> bool:
    return bool(state.series[state.inputs[place]["series"]]["known"])


def _load_value(
    state: State, layout: Layout, item: int, usd_per_btc: float | None, usd_per_ph_day: float | None
) -> LoadValue:
    load, document = state.loads[item], layout.documents[item]
    usable = bool(load["usable"])
    margin = float(load["margin"]) if usable else None
    per_unit = None
    first = int(state.sites[load["site"]]["first_input"])
    if usable and load["kind"] == ASIC and usd_per_ph_day is not None:
        # One PH/s takes 0.024 * eps * PUE MWh a day: the margin of a MWh as the margin of a PH/s-day.
        per_unit = float(load["margin"] * 0.024 * load["joules_per_th"] * load["pue"])
    elif usable and isinstance(document, GpuPool):
        rate = float(state.views[first + load["view_rate"]])
        per_unit = rate / (document.bf16_tflops / 1000.0)
    return {
        "load": layout.load_keys[item][1],
        "kind": ("asic", "gpu", "lease")[int(load["kind"])],
        "mode": document.running if load["mode"] else "off",
        "mw": float(load["draw_mw"]),
        "margin_usd_per_mwh": margin,
        "margin_btc_per_mwh": margin / usd_per_btc if margin is not None and usd_per_btc else None,
        "per_unit": per_unit,
        "degraded": not usable,
        "order": ORDER_WORDS[int(load["order"])],
    }
