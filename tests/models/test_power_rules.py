"""What any power rule must hold to: effective dates, no look-ahead, a true `until`, the same bits compiled or not.

A new rule passes by giving examples in `EXAMPLES`; the tests take every rule of the register.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from models.power_rules.adder import Adder
from models.power_rules.ancillary import Ancillary
from models.power_rules.carbon import Carbon
from models.power_rules.coincident_peak import CoincidentPeak
from models.power_rules.contract import FREE, MUST_RUN, MUST_STOP, NEVER, QUIET, Answer, PowerRule, Window
from models.power_rules.day_ahead import DayAhead
from models.power_rules.demand_response import DemandResponse
from models.power_rules.fixed_charge import FixedCharge
from models.power_rules.register import CODES, KINDS, Rules, Table, answer, table_of, together, words
from models.power_rules.season import Season
from models.power_rules.settlement import Settlement
from models.records import DAY_US, HOUR_US, MINUTE_US
from tests.architecture.portable import findings

ROOT = Path(__file__).resolve().parents[2]
SUMMER = int(datetime(2024, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000
EVENING = Season(zone="US/Central", months=(1, 6, 7, 8), from_hour=16.5, until_hour=20.0, weekdays_only=True)
AUGUST_20 = datetime(2024, 8, 20, 18, tzinfo=UTC)

compiling = settings(deadline=None)  # the first call compiles


def window(start: datetime = AUGUST_20, hours: float = 4.0, notice_hours: float | None = None) -> Window:
    """A window from a time on, announced so long before."""
    known = None if notice_hours is None else start - timedelta(hours=notice_hours)
    return Window(start=start, end=start + timedelta(hours=hours), known=known)


EXAMPLES: tuple[PowerRule, ...] = (
    Adder(key="delivery", usd_per_mwh=4.5),
    Adder(key="evening", usd_per_mwh=-3.0, season=EVENING),
    Carbon(key="carbon", usd_per_tonne=50.0, tonnes_per_mwh=0.4),
    Carbon(key="grid", usd_per_tonne=50.0, tonnes_per_mwh=0.4, intensity_series="carbon:ercot"),
    FixedCharge(key="capacity", usd_per_mw_day=329.17),
    FixedCharge(key="demand", usd_per_kw_month=7.3, load_factor=0.5),
    CoincidentPeak(key="4cp", program="4cp", usd_per_mw_year=64_000.0, probability=0.1),
    CoincidentPeak(
        key="5cp",
        program="5cp",
        usd_per_mw_year=120_000.0,
        probability=0.1,
        probability_from="load",
        series="load:pjm",
        possible_at=140_000.0,
        certain_at=155_000.0,
    ),
    CoincidentPeak(
        key="icap",
        program="icap",
        usd_per_mw_year=50_000.0,
        probability=0.05,
        probability_from="probability",
        series="peak:nyiso",
    ),
    DemandResponse(key="called", off_usd_per_mwh=500.0, call=(window(notice_hours=2.0),), ready_minutes=30.0),
    DemandResponse(key="asked", off_usd_per_mwh=80.0, penalty_usd_per_mwh=40.0, binding=False, call=(window(),)),
    Ancillary(
        key="reserve",
        usd_per_mw_hour=12.0,
        share=0.5,
        deployment_usd_per_mwh=2.0,
        award=(window(hours=6.0, notice_hours=20.0),),
        deployment=(window(AUGUST_20 + timedelta(hours=2), 1.0),),
    ),
    Ancillary(key="read", usd_per_mw_hour=12.0, series="ancillary:ecrs", must_run=False, award=(window(),)),
    Settlement(key="zone", signal="power:ERCOT:HB_SOUTH:rt", basis_usd_per_mwh=1.5),
    DayAhead(key="curve", curve="power:ERCOT:HB_SOUTH:da", signal="power:ERCOT:HB_SOUTH:rt"),
)
IDS = [example.key for example in EXAMPLES]
every = pytest.mark.parametrize("rule", EXAMPLES, ids=IDS)

times = st.integers(SUMMER, SUMMER + 120 * DAY_US)
figures = st.one_of(st.floats(-500.0, 5_000.0), st.floats(0.0, 1.0), st.floats(1e5, 2e5), st.just(float("nan")))
readings = st.lists(figures, min_size=3, max_size=3)


def dated(rule: PowerRule, **fields: Any) -> PowerRule:
    """The rule with other dates."""
    return dataclasses.replace(rule, **fields)


def ask(table: Table, values: list[float], at_us: int, known_us: int | None = None) -> Answer:
    """What the only rule of a table says."""
    read = np.array(values, np.float64)
    return answer(table.rows[0], read, table.windows, at_us, at_us if known_us is None else known_us)


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same, leaving out until when."""
    return one[:4] == other[:4] and one[5] == other[5]


