"""Estimates of mean reversion on seeded paths of known parameters, with and without spikes, and on real prices."""

from __future__ import annotations

import csv
import gzip
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.switching import ou
from models.switching.robust import Samples, fading, seasonal_medians, spikes, spread, weighted_median
from models.switching.roots import Floats, NoFitError

Estimate = Callable[..., ou.MeanReversion]
DATA = Path(os.environ.get("CHANGEOVER_DATA", "../shared/data"))
THETA, KAPPA, SIGMA = 10.0, 0.35, 8.0
QUARTER_HOURS = 14 * 96


def path(seed: int, hours: Floats, theta: float = THETA, kappa: float = KAPPA, sigma: float = SIGMA) -> Floats:
    """An exact path of the process at the given times, from its stationary law."""
    chance = np.random.default_rng(seed)
    shocks = chance.normal(size=len(hours))
    values = np.empty(len(hours))
    values[0] = theta + shocks[0] * sigma / math.sqrt(2.0 * kappa)
    for row in range(1, len(hours)):
        kept = math.exp(-kappa * (hours[row] - hours[row - 1]))
        values[row] = theta + (values[row - 1] - theta) * kept
        values[row] += sigma * math.sqrt((1.0 - kept * kept) / (2.0 * kappa)) * shocks[row]
    return values


def even_hours() -> Floats:
    return np.arange(QUARTER_HOURS, dtype=np.float64) * 0.25


def uneven_hours(seed: int) -> Floats:
    return np.cumsum(np.random.default_rng(seed + 1_000).exponential(0.25, QUARTER_HOURS) + 0.02)


def with_spikes(seed: int, values: Floats) -> Floats:
    """Eight outbursts of the power price, three samples each, 300 to 4,000 USD/MWh."""
    chance = np.random.default_rng(seed + 2_000)
    spiked = values.copy()
    for at in chance.integers(0, len(values) - 3, 8):
        spiked[at : at + 3] -= chance.uniform(300.0, 4_000.0)
    return spiked


def mean_of(found: list[ou.MeanReversion]) -> tuple[float, float, float]:
    return (
        float(np.mean([one.theta for one in found])),
        float(np.mean([one.kappa for one in found])),
        float(np.mean([one.sigma for one in found])),
    )


@pytest.mark.parametrize("spiked", [False, True], ids=["calm", "spiked"])
@pytest.mark.parametrize("evenly", [True, False], ids=["even", "uneven"])
def test_robust_estimates_find_the_parameters_of_twenty_paths(evenly: bool, spiked: bool) -> None:
    found = []
    for seed in range(20):
        hours = even_hours() if evenly else uneven_hours(seed)
        values = path(seed, hours)
        found.append(ou.robust(Samples(hours, with_spikes(seed, values) if spiked else values)))
    theta, kappa, sigma = mean_of(found)
    assert theta == pytest.approx(THETA, abs=1.0)  # one path's error is 1.3
    assert kappa == pytest.approx(KAPPA, rel=0.15)
    assert sigma == pytest.approx(SIGMA, rel=0.03)
    assert all(one.reverts and not one.bounded for one in found)
    assert all(0.3 * KAPPA < one.kappa < 3.0 * KAPPA and 0.8 * SIGMA < one.sigma < 1.2 * SIGMA for one in found)


def test_plain_estimates_find_them_too_until_the_first_spike() -> None:
    calm, spiked = [], []
    for seed in range(10):
        values = path(seed, even_hours())
        calm.append(ou.plain(Samples(even_hours(), values)))
        spiked.append(ou.plain(Samples(even_hours(), with_spikes(seed, values))))
    assert mean_of(calm) == pytest.approx((THETA, KAPPA, SIGMA), rel=0.15)
    assert min(one.sigma for one in spiked) > 20.0 * SIGMA
    assert min(one.stationary_spread for one in spiked) > 10.0 * SIGMA / math.sqrt(2.0 * KAPPA)


