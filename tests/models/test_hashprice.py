"""Hashprice against published figures, against exact arithmetic, and its rules as properties."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import hashprice

heights = st.integers(0, 10_000_000)
difficulties = st.floats(1.0, 1e18)
subsidies = st.sampled_from([50.0, 25.0, 12.5, 6.25, 3.125, 1.5625, 0.78125])
fees = st.floats(0.0, 50.0)
prices = st.floats(100.0, 1e7)
shares = st.floats(0.0, 0.99)


def exact_hashprice(difficulty: float, subsidy: float, fee: float, price: float) -> Fraction:
    """The definition in rational numbers: no rounding anywhere."""
    blocks = Fraction(10**15 * 86_400) / (Fraction(difficulty) * 2**32)
    return blocks * (Fraction(subsidy) + Fraction(fee)) * Fraction(price)


@pytest.mark.parametrize(
    ("difficulty", "subsidy", "fee_share", "price", "usd_per_ph_day", "tolerance"),
    [
        pytest.param(14.496442856e12, 6.25, 0.0134, 43_629.0, 383.54, 0.005, id="2021-08-07 computed"),
        pytest.param(14.496442856e12, 6.25, 0.0134, 43_629.0, 383.5, 0.05, id="2021-08-07 published"),
        pytest.param(88.40e12, 3.125, 0.0, 64_000.0, 45.51, 0.005, id="2024-09-25 computed"),
        pytest.param(88.40e12, 3.125, 0.0, 64_000.0, 45.79, 0.4579, id="2024-09-25 published, price near 64,000"),
        pytest.param(141.67e12, 3.125, 0.0, 83_625.0, 37.1, 0.05, id="the site that prints 41.6 is wrong"),
        pytest.param(83_126_997_340_024.61, 6.25, 0.136 / 6.386, 69_880.0, 107.99, 0.005, id="2024-03-31 computed"),
        pytest.param(146.6833e12, 3.125, 0.006, 65_000.0, 28.0253, 0.00005, id="worked example"),
    ],
)
def test_hashprice_equals_published_figures(
    difficulty: float, subsidy: float, fee_share: float, price: float, usd_per_ph_day: float, tolerance: float
) -> None:
    fee = hashprice.fees_of_share(subsidy, fee_share)
    assert hashprice.usd_per_ph_day(difficulty, subsidy, fee, price) == pytest.approx(usd_per_ph_day, abs=tolerance)


def test_hashprice_per_th_is_the_published_unit() -> None:
    fee = hashprice.fees_of_share(6.25, 0.0134)
    per_ph = hashprice.usd_per_ph_day(14.496442856e12, 6.25, fee, 43_629.0)
    assert hashprice.per_th(per_ph) == pytest.approx(0.38354, abs=0.000005)


def test_hashprice_takes_the_mean_reward_of_eight_real_blocks() -> None:
    reward = 6.3860
    computed = hashprice.usd_per_ph_day(83_126_997_340_024.61, 6.25, reward - 6.25, 69_880.0)
    assert computed == pytest.approx(107.99, abs=0.005)


def test_bitcoin_hashprice_uses_the_difficulty_the_page_computed_with_not_the_one_it_prints() -> None:
    fee = hashprice.fees_of_share(3.125, 0.0055)
    before_adjustment = hashprice.btc_per_ph_day(148.26e12, 3.125, fee)
    after_adjustment = hashprice.btc_per_ph_day(146.48e12, 3.125, fee)
    assert after_adjustment == pytest.approx(0.00043154, abs=0.000000005)
    assert after_adjustment == pytest.approx(0.00043143, rel=3e-4)
    assert before_adjustment != pytest.approx(0.00043143, rel=3e-4)
    assert hashprice.usd_per_ph_day(146.48e12, 3.125, fee, 91_132.0) == pytest.approx(39.327, abs=0.0005)


@settings(deadline=None)
@given(difficulties, subsidies, fees, prices)
def test_hashprice_equals_exact_arithmetic(difficulty: float, subsidy: float, fee: float, price: float) -> None:
    exact = exact_hashprice(difficulty, subsidy, fee, price)
    assert abs(Fraction(hashprice.usd_per_ph_day(difficulty, subsidy, fee, price)) - exact) <= exact * Fraction(
        1, 10**15
    )


@settings(deadline=None)
@given(difficulties, subsidies, fees, prices)
def test_compiled_hashprice_equals_the_uncompiled_to_the_bit(
    difficulty: float, subsidy: float, fee: float, price: float
) -> None:
    compiled = hashprice.usd_per_ph_day(difficulty, subsidy, fee, price)
    assert compiled.hex() == hashprice.usd_per_ph_day.py_func(difficulty, subsidy, fee, price).hex()
    blocks = hashprice.blocks_per_ph_day(difficulty)
    assert blocks.hex() == hashprice.blocks_per_ph_day.py_func(difficulty).hex()


@settings(deadline=None)
@given(heights)
def test_compiled_subsidy_equals_the_uncompiled_to_the_bit(height: int) -> None:
    assert hashprice.subsidy_btc(height).hex() == hashprice.subsidy_btc.py_func(height).hex()


@settings(deadline=None)
@given(difficulties, subsidies, fees, prices)
def test_hashprice_doubles_with_the_price_and_halves_with_difficulty(
    difficulty: float, subsidy: float, fee: float, price: float
) -> None:
    once = hashprice.usd_per_ph_day(difficulty, subsidy, fee, price)
    assert hashprice.usd_per_ph_day(difficulty, subsidy, fee, 2.0 * price) == 2.0 * once
    assert hashprice.usd_per_ph_day(2.0 * difficulty, subsidy, fee, price) == 0.5 * once


@pytest.mark.parametrize(
    ("height", "btc"),
    [
        (0, 50.0),
        (209_999, 50.0),
        (210_000, 25.0),
        (419_999, 25.0),
        (420_000, 12.5),
        (630_000, 6.25),
        (839_999, 6.25),
        (840_000, 3.125),
        (1_049_999, 3.125),
        (1_050_000, 1.5625),
        (1_889_999, 0.1953125),
        (2_100_000, 0.04882812),
        (6_719_999, 0.00000002),
        (6_720_000, 0.00000001),
        (6_930_000, 0.0),
        (10_000_000, 0.0),
    ],
)
def test_subsidy_halves_every_210_000_blocks_in_whole_satoshi(height: int, btc: float) -> None:
    assert hashprice.subsidy_btc(height) == btc


def test_all_bitcoin_ever_issued_is_just_below_21_million() -> None:
    satoshi = sum(round(hashprice.subsidy_btc(era * 210_000) * 1e8) * 210_000 for era in range(40))
    assert satoshi == 2_099_999_997_690_000


@settings(deadline=None)
@given(heights)
def test_the_next_halving_is_the_first_height_with_half_the_subsidy(height: int) -> None:
    halving = hashprice.next_halving_height(height)
    assert height < halving <= height + 210_000
    assert hashprice.subsidy_btc(halving - 1) == hashprice.subsidy_btc(height)
    satoshi_before = round(hashprice.subsidy_btc(height) * 1e8)
    assert round(hashprice.subsidy_btc(halving) * 1e8) == satoshi_before // 2


@given(subsidies, shares)
def test_fees_of_a_share_give_that_share_back(subsidy: float, share: float) -> None:
    fee = hashprice.fees_of_share(subsidy, share)
    assert hashprice.fee_share(subsidy, fee) == pytest.approx(share, abs=1e-12)
    assert subsidy + fee == pytest.approx(subsidy / (1.0 - share))


@settings(deadline=None)
@given(difficulties, subsidies, fees, prices)
def test_a_halving_scales_hashprice_by_its_factor(difficulty: float, subsidy: float, fee: float, price: float) -> None:
    before = hashprice.usd_per_ph_day(difficulty, subsidy, fee, price)
    after = hashprice.usd_per_ph_day(difficulty, subsidy / 2.0, fee, price)
    assert after == pytest.approx(before * hashprice.halving_factor(subsidy, fee))


def test_the_halving_at_1_050_000_with_fees_of_a_tenth() -> None:
    assert hashprice.halving_factor(3.125, 0.3125) == pytest.approx(1.875 / 3.4375)


@pytest.mark.parametrize(
    ("satoshi", "start", "end", "btc"),
    [
        pytest.param(14_400_000_000, 840_000, 840_143, 1.0, id="144 blocks"),
        pytest.param(14_500_000_000, 840_000, 840_144, 1.0, id="a source that answers 145 for 144"),
        pytest.param(7, 5, 5, 0.00000007, id="one block"),
        pytest.param(0, 0, 143, 0.0, id="no fees"),
    ],
)
def test_mean_fees_are_over_the_blocks_of_the_span_both_ends_included(
    satoshi: int, start: int, end: int, btc: float
) -> None:
    assert hashprice.mean_fees_btc(satoshi, start, end) == pytest.approx(btc, rel=1e-15)


@pytest.mark.parametrize(("start", "end"), [(10, 9), (-1, 5)])
def test_a_span_of_blocks_that_cannot_be_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="a span of blocks needs"):
        hashprice.mean_fees_btc(1, start, end)


def test_network_hashrate_finds_one_block_in_600_seconds() -> None:
    difficulty = 146.6833e12
    blocks_per_day = hashprice.network_hashes_per_s(difficulty) / 1e15 * hashprice.blocks_per_ph_day(difficulty)
    assert blocks_per_day == pytest.approx(144.0, rel=1e-14)
    assert hashprice.network_hashes_per_s(600.0) == 2.0**32


@pytest.mark.parametrize(
    ("first_s", "last_s", "factor"),
    [
        pytest.param(0.0, 1_209_600.0, 1.0, id="two weeks"),
        pytest.param(100.0, 1_209_700.0, 1.0, id="only the span counts"),
        pytest.param(0.0, 1_008_000.0, 1.2, id="blocks of 500 s"),
        pytest.param(0.0, 302_400.0, 4.0, id="at the upper limit"),
        pytest.param(0.0, 302_399.0, 4.0, id="beyond the upper limit"),
        pytest.param(0.0, -5.0, 4.0, id="clocks that ran backwards"),
        pytest.param(0.0, 4_838_400.0, 0.25, id="at the lower limit"),
        pytest.param(0.0, 9_999_999.0, 0.25, id="beyond the lower limit"),
    ],
)
def test_retarget_scales_difficulty_by_the_time_taken_within_a_quarter_and_four(
    first_s: float, last_s: float, factor: float
) -> None:
    assert hashprice.retarget(1e12, first_s, last_s) == pytest.approx(factor * 1e12, rel=1e-15)


def test_difficulty_changes_at_every_2016th_block_only() -> None:
    assert [height for height in range(838_656, 842_689) if hashprice.is_retarget_height(height)] == [
        838_656,
        840_672,
        842_688,
    ]


@given(st.floats(1.0, 1e5), st.floats(0.0, 0.5))
def test_the_pool_takes_its_fee_from_the_hashprice(price: float, fee: float) -> None:
    assert hashprice.net_of_pool(price, 0.0) == price
    assert price - hashprice.net_of_pool(price, fee) == pytest.approx(price * fee, abs=1e-9)
