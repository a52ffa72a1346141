"""Cash margins of loads from a site's view, and what a set of modes is worth. Compiled; the view is all they read."""

from __future__ import annotations

import numpy as np

from models import hashprice, hosting, mining
from models.arrays import ASIC, POOL, REWARD, VIEW_BTC, VIEW_DIFFICULTY, VIEW_REWARD
from models.jit import jit
from models.state import State


@jit
def read_view(state: State, number: int) -> None:
    """Copy a site's inputs from the market into its view. Unknown ones are NaN."""
    site = state.sites[number]
    for place in range(site["first_input"], site["first_input"] + site["inputs"]):
        source = state.inputs[place]
        series = state.series[source["series"]]
        if source["component"] == REWARD:
            # An unknown network has order LONG_AGO; its fees are NaN, and so is its reward.
            height = max(series["order"], 0)
            state.views[place] = hashprice.subsidy_btc(height) + series["second"]
        else:
            state.views[place] = series["value"]


@jit
def hashprice_of(view: np.ndarray, first: int) -> float:
    """Hashprice from a view [USD/PH/s/day]; NaN while something of it is unknown."""
    return hashprice.usd_per_ph_day(
        view[first + VIEW_DIFFICULTY], view[first + VIEW_REWARD], 0.0, view[first + VIEW_BTC]
    )


@jit
def utilisation_of(load: np.void, view: np.ndarray, first: int) -> float:
    """Utilisation of a pool, from its series; its default where it has none or that never printed."""
    if load["view_utilisation"] >= 0:
        used = view[first + load["view_utilisation"]]
        if not np.isnan(used):
            return used
    return load["utilisation"]


@jit
def draw_mw(load: np.void, view: np.ndarray, first: int) -> float:
    """What a load draws at the meter when it runs [MW]: a pool by its utilisation, others their nameplate."""
    if load["kind"] != POOL:
        return load["mw"]
    draw_kw = hosting.pool_draw_kw_per_gpu(load["kw_per_gpu"], load["idle_fraction"], utilisation_of(load, view, first))
    return load["gpus"] * draw_kw * load["pue"] / 1000.0


@jit
def power_usd_per_mwh(load: np.void, view: np.ndarray, first: int) -> float:
    """All-in marginal price of power of a load [USD/MWh]."""
    if load["view_power"] < 0:
        return load["lmp_fixed"]
    return load["lmp_factor"] * view[first + load["view_power"]] + load["lmp_fixed"]


@jit
def margin_usd_per_mwh(load: np.void, view: np.ndarray, first: int, usd_per_ph_day: float) -> float:
    """Cash margin of a running load [USD/MWh at the meter]."""
    power = power_usd_per_mwh(load, view, first)
    if load["kind"] == ASIC:
        return mining.margin_usd_per_mwh(
            usd_per_ph_day, load["joules_per_th"], load["pue"], load["pool_fee"], power, load["opex"]
        )
    if load["kind"] == POOL:
        utilisation = utilisation_of(load, view, first)
        draw_kw = hosting.pool_draw_kw_per_gpu(load["kw_per_gpu"], load["idle_fraction"], utilisation)
        rate = view[first + load["view_rate"]]
        return hosting.pool_margin_usd_per_mwh(rate, utilisation, draw_kw, load["pue"], power, load["opex"])
    return hosting.lease_margin_usd_per_mwh(
        load["rent_usd_per_kw_month"], load["rent_per_it"], load["noi_margin"], load["pue"], load["rent_gross"], power
    )


@jit
def value_usd_per_hour(load: np.void, view: np.ndarray, first: int, usd_per_ph_day: float) -> float:
    """What an hour of running earns [USD/h]: MW drawn times cash margin."""
    return draw_mw(load, view, first) * margin_usd_per_mwh(load, view, first, usd_per_ph_day)
