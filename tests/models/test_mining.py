"""Hashing margins against published breakevens, against exact arithmetic, and their rules as properties."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import hashprice, mining

hashprices = st.floats(1.0, 100_000.0)
efficiencies = st.floats(5.0, 200.0)
pues = st.floats(1.0, 3.0)
pool_fees = st.floats(0.0, 0.5)
power_prices = st.floats(-50_000.0, 50_000.0)
positive_prices = st.floats(0.5, 1_000.0)
opexes = st.floats(0.0, 1_000.0)


def exact_margin(price: float, eps: float, pue: float, fee: float, power: float, opex: float) -> Fraction:
    """The definition in rational numbers: kWh of a PH/s-day by counting, not by the constant 0.024."""
    mwh = Fraction(eps) * Fraction(pue) * 24 / 1_000
    return Fraction(price) * (1 - Fraction(fee)) / mwh - Fraction(power) - Fraction(opex)


@pytest.mark.parametrize(
    ("model", "th_per_s", "watts", "gross", "net"),
    [
        ("S21", 200.0, 3_500.0, 66.74, 57.18),
        ("S21 XP", 270.0, 3_645.0, 86.51, 75.90),
        ("M60S", 186.0, 3_441.0, 63.13, 53.76),
        ("S21 XP Hyd", 473.0, 5_676.0, 97.33, 86.14),
    ],
)
def test_breakeven_power_of_known_machines_at_a_hashprice_of_28_03(
    model: str, th_per_s: float, watts: float, gross: float, net: float
) -> None:
    eps = watts / th_per_s
    assert mining.breakeven_power_usd_per_mwh(28.03, eps, 1.0, 0.0, 0.0) == pytest.approx(gross, abs=0.005), model
    assert mining.breakeven_power_usd_per_mwh(28.03, eps, 1.05, 0.006, 6.0) == pytest.approx(net, abs=0.005), model


@pytest.mark.parametrize(
    ("th_per_s", "watts", "joules_per_th"),
    [
        pytest.param(140.0, 3_010.0, 21.5, id="S19 XP"),
        pytest.param(234.0, 3_510.0, 15.0, id="S21 Pro"),
        pytest.param(318.0, 3_498.0, 11.0, id="S23"),
        pytest.param(298.0, 5_513.0, 18.5, id="M66S"),
        pytest.param(226.0, 3_730.0, 16.504, id="SealMiner A2"),
    ],
)
def test_a_machine_earns_the_same_per_mwh_as_its_hashrate_at_the_hashprice(
    th_per_s: float, watts: float, joules_per_th: float
) -> None:
    earned_usd_per_day = hashprice.per_th(28.03) * th_per_s
    used_mwh_per_day = watts * 24.0 / 1e6
    revenue = mining.revenue_usd_per_mwh(28.03, joules_per_th, 1.0, 0.0)
    assert revenue == pytest.approx(earned_usd_per_day / used_mwh_per_day, rel=1e-4)


@pytest.mark.parametrize(
    ("joules_per_th", "published", "computed"), [(17.0, 97, 96.89), (22.0, 75, 74.87), (32.0, 51, 51.47)]
)
def test_published_tiers_at_a_hashprice_of_39_53(joules_per_th: float, published: int, computed: float) -> None:
    revenue = mining.revenue_usd_per_mwh(39.53, joules_per_th, 1.0, 0.0)
    assert revenue == pytest.approx(computed, abs=0.005)
    assert round(revenue) == published


def test_worked_example_of_an_s21_xp_at_45_usd_per_mwh() -> None:
    price = hashprice.usd_per_ph_day(146.6833e12, 3.125, hashprice.fees_of_share(3.125, 0.006), 65_000.0)
    gross = mining.revenue_usd_per_mwh(price, 13.5, 1.05, 0.0)
    net = mining.revenue_usd_per_mwh(price, 13.5, 1.05, 0.006)
    assert price == pytest.approx(28.0253, abs=0.00005)
    assert mining.th_per_mw(13.5, 1.05) == pytest.approx(70_546.7, abs=0.05)
    assert gross == pytest.approx(82.379, abs=0.0005)
    assert gross - net == pytest.approx(0.494, abs=0.0005)
    assert mining.margin_usd_per_mwh(price, 13.5, 1.05, 0.006, 45.0, 6.0) == pytest.approx(30.885, abs=0.0005)
    assert mining.breakeven_power_usd_per_mwh(price, 13.5, 1.05, 0.006, 6.0) == pytest.approx(75.885, abs=0.0005)


def test_an_idealised_machine_computed_by_hand() -> None:
    """25 J/TH at PUE 2 takes 1.2 MWh for a PH/s-day; 60 USD for it is 50 USD/MWh, of which a tenth is the pool's."""
    assert mining.mwh_per_ph_day(25.0, 2.0) == pytest.approx(1.2, rel=1e-15)
    assert mining.margin_usd_per_mwh(60.0, 25.0, 2.0, 0.1, 30.0, 5.0) == pytest.approx(10.0, rel=1e-14)


