"""Hashing: what a metered MWh earns in machines of a given efficiency, and where that ends.

``joules_per_th`` is W per TH/s at the wall of the machine, so one PH/s draws as many kW and one PH/s-day takes 0.024
times as many MWh. ``pue`` takes it to the meter. Uptime changes how much is sold, never what a MWh earns.
"""

from __future__ import annotations

from models.hashprice import HASHES_PER_DIFFICULTY
from models.jit import jit

JOULES_PER_MWH = 3.6e9
HASHES_PER_TH = 1e12


@jit
def mwh_per_ph_day(joules_per_th: float, pue: float) -> float:
    """Metered energy behind 1 PH/s for a day [MWh]: ``0.024 * eps * PUE``.

    >>> round(mwh_per_ph_day(17.5, 1.05), 3)
    0.441
    """
    return 0.024 * joules_per_th * pue


@jit
def revenue_usd_per_mwh(hashprice_usd_per_ph_day: float, joules_per_th: float, pue: float, pool_fee: float) -> float:
    """Revenue after the pool's fee [USD/MWh at the meter]: ``h * (1 - phi) / (0.024 * eps * PUE)``.

    >>> round(revenue_usd_per_mwh(28.03, 17.5, 1.0, 0.0), 2)
    66.74
    """
    return hashprice_usd_per_ph_day * (1.0 - pool_fee) / mwh_per_ph_day(joules_per_th, pue)


@jit
def margin_usd_per_mwh(
    hashprice_usd_per_ph_day: float,
    joules_per_th: float,
    pue: float,
    pool_fee: float,
    power_usd_per_mwh: float,
    opex_usd_per_mwh: float,
) -> float:
    """Cash margin of hashing [USD/MWh at the meter]: revenue - all-in power - opex. Machines are sunk.

    >>> round(margin_usd_per_mwh(28.0253, 13.5, 1.05, 0.006, 45.0, 6.0), 3)
    30.885
    """
    revenue = revenue_usd_per_mwh(hashprice_usd_per_ph_day, joules_per_th, pue, pool_fee)
    return revenue - power_usd_per_mwh - opex_usd_per_mwh


def breakeven_power_usd_per_mwh(
    hashprice_usd_per_ph_day: float, joules_per_th: float, pue: float, pool_fee: float, opex_usd_per_mwh: float
) -> float:
    """All-in power price at which hashing earns nothing [USD/MWh at the meter]: revenue - opex.

    >>> round(breakeven_power_usd_per_mwh(28.03, 17.5, 1.05, 0.006, 6.0), 2)
    57.18
    """
    return revenue_usd_per_mwh(hashprice_usd_per_ph_day, joules_per_th, pue, pool_fee) - opex_usd_per_mwh


def breakeven_joules_per_th(
    hashprice_usd_per_ph_day: float, pue: float, pool_fee: float, power_usd_per_mwh: float, opex_usd_per_mwh: float
) -> float:
    """Efficiency at which hashing earns nothing [J/TH]: ``h * (1 - phi) / (0.024 * PUE * (power + opex))``.

    Machines that need more lose money. Without meaning where power + opex is not positive: then every machine earns.

    >>> round(breakeven_joules_per_th(28.03, 1.05, 0.006, 57.1802, 6.0), 2)
    17.5
    """
    return hashprice_usd_per_ph_day * (1.0 - pool_fee) / (0.024 * pue * (power_usd_per_mwh + opex_usd_per_mwh))


def breakeven_hashprice_usd_per_ph_day(
    joules_per_th: float, pue: float, pool_fee: float, power_usd_per_mwh: float, opex_usd_per_mwh: float
) -> float:
    """Hashprice at which hashing earns nothing, the hashcost [USD/PH/s/day]: ``0.024 * eps * PUE * cost / (1 - phi)``.

    >>> round(breakeven_hashprice_usd_per_ph_day(17.5, 1.05, 0.006, 57.1802, 6.0), 2)
    28.03
    """
    cost_usd_per_mwh = power_usd_per_mwh + opex_usd_per_mwh
    return mwh_per_ph_day(joules_per_th, pue) * cost_usd_per_mwh / (1.0 - pool_fee)


def th_per_mw(joules_per_th: float, pue: float) -> float:
    """Hashrate behind one metered MW [TH/s]: ``1e6 / (eps * PUE)``.

    >>> round(th_per_mw(13.5, 1.05), 1)
    70546.7
    """
    return 1e6 / (joules_per_th * pue)


def mwh_per_btc(difficulty: float, joules_per_th: float, pue: float, subsidy_btc: float, fees_btc: float) -> float:
    """Metered energy behind one bitcoin [MWh]: ``D * 2^32 * eps * PUE / (3.6e9 * (S + F) * 1e12)``.

    >>> round(mwh_per_btc(146.6833e12, 13.5, 1.05, 3.125, 0.0188632), 1)
    789.0
    """
    hashes_per_btc = difficulty * HASHES_PER_DIFFICULTY / (subsidy_btc + fees_btc)
    return hashes_per_btc * joules_per_th * pue / (JOULES_PER_MWH * HASHES_PER_TH)


def margin_usd_per_ph_day(margin_usd_per_mwh: float, joules_per_th: float, pue: float) -> float:
    """A margin per metered MWh as one per hashrate, the net hashprice [USD/PH/s/day]: ``m * 0.024 * eps * PUE``.

    With the cash margin this is ``h * (1 - phi) - 0.024 * eps * PUE * (power + opex)``.

    >>> round(margin_usd_per_ph_day(30.885, 13.5, 1.05), 3)
    10.507
    """
    return margin_usd_per_mwh * mwh_per_ph_day(joules_per_th, pue)