def test_every_rule_of_the_register_has_examples() -> None:
    assert {type(example) for example in EXAMPLES} == {document for document, _ in KINDS}
    assert [field.name for field in dataclasses.fields(Rules)] == [document.kind for document, _ in KINDS]
    files = {path.stem for path in (ROOT / "models" / "power_rules").glob("*.py")}
    assert {document.kind for document, _ in KINDS} == files - {"__init__", "contract", "register", "season"}


@every
@compiling
@given(values=readings, at_us=times)
def test_a_rule_is_silent_outside_its_dates(rule: PowerRule, values: list[float], at_us: int) -> None:
    first, last = date(2024, 8, 18), date(2024, 8, 21)
    said = ask(table_of([dated(rule, effective_from=first, effective_until=last)]), values, at_us)
    begins_us, ends_us = SUMMER + 78 * DAY_US, SUMMER + 81 * DAY_US
    if begins_us <= at_us < ends_us:
        free = ask(table_of([rule]), values, at_us)
        assert same(said, free)
        assert said[4] == min(free[4], ends_us)
    else:
        assert said == (0.0, 0.0, 0.0, FREE, begins_us if at_us < begins_us else NEVER, QUIET)


@every
@compiling
@given(values=readings, at_us=times, known_us=times)
def test_nobody_knows_tomorrows_rule(rule: PowerRule, values: list[float], at_us: int, known_us: int) -> None:
    table = table_of([dated(rule, known_from=date(2024, 7, 1))])
    said = ask(table, values, at_us, known_us)
    if known_us < SUMMER + 30 * DAY_US:
        assert said[:4] == (0.0, 0.0, 0.0, FREE)
        assert said[5] == QUIET
    else:
        assert same(said, ask(table_of([rule]), values, at_us, known_us))


@pytest.mark.parametrize("rule", [rule for rule in EXAMPLES if rule.planned], ids=lambda rule: rule.key)
@compiling
@given(values=readings, part=st.floats(0.0, 1.0, exclude_max=True), hours=st.integers(0, 200), data=st.data())
def test_a_window_that_is_not_announced_changes_nothing(
    rule: PowerRule, values: list[float], part: float, hours: int, data: st.DataObject
) -> None:
    table = table_of([rule])
    start_us, end_us, _, _ = data.draw(st.sampled_from(table.windows.tolist()))
    at_us = start_us + int(part * (end_us - start_us))
    assert ask(table, values, at_us)[5] != QUIET
    announced_us = int(table.windows[:, 2].min())
    said = ask(table, values, at_us, announced_us - 1 - hours * HOUR_US)
    assert said == (0.0, 0.0, 0.0, FREE, NEVER, QUIET)


@every
@compiling
@given(values=readings, at_us=times, steps=st.lists(st.floats(0.0, 1.0, exclude_max=True), max_size=5))
def test_until_is_true(rule: PowerRule, values: list[float], at_us: int, steps: list[float]) -> None:
    table, known_us = table_of([rule]), SUMMER + 120 * DAY_US
    said = ask(table, values, at_us, known_us)
    assert said[4] > at_us
    span_us = min(said[4], at_us + 400 * DAY_US) - at_us
    for step in steps:
        assert same(ask(table, values, at_us + int(step * span_us), known_us), said)


