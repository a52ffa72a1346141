"""One load's plan: the best of all sequences of on and off, dwells included, and what must hold whatever the prices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.plan import FREE, MARGIN, OFF, ON, advantage_usd_per_mw, fill_margins, mode_of
from tests.support.small_sites import SmallSite, small_site, tried

CASES = 10_000
margins = st.lists(st.floats(-5_000.0, 500.0), min_size=1, max_size=24)
costs = st.floats(0.0, 300.0)
modes = st.sampled_from([FREE, OFF, ON])
dwells = st.integers(1, 6)


def advantage(
    gain: list[float], mode: int, stop: float, start: float, min_on: int = 1, min_off: int = 1, *, plain: bool = False
) -> float:
    """What running the first step is worth [USD/MW]."""
    work = np.full((3, len(gain) + 1), np.nan)
    work[MARGIN, : len(gain)] = gain
    function = getattr(advantage_usd_per_mw, "py_func", advantage_usd_per_mw) if plain else advantage_usd_per_mw
    return float(function(work, len(gain), mode, stop, start, min_on, min_off))


def of_site(site: SmallSite) -> float:
    """The advantage of a site's only load."""
    return advantage(
        site.gain_usd[0].tolist(),
        int(site.modes[0]),
        float(site.stop_usd[0]),
        float(site.start_usd[0]),
        int(site.min_on[0]),
        int(site.min_off[0]),
    )


@pytest.mark.listed
@pytest.mark.parametrize("block", range(5))
def test_the_advantage_is_the_best_sequence_that_runs_less_the_best_that_does_not(block: int) -> None:
    """10,000 paths of up to 8 steps with dwells of up to 3, every sequence tried."""
    for seed in range(block * CASES // 5, (block + 1) * CASES // 5):
        site = small_site(seed, 1, 1 + seed % 8, dwells=True)
        site.locked[:], site.room_mw = 0, np.inf
        off, on = tried(site)
        scale = float(np.abs(site.gain_usd).sum() + site.stop_usd[0] + site.start_usd[0])
        assert of_site(site) == pytest.approx(on - off, abs=1e-12 * scale + 1e-12), seed


@settings(deadline=None)
@given(margins, modes, costs, costs, dwells, dwells, st.floats(0.0, 1_000.0))
def test_a_better_margin_never_speaks_against_running(
    gain: list[float], mode: int, stop: float, start: float, on: int, off: int, more: float
) -> None:
    """Of the first step when nothing is owed; of every step where no dwell reaches beyond the step."""
    before = advantage(gain, mode, stop, start, on, off)
    assert advantage([gain[0] + more, *gain[1:]], mode, stop, start, on, off) >= before - 1e-6
    assert advantage([each + more for each in gain], mode, stop, start) >= advantage(gain, mode, stop, start) - 1e-6


@settings(deadline=None)
@given(margins, costs, costs)
def test_what_runs_is_held_longer_than_what_stands_is_started(gain: list[float], stop: float, start: float) -> None:
    running, standing = advantage(gain, ON, stop, start), advantage(gain, OFF, stop, start)
    assert running == pytest.approx(standing + stop + start, abs=1e-6)
    assert standing <= advantage(gain, FREE, stop, start) + 1e-6 <= running + 2e-6


@settings(deadline=None)
@given(margins, modes)
def test_without_costs_and_dwells_the_first_margin_decides(gain: list[float], mode: int) -> None:
    assert advantage(gain, mode, 0.0, 0.0) == pytest.approx(gain[0], abs=1e-9)


@settings(deadline=None)
@given(margins, modes, costs, costs, dwells, dwells)
def test_the_scale_of_money_changes_nothing(
    gain: list[float], mode: int, stop: float, start: float, on: int, off: int
) -> None:
    once = advantage(gain, mode, stop, start, on, off)
    assert advantage([2.0 * each for each in gain], mode, 2.0 * stop, 2.0 * start, on, off) == 2.0 * once


@settings(deadline=None)
@given(margins, modes, costs, costs, dwells, dwells)
def test_compiled_and_uncompiled_are_equal_to_the_bit(
    gain: list[float], mode: int, stop: float, start: float, on: int, off: int
) -> None:
    assert advantage(gain, mode, stop, start, on, off) == advantage(gain, mode, stop, start, on, off, plain=True)


def test_a_spike_shorter_than_its_round_trip_is_sat_through_and_a_dear_one_is_not() -> None:
    assert mode_of(advantage([-20.0, 5.0, 5.0, 5.0], ON, 15.0, 15.0), ON) == ON
    assert mode_of(advantage([-40.0, 5.0, 5.0, 5.0], ON, 15.0, 15.0), ON) == OFF
    assert mode_of(advantage([-20.0, 5.0, 5.0, 5.0], ON, 5.0, 5.0), ON) == OFF


def test_a_long_dwell_off_makes_a_short_spike_not_worth_it() -> None:
    gain = [-40.0, 10.0, 10.0, 10.0, 10.0, 10.0]
    assert advantage(gain, ON, 5.0, 5.0, 1, 1) < 0.0
    assert advantage(gain, ON, 5.0, 5.0, 1, 5) > 0.0


def test_margins_fall_with_the_price_by_the_factor_and_the_first_step_may_be_short() -> None:
    work = np.zeros((3, 4))
    fill_margins(work, np.array([10.0, 200.0, -30.0]), 3, 50.0, 0.5, 0.1, 0.25)
    assert work[MARGIN, :3].tolist() == [4.5, -12.5, 16.25]