@settings(deadline=None)
@given(hashprices, efficiencies, pues, pool_fees, power_prices, opexes)
def test_margin_equals_exact_arithmetic(
    price: float, eps: float, pue: float, fee: float, power: float, opex: float
) -> None:
    exact = exact_margin(price, eps, pue, fee, power, opex)
    size = max(abs(exact_margin(price, eps, pue, fee, 0.0, 0.0)), abs(Fraction(power)), Fraction(opex))
    computed = Fraction(mining.margin_usd_per_mwh(price, eps, pue, fee, power, opex))
    assert abs(computed - exact) <= size * Fraction(4, 10**15)


@settings(deadline=None)
@given(hashprices, efficiencies, pues, pool_fees, power_prices, opexes)
def test_compiled_margin_equals_the_uncompiled_to_the_bit(
    price: float, eps: float, pue: float, fee: float, power: float, opex: float
) -> None:
    margin = mining.margin_usd_per_mwh
    assert margin(price, eps, pue, fee, power, opex).hex() == margin.py_func(price, eps, pue, fee, power, opex).hex()
    revenue = mining.revenue_usd_per_mwh
    assert revenue(price, eps, pue, fee).hex() == revenue.py_func(price, eps, pue, fee).hex()
    energy = mining.mwh_per_ph_day
    assert energy(eps, pue).hex() == energy.py_func(eps, pue).hex()


@settings(deadline=None)
@given(hashprices, efficiencies, pues, pool_fees, opexes)
def test_margin_is_zero_at_the_breakeven_power_price(
    price: float, eps: float, pue: float, fee: float, opex: float
) -> None:
    power = mining.breakeven_power_usd_per_mwh(price, eps, pue, fee, opex)
    margin = mining.margin_usd_per_mwh(price, eps, pue, fee, power, opex)
    assert abs(margin) <= 1e-12 * max(abs(power), opex, 1.0)


@settings(deadline=None)
@given(efficiencies, pues, pool_fees, positive_prices, opexes)
def test_margin_is_zero_at_the_breakeven_hashprice(
    eps: float, pue: float, fee: float, power: float, opex: float
) -> None:
    price = mining.breakeven_hashprice_usd_per_ph_day(eps, pue, fee, power, opex)
    assert abs(mining.margin_usd_per_mwh(price, eps, pue, fee, power, opex)) <= 1e-12 * (power + opex)


@settings(deadline=None)
@given(hashprices, pues, pool_fees, positive_prices, opexes)
def test_margin_is_zero_at_the_breakeven_efficiency(
    price: float, pue: float, fee: float, power: float, opex: float
) -> None:
    eps = mining.breakeven_joules_per_th(price, pue, fee, power, opex)
    assert abs(mining.margin_usd_per_mwh(price, eps, pue, fee, power, opex)) <= 1e-12 * (power + opex)


