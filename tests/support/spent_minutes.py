"""A month's downtime spent on real prices: with hindsight, on the first mild price, and by its shadow price.

A reserved or leased hall goes on earning its fee while it is off, so a quarter hour off earns the price of its power
[USD/MW]. Each is counted twice: without drain and restart, and with 45 minutes of them for each stop.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models import civil
from models.records import DAY_US, MINUTE_US
from models.sla import budget
from models.sla.credits import NO_CLIFF, next_cliff_us, out_of_service_us
from models.sla.downtime import DOWNTIME, IN_SERVICE, advance, begin, come_back, go_out
from models.sla.terms import Sla, terms_row

QUARTER_US = 15 * MINUTE_US
CENTRAL = civil.ZONES["US/Central"]
SAMPLE = Path(__file__).resolve().parents[2] / "streams" / "history" / "sample" / "window_2024_15min.csv.gz"
QUARTERS = 14  # whole ones of 216 minutes
FREE_STOPS = Sla(month_clock="calendar", reserve_minutes=0.0, drain_counts=False)
REAL_STOPS = Sla(month_clock="calendar", reserve_minutes=0.0)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prices:
    """Quarter hours [us UTC] and their prices [USD/MWh]."""

    start_us: npt.NDArray[np.int64]
    usd_per_mwh: Floats

    def months(self) -> list[range]:
        """Places of each calendar month (UTC)."""
        days = [int(at) // DAY_US for at in self.start_us]
        keys = [(civil.year_of(day), civil.month_of(day)) for day in days]
        cuts = [0, *(place for place in range(1, len(keys)) if keys[place] != keys[place - 1]), len(keys)]
        return [range(cuts[number], cuts[number + 1]) for number in range(len(cuts) - 1)]

    def days(self) -> list[range]:
        """Places of each local day (Central)."""
        keys = [civil.local_day(CENTRAL, int(at)) for at in self.start_us]
        cuts = [0, *(place for place in range(1, len(keys)) if keys[place] != keys[place - 1]), len(keys)]
        return [range(cuts[number], cuts[number + 1]) for number in range(len(cuts) - 1)]


@dataclass(frozen=True)
class Spent:
    """What a rule did: earned [USD/MW], minutes of the budget spent, places of the quarter hours off."""

    usd_per_mw: float
    minutes: float
    places: list[int]


def window_2024() -> Prices:
    """Real-time prices of ERCOT HB_SOUTH, 2024-06-17 to 2024-10-22, as packaged."""
    with gzip.open(SAMPLE, "rt") as lines:
        rows = list(csv.DictReader(lines))
    times = np.array([row["interval_start_utc"].removesuffix("Z") for row in rows], "datetime64[us]").astype(np.int64)
    return Prices(times, np.array([float(row["ercot_hb_south_rtm_spp"]) for row in rows]))


def day_ahead_2022(path: Path) -> list[Floats]:
    """Each day of 2022 at HB_SOUTH as the day-ahead market priced it, each hour four times."""
    found: dict[str, list[float]] = {}
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            if row["Settlement Point"] == "HB_SOUTH":
                found.setdefault(row["Delivery Date"], []).extend([float(row["Settlement Point Price"])] * 4)
    return [np.array(day) for day in found.values()]


def best_usd_per_mw(prices: Prices, minutes: float) -> float:
    """What the best minutes of each month earn, chosen with hindsight [USD/MW]."""
    earned = 0.0
    for month in prices.months():
        quarters = minutes / 15.0
        ranked = sorted((float(prices.usd_per_mwh[place]) for place in month), reverse=True)
        whole = int(quarters)
        earned += (sum(ranked[:whole]) + (quarters - whole) * ranked[whole]) / 4.0
    return earned


def first_mild_usd_per_mw(
    prices: Prices, minutes: float, mild_usd_per_mwh: float, overhead_minutes: float = 0.0
) -> float:
    """What a month's minutes earn where the first prices above ``mild_usd_per_mwh`` take them [USD/MW]."""
    earned = 0.0
    for month in prices.months():
        left, out = minutes, False
        for place in month:
            price = float(prices.usd_per_mwh[place])
            if price > mild_usd_per_mwh and left > (0.0 if out else overhead_minutes):
                left -= 0.0 if out else overhead_minutes
                taken = min(15.0, left)
                left, out = left - taken, True
                earned += price * taken / 60.0
            else:
                out = False
    return earned


def overhead_of(sla: Sla) -> int:
    """Quarter hours that drain and restart take of the budget."""
    return int(budget.overhead_quanta(out_of_service_us(terms_row(sla), 0), QUARTER_US))


def fill_gains(day: Floats, overhead: int, gains: Floats) -> None:
    """What a day's quarters can earn: any of them, or those of one stop with its drain and restart."""
    if overhead == 0:
        budget.best_of_day(day, 0, len(day), 0.0, QUARTER_US, gains)
    else:
        budget.best_stop_of_day(day, 0, len(day), 0.0, QUARTER_US, overhead, 0.0, gains)


def best_stops_usd_per_mw(prices: Prices, sla: Sla) -> float:
    """What the best stops of each month earn with hindsight, one a day at most [USD/MW]."""
    earned, gains = 0.0, np.zeros(QUARTERS + 1)
    for month in prices.months():
        inside = Prices(prices.start_us[month.start : month.stop], prices.usd_per_mwh[month.start : month.stop])
        worth = [0.0] * (QUARTERS + 1)
        for day in inside.days():
            fill_gains(inside.usd_per_mwh[day.start : day.stop], overhead_of(sla), gains)
            worth = [
                max(float(gains[now]) + worth[left - now] for now in range(left + 1)) for left in range(len(worth))
            ]
        earned += worth[-1]
    return earned


def tables(prices: Prices, before: list[Floats], overhead: int) -> Iterator[tuple[range, Floats]]:
    """Each local day with the values (days left, quanta left) that the days known at its start give."""
    days = prices.days()
    gains = np.zeros((len(before) + len(days), QUARTERS + 1))
    weights, values = np.ones(len(gains)), np.zeros((33, QUARTERS + 1))
    for kind, past in enumerate(before):
        fill_gains(past, overhead, gains[kind])
    known = len(before)
    for day in days:
        budget.fill_values(gains, weights, known, values)
        yield day, values
        fill_gains(prices.usd_per_mwh[day.start : day.stop], overhead, gains[known])
        known += 1


def online(prices: Prices, before: list[Floats], lag: int, sla: Sla = FREE_STOPS) -> Spent:
    """What the shadow price spends and earns, knowing prices up to ``lag`` quarters ago."""
    terms, overhead = terms_row(sla), overhead_of(sla)
    row = np.zeros(1, DOWNTIME)[0]
    begin(terms, row, int(prices.start_us[0]))
    places: list[int] = []
    earned, spent = 0.0, 0.0
    for day, values in tables(prices, before, overhead):
        for place in day:
            now_us = int(prices.start_us[place])
            advance(terms, row, now_us)
            price = budget.price_now_usd_per_mw(terms, row, values, QUARTER_US)
            safe = next_cliff_us(terms, row["downtime_us"], row["month_us"]) != NO_CLIFF
            if place >= lag and safe and budget.spends(float(prices.usd_per_mwh[place - lag]) / 4.0, price):
                if row["out_since_us"] == IN_SERVICE:
                    row["downtime_us"] += overhead * QUARTER_US
                    spent += 15.0 * overhead
                go_out(terms, row, now_us)
                earned += float(prices.usd_per_mwh[place]) / 4.0
                spent += 15.0
                places.append(place)
            else:
                come_back(terms, row, now_us)
    return Spent(earned, spent, places)
