"""Plans in the step: made when something to plan on came, on prices that are known, under locks, caps and restarts."""

from __future__ import annotations

from typing import Any

import pytest

from models.fleet import Power
from models.records import HOUR_US, MINUTE_US, SECOND_US
from tests.support.fleets import (
    NODE,
    T0,
    Run,
    breakeven_power,
    btc,
    hour,
    miner,
    moves,
    network,
    pool,
    power,
    rate,
    site,
    tick,
    tier,
)

QUARTER_US = 15 * MINUTE_US
COSTLY: dict[str, Any] = {"stop_usd_per_mw": 20.0, "start_usd_per_mw": 20.0}
PLANS = ("rolling_plan", "wary_plan")


def planned(*loads: Any, policy: str = "rolling_plan", curve: float | None = 30.0, **more: Any) -> Run:
    """A site under a plan; the curve is flat for two days, and the last real-time price is 30 USD/MWh."""
    run = Run(miner(site(*(loads or (tier(**COSTLY),)), **more)), policy=policy)
    run.feed(btc(65_000.0), network(), rate(2.35))
    if curve is not None:
        run.feed(*(hour(curve, T0 + number * HOUR_US) for number in range(48)))
    run.feed(power(30.0))
    return run


def quarter(run: Run, number: int, usd_per_mwh: float) -> list[dict[str, Any]]:
    """The tick of a quarter hour and its print."""
    at_us = T0 + number * QUARTER_US
    return run.feed(tick(at_us), power(usd_per_mwh, at_us))


STRIKE = breakeven_power(tier(), 65_000.0)


@pytest.mark.parametrize("policy", PLANS)
def test_a_short_loss_is_sat_through_and_a_long_one_is_not(policy: str) -> None:
    run = planned(policy=policy)
    assert moves(quarter(run, 1, STRIKE + 10.0)) == []  # a quarter hour of it costs 2.5 USD/MW, stop and start 40
    (switch,) = quarter(run, 2, STRIKE + 2_000.0)
    assert (switch["to"], switch["band"], switch["rule"]) == ("off", None, "policy")
    forecast = switch["forecast"]
    assert forecast["reference_usd_per_mwh"] == 30.0
    assert forecast["horizon_minutes"] == 360.0
    assert forecast["without"] == ["median of 14 days"]
    assert forecast["expected_gain_usd"] > 100.0


def test_without_a_curve_the_last_price_stands_and_the_signal_says_what_was_missing() -> None:
    run = planned(curve=None)
    (switch,) = quarter(run, 1, STRIKE + 50.0)
    assert switch["forecast"]["without"] == ["median of 14 days", "day-ahead curve of the whole horizon"]
    assert switch["forecast"]["reference_usd_per_mwh"] is None


def test_a_tick_of_bitcoin_revalues_and_plans_only_where_a_margin_changes_its_sign() -> None:
    run = planned()
    quarter(run, 1, 60.0)
    before = run.engine.state.sites[0]["planned_us"]
    run.feed(tick(T0 + 3 * QUARTER_US + 2 * MINUTE_US))  # two intervals later, no print: planned once a minute in
    late = run.engine.state.sites[0]["planned_us"]
    assert late == T0 + 3 * QUARTER_US > before
    run.feed(tick(T0 + 4 * QUARTER_US + MINUTE_US))
    late = run.engine.state.sites[0]["planned_us"]
    assert late == T0 + 4 * QUARTER_US
    run.feed(tick(T0 + 5 * QUARTER_US + 30 * SECOND_US), btc(65_001.0, T0 + 5 * QUARTER_US))
    assert run.engine.state.sites[0]["planned_us"] == late
    run.feed(btc(10_000.0, T0 + 5 * QUARTER_US + 1))  # its sign changed, but this interval's print is awaited
    assert run.engine.state.sites[0]["planned_us"] == late
    run.feed(tick(T0 + 5 * QUARTER_US + MINUTE_US))
    assert run.engine.state.sites[0]["planned_us"] == T0 + 5 * QUARTER_US
    assert run.modes() == {"s21": "off"}


