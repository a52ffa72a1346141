"""The engine alone: observations a second and time per load, at 10, 1,000 and 100,000 loads, by two policies.

Two kinds of observation: a power price, which one site reads, and a BTC price, which every load reads. Beside them, in
the same run, the margins of all loads as one numpy expression: what valuing alone costs without market, policy, dwell
and cap. ``python benchmarks/bench_engine.py [--json]``
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import orjson

from streams.compilation import prepare
from streams.settings import load

prepare(load())

from benchmarks.market import START_US, STEP_US, ladders, market_rows, opening_tick, power_series  # noqa: E402
from models.engine import Engine  # noqa: E402
from models.records import DecidingConfig  # noqa: E402
from models.rows import ROW, Catalogue, Rows  # noqa: E402

LOADS = (10, 1_000, 100_000)
POLICIES = ("band", "wary_plan")
ROUNDS = 5


def engine_with(loads: int, policy: str) -> tuple[Engine, int]:
    """An engine whose loads are all valued, in sites of five tiers (two of five for ten loads)."""
    names = Catalogue()
    sites = loads // 5
    engine = Engine(names, DecidingConfig(policy=policy))
    engine.apply_rows(opening_tick(names))
    engine.change_fleet(ladders(sites), 0, START_US)
    engine.apply_rows(market_rows(names, sites, 2))
    return engine, sites


def steady(engine: Engine, series: list[str], count: int, around: float, width: float, began: int) -> Rows:
    """Prints that move a price without moving a decision, so that the step is measured and not the signals."""
    rows = np.zeros(count, ROW)
    rows["position"], rows["revision"] = np.arange(count), -1
    rows["series"] = np.resize([engine.names.series(name) for name in series], count)
    rows["value"] = around + width * np.random.default_rng(3).random(count)
    for name in ("event_us", "receipt_us", "order"):
        rows[name] = START_US + (3 + began) * STEP_US + np.arange(count)
    rows["end_us"] = rows["event_us"] + STEP_US
    rows["due_us"] = START_US + 1_000 * STEP_US
    return rows


def seconds_of(run: Callable[[int], object]) -> float:
    """Median time of some rounds after one that does not count [s]."""
    run(0)
    taken = []
    for number in range(1, ROUNDS + 1):
        began = time.perf_counter()
        run(number)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def margins_in_numpy(loads: int) -> float:
    """Cash margins of so many loads as one numpy expression [s]."""
    rng = np.random.default_rng(1)
    joules, power, opex = rng.uniform(13.0, 34.0, loads), rng.uniform(20.0, 60.0, loads), np.full(loads, 6.0)
    return seconds_of(lambda number: (50.0 + number) * 0.994 / (0.024 * joules * 1.05) - power - opex)


def measure(loads: int, policy: str) -> dict[str, float | str]:
    """Figures at one number of loads. Under a plan each power price is one plan of its site's loads."""
    engine, sites = engine_with(loads, policy)
    nodes = [power_series(number) for number in range(sites)]
    many, few = 20_000, max(5, 2_000_000 // loads // 10)
    power = [steady(engine, nodes, many, 20.0, 0.1, number) for number in range(ROUNDS + 1)]
    btc = [steady(engine, ["btc:usd"], few, 65_000.0, 0.1, 10 + number) for number in range(ROUNDS + 1)]
    one = [steady(engine, nodes, 1, 20.0, 0.1, 30 + number) for number in range(1_001 * (ROUNDS + 1))]
    per_power = seconds_of(lambda number: engine.apply_rows(power[number])) / many
    per_btc = seconds_of(lambda number: engine.apply_rows(btc[number])) / few
    alone = seconds_of(lambda number: [engine.apply_rows(row) for row in one[1_000 * number : 1_000 * number + 1_000]])
    return {
        "policy": policy,
        "loads": loads,
        "power_prices_per_s": 1.0 / per_power,
        "power_price_alone_us": alone / 1_000 * 1e6,
        "btc_prices_per_s": 1.0 / per_btc,
        "btc_price_ns_per_load": per_btc / loads * 1e9,
        "btc_price_against_numpy_margins": per_btc / margins_in_numpy(loads),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = [measure(loads, policy) for policy in POLICIES for loads in LOADS]
    if arguments.json:
        print(orjson.dumps({"engine": figures, "load_average": os.getloadavg()[0]}).decode())
        return
    print(f"engine, load average {os.getloadavg()[0]:.1f}")
    heads = ("policy", "loads", "power prices/s", "alone [us]", "BTC prices/s", "ns/load", "x numpy")
    widths = (9, 8, 15, 11, 13, 8, 8)
    print(" ".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)))
    for row in figures:
        keys = ("power_prices_per_s", "power_price_alone_us", "btc_prices_per_s", "btc_price_ns_per_load")
        values = [f"{row[key]:,.1f}" for key in (*keys, "btc_price_against_numpy_margins")]
        cells = [str(row["policy"]), f"{row['loads']:,}", *values]
        print(" ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)))


if __name__ == "__main__":
    main()
