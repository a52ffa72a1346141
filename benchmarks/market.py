"""What the benchmarks measure on: ladders of ASIC tiers at as many nodes as asked, and a seeded market for them."""

from __future__ import annotations

import numpy as np

from models.fleet import AsicTier, Miner, Power, Site
from models.records import HOUR_US, MINUTE_US, SECOND_US
from models.rows import CLOCK, NETWORK, ROW, VALUE, Catalogue, Rows

START_US = 1_718_582_400_000_000
TIERS_J_PER_TH = (13.5, 17.5, 21.5, 29.5, 34.0)
STEP_US = 5 * MINUTE_US


def ladders(sites: int, tiers: int = len(TIERS_J_PER_TH)) -> Miner:
    """A miner with a ladder at each of so many nodes."""
    ladder = tuple(
        AsicTier(key=f"t{number}", model="any", joules_per_th=TIERS_J_PER_TH[number % len(TIERS_J_PER_TH)], mw=1.0)
        for number in range(tiers)
    )
    made = tuple(
        Site(key=f"s{number}", mw_cap=float(tiers), power=Power(node=f"BENCH:N{number}"), asic=ladder)
        for number in range(sites)
    )
    return Miner(key="bench", name="benchmark", site=made)


def power_series(number: int) -> str:
    """Series of the price at one site's node."""
    return f"power:BENCH:N{number}:rt"


def market_rows(names: Catalogue, sites: int, intervals: int, seed: int = 7) -> Rows:
    """A tick, a BTC price and a power price for each site every five minutes; spikes in one print of a thousand.

    The first row is the network. A spike stops every tier of its site, so that there is something to say.
    """
    rng = np.random.default_rng(seed)
    per_interval = sites + 2
    rows = np.zeros(1 + intervals * per_interval, ROW)
    rows["position"] = np.arange(len(rows))
    rows["revision"], rows["kind"], rows["source"] = -1, VALUE, names.source("bench")
    network = rows[0]
    network["series"], network["kind"], network["order"] = names.series("network:btc"), NETWORK, 847_000
    network["value"], network["second"] = 83.7e12, 0.1
    network["event_us"] = network["receipt_us"] = START_US
    network["due_us"] = START_US + 400 * 24 * HOUR_US
    block = rows[1:].reshape(intervals, per_interval)
    times = START_US + np.arange(1, intervals + 1) * STEP_US
    for name in ("event_us", "receipt_us", "order", "end_us"):
        block[name] = times[:, None]
    block["due_us"] = times[:, None] + STEP_US + MINUTE_US
    block["kind"][:, 0], block["exempt"][:, 0], block["series"][:, 0] = CLOCK, 1, -1
    block["series"][:, 1] = names.series("btc:usd")
    block["value"][:, 1] = 65_000.0 * np.cumprod(1.0 + rng.normal(0.0, 5e-4, intervals))
    block["series"][:, 2:] = [names.series(power_series(number)) for number in range(sites)]
    prices = rng.normal(30.0, 2.0, (intervals, sites))
    prices[rng.random((intervals, sites)) < 0.001] = 900.0
    block["value"][:, 2:] = prices
    return rows


def opening_tick(names: Catalogue) -> Rows:
    """The tick that sets log time before a fleet is laid out."""
    row = np.zeros(1, ROW)
    row["kind"], row["exempt"], row["series"] = CLOCK, 1, -1
    row["event_us"] = row["receipt_us"] = START_US - SECOND_US
    row["source"] = names.source("bench")
    return row
