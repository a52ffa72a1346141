"""Commands and acknowledgements: who may stop what, for how long, what stands above it; and nobody is heard twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.commands import Ack, Command
from models.fleet import Lease
from models.records import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from tests.support.fleets import (
    T0,
    USED,
    Run,
    btc,
    miner,
    moves,
    network,
    pool,
    power,
    rate,
    site,
    tick,
    tier,
    used,
)

TENANT = Lease(key="tenant", usd_per_kw_month=150.0, it_mw=0.8)


def plant(*loads: Any, mw_cap: float = 100.0, **more: Any) -> Run:
    """A site whose prices are all known; a MWh costs 10 USD, at which every tier earns."""
    run = Run(miner(site(*(loads or (tier("a"), tier("b", 30.0))), mw_cap=mw_cap, **more)))
    run.feed(btc(65_000.0), network(), rate(2.35), power(10.0))
    return run


@pytest.mark.guarantee("G7")
def test_a_forced_load_stays_off_though_it_would_earn_and_goes_back_when_the_order_ends() -> None:
    run = plant()
    answer, *switches = run.order("force", mode="off", load="a", why="transformer work")
    assert answer["outcome"] == "accepted"
    assert (answer["who"], answer["why"], answer["until_us"]) == ("A. Operator", "transformer work", T0 + HOUR_US)
    assert answer["loads"] == ["a"]
    assert moves(switches) == [("a", "hash", "off")]
    assert switches[0]["class"] == "operator"
    assert switches[0]["order"]["command"] == answer["command"]
    assert "force by A. Operator (transformer work)" in switches[0]["text"]
    assert run.feed(power(5.0, T0 + 1)) == []
    assert run.feed(tick(T0 + HOUR_US - 1)) == []
    ended, *back = run.feed(tick(T0 + HOUR_US))
    assert (ended["kind"], ended["outcome"], ended["command"]) == ("command", "ended", answer["command"])
    assert moves(back) == [("a", "off", "hash")]
    assert back[0]["order"] is None
    assert back[0]["class"] == "economic"


@pytest.mark.guarantee("G7")
def test_a_held_load_does_not_follow_the_price_and_dwell_does_not_bind_an_order() -> None:
    run = plant(tier("a", min_on_minutes=60.0, min_off_minutes=60.0))
    run.order("hold")
    assert moves(run.feed(power(4_000.0, T0 + 1))) == []
    run.order("release")
    assert run.modes() == {"a": "off"}
    assert moves(run.order("force", mode="on")) == [("a", "off", "hash")]
    assert moves(run.order("force", mode="off")) == [("a", "hash", "off")]


@pytest.mark.guarantee("G7")
def test_a_lock_out_stands_until_released_and_above_contract_order_and_failure_direction() -> None:
    run = plant(TENANT, tier("a", failure="run"), mw_cap=50.0)
    locked = run.order("lock-out", why="people at the machines")
    assert moves(locked) == [("tenant", "ai", "off"), ("a", "hash", "off")]
    assert {each["class"] for each in locked[1:]} == {"lock-out"}
    refused = run.order("force", mode="on", load="a")
    assert refused[0]["outcome"] == "refused"
    assert "locked out by A. Operator" in refused[0]["reason"]
    assert run.feed(tick(T0 + 40 * DAY_US))[0]["kind"] == "quality"
    assert run.modes() == {"tenant": "off", "a": "off"}
    released = run.order("release")
    assert moves(released) == [("tenant", "off", "ai"), ("a", "off", "hash")]
    assert {each["load"]: each["class"] for each in released[1:]} == {"tenant": "contract", "a": "safety"}


def test_a_hold_or_force_of_a_contracted_load_is_refused_and_a_site_wide_one_passes_it_over() -> None:
    run = plant(TENANT, tier("a"))
    alone = run.order("force", mode="off", load="tenant")
    assert "contract stands above" in alone[0]["reason"]
    both = run.order("force", mode="off")
    assert both[0]["outcome"] == "accepted"
    assert both[0]["loads"] == ["a"]
    assert list(both[0]["passed_over"]) == ["tenant"]
    assert run.modes() == {"tenant": "ai", "a": "off"}


@pytest.mark.guarantee("G7")
def test_a_failure_direction_off_stands_above_an_order_and_any_other_yields_to_it() -> None:
    run = plant(tier("safe", failure="off"), tier("kept", failure="hold"), tier("runs", failure="run"))
    for load, mode in (("safe", "on"), ("kept", "off"), ("runs", "off")):
        run.order("force", load=load, mode=mode, until_us=T0 + 90 * DAY_US)
    run.feed(tick(T0 + 60 * DAY_US))
    assert run.modes() == {"safe": "off", "kept": "off", "runs": "off"}
    assert run.switches()[-1]["class"] == "safety"


def test_an_order_needs_no_price() -> None:
    run = Run(miner(site(tier("a"))))
    assert moves(run.order("force", mode="off")) == [("a", "hash", "off")]
    switch = run.switches()[0]
    assert switch["margins"]["hash"] is None
    assert switch["expected_gain_usd_per_hour"] == 0.0


def test_loads_are_not_forced_on_beyond_the_cap_that_contracts_and_orders_leave() -> None:
    run = plant(TENANT, tier("a", mw=2.0), tier("b", 30.0, mw=2.0), mw_cap=3.5)
    assert run.modes() == {"tenant": "ai", "a": "hash", "b": "off"}
    swapped = run.order("force", mode="on", load="b")
    assert moves(swapped) == [("a", "hash", "off"), ("b", "off", "hash")]
    both = run.order("force", mode="on", load="a")
    assert both[0]["outcome"] == "refused"
    assert "cap of 3.50 MW" in both[0]["reason"]


@pytest.mark.guarantee("G7")
def test_the_cap_of_the_meter_stands_above_an_order_and_keeps_the_first_loads_it_holds() -> None:
    spot = pool("spot", mw=3.0, utilisation_series=USED, idle_fraction=0.2)
    run = plant(spot, tier("a", mw=1.0), tier("b", 30.0, mw=1.0), mw_cap=4.0)
    run.feed(used(0.1, T0 + 1))
    assert run.order("force", mode="on")[0]["outcome"] == "accepted"
    shed = run.feed(used(1.0, T0 + 2))
    assert moves(shed) == [("b", "hash", "off")]
    assert shed[0]["class"] == "mandatory"
    assert run.modes() == {"spot": "ai", "a": "hash", "b": "off"}


def test_a_command_is_carried_out_once_however_often_it_is_delivered() -> None:
    run = plant()
    assert run.order("force", mode="off", load="a", id="order-1")
    run.order("release", load="a")
    for _ in range(3):
        assert run.order("force", mode="off", load="a", id="order-1") == []
    again = run.copy()
    assert again.order("force", mode="off", load="a", id="order-1") == []
    assert again.modes() == {"a": "hash", "b": "hash"}


@pytest.mark.guarantee("G7")
def test_a_delivery_of_weeks_ago_is_refused_when_its_id_is_forgotten() -> None:
    run = plant()
    run.order("force", mode="off", load="a", id="order-1")
    for day in range(1, 12):
        run.feed(tick(T0 + day * DAY_US))
        run.order("release", id=f"release-{day}")
    late = run.order("force", mode="off", load="a", id="order-1", issued_us=T0, until_us=T0 + 20 * DAY_US)
    assert late[0]["outcome"] == "refused"
    assert "on its way" in late[0]["reason"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"issued_us": T0 - 11 * MINUTE_US}, "11 minutes on its way"),
        ({"issued_us": T0 + 6 * MINUTE_US, "until_us": T0 + HOUR_US}, "6 minutes ahead of the log"),
        ({"issued_us": T0 - 9 * MINUTE_US, "until_us": T0}, "its end has passed"),
        ({"site": "north"}, "no site 'north'"),
        ({"load": "z"}, "has no load 'z'"),
        ({"expected_version": 1}, "version 0 is not the 1 expected"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused_and_says_why(more: dict[str, Any], reason: str) -> None:
    run = plant()
    (answer,) = run.order("force", mode="off", **more)
    assert answer["outcome"] == "refused"
    assert reason in answer["reason"]
    assert run.modes() == {"a": "hash", "b": "hash"}


def test_of_two_people_who_saw_the_same_version_the_second_is_refused() -> None:
    run = plant()
    first = run.order("force", mode="off", load="a", expected_version=0)
    second = run.order("release", load="a", expected_version=0)
    assert (first[0]["outcome"], first[0]["version"]) == ("accepted", 1)
    assert (second[0]["outcome"], second[0]["version"]) == ("refused", 1)
    assert run.order("release", load="a", expected_version=1)[0]["outcome"] == "accepted"


def test_a_release_of_nothing_is_refused() -> None:
    assert "no order stands" in plant().order("release")[0]["reason"]


def test_orders_outlive_a_snapshot_and_a_fleet_change() -> None:
    run = plant()
    run.order("lock-out", load="a")
    run.order("force", mode="off", load="b")
    for other in (run, run.copy()):
        other.fleet(miner(site(tier("b", 28.0), tier("a"), tier("c", 14.0), mw_cap=100.0)))
        assert other.modes() == {"a": "off", "b": "off", "c": "hash"}
        other.feed(tick(T0 + HOUR_US))
        assert other.modes() == {"a": "off", "b": "hash", "c": "hash"}
        assert other.order("release", load="a")[0]["outcome"] == "accepted"


@pytest.mark.guarantee("G7")
def test_a_lock_out_of_a_site_covers_loads_that_come_later_until_it_is_released() -> None:
    run = plant(tier("a"))
    run.order("lock-out", why="people at the machines")
    for other in (run, run.copy()):
        other.fleet(miner(site(tier("a"), tier("new", 14.0), mw_cap=100.0)))
        assert other.modes() == {"a": "off", "new": "off"}
        assert other.switches()[-1]["class"] == "lock-out"
        assert other.order("release", load="new", id="one")[0]["outcome"] == "accepted"
        other.fleet(miner(site(tier("a"), tier("new", 14.5), mw_cap=100.0)))
        assert other.modes() == {"a": "off", "new": "hash"}  # what was released by name stays so
        other.order("release", id="all")
        other.fleet(miner(site(tier("a"), tier("new", 14.5), tier("newer", 14.0), mw_cap=100.0)))
        assert other.modes() == {"a": "hash", "new": "hash", "newer": "hash"}


def test_what_was_refused_first_may_still_be_done() -> None:
    run = plant(tier("a"), acknowledge=True)
    run.feed(power(4_000.0, T0 + 1))
    assert run.ack("south#1", "a", outcome="refused", note="breaker stuck")[0]["outcome"] == "counted"
    assert "before as refused" in run.ack("south#1", "a", outcome="refused", note="still")[0]["reason"]
    assert run.ack("south#1", "a")[0]["outcome"] == "counted"
    assert run.engine.unconfirmed() == []


def test_a_switch_is_confirmed_once_and_only_the_last_one() -> None:
    run = plant(acknowledge=True)
    (switch,) = [each for each in run.feed(power(4_000.0, T0 + 1)) if each["kind"] == "switch" and each["load"] == "a"]
    assert [each["state"] for each in run.engine.unconfirmed()] == ["awaited", "awaited"]
    counted = run.ack(switch["decision"], "a")[0]
    assert (counted["outcome"], counted["overdue"]) == ("counted", False)
    assert [each["load"] for each in run.engine.unconfirmed()] == ["b"]
    assert "acknowledged before as done" in run.ack(switch["decision"], "a")[0]["reason"]
    run.feed(power(10.0, T0 + 2))
    assert "the last switch of this load is south#2" in run.ack(switch["decision"], "a")[0]["reason"]
    assert "no load 'z'" in run.ack(switch["decision"], "z")[0]["reason"]


def test_a_switch_that_is_not_confirmed_in_time_is_overdue_and_a_refusal_stays_visible() -> None:
    run = plant(tier("a"), acknowledge=True)
    (switch,) = run.feed(power(4_000.0, T0 + 1))
    run.feed(tick(switch["act_by_us"]))
    assert run.engine.unconfirmed()[0]["state"] == "awaited"
    run.feed(tick(switch["act_by_us"] + 1))
    (open_one,) = run.engine.unconfirmed()
    assert open_one == {
        "site": "south",
        "load": "a",
        "decision": "south#1",
        "to": "off",
        "act_by_us": switch["act_by_us"],
        "state": "overdue",
    }
    assert run.copy().engine.unconfirmed() == [open_one]
    answer = run.ack("south#1", "a", outcome="refused", note="breaker stuck")[0]
    assert (answer["outcome"], answer["overdue"]) == ("counted", True)
    assert run.engine.unconfirmed()[0]["state"] == "refused"


def test_a_site_that_asks_for_no_confirmation_shows_none_and_takes_one() -> None:
    run = plant(tier("a"))
    run.feed(power(4_000.0, T0 + 1))
    assert run.engine.unconfirmed() == []
    assert run.ack("south#1", "a")[0]["outcome"] == "counted"


COMMAND = Command(
    id="c1", miner="acme", site="south", action="force", mode="on", who="A", why="b", issued_us=T0, until_us=T0 + 1
)
ACK = Ack(id="a1", miner="acme", site="south", load="a", decision="south#1", who="A", issued_us=T0)


@pytest.mark.parametrize(
    ("record", "more", "words"),
    [
        (COMMAND, {"id": "has space"}, "id 'has space'"),
        (COMMAND, {"action": "stop"}, "is not one of hold, force"),
        (COMMAND, {"mode": None}, "mode (on or off) belongs to force"),
        (COMMAND, {"mode": "ai"}, "'ai' is not one of on, off"),
        (COMMAND, {"action": "hold"}, "belongs to force, and to nothing else"),
        (COMMAND, {"who": " "}, "who must not be empty"),
        (COMMAND, {"why": "two\nlines"}, "one line"),
        (COMMAND, {"until_us": None}, "needs until_us"),
        (COMMAND, {"until_us": T0}, "must lie after issued_us"),
        (COMMAND, {"until_us": T0 + 367 * DAY_US}, "366 days at most"),
        (COMMAND, {"action": "release", "mode": None}, "a release has no until_us"),
        (COMMAND, {"expected_version": -1}, "outside 0 to"),
        (ACK, {"outcome": "maybe"}, "is not one of done, refused"),
        (ACK, {"outcome": "refused"}, "note must not be empty"),
        (ACK, {"who": ""}, "who must not be empty"),
        (ACK, {"issued_us": 5}, "not a time"),
    ],
)
def test_a_record_that_names_nobody_no_reason_or_no_end_is_refused(record: Any, more: Any, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        replace(record, **more)
    assert words in str(refusal.value)


LOADS = (TENANT, pool("spot", mw=1.5, min_on_minutes=30.0), tier("a", 13.5), tier("b", 30.0, failure="off"))
event = st.one_of(
    st.tuples(st.just("power"), st.floats(-100.0, 5_000.0)),
    st.tuples(st.just("rate"), st.floats(0.1, 5.0)),
    st.tuples(st.just("wait"), st.integers(1, 90)),
    st.tuples(
        st.sampled_from(("hold", "force on", "force off", "lock-out", "release")),
        st.sampled_from(("", *(load.key for load in LOADS))),
    ),
)


@pytest.mark.guarantee("G7")
@settings(deadline=None, max_examples=150)
@given(st.lists(event, max_size=40), st.sampled_from((2.5, 4.0, 10.0)))
def test_over_any_history_what_stands_higher_holds(events: list[tuple[str, Any]], mw_cap: float) -> None:
    run, moment = plant(*LOADS, mw_cap=mw_cap), count(1)
    for name, value in events:
        now_us = run.engine.log_time_us
        if name == "power":
            run.feed(power(value, now_us + next(moment)))
        elif name == "rate":
            run.feed(rate(value, now_us + next(moment)))
        elif name == "wait":
            run.feed(tick(now_us + value * MINUTE_US + SECOND_US))
        else:
            action, _, mode = name.partition(" ")
            run.order(action, load=value, **({"mode": mode} if mode else {}))
        modes, standing = run.modes(), run.engine.book.standing
        running_mw = sum(value["mw_running"] for value in run.engine.site_values())
        for load, mode in modes.items():
            order = standing.get(("south", load))
            if order is not None and order.action == "lock-out":
                assert mode == "off", load
            elif load == "tenant":
                assert mode == "ai"
            elif order is not None and not order.mode:
                assert mode == "off", load
            elif order is not None and mode == "off":  # only the cap of the meter may have shed it
                last = [each for each in run.switches() if each["load"] == load][-1]
                assert last["class"] == "mandatory", (load, last)
        assert running_mw <= mw_cap * (1 + 1e-9)
    assert run.copy().engine.snapshot() == run.engine.snapshot()
