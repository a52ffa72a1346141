"""Fits of bands: loads a second, from two weeks of quarter hours each, and from an estimate that loads share.

Beside them, in the same run, the median and the median absolute deviation of the same samples by numpy: what reading
them costs. ``python benchmarks/bench_fits.py [--json]``
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import orjson

from models.switching import ou
from models.switching.fit import band_of, fit_band
from models.switching.robust import Samples

HOURS = np.arange(14 * 96, dtype=np.float64) * 0.25
LOADS = 200
ROUNDS = 5
INTERVAL_S = 300.0
MANY = 10_000


def margins(seed: int) -> Samples:
    """Two weeks of a margin that reverts in two hours, with five outbursts of the power price."""
    chance = np.random.default_rng(seed)
    values = np.empty(len(HOURS))
    deviation = 0.0
    for row, shock in enumerate(chance.normal(size=len(HOURS))):
        deviation = 0.916 * deviation + 3.8 * shock
        values[row] = 20.0 + deviation
    for at in chance.integers(0, len(HOURS) - 3, 5):
        values[at : at + 3] -= 3_000.0
    return Samples(HOURS, values)


def loads_a_second(run: Callable[[], object]) -> float:
    """Median over rounds of how many loads a second a run of all loads is."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return LOADS / statistics.median(seconds)


def main() -> int:
    """Run it; 1 where a fit is not what a reverting margin must give, or 10,000 loads outlast an interval."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    many = [margins(seed) for seed in range(LOADS)]
    found = ou.robust(many[0], 168.0)
    thetas = np.linspace(-20.0, 90.0, LOADS)

    def read() -> None:
        for samples in many:
            np.median(np.abs(samples.usd_per_mwh - np.median(samples.usd_per_mwh)))

    def shared() -> None:
        for theta in thetas:
            band_of(replace(found, theta=float(theta)), many[0], 10.0, 10.0)

    fits = [fit_band(samples, 10.0, 10.0) for samples in many]
    figures = {
        "median_and_mad_loads_per_s": loads_a_second(read),
        "fit_loads_per_s": loads_a_second(lambda: [fit_band(samples, 10.0, 10.0) for samples in many]),
        "shared_estimate_loads_per_s": loads_a_second(shared),
    }
    figures["seconds_for_10000_loads"] = MANY / figures["fit_loads_per_s"]
    figures["load_average"] = os.getloadavg()[0]
    if options.json:
        print(orjson.dumps(figures).decode())
    else:
        for name, value in figures.items():
            print(f"{name:30} {value:12,.1f}")
    right = all(fit.rule == "ergodic" and fit.spikes >= 12 for fit in fits)
    if not right:
        print("a fit is not ergodic, or lost its spikes", file=sys.stderr)
    return 0 if right and figures["seconds_for_10000_loads"] < INTERVAL_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
