"""Coincident peaks: a MW that runs while the grid peaks is charged for a year. Three programs, all being rewritten.

ERCOT **4CP**. The transmission rate is the cost of service over the average of ERCOT's coincident peaks of June, July,
August and September; a customer's charge is that rate times the average of its own demand at the same four intervals,
from the next year on [confirmed: 16 TAC 25.192(b)(1)]. The intervals are quarter hours [confirmed by several brokers'
pages], lately between 15:00 and 17:30 Central [unconfirmed]. A rule of twelve peaks, one a month, on half hours is
proposed for the end of 2026 [unconfirmed: brokers' pages on the commission's proposal].

PJM **5CP**. The capacity obligation of a delivery year (June to May) follows demand at the five highest hours, on five
days, of the summer before, June to September [confirmed: suppliers' pages]. Late afternoon, weekdays that are no
holiday [unconfirmed].

NYISO **ICAP**. The tag of a capability year (May to April) is demand in the one hour in which the New York area peaked
the summer before [confirmed: suppliers' pages]. Since a Saturday peak in 2019 only weekdays of July and August that
are no holiday count [confirmed: a supplier's page on the tariff's revision]. The ten highest hours have been proposed
[unconfirmed: trade press].

    expected cost of running through a window = P(a peak lies in it) * rate / peaks       [USD/MW]

Spread evenly over the window's hours H it is an adder, and a load that must pay it stops exactly where the expected
cost exceeds its margin times H. A load stops for the whole window or saves nothing for sure; the probability is that
of the whole window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.charges import coincident_peak_usd_per_mw
from models.documents import require_choice
from models.jit import jit_apart
from models.power_rules import season as seasons
from models.power_rules.contract import ACTIVE, ASSUMED, FREE, QUIET, Answer, PowerRule, ramp
from models.power_rules.season import Season, fill_season
from models.records import HOUR_US, require_range

SOURCES = ("fixed", "probability", "load", "price")
FIXED, PROBABILITY = 0, 1

# (peaks a year, when they are counted). Hours are unconfirmed defaults about those in which peaks have lain.
PROGRAMS: dict[str, tuple[int, Season]] = {
    "4cp": (4, Season(zone="US/Central", months=(6, 7, 8, 9), from_hour=14.0, until_hour=18.0)),
    "5cp": (
        5,
        Season(
            zone="US/Eastern",
            months=(6, 7, 8, 9),
            from_hour=14.0,
            until_hour=19.0,
            weekdays_only=True,
            skip_holidays=True,
        ),
    ),
    "icap": (
        1,
        Season(
            zone="US/Eastern", months=(7, 8), from_hour=14.0, until_hour=19.0, weekdays_only=True, skip_holidays=True
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoincidentPeak(PowerRule):
    """A program, its rate [USD/MW-year] and how the probability of a peak in a window is known.

    ``probability_from``: ``fixed`` (``probability``), ``probability`` (``series`` gives it), ``load`` or ``price``
    (``series`` gives the forecast load [MW] or a price [USD/MWh] of the window: 0 up to ``possible_at``, 1 from
    ``certain_at``, a straight line between). While the series is unknown ``probability`` stands. ``peaks`` and
    ``season`` replace the program's own: a rewritten rule is another document with its dates.
    """

    kind: ClassVar[str] = "coincident_peak"

    program: str
    usd_per_mw_year: float
    probability: float
    probability_from: str = "fixed"
    series: str | None = None
    possible_at: float | None = None
    certain_at: float | None = None
    peaks: int | None = None
    season: Season | None = None

    def check(self) -> None:
        """Refuse a source without its series, a ramp without its ends."""
        require_choice("program", self.program, tuple(PROGRAMS))
        require_choice("probability_from", self.probability_from, SOURCES)
        require_range("usd_per_mw_year", self.usd_per_mw_year, 0.0, 10_000_000.0)
        require_range("probability", self.probability, 0.0, 1.0)
        if self.peaks is not None:
            require_range("peaks", self.peaks, 1, 366)
        if (self.probability_from == "fixed") != (self.series is None):
            raise ValueError("series goes with probability_from 'probability', 'load' or 'price', and with no other")
        if self.probability_from in ("load", "price"):
            if self.possible_at is None or self.certain_at is None or self.possible_at >= self.certain_at:
                raise ValueError("possible_at must be given and lie below certain_at")
            require_range("possible_at", self.possible_at, -1e6, 1e7)
            require_range("certain_at", self.certain_at, -1e6, 1e7)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The series the probability is read from."""
        return () if self.series is None else (self.series,)

    @property
    def counted(self) -> Season:
        """When peaks are counted."""
        return self.season or PROGRAMS[self.program][1]


def fill(row: np.void, rule: CoincidentPeak) -> None:
    """Write rate, peaks, season and the way to a probability."""
    fill_season(row, rule.counted)
    row["usd_per_mw_year"], row["chance"] = rule.usd_per_mw_year, rule.probability
    row["peaks"] = rule.peaks or PROGRAMS[rule.program][0]
    row["source"] = SOURCES.index(rule.probability_from)
    row["low"], row["high"] = rule.possible_at or 0.0, rule.certain_at or 0.0


@jit_apart
def probability(rule: np.void, readings: np.ndarray) -> float:
    """Probability that a peak lies in the window, 0 to 1; NaN where its series is unknown."""
    if rule["source"] == FIXED:
        return rule["chance"]
    read = readings[rule["first_reading"]]
    if not np.isfinite(read):
        return np.nan
    if rule["source"] == PROBABILITY:
        return min(max(read, 0.0), 1.0)
    return ramp(read, rule["low"], rule["high"])


@jit_apart
def effect(rule: np.void, readings: np.ndarray, _windows: np.ndarray, at_us: int, _known_us: int) -> Answer:
    """In a window: its expected cost, spread over its hours."""
    start_us, end_us = seasons.window_of(rule, at_us)
    if at_us < start_us:
        return 0.0, 0.0, 0.0, FREE, start_us, QUIET
    state, chance = ACTIVE, probability(rule, readings)
    if np.isnan(chance):
        state, chance = ASSUMED, rule["chance"]
    usd_per_mw = coincident_peak_usd_per_mw(chance, rule["usd_per_mw_year"], rule["peaks"])
    return usd_per_mw / ((end_us - start_us) / HOUR_US), 0.0, 0.0, FREE, end_us, state


def words(rule: CoincidentPeak, answer: Answer, _readings: tuple[float, ...]) -> str:
    """In plain words."""
    if answer[5] == QUIET:
        return f"{rule.key}: no {rule.program} window now"
    guessed = ", its input is unknown" if answer[5] == ASSUMED else ""
    hours = rule.counted.hours
    return (
        f"{rule.key}: running through this {rule.program} window of {hours:g} h is expected to cost "
        f"{answer[0] * hours:,.0f} USD/MW, {answer[0]:.2f} USD/MWh{guessed}"
    )
