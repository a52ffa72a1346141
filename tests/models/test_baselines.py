"""Rules of others: they do what they say, and know nothing of the row they decide."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import baselines
from tests.support.small_sites import Floats, Ints

RULES: dict[str, Callable[[Ints, Floats, int], None]] = {
    "always_on": lambda modes, _, __: baselines.always_on(modes),
    "strike": lambda modes, lmp, lag: baselines.strike(modes, lmp, lag, 80.0),
    "myopic": lambda modes, lmp, lag: baselines.myopic(modes, 60.0 - lmp, lag),
    "window_rule": lambda modes, lmp, lag: baselines.window_rule(modes, lmp, lag, 80.0, 150.0, 2, 4),
    "minimum_gain": lambda modes, lmp, lag: baselines.minimum_gain(modes, np.full(len(lmp), 60.0), lmp, lag, 0.12, 2),
    "shrinking_dwell": lambda modes, lmp, lag: baselines.shrinking_dwell(modes, 60.0 - lmp, lag, 4, 50.0, 300.0),
}
each_rule = pytest.mark.parametrize("rule", RULES)
prices = st.lists(st.floats(-200.0, 5_000.0), min_size=1, max_size=60)


def modes(rule: str, lmp: list[float], lag: int = 0) -> list[int]:
    """What a rule makes of prices."""
    found = np.full(len(lmp), -1, np.int64)
    RULES[rule](found, np.array(lmp), lag)
    return [int(mode) for mode in found]


@each_rule
@settings(deadline=None)
@given(prices, st.integers(0, 4), st.integers(1, 60))
def test_a_rule_knows_only_the_rows_before_its_lag(rule: str, lmp: list[float], lag: int, cut: int) -> None:
    whole = modes(rule, lmp, lag)
    assert set(whole) <= {0, 1}
    changed = [*lmp[:cut], *(-price for price in lmp[cut:])]
    assert modes(rule, changed, lag)[: cut + lag] == whole[: cut + lag]
    assert whole[:lag] == [1] * min(lag, len(lmp))


@each_rule
@settings(deadline=None)
@given(prices, st.integers(1, 4))
def test_a_lag_shifts_what_a_rule_does(rule: str, lmp: list[float], lag: int) -> None:
    if rule not in ("minimum_gain", "shrinking_dwell"):  # these count rows since their last change
        assert modes(rule, lmp, lag)[lag:] == modes(rule, lmp)[: -lag or None]


def test_the_window_rule_waits_for_two_above_and_four_below_and_not_for_a_high_one() -> None:
    assert modes("window_rule", [90, 70, 90, 90, 70, 70, 70, 70]) == [1, 1, 1, 0, 0, 0, 0, 1]
    assert modes("window_rule", [151, 70, 70, 70, 81, 70, 70, 70, 70]) == [0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_the_minimum_gain_ignores_what_is_within_twelve_per_cent_and_waits_its_dwell() -> None:
    assert modes("minimum_gain", [60, 66, 68, 40, 40]) == [1, 1, 0, 0, 1]
    assert modes("minimum_gain", [68, 68, 55, 53, -5]) == [0, 0, 0, 1, 1]


def test_a_dwell_shrinks_as_the_gain_grows_and_one_wild_print_moves_nothing() -> None:
    assert modes("shrinking_dwell", [50, 50, 70, 50, 50, 50, 50]) == [1, 1, 0, 0, 0, 0, 1]
    assert modes("shrinking_dwell", [50, 50, 70, -200, -200]) == [1, 1, 0, 1, 1]
    assert modes("shrinking_dwell", [50, 50, 900, 50, 50]) == [1, 1, 1, 1, 1]