@every
@compiling
@given(values=readings, at_us=times)
def test_an_answer_is_finite_and_in_words(rule: PowerRule, values: list[float], at_us: int) -> None:
    said = ask(table_of([rule]), values, at_us)
    assert all(np.isfinite(said[:3]))
    assert said[3] in (FREE, MUST_RUN, MUST_STOP)
    text = words(rule, said, tuple(values[: len(rule.inputs)]))
    assert text.startswith(f"{rule.key}: ")
    assert len(text) > len(rule.key) + 5
    assert "nan" not in text
    if said[5] == QUIET:
        assert said[:4] == (0.0, 0.0, 0.0, FREE)


@every
@compiling
@given(values=readings, at_us=times, known_us=times)
def test_compiled_and_uncompiled_agree_to_the_bit(
    rule: PowerRule, values: list[float], at_us: int, known_us: int
) -> None:
    table, read = table_of([rule]), np.array(values)
    plain = KINDS[CODES[type(rule)]][1].effect
    compiled = plain(table.rows[0], read, table.windows, at_us, known_us)
    assert compiled == plain.py_func(table.rows[0], read, table.windows, at_us, known_us)
    assert answer(table.rows[0], read, table.windows, at_us, known_us) == answer.py_func(
        table.rows[0], read, table.windows, at_us, known_us
    )


@every
def test_a_document_survives_the_log_and_knows_its_keys(rule: PowerRule) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(type(rule))
    text = adapter.dump_json(rule)
    assert adapter.validate_json(text) == rule
    with pytest.raises(ValidationError, match=r"unexpected|extra"):
        adapter.validate_json(text[:-1] + b',"colour":"red"}')


@every
def test_a_rule_refuses_dates_and_keys_that_cannot_be(rule: PowerRule) -> None:
    with pytest.raises(ValueError, match="must lie before"):
        dated(rule, effective_from=date(2025, 1, 1), effective_until=date(2025, 1, 1))
    with pytest.raises(ValueError, match="is not a key"):
        dated(rule, key="Not A Key")
    assert dated(rule, loads=("s21",)).concerns("s21")
    assert not dated(rule, loads=("s21",)).concerns("h100")
    assert rule.concerns("h100")


@compiling
@given(values=st.lists(figures, min_size=20, max_size=20), at_us=times, mask=st.integers(0, 2 ** len(EXAMPLES) - 1))
def test_together_they_add_up_and_must_stop_outweighs_must_run(values: list[float], at_us: int, mask: int) -> None:
    table = table_of(EXAMPLES)
    read = np.array(values)[table.places]
    concerns = np.array([mask >> place & 1 for place in range(len(EXAMPLES))])
    known_us = at_us
    each = [
        answer(row, read, table.windows, at_us, known_us) for row, on in zip(table.rows, concerns, strict=True) if on
    ]
    said = together(table.rows, concerns, read, table.windows, at_us, known_us)
    for place in range(3):
        assert said[place] == pytest.approx(sum(one[place] for one in each), abs=1e-9)
    forced = {one[3] for one in each}
    assert said[3] == (MUST_STOP if MUST_STOP in forced else MUST_RUN if MUST_RUN in forced else FREE)
    assert said[4] == min((one[4] for one in each), default=NEVER)
    assert said == together.py_func(table.rows, concerns, read, table.windows, at_us, known_us)


def test_rules_of_a_table_read_their_own_inputs() -> None:
    table = table_of(EXAMPLES)
    for row, rule in zip(table.rows, EXAMPLES, strict=True):
        first = int(row["first_reading"])
        assert tuple(table.inputs[place] for place in table.places[first : first + len(rule.inputs)]) == rule.inputs
        begin = int(row["first_window"])
        assert len(rule.planned) == int(row["windows"]) == len(table.windows[begin : begin + len(rule.planned)])


@pytest.mark.parametrize("room", sorted((ROOT / "models" / "power_rules").glob("*.py")), ids=lambda path: path.stem)
def test_the_rooms_use_portable_arithmetic_alone(room: Path) -> None:
    assert findings(room.read_text()) == []
    assert findings((ROOT / "models" / "civil.py").read_text()) == []


def test_a_quarter_of_an_hour_is_asked_in_microseconds() -> None:
    assert table_of([EXAMPLES[-2]]).rows[0]["interval_us"] == 15 * MINUTE_US
