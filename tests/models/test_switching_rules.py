"""Bands under discounting, without mean reversion, seen in steps; stopping, levels, chains: goldens and limits."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gamma

from models.switching import brownian, chain, discounted, ergodic, levels, stopping
from models.switching.cylinder import falling
from models.switching.roots import NoFitError

ROOT_2 = math.sqrt(2.0)
GLD_GDX = (0.71758, 6.306, math.sqrt(0.00698), 0.05, 0.02)
"""Theta, kappa, sigma of the pair of funds in Leung and Li; discount and cost of their example."""


@pytest.mark.parametrize("order", [1.0, 1.05, 2.5, 20.0, 90.0])
@pytest.mark.parametrize("z", [-6.0, -1.0, 0.0, 0.5, 3.0, 5.0, 10.0, 36.0])
def test_cylinder_functions_equal_their_integral(order: float, z: float) -> None:
    def integrand(u: float) -> float:
        return math.exp((order - 1.0) * math.log(u) - z * u - 0.5 * u * u - math.lgamma(order)) if u > 0.0 else 0.0

    peak = 0.5 * (math.sqrt(z * z + 4.0 * (order - 1.0)) - z)
    ends = (peak, peak + 1.0 / (1.0 + abs(z) * (z > 0.0)), peak + 4.0, peak + 15.0)
    whole = sum(
        quad(integrand, low, high, epsabs=0.0, epsrel=1e-12, limit=200)[0]
        for low, high in pairwise((0.0, *ends))
        if high > low
    )
    assert float(falling(order, z)) == pytest.approx(whole, rel=1e-10)


@pytest.mark.parametrize("order", [1e-9, 1e-4, 0.05, 0.9, 1.0, 1.5, 7.0, 60.0])
def test_cylinder_functions_of_three_orders_agree(order: float) -> None:
    """``f_nu = z f_nu+1 + (nu + 1) f_nu+2``; on either side of 0 written so that all its terms have one sign."""
    z = np.concatenate((np.linspace(-30.0, 30.0, 241), [-1e-12, 0.0, 1e-12]))
    first, second, third = (falling(order + more, z) for more in (0.0, 1.0, 2.0))
    above = np.where(z >= 0.0, first / (z * second + (order + 1.0) * third), 1.0)
    below = np.where(z < 0.0, (order + 1.0) * third / (first - z * second), 1.0)
    assert np.max(np.abs(above - 1.0)) < 1e-11
    assert np.max(np.abs(below - 1.0)) < 1e-11


@pytest.mark.parametrize("order", [1e-4, 0.05, 1.5, 7.0])
def test_cylinder_functions_are_continuous_where_their_computation_changes(order: float) -> None:
    at_zero = float(falling(order, 0.0))
    assert float(falling(order, -1e-14)) == pytest.approx(at_zero, rel=1e-12)
    assert at_zero == pytest.approx(
        2.0 ** (-0.5 * order) * math.sqrt(math.pi) / float(gamma(0.5 * (1.0 + order))), rel=1e-12
    )


def test_discounted_band_and_values_at_five_percent() -> None:
    best = discounted.band(0.0, 1.0, ROOT_2, 0.05, 0.05, 0.05)
    assert (best.leave, best.enter) == pytest.approx((-0.542732818, 0.542732818), abs=5e-10)
    assert best.stopped_value(0.0) == pytest.approx(6.73548186, abs=5e-9)
    assert best.running_value(0.0) == pytest.approx(6.73548186, abs=5e-9)


@pytest.mark.parametrize("theta", [0.0, 0.5, -1.5])
@pytest.mark.parametrize("cost", [0.001, 0.1, 2.0])
def test_the_discounted_band_becomes_the_ergodic_one_as_discounting_ends(theta: float, cost: float) -> None:
    """With it the value of a discounted unit of time, r V, becomes the long-run rate."""
    wanted = ergodic.band(theta, 1.0, ROOT_2, cost)
    last = math.inf
    for discount in (1e-2, 1e-4, 1e-6):
        best = discounted.band(theta, 1.0, ROOT_2, discount, 0.3 * cost, 0.7 * cost)
        off = abs(best.leave - wanted.leave) + abs(best.enter - wanted.enter)
        assert off < last
        assert off < 3.0 * discount
        assert discount * best.stopped_value(wanted.leave) == pytest.approx(wanted.rate, abs=20.0 * discount)
        last = off


@pytest.mark.parametrize("cost", [0.05, 0.5])
def test_the_discounted_band_becomes_the_one_without_mean_reversion_as_kappa_vanishes(cost: float) -> None:
    wanted = brownian.half_band(1.0, 0.05, cost)
    offs = []
    for kappa in (1e-1, 1e-2, 1e-3):
        best = discounted.band(0.0, kappa, 1.0, 0.05, cost, cost)
        assert best.leave == pytest.approx(-best.enter, rel=1e-6)
        offs.append(abs(best.enter / wanted - 1.0))
    assert offs == sorted(offs, reverse=True)
    assert offs[-1] < 1e-3


@settings(deadline=None, max_examples=25)
@given(st.floats(-2.0, 2.0), st.floats(-5.0, 0.0), st.floats(-4.0, 0.3), st.floats(0.0, 1.0))
def test_both_values_meet_and_are_pasted_smoothly_at_the_levels(
    theta: float, order: float, cost: float, share: float
) -> None:
    discount, whole = 10.0**order, 10.0**cost
    enter_cost, leave_cost = share * whole, (1.0 - share) * whole
    best = discounted.band(theta, 1.0, ROOT_2, discount, enter_cost, leave_cost)
    assert best.leave < best.enter

    def gain(x: float) -> float:
        return best.running_value(x) - best.stopped_value(x)

    digits = 1e-9 * abs(best.running_value(best.enter))  # the difference of two values of this size
    assert gain(best.enter) == pytest.approx(enter_cost, abs=1e-6 * whole + digits)
    assert gain(best.leave) == pytest.approx(-leave_cost, abs=1e-6 * whole + digits)
    middle = gain(0.5 * (best.leave + best.enter))
    assert -leave_cost - digits < middle < enter_cost + digits
    turned = discounted.band(-theta, 1.0, ROOT_2, discount, leave_cost, enter_cost)
    assert (turned.leave, turned.enter) == pytest.approx((-best.enter, -best.leave), rel=1e-5, abs=1e-7)


def test_a_discounted_problem_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        discounted.band(0.0, 1.0, 1.0, 0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="must be above 0"):
        discounted.band(0.0, 1.0, 1.0, 0.1, 0.0, 0.0)
    with pytest.raises(NoFitError, match="no mean reversion to see"):
        discounted.band(0.0, 1e-4, 1.0, 0.1, 1.0, 1.0)


def test_band_without_mean_reversion() -> None:
    assert brownian.half_band(1.0, 0.05, 0.05) == pytest.approx(0.422719, abs=5e-7)
    assert brownian.half_band(1.0, 0.05, 0.0) == 0.0
    with pytest.raises(ValueError, match="waiting for ever costs nothing"):
        brownian.half_band(1.0, 0.0, 0.05)


@settings(deadline=None)
@given(
    st.floats(-3.0, 3.0).map(lambda power: 10.0**power),
    st.floats(-9.0, 1.0).map(lambda power: 10.0**power),
    st.floats(-6.0, 6.0).map(lambda power: 10.0**power),
)
def test_a_band_without_mean_reversion_meets_its_equation_and_lies_above_the_cube_root(
    sigma: float, discount: float, cost: float
) -> None:
    half = brownian.half_band(sigma, discount, cost)
    growth = math.sqrt(2.0 * discount) / sigma
    if growth * half > 0.1:
        assert half / discount - math.tanh(growth * half) / (discount * growth) == pytest.approx(cost, rel=1e-9)
    assert half >= brownian.cube_root_half_band(sigma, 2.0 * cost) * (1.0 - 1e-12)
    assert half <= brownian.cube_root_half_band(sigma, 2.0 * cost) * (1.0 + (growth * half) ** 2)


@pytest.mark.parametrize("x", [0.1, 0.0999999, 0.05])
def test_the_series_of_the_small_band_meets_the_closed_form(x: float) -> None:
    assert brownian._excess(x) == pytest.approx(x - math.tanh(x), rel=1e-11)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 288.0])
@pytest.mark.parametrize("cost", [1e-6, 1.0, 600.0])
def test_the_cube_root_law(sigma: float, cost: float) -> None:
    half = brownian.cube_root_half_band(sigma, cost)
    assert half**3 == pytest.approx(0.75 * sigma * sigma * cost, rel=1e-12)
    assert brownian.cube_root_half_band(sigma, 0.0) == 0.0


@settings(deadline=None)
@given(st.floats(-1e3, 0.0), st.floats(0.0, 1e3), st.floats(1e-3, 1e3), st.floats(0.0, 100.0))
def test_seen_in_steps_a_band_moves_inward_and_keeps_its_order(
    leave: float, enter: float, sigma: float, step: float
) -> None:
    low, high = brownian.sampled(leave, enter, sigma, step)
    assert leave <= low <= high <= enter
    assert high - low >= 0.5 * (enter - leave) - 1e-12 * (enter - leave)
    assert low - leave <= 0.5826 * sigma * math.sqrt(step) + 1e-9


def test_a_band_upside_down_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves below where it enters"):
        brownian.sampled(1.0, -1.0, 1.0, 0.25)


def test_published_levels_of_buying_and_selling_a_pair_of_funds() -> None:
    sell, buy = stopping.exit_level(*GLD_GDX), stopping.entry_level(*GLD_GDX)
    assert sell == pytest.approx(0.74436, abs=5e-6)
    assert buy == pytest.approx(0.65105, abs=5e-6)
    assert (round(sell, 4), round(buy, 3)) == (0.7444, 0.651)


@given(st.floats(0.001, 0.05), st.floats(0.01, 0.5))
@settings(deadline=None, max_examples=20)
def test_who_buys_and_sells_once_buys_below_where_they_sell(cost: float, discount: float) -> None:
    theta, kappa, sigma = GLD_GDX[:3]
    sell = stopping.exit_level(theta, kappa, sigma, discount, cost)
    assert stopping.entry_level(theta, kappa, sigma, discount, cost) < sell - 2.0 * cost
    assert sell > cost
    with pytest.raises(ValueError, match="must be above 0"):
        stopping.exit_level(theta, kappa, sigma, 0.0, cost)


def test_trigger_prices_of_dixits_example() -> None:
    assert levels.trigger_prices(0.025, 0.0, 0.1, 1.0, 4.0, 0.0) == pytest.approx((1.466679, 0.765732), abs=5e-7)


@settings(deadline=None)
@given(st.floats(0.01, 0.3), st.floats(-0.2, 0.8), st.floats(0.03, 0.6), st.floats(0.01, 30.0), st.floats(0.0, 5.0))
def test_prices_to_invest_and_to_give_up_enclose_the_running_cost_and_scale_with_it(
    rho: float, drift: float, sigma: float, enter_cost: float, leave_cost: float
) -> None:
    mu = drift * rho if drift > 0.0 else 0.0
    high, low = levels.trigger_prices(rho, mu, sigma, 1.0, enter_cost, leave_cost)
    assert 0.0 <= low < high
    if mu == 0.0:
        assert low <= max(0.0, 1.0 - rho * leave_cost) + 1e-9
        assert high > 1.0 + rho * enter_cost - 1e-9
    scaled = levels.trigger_prices(rho, mu, sigma, 7.0, 7.0 * enter_cost, 7.0 * leave_cost)
    assert scaled == pytest.approx((7.0 * high, 7.0 * low), rel=1e-6)


def test_more_uncertainty_waits_longer_both_ways() -> None:
    highs, lows = zip(
        *(levels.trigger_prices(0.05, 0.0, sigma, 1.0, 4.0, 1.0) for sigma in (0.05, 0.2, 0.4)), strict=True
    )
    assert list(highs) == sorted(highs)
    assert list(lows) == sorted(lows, reverse=True)


def test_who_would_pay_as_much_to_leave_as_to_run_for_ever_never_leaves() -> None:
    high, low = levels.trigger_prices(0.1, 0.0, 0.2, 1.0, 2.0, 10.0)
    assert low == 0.0
    assert high > levels.trigger_prices(0.1, 0.0, 0.2, 1.0, 2.0, 9.0)[0]


@pytest.mark.parametrize(
    ("rho", "mu", "cost"), [(0.0, 0.0, 1.0), (0.02, 0.03, 1.0), (0.05, 0.0, 0.0)], ids=["no rho", "mu above", "free"]
)
def test_a_level_problem_that_is_none_is_refused(rho: float, mu: float, cost: float) -> None:
    with pytest.raises(ValueError, match="must exceed 0"):
        levels.trigger_prices(rho, mu, 0.1, 1.0, cost, 0.0)


def five_states(cost: float) -> chain.Chain:
    """X of -2 to 2; a quarter up, a quarter down, an end keeps what would leave it; discount .95 a step."""
    margins = np.arange(-2.0, 3.0)
    transitions = 0.5 * np.eye(5)
    for state in range(5):
        transitions[state, min(state + 1, 4)] += 0.25
        transitions[state, max(state - 1, 0)] += 0.25
    rewards = np.array([np.zeros(5), margins])
    return chain.solve(rewards, transitions, np.array([[0.0, cost], [cost, 0.0]]), 0.95)


def test_five_states_with_a_cost_of_one_each_way() -> None:
    best = five_states(1.0)
    assert best.value[0] == pytest.approx([5.505053, 6.664012, 9.225920, 13.730127, 18.124888], abs=5e-7)
    assert best.choice[0].tolist() == [0, 0, 0, 1, 1]  # enter at 1 and 2
    assert best.choice[1].tolist() == [0, 0, 1, 1, 1]  # leave at -2 and -1


def test_free_switching_on_a_chain_follows_the_sign_and_prohibitive_costs_forbid_it() -> None:
    free, dear = five_states(0.0), five_states(1_000.0)
    assert np.allclose(free.value[0], free.value[1])
    assert free.choice[0].tolist()[3:] == [1, 1]
    assert dear.choice.tolist() == [[0] * 5, [1] * 5]
    assert np.all(dear.value[0] == 0.0)


def test_a_chain_that_is_none_is_refused() -> None:
    rewards, costs = np.zeros((2, 2)), np.zeros((2, 2))
    with pytest.raises(ValueError, match="sum to 1"):
        chain.solve(rewards, np.array([[0.5, 0.4], [0.0, 1.0]]), costs, 0.9)
    with pytest.raises(ValueError, match="fit no chain"):
        chain.solve(rewards, np.eye(3), costs, 0.9)
    with pytest.raises(NoFitError, match="values still move"):
        chain.solve(np.ones((2, 2)), np.eye(2), costs, 1.0 - 1e-9, steps=50)


def test_a_band_on_a_fine_chain_is_the_discounted_one() -> None:
    """An Ornstein-Uhlenbeck margin cut into states and steps, solved by value iteration, against the formulas."""
    kappa, sigma, discount, cost, dx = 1.0, ROOT_2, 0.5, 0.25, 0.05
    margins = np.arange(-80, 81) * dx
    step = 0.9 * dx * dx / (sigma * sigma)
    up = 0.5 * (sigma * sigma * step / dx**2 - kappa * margins * step / dx)
    down = 0.5 * (sigma * sigma * step / dx**2 + kappa * margins * step / dx)
    up[-1] = down[0] = 0.0
    transitions = np.diag(1.0 - up - down) + np.diag(up[:-1], 1) + np.diag(down[1:], -1)
    rewards = np.array([np.zeros_like(margins), margins * step])
    best = chain.solve(rewards, transitions, np.array([[0.0, cost], [cost, 0.0]]), math.exp(-discount * step), 1e-7)
    entered = margins[best.choice[0] == 1].min()
    left = margins[best.choice[1] == 0].max()
    wanted = discounted.band(0.0, kappa, sigma, discount, cost, cost)
    assert entered == pytest.approx(wanted.enter, abs=1.5 * dx)
    assert left == pytest.approx(wanted.leave, abs=1.5 * dx)
