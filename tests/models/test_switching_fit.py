"""From samples to a band by stated rules: which rule applies when, what spikes do to it, and what it earns."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.switching import brownian, ergodic, ou
from models.switching.fit import BandFit, FitRules, band_of, fit_band, forecast
from models.switching.robust import Samples
from models.switching.roots import Floats
from tests.support import band_captures

HOURS: Floats = np.arange(14 * 96, dtype=np.float64) * 0.25
NOT_INWARD = FitRules(inward=False)


def reverting(seed: int, theta: float = 10.0, kappa: float = 0.35, sigma: float = 8.0) -> Floats:
    """A quarter-hourly path of two weeks."""
    shocks = np.random.default_rng(seed).normal(size=len(HOURS))
    kept = math.exp(-kappa * 0.25)
    noise = sigma * math.sqrt((1.0 - kept * kept) / (2.0 * kappa))
    deviation, values = 0.0, np.empty(len(HOURS))
    for row, shock in enumerate(shocks):
        deviation = deviation * kept + noise * shock
        values[row] = theta + deviation
    return values


def walk(seed: int) -> Floats:
    return np.cumsum(np.random.default_rng(seed).normal(size=len(HOURS)))


def fitted(values: Floats, cost: float = 10.0, **more: Any) -> BandFit:
    return fit_band(Samples(HOURS[: len(values)], values), cost, cost, **more)


def test_a_reverting_margin_gets_the_ergodic_band_of_its_estimates() -> None:
    fit = fitted(reverting(1), rules=NOT_INWARD)
    assert fit.rule == "ergodic"
    assert fit.why.startswith("reverts (t -")
    assert fit.theta is not None
    assert fit.kappa is not None
    assert fit.sigma is not None
    best = ergodic.band(fit.theta, fit.kappa, fit.sigma, 20.0)
    assert (fit.leave, fit.enter) == (best.leave, best.enter)
    assert (fit.gain_usd_per_mw_hour, fit.cycle_h) == (best.rate, best.cycle)
    assert fit.half_life_h == pytest.approx(math.log(2.0) / fit.kappa)
    assert fit.statistic is not None
    assert fit.critical is not None
    assert fit.statistic < fit.critical
    assert (fit.samples, fit.spikes, fit.window_h) == (14 * 96, 0, 14 * 24 - 0.25)


def test_the_band_moves_inward_for_being_seen_in_quarter_hours() -> None:
    continuous, seen = fitted(reverting(1), rules=NOT_INWARD), fitted(reverting(1))
    assert continuous.sigma is not None
    moved = brownian.sampled(continuous.leave, continuous.enter, continuous.sigma, 0.25)
    assert (seen.leave, seen.enter) == moved
    assert continuous.leave < seen.leave < seen.enter < continuous.enter


def test_a_random_walk_gets_the_band_without_mean_reversion() -> None:
    fit = fitted(walk(4), rules=NOT_INWARD)
    assert fit.rule == "brownian"
    assert fit.why.startswith("a random walk is not rejected")
    assert fit.sigma is not None
    assert fit.sigma == pytest.approx(2.0, rel=0.1)  # steps of 1 each quarter of an hour
    assert fit.enter == brownian.half_band(fit.sigma, 0.10 / 8_760.0, 10.0)
    assert fit.leave == -fit.enter
    assert fit.factor(5.0) == 1.0
    assert fit.cycle_h is None


def test_where_the_ergodic_solver_has_no_answer_the_cube_root_stands_in_and_says_why() -> None:
    fit = fitted(reverting(1, theta=900.0), rules=NOT_INWARD)
    assert fit.rule == "cube_root"
    assert "never changes sign" in fit.why
    assert fit.sigma is not None
    assert fit.enter == brownian.cube_root_half_band(fit.sigma, 20.0)
    dear = fitted(reverting(1), cost=1e6, rules=NOT_INWARD)
    assert dear.rule == "cube_root"
    assert "dearer than any gain" in dear.why


@pytest.mark.parametrize(
    ("values", "why"),
    [
        pytest.param(reverting(1)[:0], "0 samples, 96 are needed", id="nothing"),
        pytest.param(reverting(1)[:50], "50 samples, 96 are needed", id="few"),
        pytest.param(reverting(1)[:96], "a window of 23.8 h, 24 h are needed", id="a short window"),
        pytest.param(np.full(500, 30.0), "there is no spread to fit", id="a constant"),
        pytest.param(np.repeat([0.0, 1_000.0], [380, 120]) + reverting(1)[:500], "another regime", id="two regimes"),
        pytest.param(np.random.default_rng(3).normal(size=500), "no memory to act on", id="white noise"),
    ],
)
def test_what_cannot_be_fitted_falls_back_to_the_costs_and_says_why(values: Floats, why: str) -> None:
    fit = fit_band(Samples(HOURS[: len(values)], values), 12.0, 8.0)
    assert fit.rule == "fallback"
    assert why in fit.why
    assert (fit.leave, fit.enter) == (-2.0, 3.0)
    assert fit.samples == len(values)
    assert fit.cycle_h is None


@pytest.mark.parametrize("seed", range(5))
def test_spikes_move_the_band_little_and_a_plain_fit_would_never_start_again(seed: int) -> None:
    calm = reverting(seed)
    spiked = calm.copy()
    for at in np.random.default_rng(seed).integers(0, len(calm) - 3, 5):
        spiked[at : at + 3] -= 3_000.0
    without, robust = fitted(calm), fitted(spiked)
    assert robust.rule == "ergodic"
    assert 12 <= robust.spikes <= 15
    assert robust.enter == pytest.approx(without.enter, rel=0.25)
    assert robust.leave == pytest.approx(without.leave, rel=0.25)
    plain = ou.plain(Samples(HOURS, spiked))
    ruined = ergodic.band(plain.theta, plain.kappa, plain.sigma, 20.0)
    assert ruined.enter > float(np.max(spiked))


def test_hours_of_the_day_are_taken_out_where_they_are_given() -> None:
    local = (np.arange(len(HOURS)) // 4 + 7) % 24
    wave = 25.0 * np.sin(2.0 * math.pi * local / 24.0)
    plainly, by_hour = fitted(reverting(2) + wave), fitted(reverting(2) + wave, local_hours=local)
    level = fitted(reverting(2))
    assert len(by_hour.theta_by_hour) == 24
    assert by_hour.theta_by_hour[6] - by_hour.theta_by_hour[18] == pytest.approx(50.0, abs=12.0)
    assert by_hour.kappa == pytest.approx(level.kappa, rel=0.35)
    assert by_hour.kappa is not None
    assert plainly.kappa is not None
    assert plainly.kappa < by_hour.kappa
    assert plainly.theta_by_hour == ()
    with pytest.raises(ValueError, match="one of each is wanted"):
        fitted(reverting(2), local_hours=local[:-1])


def test_loads_that_share_a_price_share_its_estimate() -> None:
    """Margin = breakeven - price: each load has the theta of its own, the estimate of the price is made once."""
    price, breakeven = reverting(3), 17.0
    samples = Samples(HOURS, price)
    found = ou.robust(samples, 168.0)
    shared = band_of(replace(found, theta=breakeven - found.theta), samples, 10.0, 10.0)
    own = fitted(breakeven - price)
    assert (shared.leave, shared.enter) == pytest.approx((own.leave, own.enter), rel=1e-9)
    assert shared.rule == own.rule == "ergodic"


def test_a_former_fit_starts_the_solver_and_changes_no_digit_that_counts() -> None:
    former = fitted(reverting(4), cost=12.0)
    cold, warm = fitted(reverting(4)), fitted(reverting(4), former=former)
    assert (warm.leave, warm.enter) == pytest.approx((cold.leave, cold.enter), rel=1e-9)


@pytest.mark.parametrize("cost", [-1.0, math.nan, math.inf])
def test_costs_that_cannot_be_are_refused_even_where_nothing_is_fitted(cost: float) -> None:
    with pytest.raises(ValueError, match="enter_usd_per_mw"):
        fit_band(Samples(HOURS, reverting(1)), cost, 1.0)
    with pytest.raises(ValueError, match="leave_usd_per_mw"):
        fit_band(Samples(HOURS[:3], np.zeros(3)), 1.0, cost)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-5_000.0, 10_000.0), min_size=0, max_size=300),
    st.floats(0.0, 1_000.0),
    st.floats(0.0, 1_000.0),
    st.sampled_from([0.25, 1.0]),
)
def test_whatever_the_samples_are_a_fit_has_an_ordered_finite_band_and_a_rule(
    values: list[float], enter_cost: float, leave_cost: float, step: float
) -> None:
    fit = fit_band(Samples(np.arange(len(values), dtype=np.float64) * step, np.array(values)), enter_cost, leave_cost)
    assert fit.rule in {"ergodic", "brownian", "cube_root", "fallback"}
    assert fit.why
    assert -math.inf < fit.leave <= fit.enter < math.inf
    assert 0.0 <= fit.factor(0.25) <= 1.0
    numbers = [getattr(fit, item.name) for item in fields(fit)]
    assert not any(isinstance(number, float) and math.isnan(number) for number in numbers)


@settings(deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(-1e4, 1e4), st.floats(0.0, 1.0))
def test_a_forecast_lies_between_the_margin_and_its_mean(theta: float, margin: float, factor: float) -> None:
    expected = forecast(theta, margin, factor)
    assert min(theta, margin) - 1e-9 <= expected <= max(theta, margin) + 1e-9
    assert forecast(theta, margin, 1.0) == pytest.approx(margin, abs=1e-9)
    assert forecast(theta, margin, 0.0) == theta


def test_the_factor_halves_a_deviation_by_the_half_life() -> None:
    fit = fitted(reverting(5))
    assert fit.half_life_h is not None
    assert fit.factor(fit.half_life_h) == pytest.approx(0.5)
    assert fit.factor(0.0) == 1.0


def test_on_real_prices_the_bands_earn_what_the_page_says() -> None:
    """Robust bands more than the sign of the margin, plain ones less than never switching once a spike came."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "concepts" / "bands.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if re.match(r"\| \d+ \|", line)] == band_captures.lines()


def test_after_the_evening_of_4857_usd_a_plain_fit_asks_for_more_than_any_margin_and_a_robust_one_does_not() -> None:
    values = band_captures.margins(21.5)
    midnight = 68 * 96  # 2024-08-24T00:00Z
    samples = Samples(HOURS, values[midnight - len(HOURS) : midnight])
    plain, robust = ou.plain(samples, 168.0), ou.robust(samples, 168.0)
    assert plain.sigma > 80.0 * robust.sigma
    ruined = band_captures.plain_levels((plain, samples), 20.0)
    assert ruined is not None
    assert ruined[1] > float(np.max(samples.usd_per_mwh))
    assert fit_band(samples, 10.0, 10.0).enter < float(np.median(samples.usd_per_mwh))
