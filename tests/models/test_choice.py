"""The choice under a cap: exact against trying every subset, steady on ties, honest where it gives up."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.choice import BEST, MW, NODE_LIMIT, WORTH, choose

CASES = 2_400
MOST = 12
Floats = npt.NDArray[np.float64]

SUBSETS = {count: np.array(list(product((0.0, 1.0), repeat=count))) for count in range(1, MOST + 1)}


def chosen(worth: list[float], mw: list[float], room_mw: float) -> tuple[list[int], float]:
    """What runs, by place, and how far it may lie below the best."""
    count = len(worth)
    work, order = np.zeros((3, max(count, 1))), np.zeros((4, max(count, 1)), np.int64)
    work[WORTH, :count], work[MW, :count] = worth, mw
    gap = choose(work, order, count, room_mw)
    return [place for place in range(count) if order[BEST, place] == 1], gap


def best_of_all(worth: list[float], mw: list[float], room_mw: float) -> float:
    """Worth of the best subset that fits, by trying all."""
    subsets = SUBSETS[len(worth)]
    fits = subsets @ np.array(mw) <= room_mw + 1e-12
    return float((subsets @ np.array(worth))[fits].max())


def random_case(seed: int) -> tuple[list[float], list[float], float]:
    """Loads and room: figures of every size, whole ones that tie often, tiny ones, rooms from nothing to all."""
    chance = random.Random(seed)
    count = chance.randint(1, MOST)
    if seed % 3 == 0:
        mw = [float(chance.randint(1, 5)) for _ in range(count)]
        worth = [float(chance.randint(1, 4)) * size for size in mw]
        return worth, mw, float(chance.randint(0, round(sum(mw))))
    scale = 10.0 ** chance.randint(-3, 4)
    mw = [chance.uniform(0.01, 1.0) * scale for _ in range(count)]
    worth = [chance.uniform(0.0, 5_000.0) * size for size in mw]
    return worth, mw, chance.uniform(0.0, 1.1) * sum(mw)


@pytest.mark.parametrize("block", range(8))
def test_the_set_chosen_is_worth_as_much_as_the_best_of_all_subsets_and_fits(block: int) -> None:
    """2,400 cases of up to 12 loads, every subset tried."""
    for seed in range(block * CASES // 8, (block + 1) * CASES // 8):
        worth, mw, room_mw = random_case(seed)
        running, gap = chosen(worth, mw, room_mw)
        best = best_of_all(worth, mw, room_mw)
        assert gap == 0.0, seed
        assert sum(mw[place] for place in running) <= room_mw * (1.0 + 1e-12), seed
        assert sum(worth[place] for place in running) == pytest.approx(best, rel=1e-12, abs=1e-12), seed


def test_nothing_runs_in_no_room_and_everything_in_room_enough() -> None:
    assert chosen([5.0, 3.0], [1.0, 1.0], -1.0) == ([], 0.0)
    assert chosen([5.0, 3.0], [1.0, 1.0], 0.0) == ([], 0.0)
    assert chosen([5.0, 3.0], [1.0, 1.0], 2.0) == ([0, 1], 0.0)
    assert chosen([], [], 2.0) == ([], 0.0)


def test_of_equal_loads_the_earlier_ones_run() -> None:
    assert chosen([7.0] * 5, [2.0] * 5, 5.0)[0] == [0, 1]


def test_a_load_worth_nothing_stays_where_it_takes_no_room_from_another() -> None:
    assert chosen([0.0, 5.0], [1.0, 1.0], 1.5)[0] == [1]
    assert chosen([0.0, 5.0, 5.0], [1.0, 1.0, 1.0], 2.5)[0] == [1, 2]


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_equal_questions_get_equal_answers_whatever_was_asked_before(seed: int, before: int) -> None:
    count = MOST
    work, order = np.zeros((3, count)), np.zeros((4, count), np.int64)
    answers = []
    for asked in (seed, before, seed):
        worth, mw, room_mw = random_case(asked)
        work[WORTH, : len(worth)], work[MW, : len(mw)] = worth, mw
        gap = choose(work, order, len(worth), room_mw)
        answers.append((order[BEST, : len(worth)].tolist(), gap))
    assert answers[0] == answers[2]


def subset_sum(count: int) -> tuple[list[float], list[float], float]:
    """Loads of one worth per MW, of even sizes: what is best is a sum of sizes, hard to prove by bounds."""
    chance = random.Random(7)
    mw = [float(2 * chance.randint(500, 1_000)) for _ in range(count)]
    return mw, mw, sum(mw) / 2.0 // 2.0 * 2.0 + 1.0


def test_beyond_the_limit_of_branches_the_gap_covers_what_is_missing() -> None:
    """The room is odd and every size even, so no set fills it: no bound can prove one best within the limit."""
    worth, mw, room_mw = subset_sum(40)
    running, gap = chosen(worth, mw, room_mw)
    reachable = {0}
    for size in mw:
        reachable |= {total + round(size) for total in reachable if total + round(size) <= room_mw}
    value = sum(worth[place] for place in running)
    assert sum(mw[place] for place in running) <= room_mw
    assert gap > 0.0
    assert value <= max(reachable) <= value + gap + 1e-6
    assert NODE_LIMIT >= 10_000
