"""Why a signal came, recomputed in plain Python from the formulas, and what takes it back, fed back as a print."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.records import MINUTE_US, SECOND_US, Observation
from tests.support.fleets import (
    BTC,
    DIFFICULTY,
    FEES,
    HEIGHT,
    NETWORK,
    POWER,
    RATE,
    T0,
    USED,
    Loads,
    Run,
    btc,
    miner,
    network,
    pool,
    power,
    printed,
    rate,
    site,
    tick,
    tier,
)
from tests.support.formulas import Prices, shapley, value_usd_per_hour

LOADS: dict[str, Loads] = {
    load.key: load
    for load in (
        pool("spot", mw=3.0, utilisation_series=USED, idle_fraction=0.35),
        tier("a", 13.5, mw=2.0),
        tier("b", 17.5, mw=2.5),
        tier("c", 30.0, mw=1.5),
    )
}
START = Prices(20.0, 65_000.0, DIFFICULTY, 3.125 + FEES, 2.0, 0.8)
FIELDS = {
    "power": ("power_usd_per_mwh", st.floats(-100.0, 200.0) | st.floats(-500.0, 9_000.0)),
    "btc": ("usd_per_btc", st.floats(20_000.0, 200_000.0)),
    "network": ("difficulty", st.floats(40e12, 200e12)),
    "rate": ("usd_per_gpu_hour", st.floats(0.05, 5.0)),
    "used": ("utilisation", st.floats(0.0, 1.0)),
}
SERIES = {"power": POWER, "btc": BTC, "network": NETWORK, "rate": RATE, "used": USED}
KINDS = {series: kind for kind, series in SERIES.items()}
step = st.one_of(*(st.tuples(st.just(kind), values) for kind, (_, values) in FIELDS.items()))


def newer(kind: str, value: float, number: int) -> Observation:
    """A print of one kind, newer than those before it."""
    more = {"height": HEIGHT + number} if kind == "network" else {}
    return printed(kind, value, T0 + number, **more)


def opened(mw_cap: float, **config: Any) -> Run:
    """The site when all its prices are known."""
    run = Run(miner(site(*LOADS.values(), mw_cap=mw_cap)), **config)
    for kind, (name, _) in FIELDS.items():
        if kind != "power":
            run.feed(newer(kind, getattr(START, name), 0))
    run.feed(newer("power", START.power_usd_per_mwh, 0))
    return run


@pytest.mark.listed
@pytest.mark.parametrize("policy", ["breakeven", "band"])
@pytest.mark.parametrize("mw_cap", [100.0, 6.0])
@settings(deadline=None, max_examples=60)
@given(st.lists(step, min_size=1, max_size=25))
def test_why_sums_to_the_change_of_value_and_each_share_is_its_groups(
    policy: str, mw_cap: float, steps: list[tuple[str, float]]
) -> None:
    """Within 1e-9 USD/h of v(to) - v(from) now less the same at the load's previous signal, by the definitions."""
    run = opened(mw_cap, policy=policy)
    now = START
    before = dict.fromkeys(LOADS, START)
    for number, (kind, value) in enumerate(steps, start=1):
        now = replace(now, **{FIELDS[kind][0]: value})
        raised = [each for each in run.feed(newer(kind, value, number)) if each["kind"] == "switch"]
        moved = {each["load"]: (LOADS[each["load"]], 1 if each["from"] == "off" else -1) for each in raised}
        for each in raised:
            why, key = each["why"], each["load"]
            together = list(moved.values()) if why["scope"] == "site" else [moved[key]]
            change = sum(
                sign * (value_usd_per_hour(load, now) - value_usd_per_hour(load, before[key]))
                for load, sign in together
            )
            assert sum(why["groups"].values()) == pytest.approx(change, abs=1e-9)
            assert why["total"] == pytest.approx(change, abs=1e-9)
            for group, share in shapley(before[key], now, together).items():
                assert why["groups"].get(group, 0.0) == pytest.approx(share, abs=1e-8, rel=1e-9)
            before[key] = now


def mode_after(run: Run, load: str, one: Observation) -> str:
    """Mode of a load were this printed now."""
    asked = run.copy()
    asked.feed(one)
    return asked.modes()[load]


