"""Every policy of the register keeps the contract: worth and bounds agree, and the engine acts at the bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import policies
from models.policies import bounds, code_of, worth
from tests.support.fleets import DIFFICULTY, FEES, T0, Run, btc, miner, network, power, site, tier
from tests.support.formulas import Prices, value_usd_per_hour

costs = st.floats(0.0, 1_000.0)
bands = st.floats(0.0, 100.0)
hours = st.floats(0.1, 100.0)
BANDED = tuple(name for name in policies.NAMES if not policies.is_plan(code_of(name)))
each_policy = pytest.mark.parametrize("policy", BANDED)


def test_the_register_holds_the_policies_by_name_and_refuses_others() -> None:
    assert policies.NAMES == ("breakeven", "band", "rolling_plan", "wary_plan")
    assert BANDED == ("breakeven", "band")
    assert len({code_of(name) for name in policies.NAMES}) == len(policies.NAMES)
    with pytest.raises(ValueError, match="policy 'none' is not one of breakeven, band, rolling_plan, wary_plan"):
        code_of("none")


@each_policy
@settings(deadline=None)
@given(costs, costs, bands, hours)
def test_bounds_are_the_margins_at_which_worth_changes_its_sign(
    policy: str, stop: float, start: float, band: float, spread: float
) -> None:
    code = code_of(policy)
    below, above = bounds(code, stop, start, band, spread)
    assert below <= 0.0 <= above
    assert worth(code, below, 1, stop, start, band, spread) == pytest.approx(0.0, abs=1e-9)
    assert worth(code, above, 0, stop, start, band, spread) == pytest.approx(0.0, abs=1e-9)


@each_policy
@settings(deadline=None)
@given(costs, costs, bands, hours, st.floats(-10_000.0, 10_000.0), st.floats(0.001, 1_000.0), st.integers(0, 1))
def test_worth_grows_with_the_margin_and_never_speaks_against_what_runs(
    policy: str, stop: float, start: float, band: float, spread: float, margin: float, more: float, mode: int
) -> None:
    code = code_of(policy)
    assert worth(code, margin + more, mode, stop, start, band, spread) > worth(
        code, margin, mode, stop, start, band, spread
    )
    assert worth(code, margin, 1, stop, start, band, spread) >= worth(code, margin, 0, stop, start, band, spread)


@each_policy
def test_compiled_and_uncompiled_worth_are_equal_to_the_bit(policy: str) -> None:
    code = code_of(policy)
    for step in range(-50, 50):
        given_ = (code, step / 7.0, step % 2, 10.0 / 3.0, 20.0 / 3.0, 1.1, 3.7)
        uncompiled = getattr(worth, "py_func", worth)
        assert math.copysign(1.0, worth(*given_)) * abs(worth(*given_)) == uncompiled(*given_)


@each_policy
def test_the_engine_stops_below_the_lower_bound_and_starts_above_the_upper_one(policy: str) -> None:
    below, above = bounds(code_of(policy), 10.0, 30.0, 2.0, 4.0)
    run = Run(miner(site(tier(stop_usd_per_mw=10.0, start_usd_per_mw=30.0))), policy=policy, dead_band_usd_per_mwh=2.0)
    run.feed(network(), btc(65_000.0))
    strike = value_usd_per_hour(tier(), Prices(0.0, 65_000.0, DIFFICULTY, 3.125 + FEES))
    found = []
    for number, margin in enumerate((below + 1e-6, below - 1e-6, above - 1e-6, above + 1e-6)):
        run.feed(power(strike - margin, T0 + number))
        found.append(run.modes()["s21"])
    assert found == ["hash", "off", "off", "hash"]
    assert [each["band"] for each in run.switches()] == [
        {"stop_below_usd_per_mwh": below, "start_above_usd_per_mwh": above}
    ] * 2


def test_the_band_holds_where_breakeven_switches() -> None:
    strike = value_usd_per_hour(tier(), Prices(0.0, 65_000.0, DIFFICULTY, 3.125 + FEES))
    runs = {name: Run(miner(site(tier())), policy=name) for name in BANDED}
    for run in runs.values():
        run.feed(network(), btc(65_000.0), *(power(strike + (-1) ** turn * 2.0, T0 + turn) for turn in range(10)))
    assert {name: len(run.switches()) for name, run in runs.items()} == {"breakeven": 10, "band": 0}
