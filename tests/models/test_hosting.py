"""GPU clouds and leases against published contracts, against exact arithmetic, and their rules as properties."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import hosting, mining

UNDERFLOW = Fraction(1, 10**300)  # below the smallest normal float nothing has 15 digits

rates = st.floats(0.001, 500.0)
fractions_of_one = st.floats(0.0, 1.0)
draws = st.floats(0.05, 10.0)
pues = st.floats(1.0, 3.0)
power_prices = st.floats(-50_000.0, 50_000.0)
opexes = st.floats(0.0, 100.0)
rents = st.floats(1.0, 10_000.0)
flags = st.integers(0, 1)


def test_worked_example_of_an_h100_cloud_at_nameplate_draw() -> None:
    draw = hosting.pool_draw_kw_per_gpu(1.40, 1.0, 0.80)
    revenue = hosting.pool_revenue_usd_per_mwh(2.35, 0.80, draw, 1.25)
    opex = 0.30 * hosting.gpus_per_mw(draw, 1.25)
    assert draw == 1.40
    assert hosting.gpus_per_mw(draw, 1.25) == pytest.approx(571.43, abs=0.005)
    assert revenue == pytest.approx(1_074.286, abs=0.0005)
    assert opex == pytest.approx(171.43, abs=0.005)
    assert hosting.pool_margin_usd_per_mwh(2.35, 0.80, draw, 1.25, 45.0, 0.30) == pytest.approx(857.857, abs=0.0005)


def test_an_h100_cloud_has_13_times_the_revenue_and_28_times_the_margin_of_the_best_machine() -> None:
    cloud_revenue = hosting.pool_revenue_usd_per_mwh(2.35, 0.80, 1.40, 1.25)
    cloud_margin = hosting.pool_margin_usd_per_mwh(2.35, 0.80, 1.40, 1.25, 45.0, 0.30)
    assert cloud_revenue / mining.revenue_usd_per_mwh(28.0253, 13.5, 1.05, 0.0) == pytest.approx(13.0, abs=0.5)
    assert cloud_margin / mining.margin_usd_per_mwh(28.0253, 13.5, 1.05, 0.006, 45.0, 6.0) == pytest.approx(
        28.0, abs=0.5
    )


def test_worked_example_of_a_triple_net_lease() -> None:
    assert hosting.lease_usd_per_mwh(154.1667, 1, 1.25) == pytest.approx(168.95, abs=0.005)
    assert hosting.lease_margin_usd_per_mwh(154.1667, 1, 0.85, 1.25, 0, 45.0) == pytest.approx(143.607, abs=0.0005)


@pytest.mark.parametrize(
    ("total_usd", "mw", "years", "usd_per_kw_month", "tolerance"),
    [
        pytest.param(3.7e9, 200.0, 10.0, 154.1667, 0.00005, id="TeraWulf, 200 MW IT"),
        pytest.param(3.5e9, 200.0, 12.0, 121.5, 0.05, id="Core Scientific, 200 MW IT"),
        pytest.param(3.0e9, 168.0, 10.0, 148.8, 0.05, id="Cipher, 168 MW IT"),
        pytest.param(0.83e9, 39.0, 10.0, 177.4, 0.06, id="Cipher, 39 MW IT"),
        pytest.param(5.5e9, 300.0, 15.0, 101.9, 0.06, id="Cipher, 300 MW gross"),
        pytest.param(9.5e9, 168.0, 25.0, 188.5, 0.05, id="TeraWulf, Abernathy"),
    ],
)
def test_rent_of_contracts_published_as_a_total(
    total_usd: float, mw: float, years: float, usd_per_kw_month: float, tolerance: float
) -> None:
    rent = hosting.lease_usd_per_kw_month(total_usd, mw, years)
    assert rent == pytest.approx(usd_per_kw_month, abs=tolerance)
    hours = years * 8_760.0
    assert hosting.lease_usd_per_mwh_it(rent) == pytest.approx(total_usd / (mw * hours), rel=1e-12)


def test_noi_of_a_lease_of_370_million_is_the_published_315() -> None:
    assert hosting.lease_noi_usd(370e6, 0.85) == pytest.approx(314.5e6, rel=1e-12)
    assert round(hosting.lease_noi_usd(370e6, 0.85) / 1e6) in (314, 315)


def test_a_cloud_contract_of_76_000_gpus_implies_its_rate_and_draw() -> None:
    assert pytest.approx(2.914, abs=0.0005) == 9.7e9 / (76_000 * 5 * 8_760)
    all_in_kw = 200_000.0 / 76_000.0
    assert all_in_kw == pytest.approx(2.63, abs=0.005)
    assert 200.0 * 1.25 * hosting.gpus_per_mw(all_in_kw, 1.25) == pytest.approx(76_000.0, rel=1e-12)


def test_teraflops_of_a_metered_mw_beside_its_terahashes() -> None:
    assert hosting.tflops_per_mw(989.0, 1.40, 1.25) == pytest.approx(565_143.0, abs=0.5)
    assert mining.th_per_mw(13.5, 1.05) == pytest.approx(70_547.0, abs=0.5)


@pytest.mark.parametrize(
    ("model", "rate", "bf16_tflops", "usd_per_pflops_hour"),
    [
        ("A100-SXM", 1.56, 312.0, 5.0),
        ("H100-SXM", 2.35, 989.0, 2.376137512639),
        ("B200", 4.50, 2_250.0, 2.0),
        ("GB300-NVL72", 2.914, 2_500.0, 1.1656),
        ("MI300X", 1.307, 1_307.0, 1.0),
    ],
)
def test_rates_of_different_gpus_compared_by_computing_power(
    model: str, rate: float, bf16_tflops: float, usd_per_pflops_hour: float
) -> None:
    assert hosting.usd_per_pflops_hour(rate, bf16_tflops) == pytest.approx(usd_per_pflops_hour, rel=1e-12), model


@pytest.mark.parametrize(
    ("model", "bf16_tflops", "kw_per_gpu", "tflops_per_mw"),
    [
        ("A100 SXM", 312.0, 0.81, 308_148.0),
        ("H100 SXM", 989.0, 1.40, 565_143.0),
        ("H200", 989.0, 1.40, 565_143.0),
        ("B200", 2_250.0, 1.95, 923_077.0),
        ("GB200 NVL72", 2_500.0, 1.67, 1_197_605.0),
        ("GB300 NVL72", 2_500.0, 1.9, 1_052_632.0),
        ("MI300X", 1_307.0, 1.3, 804_308.0),
    ],
)
def test_computing_power_of_a_metered_mw_of_each_gpu_at_pue_1_25(
    model: str, bf16_tflops: float, kw_per_gpu: float, tflops_per_mw: float
) -> None:
    assert hosting.tflops_per_mw(bf16_tflops, kw_per_gpu, 1.25) == pytest.approx(tflops_per_mw, abs=0.5), model


def test_an_h100_pool_whose_opex_can_be_avoided_ties_with_17_5_joules_near_a_fifth_of_utilisation() -> None:
    """Power cancels; at nameplate draw 2.35 u 571.43 - 171.43 = 57.18 gives u = .170."""
    hashing = mining.breakeven_power_usd_per_mwh(28.03, 17.5, 1.05, 0.006, 6.0)
    used = (hashing * 1.40 * 1.25 / 1_000.0 + 0.30) / 2.35
    assert used == pytest.approx(0.170, abs=0.0005)
    assert hosting.pool_margin_usd_per_mwh(2.35, used, 1.40, 1.25, 0.0, 0.30) == pytest.approx(hashing, abs=1e-9)
    assert hosting.pool_margin_usd_per_mwh(2.35, 0.9 * used, 1.40, 1.25, 0.0, 0.30) < hashing - 20.0
    assert hosting.pool_margin_usd_per_mwh(2.35, 1.1 * used, 1.40, 1.25, 0.0, 0.30) > hashing + 20.0


@settings(deadline=None)
@given(draws, fractions_of_one, fractions_of_one)
def test_a_pool_draws_between_its_idle_power_and_its_nameplate(kw: float, idle: float, used: float) -> None:
    draw = hosting.pool_draw_kw_per_gpu(kw, idle, used)
    assert kw * idle * (1.0 - 1e-15) <= draw <= kw * (1.0 + 1e-15)
    assert hosting.pool_draw_kw_per_gpu(kw, idle, 1.0) == pytest.approx(kw, rel=1e-15)
    assert hosting.pool_draw_kw_per_gpu(kw, idle, 0.0) == kw * idle


@settings(deadline=None)
@given(draws, fractions_of_one, st.tuples(fractions_of_one, fractions_of_one))
def test_a_pool_rented_out_more_draws_no_less(kw: float, idle: float, used: tuple[float, float]) -> None:
    less, more = sorted(used)
    assert hosting.pool_draw_kw_per_gpu(kw, idle, less) <= hosting.pool_draw_kw_per_gpu(kw, idle, more) * (1.0 + 1e-15)


def test_draw_of_an_h100_at_the_default_idle_fraction() -> None:
    assert hosting.pool_draw_kw_per_gpu(1.40, 0.35, 0.80) == pytest.approx(1.40 * 0.87, rel=1e-15)
    assert hosting.pool_draw_kw_per_gpu(1.40, 0.35, 0.0) == pytest.approx(0.49, rel=1e-15)


def exact_pool_margin(rate: float, used: float, draw: float, pue: float, power: float, opex: float) -> Fraction:
    """The definition in rational numbers."""
    gpus = 1_000 / (Fraction(draw) * Fraction(pue))
    return (Fraction(rate) * Fraction(used) - Fraction(opex)) * gpus - Fraction(power)


@settings(deadline=None)
@given(rates, fractions_of_one, draws, pues, power_prices, opexes)
def test_pool_margin_equals_exact_arithmetic(
    rate: float, used: float, draw: float, pue: float, power: float, opex: float
) -> None:
    exact = exact_pool_margin(rate, used, draw, pue, power, opex)
    gpus = 1_000 / (Fraction(draw) * Fraction(pue))
    size = (Fraction(rate) * Fraction(used) + Fraction(opex)) * gpus + abs(Fraction(power))
    computed = Fraction(hosting.pool_margin_usd_per_mwh(rate, used, draw, pue, power, opex))
    assert abs(computed - exact) <= size * Fraction(4, 10**15) + UNDERFLOW


@settings(deadline=None)
@given(rents, flags, fractions_of_one, pues, flags, power_prices)
def test_lease_margin_equals_exact_arithmetic(
    rent: float, is_it: int, margin: float, pue: float, gross: int, power: float
) -> None:
    per_hour = Fraction(rent) * 12_000 / 8_760
    at_meter = per_hour / Fraction(pue) if is_it else per_hour
    exact = Fraction(margin) * at_meter - (Fraction(power) if gross else 0)
    computed = Fraction(hosting.lease_margin_usd_per_mwh(rent, is_it, margin, pue, gross, power))
    assert abs(computed - exact) <= (at_meter + abs(Fraction(power))) * Fraction(2, 10**15) + UNDERFLOW


@settings(deadline=None)
@given(rates, fractions_of_one, fractions_of_one, draws, pues, power_prices, opexes)
def test_compiled_pool_functions_equal_the_uncompiled_to_the_bit(
    rate: float, used: float, idle: float, kw: float, pue: float, power: float, opex: float
) -> None:
    draw, margin, gpus = hosting.pool_draw_kw_per_gpu, hosting.pool_margin_usd_per_mwh, hosting.gpus_per_mw
    assert draw(kw, idle, used).hex() == draw.py_func(kw, idle, used).hex()
    assert gpus(kw, pue).hex() == gpus.py_func(kw, pue).hex()
    compiled = margin(rate, used, kw, pue, power, opex)
    assert compiled.hex() == margin.py_func(rate, used, kw, pue, power, opex).hex()


@settings(deadline=None)
@given(rents, flags, fractions_of_one, pues, flags, power_prices)
def test_compiled_lease_functions_equal_the_uncompiled_to_the_bit(
    rent: float, is_it: int, margin: float, pue: float, gross: int, power: float
) -> None:
    lease, net = hosting.lease_usd_per_mwh, hosting.lease_margin_usd_per_mwh
    assert lease(rent, is_it, pue).hex() == lease.py_func(rent, is_it, pue).hex()
    compiled = net(rent, is_it, margin, pue, gross, power)
    assert compiled.hex() == net.py_func(rent, is_it, margin, pue, gross, power).hex()


@settings(deadline=None)
@given(st.floats(0.01, 1.0), draws, pues, st.floats(-1_000.0, 10_000.0), opexes)
def test_pool_margin_is_zero_at_the_breakeven_rate(
    used: float, draw: float, pue: float, power: float, opex: float
) -> None:
    rate = hosting.breakeven_usd_per_gpu_hour(used, draw, pue, power, opex)
    margin = hosting.pool_margin_usd_per_mwh(rate, used, draw, pue, power, opex)
    size = abs(power) + opex * hosting.gpus_per_mw(draw, pue)
    assert abs(margin) <= 1e-12 * max(size, 1.0)


@settings(deadline=None)
@given(rates, st.tuples(fractions_of_one, fractions_of_one), draws, pues, power_prices, opexes)
def test_at_nameplate_draw_a_pool_rented_out_more_earns_no_less(
    rate: float, used: tuple[float, float], draw: float, pue: float, power: float, opex: float
) -> None:
    less, more = sorted(used)
    margins = [hosting.pool_margin_usd_per_mwh(rate, share, draw, pue, power, opex) for share in (less, more)]
    assert margins[0] <= margins[1]


def test_power_cancels_between_hashing_and_ai_on_one_meter() -> None:
    """What decides hash against AI is hashprice, GPU rate and utilisation; power decides on against off."""
    gains = [
        hosting.pool_margin_usd_per_mwh(2.35, 0.2, 0.7, 1.25, power, 0.30)
        - mining.margin_usd_per_mwh(28.03, 17.5, 1.05, 0.006, power, 6.0)
        for power in (-30.0, 0.0, 45.0, 4_857.82)
    ]
    assert gains == pytest.approx([gains[0]] * 4, abs=1e-9)


@settings(deadline=None)
@given(rents, fractions_of_one, pues, power_prices)
def test_a_triple_net_lease_does_not_see_the_power_price_and_a_gross_one_sees_all_of_it(
    rent: float, margin: float, pue: float, power: float
) -> None:
    net = hosting.lease_margin_usd_per_mwh(rent, 1, margin, pue, 0, power)
    assert net == hosting.lease_margin_usd_per_mwh(rent, 1, margin, pue, 0, 0.0)
    assert hosting.lease_margin_usd_per_mwh(rent, 1, margin, pue, 1, power) == net - power


@settings(deadline=None)
@given(rents, pues)
def test_rent_on_gross_mw_is_already_at_the_meter(rent: float, pue: float) -> None:
    assert hosting.lease_usd_per_mwh(rent, 0, pue) == hosting.lease_usd_per_mwh_it(rent)
    assert hosting.lease_usd_per_mwh(rent, 1, pue) * pue == pytest.approx(hosting.lease_usd_per_mwh_it(rent), rel=1e-14)


@given(st.floats(1e6, 1e11), st.sampled_from([0.01, 0.02, 0.03, 0.05, 0.10]), st.integers(1, 30))
def test_first_year_rent_equals_its_closed_form_and_the_years_sum_to_the_total(
    total: float, escalator: float, years: int
) -> None:
    first = hosting.first_year_rent_usd(total, escalator, years)
    growth = Fraction(escalator)
    closed = Fraction(total) * growth / ((1 + growth) ** years - 1)
    assert first == pytest.approx(float(closed), rel=1e-13)
    all_years = sum(Fraction(first) * (1 + growth) ** year for year in range(years))
    assert float(all_years) == pytest.approx(total, rel=1e-13)


def test_first_year_rent_of_a_ten_year_lease_with_3_percent_escalator() -> None:
    assert hosting.first_year_rent_usd(3.7e9, 0.03, 10) == pytest.approx(322.753e6, rel=1e-5)
    assert hosting.first_year_rent_usd(3.7e9, 0.0, 10) == pytest.approx(370e6, rel=1e-15)


def test_a_lease_without_years_is_refused() -> None:
    with pytest.raises(ValueError, match="a lease of 0 years"):
        hosting.first_year_rent_usd(1e9, 0.03, 0)
