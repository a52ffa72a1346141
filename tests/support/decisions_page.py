"""The page of decisions: what every policy and baseline earned on the packaged sample, beside the reference figures.

``python -m tests.support.decisions_page docs/reference`` runs them all and writes the page; it takes minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from streams.compilation import prepare
from streams.settings import load

prepare(load())  # before the core is imported: compiled code lies in a folder of these sources

from streams.backtest import Figures  # noqa: E402 after prepare
from streams.backtest.compare import NAMES  # noqa: E402 the same
from streams.backtest.rules import RULES  # noqa: E402 the same
from streams.history.sample import sample_path  # noqa: E402 the same
from tests.support.ladder import paths, plan_captures, read_window  # noqa: E402 the same
from tests.support.ladders import REFERENCE, ROUND_TRIPS_USD_PER_MW, comparison, site_key  # noqa: E402 the same

NAME = "decisions.md"
COMMAND = "python -m tests.support.decisions_page docs/reference"
PLANS = ("rolling_plan", "wary_plan")
SHOWN = ("wary_plan", "rolling_plan", "band", "breakeven", *RULES)
KEEPS = tuple(step / 10.0 for step in range(11))
TOLERANCE = 0.002

Cell = tuple[int, float, str]
Found = Mapping[tuple[str, Cell], Figures]

INTRODUCTION = """\
What follows was run by `changeover backtest` on the packaged sample: ERCOT HB_SOUTH, June to October 2024, cut in
two at 2024-08-20 05:00 UTC. Half B lies before the cut, A after it; each is scored alone, with the prices before it
known. The site is the ladder of `deploy/examples/ladder.toml`: tiers of 13.5, 17.5, 21.5, 29.5 and 34 J/TH, 1 MW
each, PUE 1.05, pool fee 0.6 %, opex and adder 6 USD/MWh, no fees of transactions, uptime 1, stays of 15 minutes,
and a round trip C [USD/MW] that is paid half on a stop and half on a start. The first mode is free, and ending
costs nothing.

*Capture* is pooled over the tiers: the sum of what a policy earned above each tier's best constant mode, over the
sum of what the clairvoyant earned above it. The clairvoyant knows every price and pays the same costs; uncapped, it
is exact. 1 is the most that could be had, 0 what a constant mode earns, and a policy that switches at a loss lies
below 0.

With a *lag* of 1 an interval is decided by the prices of the interval before it: a settlement file read at the
interval's end. A lag of 0 is **look-ahead**, a reference for what fresher prints could be worth at most, and no
rule that one could have followed. `reference` is the published figure of the documented rolling plan.
"""
BASELINES = """\
`wary_plan`, `rolling_plan`, `band` and `breakeven` are policies and ran through the engine, as they do live; the
others are baselines, rules that others publish or use, and ran outside it:
"""
CHOICE = """\
## The one constant of `wary_plan`

