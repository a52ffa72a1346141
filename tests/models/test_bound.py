"""The bound against brute force, and the figures that policies are given: exact where said, never too low elsewhere."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import score
from models.bound import (
    best_constant_usd,
    capped_bound_usd,
    capped_clairvoyant_usd,
    clairvoyant_modes,
    clairvoyant_usd_per_mw,
)
from tests.support.small_sites import Floats, Ints, SmallSite, small_site, tried

gains = st.lists(st.floats(-5_000.0, 500.0), min_size=1, max_size=60)
costs = st.floats(0.0, 300.0)


def history(seed: int, count: int, rows: int, *, dwells: bool = False) -> SmallSite:
    """A small site read as history: first modes free, nothing locked."""
    site = small_site(seed, count, rows, dwells=dwells)
    site.modes[:], site.locked[:] = -1, 0
    return site


def clairvoyant(gain: Floats, stop: float, start: float, min_on: int = 1, min_off: int = 1) -> tuple[float, Ints]:
    """The bound of one load and the modes that earn it."""
    worth, modes = np.zeros((2, len(gain) + 1)), np.zeros(len(gain), np.int64)
    most = clairvoyant_usd_per_mw(gain, stop, start, min_on, min_off, worth)
    clairvoyant_modes(gain, stop, min_on, min_off, worth, modes)
    return most, modes


def capped(site: SmallSite) -> float:
    """The bound over sets."""
    return capped_clairvoyant_usd(
        site.gain_usd,
        site.draw_mw,
        site.stop_usd,
        site.start_usd,
        site.count,
        site.room_mw,
        np.zeros((3, 1 << site.count)),
    )


def dual(site: SmallSite, feasible_usd: float, turns: int = 200) -> float:
    """The bound by prices."""
    rows = site.steps
    return capped_bound_usd(
        site.gain_usd,
        site.draw_mw,
        site.stop_usd,
        site.start_usd,
        site.min_on,
        site.min_off,
        site.count,
        site.room_mw,
        feasible_usd,
        turns,
        np.zeros((2, rows)),
        np.zeros(rows),
        np.zeros((2, rows + 1)),
        np.zeros(rows, np.int64),
    )


@pytest.mark.listed
@pytest.mark.parametrize("block", range(5))
def test_the_bound_of_one_load_is_the_best_of_all_sequences_dwells_included(block: int) -> None:
    """10,000 histories of up to 9 rows; the modes it names earn it."""
    for seed in range(block * 2_000, (block + 1) * 2_000):
        site = history(seed, 1, 1 + seed % 9, dwells=True)
        site.room_mw = np.inf
        stop, start = float(site.stop_usd[0]), float(site.start_usd[0])
        most, modes = clairvoyant(site.gain_usd[0], stop, start, int(site.min_on[0]), int(site.min_off[0]))
        best = float(tried(site, terminal=False).max())
        scale = float(np.abs(site.gain_usd).sum())
        assert most == pytest.approx(best, abs=1e-12 * scale + 1e-12), seed
        assert score.net_usd_per_mw(modes, site.gain_usd[0], stop, start) == pytest.approx(best, abs=1e-9), seed


@pytest.mark.parametrize("block", range(4))
def test_the_bound_over_sets_is_the_best_of_all_sequences_under_the_cap(block: int) -> None:
    for seed in range(block * 500, (block + 1) * 500):
        site = history(seed, *((2, 5), (3, 4), (4, 3), (5, 2))[block])
        scale = float(np.abs(site.gain_usd).sum())
        assert capped(site) == pytest.approx(float(tried(site, terminal=False).max()), abs=1e-12 * scale + 1e-12), seed


def test_the_dual_bound_is_never_below_what_dwells_and_cap_allow_and_often_close() -> None:
    apart = []
    for seed in range(1_500):
        site = history(seed, *((2, 6), (3, 4), (2, 5))[seed % 3], dwells=True)
        best = float(tried(site, terminal=False).max())
        scale = float(np.abs(site.gain_usd).sum())
        for turns in (1, 7, 200):
            assert dual(site, best, turns) >= best - 1e-9 * scale, seed
        apart.append((dual(site, best) - best) / scale)
        assert capped(site) >= best - 1e-9 * scale, seed
    assert float(np.median(apart)) < 0.05


def test_a_wrong_aim_costs_tightness_and_never_validity() -> None:
    for seed in range(200):
        site = history(seed, 3, 4)
        best = float(tried(site, terminal=False).max())
        for aim in (-1e6, 0.0, 1e9):
            assert dual(site, aim) >= best - 1e-6, seed


def test_the_best_constant_set_is_the_best_of_all_that_fit() -> None:
    for seed in range(500):
        site = history(seed, 5, 6)
        best, gap = best_constant_usd(
            site.gain_usd, site.draw_mw, 5, site.room_mw, np.zeros((3, 5)), np.zeros((4, 5), np.int64)
        )
        widest, totals = site.draw_mw.max(axis=1), site.gain_usd.sum(axis=1)
        sets = [np.array(one) for one in product((0, 1), repeat=5)]
        tried_ = max(float(totals @ one) for one in sets if float(widest @ one) <= site.room_mw)
        assert gap == 0.0, seed
        assert best == pytest.approx(tried_, abs=1e-9), seed
        assert best <= capped(site) + 1e-9


@settings(deadline=None)
@given(gains, costs, costs, st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**60))
def test_no_modes_earn_more_than_the_bound(
    gain: list[float], stop: float, start: float, min_on: int, min_off: int, bits: int
) -> None:
    earned = np.array(gain)
    most, modes = clairvoyant(earned, stop, start)
    free = clairvoyant(earned, 0.0, 0.0)[0]
    slow = clairvoyant(earned, stop, start, min_on, min_off)[0]
    some = np.array([bits >> row & 1 for row in range(len(gain))])
    assert score.net_usd_per_mw(some, earned, stop, start) <= most + 1e-6
    assert max(float(earned.sum()), 0.0) <= slow + 1e-6
    assert slow <= most + 1e-6
    assert most <= free + 1e-6
    assert free == pytest.approx(float(np.maximum(earned, 0.0).sum()), abs=1e-6)
    assert score.missed_spike_minutes(modes, modes, earned, 15.0) == 0.0
    assert score.false_trigger_usd_per_mw(modes, earned, stop, start) <= 1e-6


@settings(deadline=None, max_examples=50)
@given(gains, costs, costs, st.integers(1, 6), st.integers(1, 6))
def test_compiled_and_uncompiled_bounds_are_equal_to_the_bit(
    gain: list[float], stop: float, start: float, min_on: int, min_off: int
) -> None:
    earned, worth = np.array(gain), np.zeros((2, len(gain) + 1))
    plain = getattr(clairvoyant_usd_per_mw, "py_func", clairvoyant_usd_per_mw)
    most, modes = clairvoyant(earned, stop, start, min_on, min_off)
    assert plain(earned, stop, start, min_on, min_off, worth) == most
    other = np.zeros(len(gain), np.int64)
    getattr(clairvoyant_modes, "py_func", clairvoyant_modes)(earned, stop, min_on, min_off, worth, other)
    assert other.tolist() == modes.tolist()


def test_capture_is_pooled_so_that_a_load_with_nothing_to_gain_does_not_count() -> None:
    assert score.capture_pooled(np.array([5.0, -0.1]), np.array([0.0, 0.0]), np.array([10.0, 1e-9])) < 0.5
    assert np.isnan(score.capture_pooled(np.array([5.0]), np.array([5.0]), np.array([5.0])))


def test_a_stay_off_that_never_ended_owes_no_start() -> None:
    earned = np.array([5.0, 1.0, 1.0])
    assert score.false_trigger_usd_per_mw(np.array([1, 0, 0]), earned, 2.0, 3.0) == 4.0
    assert score.false_trigger_usd_per_mw(np.array([1, 0, 1]), earned, 2.0, 3.0) == 6.0
    assert score.false_trigger_usd_per_mw(np.array([0, 0, 1]), np.array([5.0, -9.0, 1.0]), 2.0, 3.0) == 0.0


def test_figures_without_anything_that_ran_are_no_figures() -> None:
    off = np.zeros(4, np.int64)
    assert (score.rows_on(off), score.switches(off)) == (0, 0)
    assert np.isnan(score.usd_per_mwh(0.0, 0.0))
