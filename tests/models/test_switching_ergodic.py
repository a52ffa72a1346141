"""The ergodic band: its golden values, Bertram's case, and what must hold of any band."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erfcx, erfi, ndtr

from models.switching import brownian, ergodic
from models.switching.roots import NoFitError, rising_root, unit_nodes

ROOT_2 = math.sqrt(2.0)

means = st.floats(-6.0, 6.0)
costs = st.floats(-6.0, 1.5).map(lambda power: 10.0**power)
kappas = st.floats(-3.0, 3.0).map(lambda power: 10.0**power)
sigmas = st.floats(-2.0, 3.0).map(lambda power: 10.0**power)


@pytest.mark.parametrize(
    ("transaction_cost", "level", "cycle", "gain"),
    [(0.001, 0.004715177, 0.017122394, 0.492358328), (0.005, 0.008452282, 0.035231295, 0.337897406)],
)
def test_bertrams_published_trade(transaction_cost: float, level: float, cycle: float, gain: float) -> None:
    found = ergodic.bertram(180.9670, 0.1538, transaction_cost)
    assert found == pytest.approx((level, cycle, gain), abs=5e-10)


@pytest.mark.parametrize(
    ("theta", "leave", "enter", "rate", "up", "down"),
    [
        (0.0, -0.541693, 0.541693, 0.344502, 1.427255, 1.427255),
        (0.5, -0.594514, 0.490930, 0.650735, 0.951057, 2.431804),
        (-0.5, -0.490930, 0.594514, 0.150735, 2.431804, 0.951057),
    ],
)
def test_bands_at_kappa_1_sigma_root_2_and_a_cost_of_a_twentieth_each_way(
    theta: float, leave: float, enter: float, rate: float, up: float, down: float
) -> None:
    best = ergodic.band(theta, 1.0, ROOT_2, 0.10)
    found = (best.leave, best.enter, best.rate, best.up, best.down)
    assert found == pytest.approx((leave, enter, rate, up, down), abs=5e-7)
    assert best.cycle == best.up + best.down


@pytest.mark.parametrize(
    ("kappa", "sigma", "unit_usd_per_mwh", "days"),
    [
        pytest.param(math.log(2.0) / 20.0, 288.0, 24.0, 1.0, id="USD/MW-day by the day"),
        pytest.param(math.log(2.0) / 480.0, 12.0 / math.sqrt(24.0), 1.0, 24.0, id="USD/MWh by the hour"),
    ],
)
def test_a_margin_with_a_half_life_of_20_days_and_600_usd_a_round_trip(
    kappa: float, sigma: float, unit_usd_per_mwh: float, days: float
) -> None:
    best = ergodic.band(0.0, kappa, sigma, 600.0)
    assert best.enter / unit_usd_per_mwh == pytest.approx(14.012, abs=5e-4)
    assert best.leave == pytest.approx(-best.enter, rel=1e-14)
    assert best.cycle / days == pytest.approx(45.2, abs=0.05)


@settings(deadline=None)
@given(means, costs)
def test_the_rate_is_what_the_cycle_earns(theta: float, cost: float) -> None:
    """J of its definition, from durations by another quadrature: theta E_dn + (b - a)/kappa - C over a cycle."""
    best = ergodic.band(theta, 1.0, ROOT_2, cost)
    if best.cycle > 1e12:
        return  # the load all but never switches: the quotient has no digits left
    low, high = best.leave - theta, best.enter - theta
    up, down = (
        quad(lambda u, side=side: math.sqrt(math.pi / 2.0) * erfcx(-side * u / ROOT_2), low, high, epsrel=1e-12)[0]
        for side in (1.0, -1.0)
    )
    assert (best.up, best.down) == pytest.approx((up, down), rel=1e-9)
    earned = (theta * down + best.enter - best.leave - cost) / (up + down)
    assert best.rate == pytest.approx(earned, rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(means, costs, st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_no_other_band_earns_more(theta: float, cost: float, below: float, above: float) -> None:
    best = ergodic.band(theta, 1.0, ROOT_2, cost)
    width = best.enter - best.leave
    leave, enter = best.leave + below * width, best.enter + above * width
    up, down = ergodic.durations(leave - theta, enter - theta)
    if not math.isfinite(up + down):
        return
    assert (theta * down + enter - leave - cost) / (up + down) <= best.rate + 1e-9 * max(1.0, abs(best.rate))


@settings(deadline=None)
@given(means, kappas, sigmas, costs)
def test_turning_theta_round_turns_the_band_round(theta: float, kappa: float, sigma: float, cost: float) -> None:
    sd = sigma / math.sqrt(2.0 * kappa)
    one = ergodic.band(theta * sd, kappa, sigma, cost * sd / kappa)
    other = ergodic.band(-theta * sd, kappa, sigma, cost * sd / kappa)
    assert (other.leave, other.enter) == pytest.approx((-one.enter, -one.leave), rel=1e-12)
    assert other.rate == pytest.approx(one.rate - theta * sd, rel=1e-9, abs=1e-12 * sd)
    assert (other.up, other.down) == pytest.approx((one.down, one.up), rel=1e-12)


@settings(deadline=None)
@given(means, kappas, sigmas, costs)
def test_the_band_encloses_nothing_but_a_stay_about_zero(theta: float, kappa: float, sigma: float, cost: float) -> None:
    """Leave below 0, enter above: right at 0 neither mode earns more, and a switch costs."""
    sd = sigma / math.sqrt(2.0 * kappa)
    best = ergodic.band(theta * sd, kappa, sigma, cost * sd / kappa)
    assert best.leave < 0.0 < best.enter
    assert best.up > 0.0
    assert best.down > 0.0
    assert best.rate >= max(0.0, theta * sd) - 1e-12 * sd


@settings(deadline=None)
@given(kappas, sigmas, costs)
def test_a_band_about_theta_0_is_symmetric_and_its_cycle_is_bertrams(kappa: float, sigma: float, cost: float) -> None:
    sd = sigma / math.sqrt(2.0 * kappa)
    best = ergodic.band(0.0, kappa, sigma, cost * sd / kappa)
    assert best.leave == -best.enter
    closed = 2.0 * math.pi / kappa * float(erfi(best.enter * math.sqrt(kappa) / sigma))
    assert best.cycle == pytest.approx(closed, rel=1e-9) or math.isinf(closed)


@settings(deadline=None)
@given(means, costs, st.floats(1.01, 10.0))
def test_a_dearer_round_trip_widens_the_band_and_earns_less(theta: float, cost: float, times: float) -> None:
    cheap, dear = ergodic.band(theta, 1.0, ROOT_2, cost), ergodic.band(theta, 1.0, ROOT_2, cost * times)
    assert dear.leave <= cheap.leave * (1.0 - 1e-12)
    assert dear.enter >= cheap.enter * (1.0 - 1e-12)
    assert dear.enter - dear.leave > cheap.enter - cheap.leave
    assert dear.rate <= cheap.rate


@pytest.mark.parametrize("theta", [0.0, 0.5, -2.0])
def test_the_band_shrinks_to_nothing_like_the_cube_root_of_the_cost(theta: float) -> None:
    for cost in (1e-6, 1e-9, 1e-12, 1e-15):
        best = ergodic.band(theta, 1.0, ROOT_2, cost)
        half = brownian.cube_root_half_band(ROOT_2, cost)
        assert (best.enter - best.leave) / 2.0 == pytest.approx(half, rel=2.0 * half)
    eighth = ergodic.band(theta, 1.0, ROOT_2, 1e-12).enter / ergodic.band(theta, 1.0, ROOT_2, 8e-12).enter
    assert eighth == pytest.approx(0.5, rel=1e-3)


@settings(deadline=None)
@given(means, kappas, sigmas)
def test_a_free_switch_follows_the_sign_and_earns_the_mean_of_what_is_above_zero(
    theta: float, kappa: float, sigma: float
) -> None:
    sd = sigma / math.sqrt(2.0 * kappa)
    best = ergodic.band(theta * sd, kappa, sigma, 0.0)
    above = theta * float(ndtr(theta)) + math.exp(-0.5 * theta * theta) / math.sqrt(2.0 * math.pi)
    assert (best.leave, best.enter) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert best.rate == pytest.approx(sd * above, rel=1e-6, abs=1e-12 * sd)


def test_a_free_switch_about_theta_0_earns_a_deviation_over_the_root_of_two_pi() -> None:
    assert ergodic.band(0.0, 1.0, ROOT_2, 0.0).rate == pytest.approx(1.0 / math.sqrt(2.0 * math.pi), rel=1e-14)


@pytest.mark.parametrize("theta", [-36.9, -20.0, -10.0, 10.0, 20.0, 36.9])
@pytest.mark.parametrize("cost", [1e-12, 1e-6, 0.01, 1.0, 100.0, 999.0])
def test_far_out_the_band_stands_and_the_rarer_mode_waits_for_ages(theta: float, cost: float) -> None:
    best = ergodic.band(theta, 1.0, ROOT_2, cost)
    assert math.isfinite(best.leave)
    assert best.leave < 0.0 < best.enter
    assert best.rate == pytest.approx(max(0.0, theta), abs=1e-9)
    assert max(best.up, best.down) > 1e15


def test_what_never_changes_sign_and_what_costs_too_much_is_refused_by_name() -> None:
    with pytest.raises(NoFitError, match=r"40\.0 spreads .* never changes sign"):
        ergodic.band(40.0, 1.0, ROOT_2, 0.1)
    with pytest.raises(NoFitError, match="dearer than any gain"):
        ergodic.band(0.0, 1.0, ROOT_2, 1e4)


@pytest.mark.parametrize(
    ("theta", "kappa", "sigma", "cost"),
    [(math.nan, 1.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0), (0.0, 1.0, -1.0, 1.0), (0.0, 1.0, 1.0, -1.0)],
)
def test_what_is_no_process_is_refused(theta: float, kappa: float, sigma: float, cost: float) -> None:
    with pytest.raises(ValueError, match="finite numbers are wanted"):
        ergodic.band(theta, kappa, sigma, cost)


@settings(deadline=None)
@given(means, costs, st.floats(0.2, 5.0))
def test_where_the_solver_starts_changes_no_digit_that_counts(theta: float, cost: float, times: float) -> None:
    best = ergodic.band(theta, 1.0, ROOT_2, cost)
    again = ergodic.band(theta, 1.0, ROOT_2, cost, start=times * max(-best.leave, best.enter))
    assert (again.leave, again.enter) == pytest.approx((best.leave, best.enter), rel=1e-9)


@settings(deadline=None)
@given(means, costs, kappas, sigmas)
def test_units_of_time_and_money_change_nothing(theta: float, cost: float, kappa: float, sigma: float) -> None:
    sd = sigma / math.sqrt(2.0 * kappa)
    plain = ergodic.band(theta, 1.0, ROOT_2, cost)
    scaled = ergodic.band(theta * sd, kappa, sigma, cost * sd / kappa)
    assert (scaled.leave / sd, scaled.enter / sd) == pytest.approx((plain.leave, plain.enter), rel=1e-9)


def test_a_share_of_the_time_is_spent_above_zero() -> None:
    assert ergodic.share_running(1.0, 0.5, 1.0) == pytest.approx(0.8413447460685429, rel=1e-12)


def test_nodes_integrate_polynomials_and_a_root_without_a_bracket_is_refused() -> None:
    nodes, weights = unit_nodes(20)
    assert float(weights @ nodes**39) == pytest.approx(1.0 / 40.0, rel=1e-13)
    assert np.all(weights > 0.0)
    with pytest.raises(NoFitError, match="root of nothing: no root between"):
        rising_root(lambda at: (at + 5.0, 1.0), 0.0, 1.0, 0.5, "root of nothing")