@pytest.mark.parametrize("estimate", [ou.plain, ou.robust], ids=["plain", "robust"])
def test_evenly_and_all_but_evenly_spaced_samples_give_the_same(estimate: Estimate) -> None:
    hours = even_hours()
    values = path(3, hours)
    shaken = hours + np.where(np.arange(len(hours)) % 2 == 0, 1e-4, 0.0)
    even, uneven = estimate(Samples(hours, values)), estimate(Samples(shaken, values))
    assert uneven.theta == pytest.approx(even.theta, abs=0.05)
    assert uneven.kappa == pytest.approx(even.kappa, rel=0.02)
    assert uneven.sigma == pytest.approx(even.sigma, rel=0.02)


@pytest.mark.parametrize("estimate", [ou.plain, ou.robust], ids=["plain", "robust"])
def test_estimates_follow_units_and_offsets(estimate: Estimate) -> None:
    hours, values = even_hours(), path(4, even_hours())
    one, other = estimate(Samples(hours, values)), estimate(Samples(24.0 * hours, 3.0 * values + 100.0))
    assert other.theta == pytest.approx(3.0 * one.theta + 100.0, rel=1e-6)
    assert other.kappa == pytest.approx(one.kappa / 24.0, rel=1e-6)
    assert other.sigma == pytest.approx(3.0 * one.sigma / math.sqrt(24.0), rel=1e-6)
    assert other.statistic == pytest.approx(one.statistic, rel=1e-6)
    assert other.half_life_h == pytest.approx(24.0 * one.half_life_h, rel=1e-6)


def test_a_random_walk_passes_for_mean_reverting_once_in_twenty() -> None:
    chance = np.random.default_rng(11)
    hours = np.arange(400.0)
    passed = sum(ou.robust(Samples(hours, np.cumsum(chance.normal(size=400)))).reverts for _ in range(400))
    assert 8 <= passed <= 36  # 20 are expected; the bounds are 3 standard deviations and more away


def test_a_fading_memory_follows_a_change_of_level() -> None:
    hours = even_hours()
    values = path(5, hours) + np.where(hours > 250.0, 12.0, 0.0)
    equal, fading_fit = ou.robust(Samples(hours, values)), ou.robust(Samples(hours, values), 24.0)
    assert abs(fading_fit.theta - THETA - 12.0) < abs(equal.theta - THETA - 12.0)
    assert fading_fit.theta == pytest.approx(THETA + 12.0, abs=6.0)


def test_spikes_are_counted_apart() -> None:
    values = path(6, even_hours())
    calm = ou.robust(Samples(even_hours(), values)).spikes
    spiked = ou.robust(Samples(even_hours(), with_spikes(6, values))).spikes
    assert calm is not None
    assert spiked is not None
    assert calm.count == 0
    assert 20 <= spiked.count <= 24  # 8 outbursts of 3, of which two may touch
    assert 7 <= spiked.episodes <= 8
    assert spiked.per_day == pytest.approx(spiked.episodes / 14.0, rel=0.01)
    assert spiked.share == pytest.approx(spiked.count / QUARTER_HOURS)


def test_a_memory_shorter_than_a_step_and_one_longer_than_the_window_are_said_to_be_bounds() -> None:
    chance = np.random.default_rng(8)
    noise = chance.normal(size=500)
    alternating = noise - np.concatenate(([0.0], 0.9 * noise[:-1]))
    assert ou.robust(Samples(np.arange(500.0), alternating)).bounded == "fastest"
    away = 1.05 ** np.arange(20.0)  # twenty hours of running away from 0, then ten unseen, then the other way
    hours = (np.arange(20.0) + 30.0 * np.arange(10.0)[:, None]).ravel()
    running_away = ou.robust(Samples(hours, np.concatenate([away, -away] * 5)))
    assert running_away.bounded == "slowest"
    assert not running_away.reverts


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param([1.0, 2.0], "too few to estimate", id="two samples"),
        pytest.param([5.0] * 50, "no spread to fit", id="one value"),
        pytest.param([5.0] * 40 + [6.0] * 10, "no spread to fit", id="most at one value"),
        pytest.param([0.0] * 26 + [1.0, 2.0] * 12, "no spread to fit", id="more than half at one value"),
    ],
)
def test_what_cannot_be_estimated_says_why(values: list[float], said: str) -> None:
    with pytest.raises(NoFitError, match=said):
        ou.robust(Samples(np.arange(float(len(values))), np.array(values)))


