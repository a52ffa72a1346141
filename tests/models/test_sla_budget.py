"""A month's downtime is spent where it is worth most: the dynamic program, its price, its earnings on real prices."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.records import DAY_US, HOUR_US, MINUTE_US
from models.sla import budget
from models.sla import credits as money
from models.sla.downtime import DOWNTIME, begin, go_out
from models.sla.terms import MONTH_US, Sla, terms_row
from tests.support.spent_minutes import (
    FREE_STOPS,
    QUARTER_US,
    REAL_STOPS,
    Floats,
    best_stops_usd_per_mw,
    best_usd_per_mw,
    day_ahead_2022,
    first_mild_usd_per_mw,
    online,
    window_2024,
)

compiling = settings(deadline=None)  # the first call compiles

WINDOW = window_2024()
prices = st.lists(st.floats(-100.0, 5_000.0), min_size=1, max_size=6)
tables = st.lists(prices, min_size=1, max_size=4)


def values_of(days: list[list[float]], days_left: int, most: int, weights: list[float] | None = None) -> Floats:
    """The table of values that days as they have been give."""
    gains, values = np.zeros((len(days), most + 1)), np.zeros((days_left + 1, most + 1))
    for kind, day in enumerate(days):
        budget.best_of_day(np.array(day), 0, len(day), 0.0, QUARTER_US, gains[kind])
    budget.fill_values(gains, np.array(weights or [1.0] * len(days)), len(days), values)
    return values


@compiling
@given(day=prices, most=st.integers(0, 5), hurdle=st.floats(0.0, 100.0))
def test_the_best_of_a_day_is_the_best_choice_of_its_quarters(day: list[float], most: int, hurdle: float) -> None:
    gains = np.zeros(most + 1)
    budget.best_of_day(np.array(day), 0, len(day), hurdle, QUARTER_US, gains)
    earned = [(price - hurdle) / 4.0 for price in day]
    for count in range(most + 1):
        choices = [sum(chosen) for size in range(count + 1) for chosen in combinations(earned, min(size, len(earned)))]
        assert gains[count] == pytest.approx(max([0.0, *choices]), abs=1e-9)


def test_an_unknown_price_earns_nothing() -> None:
    gains = np.zeros(3)
    budget.best_of_day(np.array([np.nan, 80.0]), 0, 2, 0.0, QUARTER_US, gains)
    assert list(gains) == [0.0, 20.0, 20.0]


@compiling
@given(day=prices, stop=st.floats(0.0, 500.0), overhead=st.integers(0, 3))
def test_a_stop_in_one_piece_is_the_best_stretch_less_what_it_costs(
    day: list[float], stop: float, overhead: int
) -> None:
    gains = np.zeros(len(day) + overhead + 1)
    budget.best_stop_of_day(np.array(day), 0, len(day), 0.0, QUARTER_US, overhead, stop, gains)
    stretches = [sum(day[a:b]) / 4.0 - stop for a in range(len(day)) for b in range(a + 1, len(day) + 1)]
    assert gains[-1] == pytest.approx(max(0.0, *stretches), abs=1e-9)
    assert (gains[: overhead + 1] == 0.0).all()


@compiling
@given(days=tables, left=st.integers(1, 3), most=st.integers(1, 4))
def test_values_are_those_of_the_best_plan_of_every_future(days: list[list[float]], left: int, most: int) -> None:
    @cache
    def worth(day: int, quanta: int) -> float:
        if day == 0:
            return 0.0
        total = 0.0
        for kind in days:
            ranked = sorted((max(price, 0.0) / 4.0 for price in kind), reverse=True)
            total += max(sum(ranked[:spent]) + worth(day - 1, quanta - spent) for spent in range(quanta + 1))
        return total / len(days)

    values = values_of(days, left, most)
    assert values[left, most] == pytest.approx(worth(left, most), abs=1e-6)


@compiling
@given(days=tables, left=st.integers(1, 4), most=st.integers(2, 5))
def test_more_days_and_more_minutes_are_worth_more_and_the_next_minute_less(
    days: list[list[float]], left: int, most: int
) -> None:
    values = values_of(days, left, most)
    assert (np.diff(values, axis=0) >= -1e-9).all()
    assert (np.diff(values, axis=1) >= -1e-9).all()
    assert (np.diff(values, n=2, axis=1) <= 1e-6).all()


def test_mild_and_severe_days_by_their_frequency() -> None:
    # a mild day pays 20 USD for a quarter hour, a severe one, every fiftieth, 1,000
    values = values_of([[80.0], [4_000.0]], 30, 1, [49.0, 1.0])
    scarce = budget.price_usd_per_mw(values, 30 * DAY_US, 1, 1)
    late = budget.price_usd_per_mw(values, DAY_US, 1, 1)
    assert scarce == pytest.approx(1_000.0 * (1 - 0.98**30) + 20.0 * 0.98**30, rel=1e-12)
    assert late == pytest.approx(0.98 * 20.0 + 0.02 * 1_000.0)
    assert not budget.spends(20.0, scarce)
    assert budget.spends(1_000.0, scarce)
    assert budget.threshold_usd_per_mwh(scarce, 10.0, QUARTER_US) == pytest.approx(10.0 + 4.0 * scarce)


def test_a_price_between_two_days_lies_between_theirs_and_none_left_is_beyond_price() -> None:
    values = values_of([[80.0], [4_000.0]], 2, 1)
    whole = [budget.price_usd_per_mw(values, days * DAY_US, 1, 1) for days in (0, 1, 2)]
    assert budget.price_usd_per_mw(values, DAY_US + DAY_US // 2, 1, 1) == pytest.approx((whole[1] + whole[2]) / 2.0)
    assert budget.price_usd_per_mw(values, 9 * DAY_US, 1, 1) == whole[2]
    assert budget.price_usd_per_mw(values, DAY_US, 0, 1) == np.inf
    assert not budget.spends(1e9, budget.price_usd_per_mw(values, DAY_US, 0, 1))


def test_without_a_known_day_every_minute_is_free() -> None:
    values = np.full((3, 3), np.nan)
    budget.fill_values(np.zeros((0, 3)), np.zeros(0), 0, values)
    assert (values == 0.0).all()


def test_the_reserve_is_kept_and_shrinks_with_the_month() -> None:
    minutes = [
        budget.spendable_us(216 * MINUTE_US, 36 * MINUTE_US, left * DAY_US, MONTH_US) / MINUTE_US
        for left in (30, 15, 0)
    ]
    assert minutes == [180.0, 198.0, 216.0]
    assert budget.spendable_us(10 * MINUTE_US, 36 * MINUTE_US, MONTH_US, MONTH_US) == 0


def test_a_part_that_is_out_has_spent_its_drain_and_restart() -> None:
    terms = terms_row(Sla(reserve_minutes=0.0))
    row = np.zeros(1, DOWNTIME)[0]
    begin(terms, row, int(WINDOW.start_us[0]))
    values = values_of([[80.0, 80.0, 80.0], [80.0]], 31, 14)
    first = budget.price_now_usd_per_mw(terms, row, values, QUARTER_US)
    row["downtime_us"] = (216 - 45) * MINUTE_US
    assert budget.price_now_usd_per_mw(terms, row, values, QUARTER_US) == np.inf
    row["downtime_us"] = 0
    go_out(terms, row, int(row["known_us"]))
    assert budget.price_now_usd_per_mw(terms, row, values, QUARTER_US) < first
    row["downtime_us"] = (216 - 45) * MINUTE_US
    assert budget.price_now_usd_per_mw(terms, row, values, QUARTER_US) < np.inf


def test_past_the_last_tier_minutes_are_free_and_between_tiers_they_have_a_price() -> None:
    terms = terms_row(Sla(reserve_minutes=0.0))
    row = np.zeros(1, DOWNTIME)[0]
    begin(terms, row, int(WINDOW.start_us[0]))
    values = values_of([[80.0]], 31, 14)
    row["downtime_us"] = 37 * HOUR_US
    assert budget.price_now_usd_per_mw(terms, row, values, QUARTER_US) == budget.FREE
    row["downtime_us"] = 217 * MINUTE_US
    assert 0.0 <= budget.price_now_usd_per_mw(terms, row, values, QUARTER_US) < np.inf


def test_the_worst_two_hours_pay_within_the_budget_and_ruin_past_the_cliff() -> None:
    worst = max(float(WINDOW.usd_per_mwh[at : at + 8].sum()) / 4.0 for at in range(len(WINDOW.usd_per_mwh) - 8))
    terms = terms_row(Sla())
    fee = money.fee_usd_per_month(terms, 2.35, 0.80, 571.428571)
    hourly = money.lost_revenue_usd(1, 2.35, 0.80, 571.428571, 1.0)
    stop_us = money.out_of_service_us(terms, 2 * HOUR_US)

    def gain(downtime_us: int) -> float:
        owed = money.credit_usd(terms, fee, 1.0, downtime_us, stop_us, MONTH_US, MONTH_US)
        return worst - money.stop_cost_usd(owed, 1, hourly, 2.0, 0.75, 44.0)

    assert worst == pytest.approx(4_762.8, abs=0.1)
    assert gain(0) == pytest.approx(1_764.5, abs=0.1)  # rented by the hour: even the revenue that is lost comes back
    assert gain(216 * MINUTE_US) < -40.0 * gain(0)
    assert worst - 0.1 * fee < -15.0 * worst  # reserved, without drain and restart: still fifteen times as much
    assert gain(217 * MINUTE_US) == gain(0)  # the breach is there: free until the next tier


@pytest.mark.parametrize(("mild", "usd"), [(75.0, 2_460.0), (100.0, 3_184.0), (200.0, 3_866.0)])
def test_the_best_minutes_of_each_month_earn_more_than_twice_the_first_mild_ones(mild: float, usd: float) -> None:
    assert best_usd_per_mw(WINDOW, 216.0) == pytest.approx(9_034.0, abs=1.0)
    assert first_mild_usd_per_mw(WINDOW, 216.0, mild) == pytest.approx(usd, abs=1.0)


def test_a_rule_that_has_seen_no_severe_day_spends_on_mild_ones() -> None:
    done = online(WINDOW, [], 0)
    assert done.usd_per_mw == pytest.approx(3_569.0, abs=1.0)
    assert done.minutes <= 5 * 216.0


@pytest.fixture(scope="module")
def days_of_2022(history_dir: Path) -> list[Floats]:
    """A year of another time that holds severe days; skipped by name where the recorded history is not there."""
    return day_ahead_2022(history_dir / "history" / "ercot_dam_lz_hb_spp_2022.csv.gz")


def test_stops_that_drain_and_restart_earn_less_and_the_same_order_holds(days_of_2022: list[Floats]) -> None:
    best = best_stops_usd_per_mw(WINDOW, REAL_STOPS)
    assert best == pytest.approx(6_955.0, abs=1.0)
    assert best_stops_usd_per_mw(WINDOW, FREE_STOPS) == pytest.approx(best_usd_per_mw(WINDOW, 210.0))
    mild = first_mild_usd_per_mw(WINDOW, 216.0, 100.0, overhead_minutes=45.0)
    assert mild == pytest.approx(1_391.0, abs=1.0)
    for lag, usd in ((0, 5_463.0), (1, 4_649.0)):
        done = online(WINDOW, days_of_2022, lag, REAL_STOPS)
        assert done.usd_per_mw == pytest.approx(usd, abs=1.0)
        assert done.minutes <= 5 * 216.0
        assert 3.0 * mild < done.usd_per_mw < best


@pytest.mark.parametrize(("lag", "usd"), [(0, 7_038.0), (1, 6_182.0)])
def test_the_shadow_price_earns_about_twice_the_first_mild_price_without_looking_ahead(
    lag: int, usd: float, days_of_2022: list[Floats]
) -> None:
    done = online(WINDOW, days_of_2022, lag)
    assert done.usd_per_mw == pytest.approx(usd, abs=1.0)
    assert done.usd_per_mw > 1.9 * first_mild_usd_per_mw(WINDOW, 216.0, 100.0)
    assert done.usd_per_mw < best_usd_per_mw(WINDOW, 216.0)
    assert done.minutes <= 5 * 216.0


@pytest.mark.parametrize("sla", [FREE_STOPS, REAL_STOPS], ids=["free", "real"])
@pytest.mark.parametrize("cut", [2_000, 6_200, 9_001])
def test_what_lies_ahead_changes_nothing_before_it(sla: Sla, cut: int, days_of_2022: list[Floats]) -> None:
    other = WINDOW.usd_per_mwh.copy()
    other[cut:] = 5_000.0
    changed = online(replace(WINDOW, usd_per_mwh=other), days_of_2022[::8], 1, sla)
    plain = online(WINDOW, days_of_2022[::8], 1, sla)
    known = cut + 1  # a price is known a quarter hour late
    assert [place for place in changed.places if place < known] == [place for place in plain.places if place < known]
    assert changed.places != plain.places


@compiling
@given(days=tables, most=st.integers(1, 4))
def test_compiled_and_uncompiled_agree_to_the_bit(days: list[list[float]], most: int) -> None:
    gains, values = np.zeros((len(days), most + 1)), np.zeros((5, most + 1))
    for kind, day in enumerate(days):
        budget.best_of_day.py_func(np.array(day), 0, len(day), 0.0, QUARTER_US, gains[kind])
    budget.fill_values.py_func(gains, np.ones(len(days)), len(days), values)
    assert (values == values_of(days, 4, most)).all()
    for left_us in (0, DAY_US // 3, 3 * DAY_US):
        compiled = budget.price_usd_per_mw(values, left_us, most, 1)
        assert compiled == budget.price_usd_per_mw.py_func(values, left_us, most, 1)
