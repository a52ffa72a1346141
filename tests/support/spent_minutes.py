"""A month's downtime spent on real prices: with hindsight, on the first mild price, and by its shadow price.

A reserved or leased hall goes on earning its fee while it is off, so a quarter hour off earns the price of its power
[USD/MW]. Drain and restart are left out here, as in the figures these are compared with.
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
from models.sla.credits import next_cliff_us
from models.sla.downtime import DOWNTIME, advance, begin
from models.sla.terms import Sla, terms_row

QUARTER_US = 15 * MINUTE_US
CENTRAL = civil.ZONES["US/Central"]
SAMPLE = Path(__file__).resolve().parents[2] / "streams" / "history" / "sample" / "window_2024_15min.csv.gz"
CALENDAR = Sla(month_clock="calendar", reserve_minutes=0.0, drain_counts=False)

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


def first_mild_usd_per_mw(prices: Prices, minutes: float, mild_usd_per_mwh: float) -> float:
    """What a month's minutes earn where the first prices above ``mild_usd_per_mwh`` take them [USD/MW]."""
    earned = 0.0
    for month in prices.months():
        left = minutes
        for place in month:
            if prices.usd_per_mwh[place] > mild_usd_per_mwh and left > 0.0:
                taken = min(15.0, left)
                left -= taken
                earned += float(prices.usd_per_mwh[place]) * taken / 60.0
    return earned


def tables(prices: Prices, before: list[Floats]) -> Iterator[tuple[range, Floats]]:
    """Each local day with the values (days left, quanta left) that the days known at its start give."""
    days, most = prices.days(), 14
    gains = np.zeros((len(before) + len(days), most + 1))
    weights, values = np.ones(len(gains)), np.zeros((33, most + 1))
    for kind, past in enumerate(before):
        budget.best_of_day(past, 0, len(past), 0.0, QUARTER_US, gains[kind])
    known = len(before)
    for day in days:
        budget.fill_values(gains, weights, known, values)
        yield day, values
        budget.best_of_day(prices.usd_per_mwh, day.start, day.stop, 0.0, QUARTER_US, gains[known])
        known += 1


def online(prices: Prices, before: list[Floats], lag: int, sla: Sla = CALENDAR) -> tuple[float, float]:
    """What the shadow price earns [USD/MW] and the minutes it spent, knowing prices up to ``lag`` quarters ago."""
    terms = terms_row(sla)
    row = np.zeros(1, DOWNTIME)[0]
    begin(terms, row, int(prices.start_us[0]))
    earned, spent = 0.0, 0.0
    for day, values in tables(prices, before):
        for place in day:
            advance(terms, row, int(prices.start_us[place]))
            if place < lag or next_cliff_us(terms, row["downtime_us"], row["month_us"]) < QUARTER_US:
                continue
            price = budget.price_now_usd_per_mw(terms, row, values, QUARTER_US)
            if budget.spends(float(prices.usd_per_mwh[place - lag]) / 4.0, price):
                row["downtime_us"] += QUARTER_US
                earned += float(prices.usd_per_mwh[place]) / 4.0
                spent += 15.0
    return earned, spent