`wary_plan` is `rolling_plan` but for one number: of a price that has just fallen it believes 1 - *keep* of the
fall, and plans with the rest as if it had not come down. Everything else (decays .75 and .85, 100 USD/MWh, 6 hours,
14 days) is the documented rule's and was left alone. Mean capture over the six cells of each half (lags 0 and 1,
three round trips), by *keep*:
"""
CHOSEN = """\
The value kept is the smallest within .002 of a half's best mean: the least departure from the documented rule that
earns what there is to earn. Half A, taken alone, chooses it for B, and B alone chooses the same for A, so neither
is scored by a constant chosen on it. That tolerance of .002 was written down after the grid had been seen: it is a
judgement, not a forecast, and what it decides is small, for beyond it the means are flat. The same two halves were
also the ones on which the idea itself was found; prices after 2024-10-22 took no part in any of it.
"""


def run_all() -> dict[tuple[str, Cell], Figures]:
    """Figures of every policy and baseline in every cell."""
    found = {}
    for lag in (0, 1):
        for half in "BA":
            against = comparison(lag, half)
            for name in SHOWN:
                by_site = against.run(name).by_site
                for cost in ROUND_TRIPS_USD_PER_MW:
                    found[name, (lag, cost, half)] = by_site["ladder", site_key(cost)]
    return found


def cells() -> list[Cell]:
    """Lag, round trip and half of each row of the table."""
    return [(lag, cost, half) for lag, cost in REFERENCE for half in "BA"]


def reference(cell: Cell) -> float:
    """The published capture of a cell."""
    lag, cost, half = cell
    return REFERENCE[lag, cost]["BA".index(half)]


def capture(found: Figures) -> float:
    """Pooled capture; every cell has one."""
    if found.capture_pooled is None:
        raise ValueError("a half of the sample has something to gain")
    return found.capture_pooled


def keep_means() -> dict[str, list[float]]:
    """Mean capture over the six cells of each half for each share of a fall that is not believed."""
    means: dict[str, list[float]] = {"B": [], "A": []}
    with sample_path() as path:
        window = read_window(path)
    for keep in KEEPS:
        along = {lag: paths(window, lag, keep=keep) for lag in (0, 1)}
        for half, mean in means.items():
            each = [plan_captures(window, along[lag], half, lag, cost)[0] for lag, cost in REFERENCE]
            mean.append(float(np.mean(each)))
    return means


def page(found: Found, means: Mapping[str, list[float]]) -> str:
    """The whole page."""
    lines = ["# Decisions", "", f"<!-- Made from the code: {COMMAND} -->", "", INTRODUCTION]
    lines += [*captures(found), "", BASELINES]
    lines += [f"- `{name}`: {rule.words}." for name, rule in RULES.items()]
    lines += [*verdict(found), *cost_of_lag(found), *in_money(found), "", CHOICE, *grid(means), "", CHOSEN]
    return "\n".join(lines)


def captures(found: Found) -> Iterator[str]:
    """The table of captures."""
    yield "## Capture"
    yield ""
    yield "| lag | C | half | reference | " + " | ".join(f"`{name}`" for name in SHOWN) + " |"
    yield "|---" * (4 + len(SHOWN)) + "|"
    for cell in cells():
        lag, cost, half = cell
        each = " | ".join(f"{round(capture(found[name, cell]), 3) + 0.0:.3f}" for name in SHOWN)  # no -0.000
        yield f"| {lag} | {cost:.0f} | {half} | {reference(cell):.3f} | {each} |"


def verdict(found: Found) -> Iterator[str]:
    """How far the two plans lie from the reference figures, and their worst tier."""
    yield from ("", "### The plans beside the reference", "")
    yield "| | nearest | furthest below | mean above, six cells of lag 1 | least capture of a tier |"
    yield "|---|---|---|---|---|"
    for name in PLANS:
        apart = [capture(found[name, cell]) - reference(cell) for cell in cells()]
        late = [gap for gap, cell in zip(apart, cells(), strict=True) if cell[0] == 1]
        least = min(tier.capture or 0.0 for cell in cells() for tier in found[name, cell].loads)
        yield (
            f"| `{name}` | {min(apart, key=abs):+.4f} | {min(apart):+.4f} | {float(np.mean(late)):+.4f} | {least:.3f} |"
        )


def cost_of_lag(found: Found) -> Iterator[str]:
    """What one interval of lag costs each policy."""
    yield from ("", "## What the lag costs", "")
    yield (
        "Capture lost by deciding one interval later, in points of a hundred. At every cost it is more than what lies "
        "between the two plans: act on the freshest print there is."
    )
    yield ""
    yield "| C | half | " + " | ".join(f"`{name}`" for name in SHOWN) + " |"
    yield "|---" * (2 + len(SHOWN)) + "|"
    for cost in ROUND_TRIPS_USD_PER_MW:
        for half in "BA":
            lost = [capture(found[name, (0, cost, half)]) - capture(found[name, (1, cost, half)]) for name in SHOWN]
            yield f"| {cost:.0f} | {half} | " + " | ".join(f"{100.0 * each:.1f}" for each in lost) + " |"


def in_money(found: Found) -> Iterator[str]:
    """Every figure at a lag of 1 and a round trip of 20 USD/MW."""
    for half in "BA":
        yield from ("", f"## In money: lag 1, C = 20 USD/MW, half {half}", "")
        example = found[SHOWN[0], (1, 20.0, half)]
        yield (
            f"Best constant modes {example.constant_net_usd:,.0f} USD, clairvoyant {example.clairvoyant_net_usd:,.0f} "
            f"USD ({example.bound}), five tiers of 1 MW. Switches are those of all five tiers together."
        )
        yield ""
        yield "| | net [USD] | USD/MWh | USD/MW-year | switches a day | missed spikes [min] | false triggers [USD] |"
        yield "|---|---|---|---|---|---|---|"
        for name in SHOWN:
            each = found[name, (1, 20.0, half)]
            yield (
                f"| `{name}` | {each.net_usd:,.0f} | {each.usd_per_mwh:.2f} | {each.usd_per_mw_year:,.0f} | "
                f"{each.switches_per_day:.2f} | {each.missed_spike_minutes:,.0f} | {each.false_trigger_usd:,.0f} |"
            )
    yield ""
    yield (
        "*Missed spikes*: minutes that ran at a loss while the clairvoyant stood still. *False triggers*: the loss of "
        "every stay off that lost more than it saved."
    )


def grid(means: Mapping[str, list[float]]) -> Iterator[str]:
    """The grid of the one constant, and what each half alone would choose."""
    yield "| half | " + " | ".join(f"{keep:.1f}" for keep in KEEPS) + " | chosen |"
    yield "|---" * (2 + len(KEEPS)) + "|"
    for half, mean in means.items():
        near = [keep for keep, each in zip(KEEPS, mean, strict=True) if each >= max(mean) - TOLERANCE]
        yield f"| {half} | " + " | ".join(f"{each:.4f}" for each in mean) + f" | {near[0]:.1f} |"


def made() -> str:
    """The page, everything run anew."""
    assert set(SHOWN) == set(NAMES), "a policy or baseline is missing on the page"
    return page(run_all(), keep_means())


if __name__ == "__main__":
    (Path(sys.argv[1]) / NAME).write_text(made())
