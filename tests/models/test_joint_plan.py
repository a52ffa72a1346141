"""Loads under one cap: the joint plan against every sequence of sets, the plan by prices against the joint one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.joint_plan import plan_jointly
from models.priced_cap import plan_priced
from models.site_plan import ALONE, JOINT, PRICED, plan_site
from tests.support.small_sites import SmallSite, jointly, priced, set_of, small_site, tried

CASES = 10_000
SHAPES = ((1, 6), (2, 5), (3, 3), (4, 2), (2, 4), (3, 2), (1, 8), (5, 2))


def shape(seed: int) -> tuple[int, int]:
    """Loads and steps of a case."""
    return SHAPES[seed % len(SHAPES)]


def close(left: float, right: float, site: SmallSite) -> bool:
    """Equal but for the order of additions."""
    scale = float(np.abs(site.gain_usd).sum() + site.stop_usd.sum() + site.start_usd.sum())
    return abs(left - right) <= 1e-12 * scale + 1e-12


@pytest.mark.listed
@pytest.mark.parametrize("block", range(10))
def test_the_joint_plan_is_worth_what_the_best_of_all_sequences_is(block: int) -> None:
    """10,000 sites: the cap in every step, locks and ramp in the first, free first modes, draws that change."""
    for seed in range(block * CASES // 10, (block + 1) * CASES // 10):
        site = small_site(seed, *shape(seed), ramp=seed % 7 == 0)
        by_first = tried(site)
        worth, hold, chosen = jointly(site)
        if by_first.max() == -np.inf:
            assert seed % 7 == 0, seed  # locks and ramp leave nothing: the ramp gives way
            site.ramp_mw = float("inf")
            by_first = tried(site)
        assert close(worth, float(by_first.max()), site), seed
        assert close(worth, float(by_first[chosen]), site), seed
        present = set_of(np.maximum(site.modes, 0))
        if by_first[present] > -np.inf:
            assert close(hold, float(by_first[present]), site), seed
            assert hold <= worth, seed


def test_what_dwells_and_ramps_after_the_first_step_would_change_is_measured() -> None:
    """The relaxation is optimistic, never pessimistic, and its first step is nearly always a best one."""
    optimism, regret = [], []
    for seed in range(3_000):
        site = small_site(seed, *((2, 6), (3, 4), (1, 8))[seed % 3], dwells=True, ramp=seed % 2 == 0)
        by_first = tried(site, ramp_steps=site.steps)
        worth, _, chosen = jointly(site)
        best = float(by_first.max())
        if by_first[chosen] == -np.inf or not np.isfinite(worth):
            continue  # a later lock leaves the relaxed first step no sequence: counted apart below
        scale = float(np.abs(site.gain_usd).sum())
        assert worth >= best - 1e-9 * scale, seed
        optimism.append((worth - best) / scale)
        regret.append((best - float(by_first[chosen])) / scale)
    assert len(optimism) > 2_500
    assert float(np.median(regret)) == 0.0
    assert float(np.mean(np.array(regret) > 1e-12)) < 0.15
    assert float(np.mean(regret)) < 0.005
    assert float(np.mean(optimism)) < 0.05


@pytest.mark.parametrize("block", range(4))
def test_the_plan_by_prices_fits_and_its_bound_holds(block: int) -> None:
    """Against the joint plan, on sites of 6 to 12 loads: worth <= best <= bound, and what is lost on lumps."""
    lost = []
    for seed in range(block * 250, (block + 1) * 250):
        site = small_site(seed, 6 + seed % 7, 12)
        best, _, _ = jointly(site)
        worth, bound, chosen = priced(site)
        scale = float(np.abs(site.gain_usd).sum())
        assert worth <= best + 1e-9 * scale, seed
        assert bound >= best - 1e-9 * scale, seed
        assert sum(site.draw_mw[load, 0] for load in range(site.count) if chosen >> load & 1) <= site.room_mw + 1e-9
        for load in range(site.count):
            assert not site.locked[load] or chosen >> load & 1 == max(site.modes[load], 0), seed
        lost.append((best - worth) / scale)
    assert float(np.mean(lost)) < 0.006
    assert float(np.quantile(lost, 0.99)) < 0.04


def test_many_loads_leave_little_gap() -> None:
    gaps = []
    for seed in range(40):
        site = small_site(seed, 40, 24)
        worth, bound, _ = priced(site)
        gaps.append((bound - worth) / float(np.abs(site.gain_usd).sum()))
    assert min(gaps) > -1e-12  # the order of additions
    assert float(np.median(gaps)) < 0.005


def through_site(site: SmallSite) -> tuple[int, float, float, int]:
    """What plan_site says: way, gain, gap, set."""
    count, steps = site.count, site.steps
    wanted = np.zeros(count, np.int64)
    way, gain, gap = plan_site(
        site.gain_usd,
        site.draw_mw,
        site.stop_usd,
        site.start_usd,
        site.modes,
        site.locked,
        site.min_on,
        site.min_off,
        count,
        steps,
        site.room_mw,
        site.ramp_mw,
        np.zeros((3, steps + 1)),
        np.zeros((3, 1 << min(count, 12))),
        np.zeros((2, count, steps + 1)),
        np.zeros((2, steps)),
        np.zeros(count),
        np.zeros((4, count), np.int64),
        wanted,
    )
    return way, gain, gap, set_of(wanted)


def test_loads_whose_cap_never_binds_are_planned_alone_and_as_the_joint_plan_would() -> None:
    for seed in range(300):
        site = small_site(seed, 4, 8)
        site.room_mw = float(site.draw_mw.sum())
        site.modes = np.maximum(site.modes, 0)
        way, gain, gap, chosen = through_site(site)
        worth, hold, best = jointly(site)
        assert (way, gap) == (ALONE, 0.0)
        assert close(gain, worth - hold, site), seed
        if seed % 3:  # whole figures tie
            assert chosen == best, seed


def test_the_way_follows_the_cap_and_the_number_of_loads() -> None:
    few, many = small_site(1, 4, 8), small_site(1, 13, 8)
    few.room_mw, many.room_mw = few.draw_mw[:, 0].sum() / 2, many.draw_mw[:, 0].sum() / 2
    few.locked[:], many.locked[:] = 0, 0
    assert through_site(few)[0] == JOINT
    assert through_site(few)[3] == jointly(few)[2]
    way, gain, gap, chosen = through_site(many)
    assert (way, chosen) == (PRICED, priced(many)[2])
    assert gap >= 0.0
    assert gain >= 0.0


def test_a_plan_by_prices_that_is_no_better_than_holding_holds() -> None:
    held = 0
    for seed in range(60):
        site = small_site(seed, 14, 8)
        site.modes, site.locked[:] = np.maximum(site.modes, 0), 0
        site.room_mw = max(site.room_mw, float((site.draw_mw.max(axis=1) * site.modes).sum()) * (1.0 + 1e-9))
        _, gain, _, chosen = through_site(site)
        assert 0.0 <= gain < np.inf, seed
        held += chosen == set_of(site.modes)
        assert (gain == 0.0) == (chosen == set_of(site.modes)), seed
    assert held < 60


def test_locked_loads_that_outgrow_the_cap_are_shed() -> None:
    site = small_site(2, 3, 4)
    site.modes[:], site.locked[:], site.room_mw = 1, 1, float(site.draw_mw[:2, 0].sum())
    site.draw_mw[:] = site.draw_mw[:, :1]
    worth, hold, chosen = jointly(site)
    assert hold == -np.inf
    assert np.isfinite(worth)
    assert sum(site.draw_mw[load, 0] for load in range(3) if chosen >> load & 1) <= site.room_mw


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.floats(1.0, 3.0))
def test_more_room_is_never_worth_less(seed: int, wider: float) -> None:
    site = small_site(seed, 4, 6)
    before = jointly(site)[0]
    site.room_mw *= wider
    assert jointly(site)[0] >= before


@pytest.mark.parametrize("seed", range(6))
def test_compiled_and_uncompiled_plans_are_equal_to_the_bit(seed: int) -> None:
    site = small_site(seed, 4, 6, ramp=seed % 2 == 0)
    wanted = np.zeros(4, np.int64)
    plans: Any = plan_jointly, plan_priced
    jointly_plain, priced_plain = (getattr(plan, "py_func", plan) for plan in plans)
    arguments = (site.gain_usd, site.draw_mw, site.stop_usd, site.start_usd, site.modes, site.locked, 4, 6)
    assert jointly_plain(*arguments, site.room_mw, site.ramp_mw, np.zeros((3, 16)), wanted) == jointly(site)[:2]
    assert set_of(wanted) == jointly(site)[2]
    scratch = (np.zeros((2, 4, 7)), np.zeros((2, 6)), np.zeros(4), np.zeros((4, 4), np.int64), wanted)
    worth, _, bound = priced_plain(*arguments, site.room_mw, *scratch)
    assert (worth, bound) == priced(site)[:2]
    assert set_of(wanted) == priced(site)[2]
