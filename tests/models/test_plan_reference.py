"""The reference figures on recorded prices: the documented rolling plan to the digit, the default plan above it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import baselines
from models.price_path import KEEP
from tests.support.ladder import Floats, Ints, Window, captures, paths, plan_captures, read_window

# lag [rows], round trip [USD/MW]: captures of the plan before and after the cut, of the myopic rule before and after.
REFERENCE = {
    (0, 5.0): (0.985, 0.993, 0.966, 0.987),
    (0, 20.0): (0.936, 0.973, 0.764, 0.916),
    (0, 100.0): (0.816, 0.911, -1.315, 0.268),
    (1, 5.0): (0.848, 0.919, 0.823, 0.908),
    (1, 20.0): (0.797, 0.892, 0.603, 0.832),
    (1, 100.0): (0.670, 0.832, -1.540, 0.167),
}
CELLS = [(lag, cost, half) for lag, cost in REFERENCE for half in "BA"]
KEEPS = tuple(step / 10.0 for step in range(11))


@pytest.fixture(scope="module")
def window(history_dir: Path) -> Window:
    path = history_dir / "history" / "window_2024_15min.csv.gz"
    if not path.is_file():
        pytest.skip(f"history: {path} is not there; CHANGEOVER_DATA names the folder of recorded history")
    return read_window(path)


@pytest.fixture(scope="module")
def documented(window: Window) -> dict[int, Floats]:
    """Paths of the documented form, by lag."""
    return {lag: paths(window, lag, keep=0.0) for lag in (0, 1)}


@pytest.fixture(scope="module")
def default(window: Window) -> dict[int, Floats]:
    """Paths of the default policy, by lag."""
    return {lag: paths(window, lag) for lag in (0, 1)}


def test_the_window_is_the_one_the_figures_are_of(window: Window) -> None:
    assert (len(window.start_us), window.cut) == (12_218, 6_164)
    assert window.real_time.max() == 4_857.82


@pytest.mark.listed
@pytest.mark.parametrize(("lag", "cost", "half"), CELLS)
def test_the_documented_plan_has_its_reference_figure(
    window: Window, documented: dict[int, Floats], lag: int, cost: float, half: str
) -> None:
    pooled, _ = plan_captures(window, documented[lag], half, lag, cost)
    assert pooled == pytest.approx(REFERENCE[lag, cost]["BA".index(half)], abs=0.0006)


@pytest.mark.parametrize(("lag", "cost", "half"), CELLS)
def test_the_myopic_rule_has_its_reference_figure(window: Window, lag: int, cost: float, half: str) -> None:
    def modes_of(tier: int, rows: tuple[int, int]) -> Ints:
        modes = np.zeros(len(window.start_us), np.int64)
        baselines.myopic(modes, window.strike[tier] - window.real_time, lag)
        if rows[0] < lag:
            modes[:lag] = modes[lag]  # the first mode is free, and nothing is known before it
        return modes[rows[0] : rows[1]]

    pooled, _ = captures(window, half, cost, modes_of)
    assert pooled == pytest.approx(REFERENCE[lag, cost]["BA".index(half) + 2], abs=0.0006)


@pytest.mark.listed
@pytest.mark.parametrize(("lag", "cost", "half"), CELLS)
def test_the_default_plan_is_nowhere_below_and_no_tier_loses(
    window: Window, default: dict[int, Floats], lag: int, cost: float, half: str
) -> None:
    pooled, each = plan_captures(window, default[lag], half, lag, cost)
    assert pooled >= REFERENCE[lag, cost]["BA".index(half)]
    assert min(each) > 0.6


@pytest.mark.listed
def test_with_a_lag_of_one_the_default_plan_captures_a_point_and_a_half_more(
    window: Window, default: dict[int, Floats]
) -> None:
    cells = [cell for cell in CELLS if cell[0] == 1]
    figures = [plan_captures(window, default[1], half, 1, cost)[0] for _, cost, half in cells]
    reference = [REFERENCE[1, cost]["BA".index(half)] for _, cost, half in cells]
    assert float(np.mean(figures)) - float(np.mean(reference)) > 0.015


def test_each_half_alone_would_have_chosen_the_share_that_is_kept(window: Window) -> None:
    """The smallest share of a fall within .002 of the half's own best mean over its six cells, in steps of a tenth."""
    means: dict[str, list[float]] = {"B": [], "A": []}
    for keep in KEEPS:
        found = {lag: paths(window, lag, keep=keep) for lag in (0, 1)}
        for half, mean in means.items():
            cells = [plan_captures(window, found[lag], half, lag, cost)[0] for lag, cost in REFERENCE]
            mean.append(float(np.mean(cells)))
    for mean in means.values():
        near = [keep for keep, each in zip(KEEPS, mean, strict=True) if each >= max(mean) - 0.002]
        assert near[0] == KEEP
