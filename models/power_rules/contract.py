"""The contract of a power rule: what a document says of itself, what a compiled rule answers, where its numbers stand.

A rule is one file: a document (a :class:`PowerRule`), ``fill`` that writes its numbers into a row of :data:`RULE`, a
compiled ``effect`` and ``words``. ``effect(rule, readings, windows, at_us, known_us)`` is asked what holds at
``at_us`` by one who knows the log up to ``known_us``: for a decision both are log time, for a plan ``at_us`` lies
ahead. It answers

    on       cost of each MWh taken while on, beside the energy itself [USD/MWh]; negative where running is paid
    off      pay for each MWh not taken while off [USD/MWh]
    bill     what the bill shows for a MWh though no decision changes it [USD/MWh]
    forced   FREE, MUST_RUN or MUST_STOP
    until    first time after ``at_us`` at which the answer may differ, all inputs as they are [us]; NEVER
    state    QUIET, ACTIVE, or ASSUMED: an input is unknown and the rule's stated fallback stands for it

It never looks at a window that became known after ``known_us``, never clamps a price, and answers a number whatever
is unknown. That it is in effect at all is settled before it is asked (:func:`in_effect`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar

import numpy as np

from models.documents import Document, midnight_us, require_key, require_order
from models.jit import jit_apart
from models.records import SECOND_US, require_range

NEVER = int(np.iinfo(np.int64).max)
ALWAYS = -(2**62)

FREE, MUST_RUN, MUST_STOP = 0, 1, 2
FORCED = ("free", "must run", "must stop")
QUIET, ACTIVE, ASSUMED = 0, 1, 2

# Columns of the table of windows: calls, awards, deployments. A window holds its start and not its end.
START, END, KNOWN, WHAT = 0, 1, 2, 3
CALL, AWARD, DEPLOYMENT = 0, 1, 2

RULE = np.dtype(
    [
        ("code", "i8"),
        ("known_us", "i8"),  # when the rule was published
        ("from_us", "i8"),
        ("until_us", "i8"),
        ("first_reading", "i8"),
        ("first_window", "i8"),
        ("windows", "i8"),
        ("on", "f8"),  # USD/MWh
        ("off", "f8"),
        ("bill", "f8"),
        ("source", "i8"),  # which of its inputs a rule goes by
        ("low", "f8"),  # input at which a probability leaves 0
        ("high", "f8"),  # and reaches 1
        ("chance", "f8"),  # where the input is unknown
        ("usd_per_mw_year", "f8"),
        ("peaks", "i8"),
        ("share", "f8"),  # of the load that is offered
        ("price", "f8"),  # where the market's is unknown [USD/MW-h]
        ("deployment", "f8"),  # expected loss of being deployed [USD/MWh offered]
        ("ahead_us", "i8"),  # how long before a call the load must be off
        ("binding", "i8"),
        ("interval_us", "i8"),
        ("zone_hours", "i8"),  # standard time from UTC
        ("months", "i8"),  # bit m: month m counts
        ("begin_minute", "i8"),
        ("end_minute", "i8"),
        ("weekdays_only", "i8"),
        ("skip_holidays", "i8"),
    ]
)

Answer = tuple[float, float, float, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerRule(Document):
    """What every rule has: a key, the days it is in force (UTC, None is unbounded), the day it was published, loads.

    ``known_from``: a backtest knows nothing of the rule before that day, though it be in force earlier.
    ``loads``: keys of the site's loads that it concerns, all where empty.
    """

    kind: ClassVar[str]

    key: str
    known_from: date | None = None
    effective_from: date | None = None
    effective_until: date | None = None
    loads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse impossible dates and keys; each kind adds its own."""
        require_key("key", self.key)
        for load in self.loads:
            require_key("loads", load)
        require_order(self.effective_from, self.effective_until)
        self.check()

    def check(self) -> None:
        """Refuse impossible figures of the kind."""
        raise TypeError("a PowerRule is one of its kinds")

    def concerns(self, load: str) -> bool:
        """Whether a load of the site falls under the rule."""
        return not self.loads or load in self.loads

    @property
    def inputs(self) -> tuple[str, ...]:
        """Series that the rule reads, in the order of its readings."""
        return ()

    @property
    def planned(self) -> tuple[Window, ...]:
        """Windows that the document itself names; more come with the log."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Document):
    """A span of time that a program names: a call, an award, a deployment. Times with their offset from UTC.

    ``known`` is when it was announced; where it is not given, its start: nobody knew before.
    """

    start: datetime
    end: datetime
    known: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse times without an offset and a window that does not last."""
        for name, value in (("start", self.start), ("end", self.end), ("known", self.known)):
            if value is not None and value.tzinfo is None:
                raise ValueError(f"{name} {value} has no offset from UTC: write 2025-08-20T15:00:00-05:00")
        if self.start >= self.end:
            raise ValueError(f"start {self.start} must lie before end {self.end}")
        if self.known is not None and self.known > self.end:
            raise ValueError(f"known {self.known} must not lie after end {self.end}")

    def row(self, what: int) -> tuple[int, int, int, int]:
        """The window as a row of the table of windows."""
        return instant_us(self.start), instant_us(self.end), instant_us(self.known or self.start), what


