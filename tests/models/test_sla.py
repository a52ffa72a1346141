"""What a stop of AI costs: credits by tier, the month's clock, termination. Golden values and what must always hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from models.records import DAY_US, HOUR_US, MINUTE_US
from models.sla import credits as money
from models.sla.downtime import DOWNTIME, advance, begin, breaches, budget_us, come_back, go_out, month_start_us
from models.sla.terms import MONTH_US, Sla, terms_row
from tests.architecture.portable import findings

compiling = settings(deadline=None)  # the first call compiles

ROOT = Path(__file__).resolve().parents[2]
ROW = terms_row(Sla())
FEE = 2.35 * 0.80 * 571.428571 * 720.0
START = int(datetime(2024, 6, 17, tzinfo=UTC).timestamp()) * 1_000_000

minutes = st.integers(0, 43_200)
microseconds = st.integers(0, MONTH_US)


def cost(hours: float, downtime_us: int = 0, share: float = 1.0, left_us: int = MONTH_US) -> float:
    """Credit of a stop of so many hours under the default tiers [USD]."""
    return money.credit_usd(ROW, FEE, share, downtime_us, int(hours * HOUR_US), MONTH_US, left_us)


@pytest.mark.parametrize(("hours", "usd"), [(0.5, 0), (1, 0), (4, 77_349), (8, 232_046), (24, 232_046), (40, 773_486)])
def test_the_credit_of_a_stop_of_one_megawatt_of_h100(hours: float, usd: float) -> None:
    assert round(cost(hours)) == usd


@pytest.mark.parametrize(("level", "allowed"), [(0.999, 43.2), (0.995, 216.0), (0.99, 432.0)])
def test_the_downtime_that_30_days_allow(level: float, allowed: float) -> None:
    assert budget_us(level, MONTH_US) == allowed * MINUTE_US
    assert money.availability(budget_us(level, MONTH_US), MONTH_US) == pytest.approx(level, abs=1e-15)


def test_the_fee_is_the_rate_of_the_hours_rented() -> None:
    assert round(money.fee_usd_per_month(ROW, 2.35, 0.80, 571.4286)) == 773_486
    assert money.fee_usd_per_month(terms_row(Sla(fee_basis="nameplate")), 2.0, 0.5, 10.0) == 14_400.0
    fixed = terms_row(Sla(fee_basis="fixed", fee_usd_per_month=1e6))
    assert money.fee_usd_per_month(fixed, 2.0, 0.5, 10.0) == 1e6


@pytest.mark.parametrize(("level", "before", "after"), [(0.995, 0.0, 0.1), (0.99, 0.1, 0.3), (0.95, 0.3, 1.0)])
def test_a_cliff_lies_exactly_at_its_tier(level: float, before: float, after: float) -> None:
    at = budget_us(level, MONTH_US)
    assert money.credit(ROW, at, MONTH_US) == before
    assert money.credit(ROW, at + 1, MONTH_US) == after
    assert money.next_cliff_us(ROW, at, MONTH_US) == 0
    assert money.next_cliff_us(ROW, at - 7, MONTH_US) == 7


@compiling
@given(downtime_us=microseconds)
def test_crossing_costs_the_credit_of_the_shortest_stop_that_does_it(downtime_us: int) -> None:
    left_us = money.next_cliff_us(ROW, downtime_us, MONTH_US)
    crossing = money.crossing_usd(ROW, FEE, 0.5, downtime_us, MONTH_US)
    if left_us == money.NO_CLIFF:
        assert crossing == 0.0
    else:
        assert crossing > 0.0
        assert crossing == money.credit_usd(ROW, FEE, 0.5, downtime_us, left_us + 1, MONTH_US, MONTH_US)
        assert money.credit_usd(ROW, FEE, 0.5, downtime_us, left_us, MONTH_US, MONTH_US) == 0.0


def test_past_the_last_tier_there_is_no_cliff() -> None:
    assert money.next_cliff_us(ROW, 36 * HOUR_US + 1, MONTH_US) == money.NO_CLIFF


@compiling
@given(downtime_us=microseconds, one=microseconds, other=microseconds)
def test_a_longer_stop_never_costs_less(downtime_us: int, one: int, other: int) -> None:
    shorter, longer = sorted((one, other))
    assert cost(shorter / HOUR_US, downtime_us) <= cost(longer / HOUR_US, downtime_us)


@compiling
@given(downtime_us=microseconds, stop_us=microseconds)
def test_within_the_budget_a_stop_costs_nothing(downtime_us: int, stop_us: int) -> None:
    owed = money.credit_usd(ROW, FEE, 1.0, downtime_us, stop_us, MONTH_US, MONTH_US)
    assert (owed == 0.0) == (
        money.credit(ROW, downtime_us + stop_us, MONTH_US) == money.credit(ROW, downtime_us, MONTH_US)
    )
    if stop_us <= money.next_cliff_us(ROW, downtime_us, MONTH_US):
        assert owed == 0.0


@compiling
@given(downtime_us=microseconds, parts=st.lists(st.integers(0, 10 * HOUR_US), min_size=1, max_size=6))
def test_a_stop_costs_what_its_pieces_cost(downtime_us: int, parts: list[int]) -> None:
    whole = money.credit_usd(ROW, FEE, 1.0, downtime_us, sum(parts), MONTH_US, MONTH_US)
    pieces, at = 0.0, downtime_us
    for part in parts:
        pieces += money.credit_usd(ROW, FEE, 1.0, at, part, MONTH_US, MONTH_US)
        at += part
    assert pieces == pytest.approx(whole, abs=1e-6)


@compiling
@given(downtime_us=microseconds, stop_us=microseconds)
def test_credits_of_a_month_never_exceed_the_fee(downtime_us: int, stop_us: int) -> None:
    assert 0.0 <= money.credit(ROW, downtime_us + stop_us, MONTH_US) <= 1.0
    assert 0.0 <= money.credit_usd(ROW, FEE, 1.0, downtime_us, stop_us, MONTH_US, MONTH_US) <= FEE


@compiling
@given(stop_us=microseconds, shares=st.tuples(st.floats(0.01, 0.4), st.floats(0.41, 0.9)))
def test_a_partial_stop_credits_its_share_alone(stop_us: int, shares: tuple[float, float]) -> None:
    parts = Sla(partial_fractions=shares).shares
    assert sum(parts) == pytest.approx(1.0)
    owed = [money.credit_usd(ROW, FEE, share, 0, stop_us, MONTH_US, MONTH_US) for share in parts]
    assert sum(owed) == pytest.approx(cost(stop_us / HOUR_US), abs=1e-6)
    assert owed[0] == pytest.approx(shares[0] * cost(stop_us / HOUR_US), abs=1e-6)


def test_a_stop_over_the_months_end_falls_into_two_months() -> None:
    assert cost(8.0) > 0.0
    assert cost(8.0, left_us=4 * HOUR_US) == pytest.approx(2.0 * cost(4.0))
    assert cost(7.0, left_us=int(3.5 * HOUR_US)) == 0.0


def test_revenue_is_lost_where_gpus_are_rented_by_the_hour() -> None:
    assert money.lost_revenue_usd(0, 2.35, 0.8, 571.0, 10.0) == 0.0
    assert money.lost_revenue_usd(1, 2.35, 0.8, 571.428571, 1.0) == pytest.approx(1_074.286, abs=1e-3)


def test_a_stop_of_a_spot_megawatt_costs_850_usd_before_its_first_hour_off() -> None:
    # 850 USD/MW to stop, of it 806 of revenue lost in 15 minutes of drain and 30 of restart
    assert money.stop_cost_usd(0.0, 1, 1_074.286, 0.0, 0.75, 44.0) == pytest.approx(849.7, abs=0.05)
    assert money.stop_cost_usd(500.0, 0, 1_074.286, 4.0, 0.75, 44.0) == 544.0


def test_the_expected_penalty_weighs_what_outages_may_still_do() -> None:
    outages = np.array([0, 4 * HOUR_US, 40 * HOUR_US])
    chances = np.array([0.9, 0.08, 0.02])
    assert money.expected_credit(ROW, 0, MONTH_US, outages, chances) == pytest.approx(0.08 * 0.1 + 0.02)
    closer = money.expected_credit(ROW, 200 * MINUTE_US, MONTH_US, outages, chances)
    assert closer == pytest.approx(0.08 * 0.3 + 0.02)
    assert money.penalty_usd_per_mwh(720.0, closer, 2.0, 720.0) == pytest.approx(closer / 2.0)


@compiling
@given(needed=st.integers(0, 8), months=st.integers(0, 12), chance=st.floats(0.0, 1.0))
def test_the_chance_of_breaches_is_the_binomial_one(needed: int, months: int, chance: float) -> None:
    exact = [1.0]
    for _ in range(months):
        shifted = [0.0, *exact]
        exact = [
            shifted[n] * chance + (exact[n] if n < len(exact) else 0.0) * (1.0 - chance) for n in range(len(shifted))
        ]
    assert money.breach_chance(needed, months, chance) == pytest.approx(sum(exact[needed:]), abs=1e-9)


@compiling
@given(stand=st.integers(0, 5), chance=st.floats(0.0, 1.0))
def test_a_breach_never_makes_termination_less_likely(stand: int, chance: float) -> None:
    row = terms_row(Sla(termination_breaches=3, termination_usd=1e6, termination_probability=0.5))
    assert 0.0 <= money.termination_usd(row, stand, chance) <= 500_000.0
    assert money.termination_usd(row, 2, 0.0) == 500_000.0
    assert money.termination_usd(ROW, stand, chance) == 0.0


def row_at(now_us: int, sla: np.void = ROW) -> Any:
    """A row of downtime that begins at a time."""
    row = np.zeros(1, DOWNTIME)[0]
    begin(sla, row, now_us)
    return row


def test_the_month_by_both_clocks() -> None:
    by_calendar = terms_row(Sla(month_clock="calendar"))
    assert month_start_us(by_calendar, START) == START - 16 * DAY_US
    row = row_at(START, by_calendar)
    assert row["month_us"] == 30 * DAY_US
    advance(by_calendar, row, START + 14 * DAY_US)
    assert row["month_us"] == 31 * DAY_US
    anchored = terms_row(Sla(month_anchor=date(2024, 6, 16)))
    assert month_start_us(anchored, START) == START - DAY_US
    assert month_start_us(anchored, START - 2 * DAY_US) == START - 31 * DAY_US


def test_downtime_counts_while_service_is_out_and_splits_at_the_months_end() -> None:
    anchored = terms_row(Sla(month_anchor=date(2024, 6, 17), termination_breaches=2))
    row = row_at(START, anchored)
    go_out(anchored, row, START + HOUR_US)
    go_out(anchored, row, START + 2 * HOUR_US)
    come_back(anchored, row, START + 3 * HOUR_US)
    assert row["downtime_us"] == 2 * HOUR_US
    go_out(anchored, row, START + MONTH_US - 2 * HOUR_US)
    advance(anchored, row, START + MONTH_US + HOUR_US)
    assert row["downtime_us"] == HOUR_US
    assert breaches(row) == 1
    advance(anchored, row, START)
    assert row["downtime_us"] == HOUR_US


@compiling
@given(
    cuts=st.lists(st.integers(0, 90 * DAY_US), max_size=12), probe=st.lists(st.integers(0, 90 * DAY_US), max_size=12)
)
def test_looking_more_often_changes_nothing(cuts: list[int], probe: list[int]) -> None:
    edges = sorted(set(cuts))
    plain, watched = row_at(START), row_at(START)
    for place, edge in enumerate(edges):
        for look in sorted(probe):
            if (edges[place - 1] if place else 0) < look < edge:
                advance(ROW, watched, START + look)
        for row in (plain, watched):
            (go_out if place % 2 == 0 else come_back)(ROW, row, START + edge)
    assert plain == watched


def test_a_breach_counts_for_as_many_months_as_the_contract_says() -> None:
    sla = terms_row(Sla(month_anchor=date(2024, 6, 17), termination_breaches=2, termination_within_months=3))
    row = row_at(START, sla)
    go_out(sla, row, START)
    come_back(sla, row, START + 5 * HOUR_US)
    counted = []
    for month in range(1, 5):
        advance(sla, row, START + month * MONTH_US)
        counted.append(breaches(row))
    assert counted == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tiers": ()}, "0 pairs"),
        ({"tiers": ((0.99, 0.1), (0.995, 0.3))}, "availability must fall"),
        ({"tiers": ((0.99, 0.3), (0.95, 0.1))}, "credit rise"),
        ({"tiers": ((0.99, 1.3),)}, "outside 0.0 to 1.0"),
        ({"partial_fractions": (0.5, 0.25)}, "must rise"),
        ({"partial_fractions": (1.0,)}, "between 0 and 1"),
        ({"month_clock": "lunar"}, "not one of 720h, calendar"),
        ({"fee_basis": "fixed"}, "fee_usd_per_month goes with"),
        ({"fee_usd_per_month": 1.0}, "fee_usd_per_month goes with"),
        ({"termination_breaches": 4, "termination_within_months": 3}, "cannot fall within"),
        ({"reserve_minutes": float("nan")}, "not a finite number"),
    ],
)
def test_terms_that_cannot_be_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Sla(**fields)


def test_terms_come_from_a_document_that_knows_its_keys() -> None:
    adapter = TypeAdapter(Sla)
    read = adapter.validate_json('{"tiers": [[0.999, 0.05]], "partial_fractions": [0.1], "month_anchor": "2025-01-01"}')
    assert read == Sla(tiers=((0.999, 0.05),), partial_fractions=(0.1,), month_anchor=date(2025, 1, 1))
    with pytest.raises(ValidationError):
        adapter.validate_json('{"tier": []}')


@compiling
@given(downtime_us=microseconds, stop_us=microseconds, left_us=microseconds)
def test_compiled_and_uncompiled_agree_to_the_bit(downtime_us: int, stop_us: int, left_us: int) -> None:
    compiled = money.credit_usd(ROW, FEE, 0.3, downtime_us, stop_us, MONTH_US, left_us)
    assert compiled == money.credit_usd.py_func(ROW, FEE, 0.3, downtime_us, stop_us, MONTH_US, left_us)
    one, other = row_at(START), row_at(START)
    go_out(ROW, one, START + downtime_us)
    advance(ROW, one, START + downtime_us + stop_us)
    go_out.py_func(ROW, other, START + downtime_us)
    advance.py_func(ROW, other, START + downtime_us + stop_us)
    assert one == other


@pytest.mark.parametrize("room", sorted((ROOT / "models" / "sla").glob("*.py")), ids=lambda path: path.stem)
def test_the_rooms_use_portable_arithmetic_alone(room: Path) -> None:
    assert findings(room.read_text()) == []
