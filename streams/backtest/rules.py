"""Rules that others publish or use, run beside the policies: over what was known of each load, outside the engine.

None knows a switching cost, another load or the cap of its site; stays count in rows of the site's price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from models import baselines
from streams.backtest.market import Ints
from streams.backtest.settled import Known, LoadRows
from streams.backtest.trial import first_mode_free

# The published example of the window rule; its low strike stands for the fixed strike too.
LOW_USD_PER_MWH, HIGH_USD_PER_MWH = 80.0, 150.0
ABOVE_MINUTES, BELOW_MINUTES = 10.0, 20.0  # two and four windows of 5 minutes
GAIN_FRACTION, GAIN_DWELL_MINUTES = 0.12, 10.0
LONGEST_MINUTES, HALF_USD_PER_MWH, OUTLIER_USD_PER_MWH = 60.0, 20.0, 300.0


def rows_in(minutes: float, row_minutes: float) -> int:
    """Whole rows that cover so many minutes, at least one.

    >>> rows_in(20.0, 15.0), rows_in(10.0, 60.0)
    (2, 1)
    """
    return max(1, int(-(-minutes // row_minutes)))


@dataclass(frozen=True, slots=True)
class Rule:
    """A baseline: what it does, and how it writes modes from what was known and a row's length [min]."""

    words: str
    write: Callable[[Ints, Known, float], None]


def _strike(modes: Ints, known: Known, _: float) -> None:
    baselines.strike(modes, known.lmp, 0, LOW_USD_PER_MWH)


def _myopic(modes: Ints, known: Known, _: float) -> None:
    baselines.myopic(modes, known.margin, 0)


def _window(modes: Ints, known: Known, row_minutes: float) -> None:
    above, below = rows_in(ABOVE_MINUTES, row_minutes), rows_in(BELOW_MINUTES, row_minutes)
    baselines.window_rule(modes, known.lmp, 0, LOW_USD_PER_MWH, HIGH_USD_PER_MWH, above, below)


def _gain(modes: Ints, known: Known, row_minutes: float) -> None:
    dwell = rows_in(GAIN_DWELL_MINUTES, row_minutes)
    baselines.minimum_gain(modes, known.margin + known.cost, known.cost, 0, GAIN_FRACTION, dwell)


def _shrinking(modes: Ints, known: Known, row_minutes: float) -> None:
    longest = rows_in(LONGEST_MINUTES, row_minutes)
    baselines.shrinking_dwell(modes, known.margin, 0, longest, HALF_USD_PER_MWH, OUTLIER_USD_PER_MWH)


RULES: Mapping[str, Rule] = {
    "always_on": Rule("runs, whatever the price", lambda modes, _, __: baselines.always_on(modes)),
    "strike": Rule("off while the price lies above 80 USD/MWh", _strike),
    "myopic": Rule("the better mode by the last margin known", _myopic),
    "window_rule": Rule("off after 10 minutes above 80 USD/MWh or at once above 150, on after 20 below 80", _window),
    "minimum_gain": Rule("changes for a gain of 12 %, 10 minutes after the last change", _gain),
    "shrinking_dwell": Rule("waits up to an hour, less the larger the gain; a lone outlier is cut", _shrinking),
}
"""Baselines by the names under which they may be asked for."""


def rule_modes(rule: Rule, load: LoadRows, row_minutes: float) -> Ints:
    """Modes of a load under a rule in every row; it begins at the first row of which all is known.

    A load that is not dispatched keeps the mode of its file.
    """
    rows = len(load.scored)
    modes = np.full(rows, int(load.load.initially_on), np.int64)
    first = load.first_known
    if load.dispatched and first < rows:
        known = Known(load.known.margin[first:], load.known.cost[first:], load.known.lmp[first:])
        rule.write(modes[first:], known, row_minutes)
    return first_mode_free(modes, first)