def instant_us(time: datetime) -> int:
    """A time with an offset as microseconds UTC.

    >>> instant_us(datetime(2024, 6, 17, tzinfo=UTC))
    1718582400000000
    """
    passed = time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (passed.days * 86_400 + passed.seconds) * SECOND_US + passed.microseconds


def require_usd_per_mwh(name: str, value: float) -> None:
    """Refuse a rate per MWh that no market has."""
    require_range(name, value, -10_000.0, 10_000.0)


def fill_dates(row: np.void, code: int, rule: PowerRule) -> None:
    """Write what every rule has into its row."""
    row["code"] = code
    row["known_us"] = ALWAYS if rule.known_from is None else midnight_us(rule.known_from)
    row["from_us"] = ALWAYS if rule.effective_from is None else midnight_us(rule.effective_from)
    row["until_us"] = NEVER if rule.effective_until is None else midnight_us(rule.effective_until)


@jit_apart
def in_effect(rule: np.void, at_us: int, known_us: int) -> bool:
    """Whether a rule is in force at a time and published by what is known."""
    return rule["known_us"] <= known_us and rule["from_us"] <= at_us < rule["until_us"]


@jit_apart
def changes_us(rule: np.void, at_us: int) -> int:
    """When a rule that is not in effect may come into it [us], by its dates alone; NEVER."""
    if at_us >= rule["until_us"]:
        return NEVER
    return max(rule["from_us"], rule["known_us"], at_us + 1)


@jit_apart
def window_at(rule: np.void, windows: np.ndarray, what: int, ahead_us: int, at_us: int, known_us: int) -> int:
    """Place of the known window of a kind that holds a time, begun ``ahead_us`` earlier; of several the last to end.

    -1 where there is none.
    """
    found, latest_us = -1, at_us
    for place in range(rule["first_window"], rule["first_window"] + rule["windows"]):
        if windows[place, WHAT] != what or windows[place, KNOWN] > known_us:
            continue
        if windows[place, START] - ahead_us <= at_us < windows[place, END] and windows[place, END] > latest_us:
            found, latest_us = place, windows[place, END]
    return found


@jit_apart
def window_change_us(rule: np.void, windows: np.ndarray, what: int, ahead_us: int, at_us: int, known_us: int) -> int:
    """First time after ``at_us`` at which a known window of a kind begins (``ahead_us`` earlier), is there or ends."""
    first_us = NEVER
    for place in range(rule["first_window"], rule["first_window"] + rule["windows"]):
        if windows[place, WHAT] != what or windows[place, KNOWN] > known_us:
            continue
        for edge_us in (windows[place, START] - ahead_us, windows[place, START], windows[place, END]):
            if at_us < edge_us < first_us:
                first_us = edge_us
    return first_us


@jit_apart
def ramp(value: float, low: float, high: float) -> float:
    """0 at ``low`` and below, 1 at ``high`` and above, a straight line between.

    >>> ramp(15.0, 10.0, 20.0), ramp(25.0, 10.0, 20.0), ramp(10.0, 10.0, 10.0)
    (0.5, 1.0, 1.0)
    """
    if value >= high:
        return 1.0
    if value <= low:
        return 0.0
    return (value - low) / (high - low)
