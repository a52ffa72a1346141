"""What fitted bands earn on the packaged window, as a share of what perfect foresight would have gained.

``python -m tests.support.band_captures`` prints the table of ``docs/concepts/bands.md``; a test compares them.
Five tiers of 1 MW, PUE 1.05, pool fee .6 %, opex 6, adder 6 USD/MWh, subsidy-only hashprice; half of a round trip's
cost on each switch, the first mode free; prices known one row late; a band each UTC midnight from two weeks.
"""

from __future__ import annotations

import csv
import gzip
import importlib.resources
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from models.switching import ergodic, ou
from models.switching.fit import FitRules, band_of
from models.switching.robust import Samples
from models.switching.roots import Floats, NoFitError

TIERS_JOULES_PER_TH = (13.5, 17.5, 21.5, 29.5, 34.0)
COSTS_USD_PER_MW = (5.0, 20.0, 100.0)
CUT = "2024-08-20T05:00:00Z"
DAY = 96
WINDOW = 14 * DAY
KNOWN_DAYS = 3
FALLBACK_HOURS = 4.0
HOURS: Floats = np.arange(WINDOW, dtype=np.float64) * 0.25

Levels = tuple[float, float]
Estimate = tuple[ou.MeanReversion, Samples]
Rule = Callable[[Estimate, float], Levels | None]


def window() -> tuple[Floats, Floats, int]:
    """Hashprice, power price, and the row that the window is cut at."""
    file = importlib.resources.files("streams.history.sample") / "window_2024_15min.csv.gz"
    with file.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    hashprice: Floats = np.array([float(row["hashprice_subsidy_only_usd_ph_day"]) for row in rows])
    power: Floats = np.array([float(row["ercot_hb_south_rtm_spp"]) for row in rows])
    return hashprice, power, [row["interval_start_utc"] for row in rows].index(CUT)


def margins(joules_per_th: float) -> Floats:
    """Margin of a tier by quarter hour [USD/MWh]."""
    hashprice, power, _ = window()
    values: Floats = hashprice * 0.994 / (0.024 * joules_per_th * 1.05) - power - 12.0
    return values


def estimates(values: Floats, estimate: Callable[[Samples, float], ou.MeanReversion]) -> list[Estimate | None]:
    """An estimate for each day from the days before it; none until three are known."""
    found: list[Estimate | None] = []
    for day in range(len(values) // DAY + 1):
        known = values[max(0, day * DAY - WINDOW) : day * DAY]
        samples = Samples(HOURS[: len(known)], known)
        found.append((estimate(samples, 168.0), samples) if day >= KNOWN_DAYS else None)
    return found


def robust_levels(estimate: Estimate, cost: float) -> Levels:
    """The band as fitted."""
    fit = band_of(*estimate, cost / 2.0, cost / 2.0, rules=FitRules(memory_h=168.0))
    return fit.leave, fit.enter


def plain_levels(estimate: Estimate, cost: float) -> Levels | None:
    """The ergodic band of a plain estimate; nothing where there is none."""
    found, _ = estimate
    try:
        best = ergodic.band(found.theta, found.kappa, found.sigma, cost)
    except NoFitError:
        return None
    return best.leave, best.enter


def by_day(found: list[Estimate | None], rule: Rule, cost: float) -> list[Levels]:
    """The levels of each day; the last ones stay where a rule has none."""
    levels = (-cost / 2.0 / FALLBACK_HOURS, cost / 2.0 / FALLBACK_HOURS)
    days = []
    for estimate in found:
        levels = (rule(estimate, cost) if estimate is not None else None) or levels
        days.append(levels)
    return days


def modes(values: Floats, levels: list[Levels]) -> list[bool]:
    """Whether the load runs in each row, by the margin of the row before."""
    running, found = bool(values[0] > 0.0), []
    for row in range(len(values)):
        leave, enter = levels[row // DAY]
        seen = values[max(row - 1, 0)]
        running = bool(seen > leave) if running else bool(seen >= enter)
        found.append(running)
    return found


def earned(values: Floats, running: list[bool], cost: float) -> float:
    """Net of running so [USD]; the first mode is free."""
    switches = sum(one != other for one, other in pairwise(running))
    return float(values @ np.array(running, dtype=np.float64)) * 0.25 - cost / 2.0 * switches


def foreseen(values: Floats, cost: float) -> float:
    """The most that any modes earn, every price known [USD]."""
    off, on = 0.0, 0.25 * float(values[0])
    for margin in values[1:]:
        off, on = max(off, on - cost / 2.0), max(on, off - cost / 2.0) + 0.25 * float(margin)
    return max(off, on)


def tables() -> dict[tuple[float, str], tuple[float, float, float, float]]:
    """By cost and rule: captures before and after the cut, switches a day and tier before and after it."""
    cut = window()[2]
    tiers = [margins(tier) for tier in TIERS_JOULES_PER_TH]
    robust = [estimates(values, ou.robust) for values in tiers]
    plain = [estimates(values, ou.plain) for values in tiers]
    found = {}
    for cost in COSTS_USD_PER_MW:
        kinds = {
            "sign of the margin": [[(0.0, 0.0)] * len(one) for one in robust],
            "robust ergodic": [by_day(one, robust_levels, cost) for one in robust],
            "plain ergodic": [by_day(one, plain_levels, cost) for one in plain],
        }
        for kind, levels in kinds.items():
            runs = [modes(values, one) for values, one in zip(tiers, levels, strict=True)]
            halves = [slice(0, cut), slice(cut, None)]
            captures = [captured(tiers, runs, half, cost) for half in halves]
            rates = [switching(runs, half) for half in halves]
            found[cost, kind] = (captures[0], captures[1], rates[0], rates[1])
    return found


def captured(tiers: list[Floats], runs: list[list[bool]], half: slice, cost: float) -> float:
    """Pooled capture: gain over the better constant mode, over that of perfect foresight."""
    gained = possible = 0.0
    for values, run in zip(tiers, runs, strict=True):
        constant = max(0.0, 0.25 * float(np.sum(values[half])))
        gained += earned(values[half], run[half], cost) - constant
        possible += foreseen(values[half], cost) - constant
    return gained / possible


def switching(runs: list[list[bool]], half: slice) -> float:
    """Switches a day and tier."""
    parts = [run[half] for run in runs]
    switches = sum(one != other for part in parts for one, other in pairwise(part))
    return switches / len(runs) / (len(parts[0]) / DAY)


def short(share: float) -> str:
    """Three digits, no 0 before the point."""
    return f"{share:.3f}".replace("0.", ".", 1) if abs(share) < 1.0 else f"{share:.3f}"


def lines() -> list[str]:
    """The rows of the table on the page."""
    return [
        f"| {cost:g} | {kind} | {short(before)} | {short(after)} | {rate:.1f} / {later:.1f} |"
        for (cost, kind), (before, after, rate, later) in tables().items()
    ]


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 - a script prints its table
