"""Band: a fixed dead band around breakeven, widened by the switching cost spread over the hours it should pay in.

    stop when   margin < -(dead band + stop cost / hours)
    start when  margin > +(dead band + start cost / hours)

Both figures of the band are settings, not estimates; costs [USD/MW] over hours give USD/MWh.
"""

from __future__ import annotations

from models.jit import jit


@jit
def worth(
    margin_usd_per_mwh: float,
    mode: int,
    stop_usd_per_mw: float,
    start_usd_per_mw: float,
    dead_band_usd_per_mwh: float,
    amortise_hours: float,
) -> float:
    """Margin with the benefit of the doubt for a running load, against it for a stopped one [USD/MWh].

    >>> worth(-2.0, 1, 10.0, 10.0, 1.0, 4.0), worth(2.0, 0, 10.0, 10.0, 1.0, 4.0)
    (1.5, -1.5)
    """
    if mode == 1:
        return margin_usd_per_mwh + (dead_band_usd_per_mwh + stop_usd_per_mw / amortise_hours)
    return margin_usd_per_mwh - (dead_band_usd_per_mwh + start_usd_per_mw / amortise_hours)


@jit
def bounds(
    stop_usd_per_mw: float, start_usd_per_mw: float, dead_band_usd_per_mwh: float, amortise_hours: float
) -> tuple[float, float]:
    """Margins at which a running load stops and a stopped one starts [USD/MWh].

    >>> bounds(10.0, 20.0, 1.0, 4.0)
    (-3.5, 6.0)
    """
    stop = dead_band_usd_per_mwh + stop_usd_per_mw / amortise_hours
    start = dead_band_usd_per_mwh + start_usd_per_mw / amortise_hours
    return -stop, start