def test_the_price_of_an_hour_ahead_that_is_published_late_is_planned_on_at_once() -> None:
    run = planned(tier(stop_usd_per_mw=1.0, start_usd_per_mw=1.0), curve=None)
    quarter(run, 1, STRIKE - 1.0)
    raised = run.feed(*(hour(3_000.0, T0 + number * HOUR_US, known_us=T0 + QUARTER_US) for number in range(1, 6)))
    assert moves(raised) == []  # it still earns in this quarter hour, and may stop later
    assert moves(quarter(run, 4, STRIKE + 100.0)) == [("s21", "hash", "off")]


def test_a_site_settled_at_its_curve_plans_on_the_curve_itself() -> None:
    run = Run(
        miner(site(tier(**COSTLY), power=Power(node=NODE, market="da", adder_usd_per_mwh=0.0))), policy="wary_plan"
    )
    run.feed(btc(65_000.0), network())
    prices = [30.0, STRIKE + 10.0, 30.0, STRIKE + 50.0, STRIKE + 50.0, 30.0, 30.0, 30.0, 30.0, 30.0]
    run.feed(*(hour(price, T0 + number * HOUR_US) for number, price in enumerate(prices)))
    found = []
    for number in range(8):
        run.feed(tick(T0 + number * HOUR_US + 1))
        found.append(run.modes()["s21"])
    assert found == ["hash", "hash", "hash", "off", "off", "hash", "hash", "hash"]


def test_loads_under_a_cap_are_planned_together_and_a_locked_one_takes_its_room_first() -> None:
    cheap, dear = tier("cheap", 13.5, **COSTLY), tier("dear", 30.0, **COSTLY)
    spot = pool("spot", mw=1.0)
    run = planned(spot, cheap, dear, mw_cap=2.0)
    assert run.modes() == {"spot": "ai", "cheap": "hash", "dear": "off"}
    run.order("force", mode="on", load="dear")
    assert run.modes() == {"spot": "ai", "cheap": "off", "dear": "hash"}
    run.order("release", load="dear")
    assert run.modes() == {"spot": "ai", "cheap": "hash", "dear": "off"}


@pytest.mark.parametrize("policy", PLANS)
def test_a_restart_forgets_no_price_and_decides_the_same(policy: str) -> None:
    whole = planned(policy=policy)
    for number in range(1, 30):
        quarter(whole, number, 30.0 + 10.0 * number)
    resumed = whole.copy()
    assert resumed.engine.snapshot() == whole.engine.snapshot()
    kept = len(whole.signals)
    for number in range(30, 60):
        for run in (whole, resumed):
            quarter(run, number, 600.0 - 10.0 * number)
    assert whole.signals[kept:] == resumed.signals
    assert any(signal["kind"] == "switch" for signal in resumed.signals)


def test_a_series_that_goes_to_shorter_intervals_is_learnt_anew_but_a_single_odd_print_costs_nothing() -> None:
    run = planned()
    quarter(run, 1, 40.0)
    memory = run.engine.state.memories[0]
    for number in range(12):
        assert (memory["step_us"], memory["cells"]) == (QUARTER_US, 1_344)
        at_us = T0 + 2 * QUARTER_US + number * 5 * MINUTE_US
        run.feed(tick(at_us), power(50.0, at_us, end_time_us=at_us + 5 * MINUTE_US))
    assert (memory["step_us"], memory["cells"]) == (5 * MINUTE_US, 4_032)
    assert run.engine.state.memory_prices[0, memory["newest"] % memory["cells"]] == 50.0
    assert run.engine.state.sites[0]["plan_steps"] == 72


def test_a_slower_source_of_old_prices_changes_nothing_and_a_correction_does() -> None:
    run = planned()
    for number in range(1, 4):
        quarter(run, number, 30.0 + number)
    run.feed(power(99.0, T0 + QUARTER_US))
    place = (T0 + QUARTER_US) // QUARTER_US % 1_344
    assert run.engine.state.memory_prices[0, place] == 31.0
    run.feed(power(98.0, T0 + QUARTER_US, revision=3))
    assert run.engine.state.memory_prices[0, place] == 98.0


def test_a_first_mode_is_free_only_where_the_configuration_says_so() -> None:
    for free, mode in ((False, "hash"), (True, "off")):
        run = Run(miner(site(tier(stop_usd_per_mw=250.0, start_usd_per_mw=250.0))), policy="wary_plan", free_start=free)
        run.feed(*(hour(30.0, T0 + number * HOUR_US) for number in range(24)), btc(65_000.0), network())
        run.feed(power(STRIKE + 300.0))
        assert run.modes() == {"s21": mode}