@pytest.mark.parametrize(
    ("hours", "values", "said"),
    [
        ([0.0, 1.0], [1.0], "one value a time"),
        ([0.0, 1.0], [1.0, math.nan], "must be finite"),
        ([0.0, 0.0], [1.0, 2.0], "must rise strictly"),
        ([1.0, 0.0], [1.0, 2.0], "must rise strictly"),
    ],
)
def test_what_is_no_series_is_refused(hours: list[float], values: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Samples(np.array(hours), np.array(values))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 5)), min_size=1, max_size=30))
def test_a_weighted_median_is_the_median_of_values_repeated(pairs: list[tuple[float, int]]) -> None:
    values, counts = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    assert weighted_median(values, counts.astype(float)) == pytest.approx(float(np.median(np.repeat(values, counts))))


@settings(deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=5, max_size=60), st.floats(1e4, 1e7), st.integers(0, 1_000))
def test_one_outburst_of_any_size_moves_median_and_spread_no_further_than_a_neighbour(
    values: list[float], outburst: float, at: int
) -> None:
    """Of the values sorted, the median moves by one place at most, and so does the spread."""
    plain, struck = np.array(values), np.array(values)
    struck[at % len(values)] = outburst
    ones = np.ones(len(values))
    assert plain.min() <= weighted_median(struck, ones) <= plain.max()
    assert spread(struck, ones, weighted_median(struck, ones)) <= 1.4827 * (plain.max() - plain.min())


def test_weights_halve_by_their_half_life_and_are_one_without() -> None:
    assert fading(np.array([0.0, 10.0, 20.0]), 10.0) == pytest.approx([0.25, 0.5, 1.0])
    assert fading(np.array([0.0, 10.0]), None).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="must be above 0"):
        fading(np.array([0.0]), 0.0)


def test_a_series_without_spread_has_every_other_value_for_a_spike() -> None:
    apart = spikes(Samples(np.arange(5.0), np.array([1.0, 1.0, 1.0, 1.0, 2.0])), np.ones(5), 5.0)
    assert apart.flags.tolist() == [False, False, False, False, True]


def test_seasonal_medians_take_out_the_hours_and_leave_one_with_few_samples_at_the_level() -> None:
    hours = np.arange(24 * 30)
    local = hours % 24
    wave = 20.0 * np.sin(2.0 * math.pi * local / 24.0)
    values = 50.0 + wave + np.random.default_rng(9).normal(size=len(hours))
    medians = seasonal_medians(values, local)
    assert np.max(np.abs(medians - 50.0 - wave[:24])) < 1.0
    values[18::24] = 9_000.0 * (np.arange(30) % 3 == 0) + 50.0  # an hour that spikes every third day
    assert seasonal_medians(values, local)[18] == 50.0
    few = seasonal_medians(values[:48], local[:48])
    assert few.tolist() == [float(np.median(values[:48]))] * 24
    with pytest.raises(ValueError, match="within 0 to 23"):
        seasonal_medians(values, local + 1)
    with pytest.raises(ValueError, match="one of each is wanted"):
        seasonal_medians(values, local[:-1])


def test_real_day_ahead_prices_of_2022_revert_within_hours_and_a_plain_fit_sees_twice_to_ten_times_the_noise() -> None:
    """ERCOT HB_SOUTH by the month: what the estimates say of a market, held in wide bounds."""
    file = DATA / "history" / "ercot_dam_lz_hb_spp_2022.csv.gz"
    if not file.is_file():
        pytest.skip(f"history: {file} is not there; CHANGEOVER_DATA names the folder of recorded history")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["Settlement Point"] == "HB_SOUTH"]
    prices = np.array([float(row["Settlement Point Price"]) for row in rows])
    assert len(prices) == 8_760
    ratios, half_lives = [], []
    for month in range(12):
        values = prices[month * 730 : (month + 1) * 730]
        series = Samples(np.arange(float(len(values))), values)
        found, plain = ou.robust(series), ou.plain(series)
        assert found.reverts
        half_lives.append(found.half_life_h)
        assert found.spikes is not None
        assert found.spikes.share < 0.25
        ratios.append(plain.sigma / found.sigma)
    assert 2.0 < float(np.median(half_lives)) < 12.0
    assert min(ratios) > 2.0
    assert max(ratios) > 9.0
