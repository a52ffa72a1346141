"""The shadow price of the minutes a month may still be down: spend one only where it earns more. Compiled.

A small dynamic program over days left and *quanta* left (a quantum is one interval of the market). What the days may
bring is a table of days as they have been: row t holds in place j what the best j quanta of such a day earn [USD/MW],
with a weight. It comes from history (:func:`best_of_day`); whoever passes it in must not pass a day that lies ahead.

    V(0, k) = 0
    V(d, k) = sum over t of weight(t) * max over j <= k of (gain(t, j) + V(d - 1, k - j))

The price of a quantum is what the last one of those left is worth, ``V(d, k) - V(d, k - 1)``; a stop that must drain
and restart spends more at once. Between two whole numbers of days it is read off the straight line. Beyond the last
tier minutes are free: nothing is at stake any more.
"""

from __future__ import annotations

import numpy as np

from models.jit import jit
from models.records import DAY_US, HOUR_US
from models.sla.credits import NO_CLIFF, next_cliff_us, out_of_service_us
from models.sla.downtime import IN_SERVICE

FREE = 0.0


@jit
def spendable_us(left_us: int, reserve_us: int, month_left_us: int, month_us: int) -> int:
    """Minutes that a choice may spend [us]: what is left to the next cliff, less the reserve for outages.

    The reserve is for the whole month; what is kept of it shrinks with the month. Never below zero.

    >>> spendable_us(216, 36, 360, 720)
    198
    """
    return max(left_us - int(reserve_us * (month_left_us / month_us)), 0)


@jit
def overhead_quanta(overhead_us: int, quantum_us: int) -> int:
    """Quanta that drain and restart take of the budget, a begun one whole.

    >>> overhead_quanta(45 * 60_000_000, 15 * 60_000_000), overhead_quanta(1, 15 * 60_000_000)
    (3, 1)
    """
    return (overhead_us + quantum_us - 1) // quantum_us


@jit
def best_of_day(
    prices_usd_per_mwh: np.ndarray, first: int, last: int, hurdle_usd_per_mwh: float, quantum_us: int, gains: np.ndarray
) -> None:
    """Fill a row of the table of days: place j is what the best j quanta of ``prices[first:last]`` earn [USD/MW].

    A quantum off earns its price less the hurdle: what the load would have earned in it before power. Quanta that
    earn nothing are not taken. The best are found by insertion, so that the order of additions is fixed.
    """
    hours = quantum_us / HOUR_US
    most = len(gains) - 1
    for place in range(most + 1):
        gains[place] = 0.0
    for number in range(first, last):
        gain = (prices_usd_per_mwh[number] - hurdle_usd_per_mwh) * hours
        if not gain > 0.0:  # an unknown price (NaN) earns nothing
            continue
        place = most
        if most == 0 or gain <= gains[most]:
            continue
        while place > 1 and gains[place - 1] < gain:
            gains[place] = gains[place - 1]
            place -= 1
        gains[place] = gain
    for place in range(1, most + 1):
        gains[place] = gains[place - 1] + gains[place]


@jit
def best_stop_of_day(
    prices_usd_per_mwh: np.ndarray,
    first: int,
    last: int,
    hurdle_usd_per_mwh: float,
    quantum_us: int,
    overhead: int,
    stop_usd: float,
    gains: np.ndarray,
) -> None:
    """The same where a day holds one stop in one piece, which costs ``stop_usd`` [USD/MW] whatever its length.

    ``overhead`` quanta of drain and restart are spent and earn nothing (:func:`overhead_quanta`).
    """
    hours = quantum_us / HOUR_US
    gains[0] = 0.0
    for spent in range(1, len(gains)):
        best, length = gains[spent - 1], spent - overhead
        for begin in range(first, last - length + 1 if length > 0 else first):
            earned = -stop_usd
            for number in range(begin, begin + length):
                earned = earned + (prices_usd_per_mwh[number] - hurdle_usd_per_mwh) * hours
            best = max(best, earned)
        gains[spent] = best


@jit
def fill_values(gains: np.ndarray, weights: np.ndarray, types: int, values: np.ndarray) -> None:
    """Fill ``values[d, k]`` [USD/MW] from ``types`` rows of gains and their weights (any scale).

    ``values`` is days + 1 by quanta + 1; a row of gains is at least as long as one of values. Without a known day,
    or with weights that are all zero, nothing is expected: every minute is free.
    """
    days, most = values.shape[0] - 1, values.shape[1] - 1
    total = 0.0
    for kind in range(types):
        total = total + weights[kind]
    for left in range(most + 1):
        values[0, left] = 0.0
    for day in range(1, days + 1):
        for left in range(most + 1):
            expected = 0.0
            for kind in range(types):
                best = values[day - 1, left]
                for spent in range(1, left + 1):
                    best = max(best, gains[kind, spent] + values[day - 1, left - spent])
                expected = expected + weights[kind] * best
            values[day, left] = expected / total if total > 0.0 else 0.0


@jit
def price_usd_per_mw(values: np.ndarray, month_left_us: int, left: int, spent: int) -> float:
    """Shadow price of ``spent`` of the ``left`` quanta [USD/MW], with so much of the month to come.

    Infinite where fewer are left: no gain pays for a minute that is not there. Whoever would go over the cliff pays
    :func:`models.sla.credits.crossing_usd` once. ``values`` holds at least one day. Quanta beyond its columns are
    worth no more than the last of them.
    """
    if left < spent:
        return np.inf
    place = min(left, values.shape[1] - 1)
    under = max(place - spent, 0)
    days = min(max(month_left_us, 0) / DAY_US, values.shape[0] - 1.0)
    whole = min(int(days), values.shape[0] - 2)
    part = days - whole
    earlier = values[whole, place] - values[whole, under]
    later = values[whole + 1, place] - values[whole + 1, under]
    return earlier + (later - earlier) * part


@jit
def threshold_usd_per_mwh(price_usd_per_mw: float, hurdle_usd_per_mwh: float, quantum_us: int) -> float:
    """Power price above which a quantum is worth spending [USD/MWh]: its shadow price by the hour, over the hurdle.

    >>> threshold_usd_per_mwh(50.0, 0.0, 900_000_000)
    200.0
    """
    return hurdle_usd_per_mwh + price_usd_per_mw * HOUR_US / quantum_us


@jit
def spends(gain_usd_per_mw: float, price_usd_per_mw: float) -> bool:
    """Whether a quantum is worth its price: only above it; a tie keeps the minute.

    >>> spends(50.0, 50.0), spends(50.1, 50.0), spends(0.0, FREE)
    (False, True, False)
    """
    return gain_usd_per_mw > price_usd_per_mw


@jit
def price_now_usd_per_mw(terms: np.void, row: np.void, values: np.ndarray, quantum_us: int) -> float:
    """Shadow price of the next quantum off, for a part of a pool whose row of downtime is current [USD/MW].

    Free past the last tier. A part in service spends drain and restart with it, one that is out has spent them.
    """
    left_us = next_cliff_us(terms, row["downtime_us"], row["month_us"])
    if left_us == NO_CLIFF:
        return FREE
    month_left_us = row["month_start_us"] + row["month_us"] - row["known_us"]
    free_us = spendable_us(left_us, terms["reserve_us"], month_left_us, row["month_us"])
    spent = 1
    if row["out_since_us"] == IN_SERVICE:
        spent = 1 + overhead_quanta(out_of_service_us(terms, 0), quantum_us)
    return price_usd_per_mw(values, month_left_us, free_us // quantum_us, spent)