@pytest.mark.listed
@pytest.mark.parametrize("policy", ["breakeven", "band"])
@pytest.mark.parametrize("mw_cap", [100.0, 6.0])
@settings(deadline=None, max_examples=40)
@given(st.lists(step, min_size=1, max_size=8))
def test_every_flip_value_fed_back_flips_and_its_neighbour_does_not(
    policy: str, mw_cap: float, steps: list[tuple[str, float]]
) -> None:
    run = opened(mw_cap, policy=policy)
    for number, (kind, value) in enumerate(steps, start=1):
        for each in run.feed(newer(kind, value, number)):
            for flip in each.get("flip", []):
                if flip["value"] is None:
                    assert flip["reason"] == "no value of it alone"
                    continue
                kind_of, at = KINDS[flip["series"]], number + 1
                assert mode_after(run, each["load"], newer(kind_of, flip["value"], at)) == each["from"]
                nearer = math.nextafter(flip["value"], flip["now"])
                assert mode_after(run, each["load"], newer(kind_of, nearer, at)) == each["to"]


@settings(deadline=None, max_examples=60)
@given(st.floats(0.01, 9_000.0), st.floats(20_000.0, 200_000.0))
def test_the_flip_of_the_power_price_is_the_breakeven_of_the_definition(loss: float, usd_per_btc: float) -> None:
    strike = value_usd_per_hour(tier(), Prices(0.0, usd_per_btc, DIFFICULTY, 3.125 + FEES))
    run = Run(miner(site(tier())))
    run.feed(network(), btc(usd_per_btc), power(strike + loss))
    (stopped,) = run.switches()
    (flip,) = (flip for flip in stopped["flip"] if flip["series"] == POWER)
    assert flip["value"] == pytest.approx(strike, rel=1e-12, abs=1e-9)


def test_a_flip_is_asked_for_with_the_dwell_served() -> None:
    """Within the dwell the value changes nothing, at its end it does."""
    run = Run(miner(site(tier(min_off_minutes=60.0))))
    run.feed(network(), btc(65_000.0), power(20.0))
    (stopped,) = run.feed(power(500.0, T0 + 1))
    (flip,) = (flip for flip in stopped["flip"] if flip["series"] == POWER)
    assert mode_after(run, "s21", power(flip["value"], T0 + 2)) == "off"
    run.feed(tick(T0 + 60 * MINUTE_US))
    assert mode_after(run, "s21", power(flip["value"], T0 + 2)) == "hash"
    assert mode_after(run, "s21", power(math.nextafter(flip["value"], 500.0), T0 + 2)) == "off"


def test_under_a_cap_a_flip_is_asked_for_with_every_dwell_served() -> None:
    """The rate at which the pool gives its room back to the tier it took it from, an hour of dwell on both."""
    stay: dict[str, Any] = {"min_on_minutes": 60.0, "min_off_minutes": 60.0}
    run = Run(miner(site(tier(mw=5.0, **stay), pool(mw=5.0, initially_on=False, **stay), mw_cap=5.0)))
    run.feed(network(), btc(65_000.0), power(20.0), rate(0.3), rate(2.5, T0 + 1))
    started, _ = run.switches()
    (flip,) = (flip for flip in started["flip"] if flip["series"] == RATE)
    assert flip["value"] is not None
    assert mode_after(run, "h100", rate(flip["value"], T0 + 2)) == "ai"
    run.feed(tick(T0 + 60 * MINUTE_US))
    assert mode_after(run, "h100", rate(flip["value"], T0 + 2)) == "off"
    assert mode_after(run, "h100", rate(math.nextafter(flip["value"], 2.5), T0 + 2)) == "ai"


def test_a_first_signal_is_explained_from_the_initial_valuation() -> None:
    run = Run(miner(site(tier())))
    run.feed(network(), power(40.0), btc(60_000.0), power(50.0, T0 + 1), power(500.0, T0 + 2))
    (stopped,) = run.switches()
    assert stopped["why"] == {
        "unit": "USD/h",
        "scope": "load",
        "total": pytest.approx(460.0),
        "groups": {"power_price": pytest.approx(460.0)},
    }


def test_what_was_unknown_explains_by_its_change_since_it_was_first_known() -> None:
    """The pool's rate comes after the tier was valued: 2.00 at first, then 2.50 at which the pool takes the room."""
    run = Run(miner(site(tier(mw=5.0), pool(mw=5.0, initially_on=False, min_off_minutes=10.0), mw_cap=5.0)))
    run.feed(network(), btc(65_000.0), power(20.0))
    run.feed(rate(0.3, T0 + 1), rate(2.5, T0 + 2))
    started = {each["load"]: each for each in run.switches()}
    assert set(started) == {"h100", "s21"}
    gained = 5.0 * 1_000.0 / (1.4 * 1.25) * 0.8 * 2.2
    assert started["s21"]["why"]["groups"] == {"gpu_rate": pytest.approx(gained)}


