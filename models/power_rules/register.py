"""The power rules that exist: the documents of a site, their rows, the answer of one and of all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from models.documents import Document
from models.jit import jit_apart
from models.power_rules import (
    adder,
    ancillary,
    carbon,
    coincident_peak,
    day_ahead,
    demand_response,
    fixed_charge,
    settlement,
)
from models.power_rules.adder import Adder
from models.power_rules.ancillary import Ancillary
from models.power_rules.carbon import Carbon
from models.power_rules.coincident_peak import CoincidentPeak
from models.power_rules.contract import (
    AWARD,
    CALL,
    DEPLOYMENT,
    FREE,
    MUST_RUN,
    MUST_STOP,
    NEVER,
    QUIET,
    RULE,
    Answer,
    PowerRule,
    changes_us,
    fill_dates,
    in_effect,
)
from models.power_rules.day_ahead import DayAhead
from models.power_rules.demand_response import DemandResponse
from models.power_rules.fixed_charge import FixedCharge
from models.power_rules.settlement import Settlement

ADDER, CARBON, FIXED_CHARGE, COINCIDENT_PEAK, DEMAND_RESPONSE, ANCILLARY, SETTLEMENT, DAY_AHEAD = range(8)

# A rule's code is its place.
KINDS: tuple[tuple[type[PowerRule], Any], ...] = (
    (Adder, adder),
    (Carbon, carbon),
    (FixedCharge, fixed_charge),
    (CoincidentPeak, coincident_peak),
    (DemandResponse, demand_response),
    (Ancillary, ancillary),
    (Settlement, settlement),
    (DayAhead, day_ahead),
)
CODES: dict[type[PowerRule], int] = {document: code for code, (document, _) in enumerate(KINDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules(Document):
    """The power rules of a site, each kind a list of tables of its name."""

    adder: tuple[Adder, ...] = ()
    carbon: tuple[Carbon, ...] = ()
    fixed_charge: tuple[FixedCharge, ...] = ()
    coincident_peak: tuple[CoincidentPeak, ...] = ()
    demand_response: tuple[DemandResponse, ...] = ()
    ancillary: tuple[Ancillary, ...] = ()
    settlement: tuple[Settlement, ...] = ()
    day_ahead: tuple[DayAhead, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two rules of one key in force on one day: a rewritten rule takes over where the old one ends."""
        seen: list[PowerRule] = []
        for rule in self.all:
            for other in seen:
                if other.key == rule.key and overlap(other, rule):
                    raise ValueError(f"two power rules {rule.key!r} are in force on one day")
            seen.append(rule)

    @property
    def all(self) -> tuple[PowerRule, ...]:
        """Every rule, kind by kind in the order of the register."""
        return tuple(rule for field in fields(self) for rule in getattr(self, field.name))


def overlap(one: PowerRule, other: PowerRule) -> bool:
    """Whether two rules are in force on one day."""
    starts_late = one.effective_from and other.effective_until and one.effective_from >= other.effective_until
    ends_early = one.effective_until and other.effective_from and one.effective_until <= other.effective_from
    return not (starts_late or ends_early)


@dataclass(slots=True)
class Table:
    """Rules as the compiled step reads them, and the names behind their places."""

    documents: tuple[PowerRule, ...]
    rows: npt.NDArray[np.void]
    inputs: tuple[str, ...]  # series of the readings, each once
    places: npt.NDArray[np.int64]  # which input each reading of the rows is
    windows: npt.NDArray[np.int64]


def table_of(rules: Sequence[PowerRule]) -> Table:
    """Rows of rules in their order. A rule's readings and windows lie together."""
    rows = np.zeros(len(rules), RULE)
    inputs: list[str] = []
    places: list[int] = []
    windows: list[tuple[int, int, int, int]] = []
    for number, rule in enumerate(rules):
        row, code = rows[number], CODES[type(rule)]
        fill_dates(row, code, rule)
        KINDS[code][1].fill(row, rule)
        row["first_reading"], row["first_window"] = len(places), len(windows)
        for series in rule.inputs:
            if series not in inputs:
                inputs.append(series)
            places.append(inputs.index(series))
        windows.extend(windows_of(rule))
        row["windows"] = len(windows) - int(row["first_window"])
    table = np.array(windows, np.int64) if windows else np.zeros((0, 4), np.int64)
    return Table(tuple(rules), rows, tuple(inputs), np.array(places, np.int64), table)


def windows_of(rule: PowerRule) -> list[tuple[int, int, int, int]]:
    """Rows of the windows that a document names."""
    if isinstance(rule, DemandResponse):
        return [window.row(CALL) for window in rule.call]
    if isinstance(rule, Ancillary):
        awards = [window.row(AWARD) for window in rule.award]
        return awards + [window.row(DEPLOYMENT) for window in rule.deployment]
    return []


@jit_apart
def answer(rule: np.void, readings: np.ndarray, windows: np.ndarray, at_us: int, known_us: int) -> Answer:
    """What a rule says of a time, by what is known (:mod:`models.power_rules.contract`); quiet while not in effect."""
    if not in_effect(rule, at_us, known_us):
        return 0.0, 0.0, 0.0, FREE, changes_us(rule, at_us), QUIET
    code = rule["code"]
    if code == ADDER:
        said = adder.effect(rule, readings, windows, at_us, known_us)
    elif code == CARBON:
        said = carbon.effect(rule, readings, windows, at_us, known_us)
    elif code == FIXED_CHARGE:
        said = fixed_charge.effect(rule, readings, windows, at_us, known_us)
    elif code == COINCIDENT_PEAK:
        said = coincident_peak.effect(rule, readings, windows, at_us, known_us)
    elif code == DEMAND_RESPONSE:
        said = demand_response.effect(rule, readings, windows, at_us, known_us)
    elif code == ANCILLARY:
        said = ancillary.effect(rule, readings, windows, at_us, known_us)
    elif code == SETTLEMENT:
        said = settlement.effect(rule, readings, windows, at_us, known_us)
    else:
        said = day_ahead.effect(rule, readings, windows, at_us, known_us)
    on, off, bill, forced, until_us, state = said
    return on, off, bill, forced, min(until_us, rule["until_us"]), state


@jit_apart
def together(
    rows: np.ndarray, concerns: np.ndarray, readings: np.ndarray, windows: np.ndarray, at_us: int, known_us: int
) -> Answer:
    """What all rules say to one load: costs and pay add up, what forbids to run outweighs what forbids to stop.

    ``concerns[i]`` is 1 where row i falls on the load. Additions go in the order of the rows.
    """
    on, off, bill, forced, until_us, state = 0.0, 0.0, 0.0, FREE, NEVER, QUIET
    for place in range(len(rows)):
        if concerns[place] == 0:
            continue
        one_on, one_off, one_bill, one_forced, one_until_us, one_state = answer(
            rows[place], readings, windows, at_us, known_us
        )
        on, off, bill = on + one_on, off + one_off, bill + one_bill
        if one_forced == MUST_STOP or (one_forced == MUST_RUN and forced == FREE):
            forced = one_forced
        until_us = min(until_us, one_until_us)
        state = max(state, one_state)
    return on, off, bill, forced, until_us, state


def words(rule: PowerRule, said: Answer, readings: tuple[float, ...]) -> str:
    """A rule's answer in plain words; ``readings`` are its own."""
    text: str = KINDS[CODES[type(rule)]][1].words(rule, said, readings)
    return text