@settings(deadline=None)
@given(hashprices, st.lists(efficiencies, min_size=2, max_size=8, unique=True), pues, pool_fees, power_prices, opexes)
def test_the_least_efficient_tier_has_the_lowest_margin_at_any_power_price(
    price: float, tiers: list[float], pue: float, fee: float, power: float, opex: float
) -> None:
    margins = [mining.margin_usd_per_mwh(price, eps, pue, fee, power, opex) for eps in sorted(tiers)]
    assert margins == sorted(margins, reverse=True)


@settings(deadline=None)
@given(hashprices, efficiencies, pues, pool_fees, power_prices, st.floats(0.0, 1_000.0), opexes)
def test_a_dollar_on_the_power_price_takes_a_dollar_off_the_margin(
    price: float, eps: float, pue: float, fee: float, power: float, rise: float, opex: float
) -> None:
    before = mining.margin_usd_per_mwh(price, eps, pue, fee, power, opex)
    after = mining.margin_usd_per_mwh(price, eps, pue, fee, power + rise, opex)
    assert before - after == pytest.approx(rise, abs=1e-8)


def test_negative_and_extreme_power_prices_are_taken_as_they_are() -> None:
    at_minus_30 = mining.margin_usd_per_mwh(28.03, 17.5, 1.05, 0.006, -30.0, 6.0)
    at_9_000 = mining.margin_usd_per_mwh(28.03, 17.5, 1.05, 0.006, 9_000.0, 6.0)
    assert at_minus_30 == pytest.approx(57.18 + 30.0, abs=0.005)
    assert at_9_000 == pytest.approx(57.18 - 9_000.0, abs=0.005)


@given(efficiencies, pues)
def test_a_metered_mw_carries_the_hashrate_that_draws_it(eps: float, pue: float) -> None:
    watts_at_the_meter = mining.th_per_mw(eps, pue) * eps * pue
    assert watts_at_the_meter == pytest.approx(1e6, rel=1e-14)


@settings(deadline=None)
@given(st.floats(1.0, 1e18), efficiencies, pues, st.floats(0.1, 50.0), st.floats(0.0, 10.0), st.floats(100.0, 1e7))
def test_energy_for_a_bitcoin_times_revenue_per_mwh_is_its_price(
    difficulty: float, eps: float, pue: float, subsidy: float, fee: float, usd_per_btc: float
) -> None:
    price = hashprice.usd_per_ph_day(difficulty, subsidy, fee, usd_per_btc)
    energy = mining.mwh_per_btc(difficulty, eps, pue, subsidy, fee)
    assert energy * mining.revenue_usd_per_mwh(price, eps, pue, 0.0) == pytest.approx(usd_per_btc, rel=1e-12)


def test_energy_for_a_bitcoin_equals_exact_arithmetic() -> None:
    hashes = Fraction(1466833 * 10**8) * 2**32 / (Fraction(25, 8) + Fraction(1, 64))
    joules = hashes / 10**12 * Fraction(27, 2) * Fraction(21, 20)
    computed = mining.mwh_per_btc(146.6833e12, 13.5, 1.05, 3.125, 0.015625)
    assert computed == pytest.approx(float(joules / (36 * 10**8)), rel=1e-14)


@settings(deadline=None)
@given(hashprices, efficiencies, pues, pool_fees, power_prices, opexes)
def test_net_hashprice_is_hashprice_less_fee_and_hashcost(
    price: float, eps: float, pue: float, fee: float, power: float, opex: float
) -> None:
    margin = mining.margin_usd_per_mwh(price, eps, pue, fee, power, opex)
    cost = 0.024 * eps * pue * (power + opex)
    size = max(price, abs(cost))
    assert mining.margin_usd_per_ph_day(margin, eps, pue) == pytest.approx(price * (1.0 - fee) - cost, abs=1e-11 * size)
