"""Charges beside the price of energy, as money for each MWh or MW: capacity, demand, peaks, carbon, reserve."""

from __future__ import annotations

from models.jit import jit

HOURS_PER_YEAR = 8_760.0


@jit
def capacity_usd_per_mwh(usd_per_mw_day: float, load_factor: float) -> float:
    """A capacity price spread over the energy taken [USD/MWh]: ``rate / (24 * load factor)``.

    PJM's base residual auction for 2026/27 cleared at 329.17 USD/MW-day:

    >>> round(capacity_usd_per_mwh(329.17, 1.0), 2)
    13.72
    """
    return usd_per_mw_day / (24.0 * load_factor)


@jit
def demand_charge_usd_per_mwh(usd_per_kw_month: float, load_factor: float) -> float:
    """A demand charge spread over the energy taken [USD/MWh]: ``rate * 12 * 1000 / (8760 * load factor)``.

    Accounting only: once set, the charge does not change with what runs.

    >>> demand_charge_usd_per_mwh(7.3, 1.0), demand_charge_usd_per_mwh(7.3, 0.5)
    (10.0, 20.0)
    """
    return usd_per_kw_month * 12_000.0 / (HOURS_PER_YEAR * load_factor)


@jit
def carbon_usd_per_mwh(tonnes_per_mwh: float, usd_per_tonne: float) -> float:
    """A shadow price of carbon as an adder [USD/MWh]: intensity [t/MWh] * price [USD/t].

    >>> carbon_usd_per_mwh(0.4, 50.0)
    20.0
    """
    return tonnes_per_mwh * usd_per_tonne


@jit
def ancillary_usd_per_hour(offered_mw: float, clearing_usd_per_mwh: float, deployment_usd_per_hour: float) -> float:
    """What offering a load as reserve earns [USD/h]: MW * clearing price - the expected loss of being deployed.

    >>> ancillary_usd_per_hour(10.0, 7.5, 15.0)
    60.0
    """
    return offered_mw * clearing_usd_per_mwh - deployment_usd_per_hour


@jit
def coincident_peak_usd_per_mw(probability: float, usd_per_mw_year: float, peaks: int = 4) -> float:
    """Expected cost of running through a window [USD/MW]: ``P(a peak lies in it) * rate / peaks``.

    ERCOT's 4CP counts four peaks a year, PJM's 5CP five, NYISO's ICAP one.

    >>> coincident_peak_usd_per_mw(0.25, 64_000.0)
    4000.0
    """
    return probability * usd_per_mw_year / peaks


@jit
def coincident_peak_curtails(window_usd_per_mw: float, margin_usd_per_mwh: float, hours: float) -> bool:
    """Whether to stay off for the window: its expected cost [USD/MW] exceeds what running earns in it.

    >>> coincident_peak_curtails(4_000.0, 30.0, 2.0), coincident_peak_curtails(50.0, 30.0, 2.0)
    (True, False)
    """
    return window_usd_per_mw > margin_usd_per_mwh * hours