def test_what_fleet_changes_did_is_explained_as_state() -> None:
    run = Run(miner(site(tier())))
    run.feed(network(), btc(65_000.0), power(20.0))
    run.fleet(miner(site(tier(opex_usd_per_mwh=10.0))))
    (stopped,) = run.feed(power(500.0, T0 + 1))
    assert stopped["why"]["groups"] == {"power_price": pytest.approx(480.0), "state": pytest.approx(4.0)}
    assert stopped["why"]["total"] == pytest.approx(484.0)
    (started,) = run.feed(power(20.0, T0 + 2))
    assert started["why"]["groups"] == {"power_price": pytest.approx(480.0)}, "said once"


def test_a_signal_of_a_failure_has_no_flip_and_says_so() -> None:
    run = Run(miner(site(tier(failure="off"))))
    run.feed(network(), btc(65_000.0), power(20.0, next_due_us=T0 + SECOND_US), tick(T0 + 3_600 * SECOND_US))
    (stopped,) = run.switches()
    assert {(flip["value"], flip["reason"]) for flip in stopped["flip"]} == {(None, "decided by failure direction")}
    assert stopped["margins"] == {"hash": None, "ai": None, "off": 0.0}


def test_inputs_of_a_signal_say_value_age_state_and_source() -> None:
    run = Run(miner(site(tier())))
    run.feed(network(), btc(65_000.0), power(20.0), tick(T0 + 90 * SECOND_US))
    (stopped,) = run.feed(power(500.0, T0 + 90 * SECOND_US, source="desk", revision=3))
    found = {(each["series"], each["unit"]): each for each in stopped["inputs"]}
    assert found[POWER, "USD/MWh"] == {
        "series": POWER,
        "value": 500.0,
        "unit": "USD/MWh",
        "age_s": 0.0,
        "state": "suspect",
        "reason": "far from its usual level; the next interval confirms it or not",
        "source": "desk",
        "event_time_us": T0 + 90 * SECOND_US,
        "revision": 3,
    }
    assert found[BTC, "USD/BTC"]["age_s"] == 90.0
    assert found[NETWORK, "BTC/block"]["value"] == 3.125 + FEES


def test_a_utilisation_that_no_series_gives_is_flagged_as_a_default() -> None:
    run = Run(miner(site(pool(utilisation_default=0.3), pool("held", contract="reserved"))))
    run.feed(power(20.0), rate(0.2))
    (stopped,) = run.switches()
    (flagged,) = (each for each in stopped["inputs"] if each["state"] != "ok")
    assert (flagged["series"], flagged["value"], flagged["unit"]) == ("utilisation_default", 0.3, "fraction")
    assert (flagged["state"], flagged["source"]) == ("default", "fleet file: h100")


def test_a_missing_input_is_null_not_zero() -> None:
    run = Run(miner(site(tier(failure="off"))), warm_up_s=60)
    run.feed(tick(T0 + 60 * SECOND_US))
    (stopped,) = run.switches()
    assert {(each["value"], each["age_s"], each["state"]) for each in stopped["inputs"]} == {(None, None, "missing")}
    assert {flip["now"] for flip in stopped["flip"]} == {None}


def test_a_safety_signal_is_valid_and_can_be_acted_on_when_it_is_born() -> None:
    """No print drives it: it holds for one limit of what is lacking, not until a time already past."""
    run = Run(miner(site(tier(failure="off", act_within_minutes=5.0))), warm_up_s=60)
    run.feed(network(), btc(65_000.0), power(20.0, next_due_us=T0 + SECOND_US), tick(T0 + 3_600 * SECOND_US))
    (stopped,) = run.switches()
    assert stopped["valid_until_us"] == stopped["log_time_us"] + 900 * SECOND_US
    assert stopped["act_by_us"] == stopped["log_time_us"] + 5 * MINUTE_US


def test_an_economic_signal_is_valid_until_its_driving_print_turns_stale() -> None:
    run = Run(miner(site(tier(act_within_minutes=30.0))))
    run.feed(network(), btc(65_000.0))
    (stopped,) = run.feed(power(500.0, next_due_us=T0 + 60 * SECOND_US))
    assert stopped["valid_until_us"] == T0 + 960 * SECOND_US
    assert stopped["act_by_us"] == stopped["valid_until_us"]
