"""What a site's loads do: the best set under the cap, held back by dwell, contract, failure direction, and the cap."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fleet import GpuPool, Lease
from models.records import MINUTE_US, SECOND_US
from tests.support.fleets import (
    DIFFICULTY,
    FEES,
    LONG_US,
    T0,
    USED,
    Loads,
    Run,
    breakeven_power,
    btc,
    miner,
    moves,
    network,
    pool,
    power,
    printed,
    rate,
    site,
    tick,
    tier,
    used,
)
from tests.support.formulas import Prices, draw_mw, value_usd_per_hour

STAYS: dict[str, Any] = {"min_on_minutes": 30.0, "min_off_minutes": 20.0}
TENANT = Lease(key="tenant", usd_per_kw_month=150.0, it_mw=0.8)
RESERVED = pool("reserved", contract="reserved", utilisation_default=0.9, failure="off")
SPOT = pool("spot", mw=3.0, utilisation_series=USED, idle_fraction=0.35, **STAYS)
TIERS = (
    tier("a", 13.5, mw=2.0, failure="hold", **STAYS),
    tier("b", 17.5, mw=2.5, failure="off", **STAYS),
    tier("c", 30.0, mw=1.5, failure="run", **STAYS),
)
CAP = 7.0
LOADS: dict[str, Loads] = {load.key: load for load in (TENANT, RESERVED, SPOT, *TIERS)}

VALUES: dict[str, st.SearchStrategy[float]] = {
    "power": st.floats(-500.0, 9_000.0) | st.floats(-20.0, 120.0),
    "btc": st.floats(20_000.0, 200_000.0),
    "rate": st.floats(0.05, 5.0),
    "used": st.floats(0.0, 1.0),
}
event = st.one_of(
    *(st.tuples(st.just(name), values, st.sampled_from((60, 3_600, 86_400))) for name, values in VALUES.items()),
    st.tuples(st.just("wait"), st.integers(1, 40), st.just(0)),
)


def play(run: Run, events: list[tuple[str, Any, int]]) -> Any:
    """Feed events one by one; yields what each raised. A print is due again after its seconds."""
    now_us = run.engine.log_time_us
    for count, (name, value, due_s) in enumerate(events):
        if name == "wait":
            now_us += value * MINUTE_US
            yield run.feed(tick(now_us))
        else:
            at_us = now_us + count  # each print is newer than the last
            yield run.feed(printed(name, value, at_us, next_due_us=at_us + due_s * SECOND_US))


@pytest.mark.parametrize("policy", ["breakeven", "band"])
@settings(deadline=None, max_examples=150)
@given(st.lists(event, max_size=40))
def test_over_any_history_economics_break_no_dwell_no_contract_and_no_cap(
    policy: str, events: list[tuple[str, Any, int]]
) -> None:
    run = Run(miner(site(*LOADS.values(), mw_cap=CAP)), policy=policy, warm_up_s=600)
    run.feed(network())
    changed_us: dict[str, int] = {}
    modes = run.modes()
    for raised in play(run, events):
        for each in (one for one in raised if one["kind"] == "switch"):
            load = LOADS[each["load"]]
            assert load.key not in {"tenant", "reserved"}
            stay = load.min_on_minutes if modes[load.key] != "off" else load.min_off_minutes
            if each["class"] == "economic":
                since_us = each["log_time_us"] - changed_us.get(load.key, -LONG_US)
                assert since_us >= stay * MINUTE_US
            changed_us[load.key] = each["log_time_us"]
            assert each["from"] == modes[load.key]
            modes[load.key] = each["to"]
        assert modes == run.modes()
        (value,) = run.engine.site_values()
        if value["mw_running"] > CAP * (1.0 + 1e-9):
            running = [load for load in value["loads"] if load["mode"] != "off"]
            assert all(load["degraded"] or load["load"] in {"tenant", "reserved"} for load in running)
            assert value["over_cap"]


def best_usd_per_hour(loads: tuple[Loads, ...], prices: Prices, room_mw: float) -> float:
    """Worth of the best set that fits, by trying all."""
    found = 0.0
    for size in range(1, len(loads) + 1):
        for chosen in combinations(loads, size):
            if sum(draw_mw(load, prices) for load in chosen) <= room_mw * (1.0 + 1e-9):
                found = max(found, sum(value_usd_per_hour(load, prices) for load in chosen))
    return found


FREE = (
    pool("spot", mw=3.0, utilisation_series=USED, idle_fraction=0.35),
    pool("second", mw=1.3, utilisation_default=0.2),
    tier("a", 13.5, mw=2.0),
    tier("b", 17.5, mw=2.5),
    tier("c", 30.0, mw=1.5),
)


@settings(deadline=None, max_examples=150)
@given(
    st.floats(-100.0, 150.0), st.floats(20_000.0, 150_000.0), st.floats(0.2, 4.0), st.floats(0.0, 1.0), st.floats(0, 11)
)
def test_each_step_runs_the_set_that_earns_most_under_the_cap(
    power_price: float, usd_per_btc: float, gpu_rate: float, utilisation: float, cap_mw: float
) -> None:
    """Breakeven without stays, held against every subset, valued by the definitions."""
    run = Run(miner(site(TENANT, *FREE, mw_cap=cap_mw + 1.0)))
    run.feed(network(), power(power_price), btc(usd_per_btc), rate(gpu_rate), used(utilisation))
    prices = Prices(power_price, usd_per_btc, DIFFICULTY, 3.125 + FEES, gpu_rate, utilisation)
    running = [load for load in FREE if run.modes()[load.key] != "off"]
    assert sum(draw_mw(load, prices) for load in running) <= cap_mw * (1.0 + 1e-8)
    earned = sum(value_usd_per_hour(load, prices) for load in running)
    assert earned == pytest.approx(best_usd_per_hour(FREE, prices, cap_mw), rel=1e-9, abs=1e-6)


def stale(*loads: Loads, mw_cap: float = 100.0) -> Run:
    """A site whose price of power has just gone stale: at 20 $/MWh all tiers run, at 900 none."""
    run = Run(miner(site(*loads, mw_cap=mw_cap)))
    run.feed(btc(65_000.0), network(), rate(2.0), power(20.0, next_due_us=T0 + SECOND_US))
    return run


def expire(run: Run) -> list[dict[str, Any]]:
    return run.feed(tick(run.engine.log_time_us + 7_200 * SECOND_US))


DIRECTIONS = [("hold", True, "hash"), ("hold", False, "off"), ("off", True, "off"), ("off", False, "off")]
DIRECTIONS += [("run", True, "hash"), ("run", False, "hash")]


@pytest.mark.parametrize(("failure", "on", "after"), DIRECTIONS)
def test_a_load_whose_series_is_stale_follows_its_failure_direction(failure: str, on: bool, after: str) -> None:
    run = stale(tier(failure=failure))
    if not on:
        run.feed(power(900.0, T0 + 1, next_due_us=T0 + SECOND_US))
    raised = expire(run)
    assert run.modes() == {"s21": after}
    assert [each["rule"] for each in raised if each["kind"] == "switch"] == (
        ["failure direction"] if (after == "hash") != on else []
    )
    assert [(each["series"], each["state"]) for each in raised if each["kind"] == "quality"] == [
        ("power:ERCOT:HB_SOUTH:rt", "stale")
    ]


def test_failure_directions_ignore_dwell_and_what_they_did_is_dwelt_on_afterwards() -> None:
    run = stale(tier(failure="off", min_off_minutes=60.0, min_on_minutes=600.0))
    stopped_us = expire(run)[-1]["log_time_us"]
    run.feed(power(20.0, stopped_us))
    assert run.modes() == {"s21": "off"}
    run.feed(tick(stopped_us + 60 * MINUTE_US - 1))
    assert run.modes() == {"s21": "off"}
    run.feed(tick(stopped_us + 60 * MINUTE_US))
    assert run.modes() == {"s21": "hash"}


def test_a_missing_series_is_awaited_for_the_warm_up_and_then_a_failure() -> None:
    run = Run(miner(site(tier(failure="off"))), warm_up_s=600)
    assert run.feed(tick(T0 + 600 * SECOND_US - 1)) == []
    raised = run.feed(tick(T0 + 600 * SECOND_US))
    assert [each["state"] for each in raised if each["kind"] == "quality"] == ["missing"] * 3
    assert moves(raised) == [("s21", "hash", "off")]


def test_what_one_series_still_awaits_does_not_excuse_what_another_lost() -> None:
    run = Run(miner(site(tier(failure="off"))), warm_up_s=9_000)
    run.feed(btc(65_000.0), power(20.0, next_due_us=T0 + SECOND_US))
    assert moves(expire(run)) == [("s21", "hash", "off")]
    assert [each["series"] for each in run.feed(tick(T0 + 9_000 * SECOND_US))] == ["network:btc"]


@pytest.mark.parametrize("contract", ["lease", "reserved"])
def test_what_is_contracted_runs_at_any_price_and_without_one(contract: str) -> None:
    load = Lease(key="load", usd_per_kw_month=100.0, it_mw=1.0, lease_type="gross", failure="off")
    bound: Lease | GpuPool = load if contract == "lease" else pool("load", contract="reserved", failure="off")
    run = Run(miner(site(bound)))
    run.feed(rate(0.01), power(9_000.0, next_due_us=T0 + SECOND_US))
    expire(run)
    assert run.modes() == {"load": "ai"}
    assert run.switches() == []


def test_failure_directions_start_nothing_beyond_the_cap() -> None:
    run = stale(*(tier(key, mw=4.0, failure="run") for key in "abc"), mw_cap=10.0)
    run.feed(power(900.0, T0 + 1, next_due_us=T0 + SECOND_US))
    expire(run)
    assert run.modes() == {"a": "hash", "b": "hash", "c": "off"}


def test_a_failure_direction_takes_the_room_of_a_load_within_its_dwell() -> None:
    waiting = pool("h100", mw=5.0, utilisation_series=USED, failure="run")
    run = Run(miner(site(waiting, tier(mw=5.0, min_on_minutes=1e4), mw_cap=5.0)))
    run.feed(btc(65_000.0), network(), rate(0.1), used(0.9, next_due_us=T0 + SECOND_US), power(900.0))
    run.feed(power(20.0, T0 + 1))
    assert run.modes() == {"h100": "off", "s21": "hash"}
    assert [(each["load"], each["to"], each["class"]) for each in expire(run) if each["kind"] == "switch"] == [
        ("h100", "ai", "safety"),
        ("s21", "off", "mandatory"),
    ]


def narrowed(cap_mw: float, usd_per_mwh: float) -> tuple[Run, list[dict[str, Any]]]:
    """Three tiers within a long dwell, at this price, when the cap falls from 100 MW."""
    sizes = (("a", 30.0, 2.0), ("b", 17.5, 6.0), ("c", 17.5, 6.0))
    run = Run(miner(site(*(tier(*size) for size in sizes), mw_cap=100.0)))
    run.feed(btc(65_000.0), network(), power(900.0), power(20.0, T0 + 1))
    kept = [tier(*size, min_on_minutes=600.0, min_off_minutes=600.0) for size in sizes]
    run.fleet(miner(site(*kept, mw_cap=100.0)))
    run.feed(power(usd_per_mwh, T0 + 2))
    assert run.modes() == {"a": "hash", "b": "hash", "c": "hash"}
    return run, run.fleet(miner(site(*kept, mw_cap=cap_mw)))


def test_the_cap_overrides_dwell_and_sheds_what_earns_least() -> None:
    run, raised = narrowed(12.0, 20.0)
    assert [(each["load"], each["rule"], each["class"]) for each in raised] == [("a", "site cap", "mandatory")]
    assert run.modes() == {"a": "off", "b": "hash", "c": "hash"}


def test_the_cap_sheds_no_more_than_it_must() -> None:
    """At 75 $/MWh tier a loses money, but its dwell is not served and its 2 MW have room beside b."""
    assert breakeven_power(tier("a", 30.0), 65_000.0) < 75.0
    run, raised = narrowed(10.0, 75.0)
    assert moves(raised) == [("c", "hash", "off")]
    assert run.modes() == {"a": "hash", "b": "hash", "c": "off"}


def test_the_cap_starts_nothing_in_the_room_it_makes_but_the_next_print_may() -> None:
    sizes = (("a", 17.5, 6.0), ("b", 18.0, 6.0), ("c", 19.0, 2.0))
    run = Run(miner(site(*(tier(*size, initially_on=size[0] != "c") for size in sizes), mw_cap=12.0)))
    run.feed(btc(65_000.0), network(), power(900.0), power(20.0, T0 + 1))
    kept = [tier(*size, min_on_minutes=600.0) for size in sizes]
    raised = run.fleet(miner(site(*kept, mw_cap=8.0)))
    assert moves(raised) == [("b", "hash", "off")]
    assert moves(run.feed(power(21.0, T0 + 2))) == [("c", "off", "hash")]


def test_a_site_within_its_cap_decides_each_load_alone() -> None:
    run = Run(miner(site(tier("a", 17.5, mw=5.0), tier("b", 30.0, mw=5.0), mw_cap=10.0)))
    run.feed(btc(65_000.0), network(), power(75.0))
    assert run.modes() == {"a": "hash", "b": "off"}
    assert run.signals[-1]["why"]["scope"] == "load"
