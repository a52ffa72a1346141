"""One miner's state machine: the ladder of tiers, extremes, what is missing, fleets that change by date or record."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from models.arrays import NEVER
from models.documents import midnight_us
from models.engine import next_change_us
from models.fleet import AsicTier, Miner
from models.records import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from tests.support.fleets import (
    BTC,
    NETWORK,
    POWER,
    RATE,
    T0,
    Run,
    breakeven_power,
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
)

QUARTER_US = 15 * MINUTE_US
EFFICIENCIES = (13.5, 17.5, 21.5, 29.5, 34.0)
STAY: dict[str, Any] = {"min_on_minutes": 15.0, "min_off_minutes": 15.0}


def ladder() -> tuple[AsicTier, ...]:
    """Five tiers of one cost and a dwell of one interval."""
    return tuple(tier(f"tier-{eps:.0f}", eps, **STAY) for eps in EFFICIENCIES)


def quarters(run: Run, prices: list[float]) -> None:
    """A price each quarter hour, after its tick."""
    for number, price in enumerate(prices):
        at_us = T0 + number * QUARTER_US
        run.feed(tick(at_us + 1), power(price, at_us + 1))


@pytest.mark.parametrize("policy", ["breakeven", "band"])
def test_the_least_efficient_tier_goes_off_first_and_on_last(policy: str) -> None:
    run = Run(miner(site(*ladder())), policy=policy)
    run.feed(btc(65_000.0), network())
    quarters(run, [*range(10, 200, 2), *range(200, 10, -2)])
    off = [load for load, _, to in moves(run.signals) if to == "off"]
    on = [load for load, _, to in moves(run.signals) if to == "hash"]
    assert off == ["tier-34", "tier-30", "tier-22", "tier-18", "tier-14"]
    assert on == off[::-1]


def test_a_tier_goes_off_and_on_at_its_breakeven_by_the_definition() -> None:
    run = Run(miner(site(tier())))
    run.feed(btc(65_000.0), network())
    strike = breakeven_power(tier(), 65_000.0)
    found = []
    for number, price in enumerate((strike - 1e-9, strike + 1e-9, strike - 1e-9)):
        run.feed(power(price, T0 + number))
        found.append(run.modes()["s21"])
    assert found == ["hash", "off", "hash"]


def test_dwell_is_served_at_its_last_microsecond_even_where_no_price_comes() -> None:
    run = Run(miner(site(tier(**STAY))))
    run.feed(btc(65_000.0), network(), power(500.0), power(10.0, T0 + 1))
    assert run.feed(tick(T0 + QUARTER_US - 1)) == []
    assert moves(run.feed(tick(T0 + QUARTER_US))) == [("s21", "off", "hash")]


@pytest.mark.listed
def test_negative_and_nine_thousand_dollar_prices_pass_and_decide() -> None:
    run = Run(miner(site(tier())))
    run.feed(btc(65_000.0), network(), power(9_000.0))
    assert run.modes() == {"s21": "off"}
    run.feed(power(-250.0, T0 + 1))
    assert run.modes() == {"s21": "hash"}
    assert [each["inputs"][-1]["value"] for each in run.switches()] == [9_000.0, -250.0]


@pytest.mark.listed
def test_series_that_are_missing_are_named_and_their_loads_degraded() -> None:
    run = Run(miner(site(tier(), pool())), warm_up_s=60)
    run.feed(btc(65_000.0), network(), tick(T0 + 60 * SECOND_US))
    assert run.engine.degraded() == [RATE, POWER]
    assert [(each["series"], each["state"]) for each in run.signals if each["kind"] == "quality"] == [
        (POWER, "missing"),
        (RATE, "missing"),
    ]
    (value,) = run.engine.site_values()
    assert [(load["margin_usd_per_mwh"], load["degraded"]) for load in value["loads"]] == [(None, True)] * 2
    assert value["earning_usd_per_hour"] is None


def test_a_quality_entry_names_what_its_loads_do_meanwhile() -> None:
    run = Run(miner(site(tier("a", failure="off"), tier("b", failure="hold"), pool())), warm_up_s=60)
    run.feed(rate(2.0), power(20.0), network(), tick(T0 + 60 * SECOND_US))
    (missing,) = (each for each in run.signals if each["kind"] == "quality")
    assert missing["series"] == BTC
    assert missing["direction"] == {"a": "off: off", "b": "hold: hash"}
    assert missing["text"] == "btc:usd is missing; a off: off, b hold: hash"


def dated() -> Miner:
    """A tier replaced by another at midnight of the second day, and one that goes for good on the fourth."""
    return miner(
        site(
            tier("always"),
            tier("old", 30.0, effective_until=date(2024, 6, 18)),
            tier("new", 13.5, effective_from=date(2024, 6, 18), effective_until=date(2024, 6, 20)),
        )
    )


def test_loads_appear_and_disappear_at_midnight_utc_of_their_dates() -> None:
    run = Run(dated())
    run.feed(btc(65_000.0), network(), power(20.0))
    found = []
    for at_us in (T0 + DAY_US - 1, T0 + DAY_US, T0 + 3 * DAY_US - 1, T0 + 3 * DAY_US):
        run.feed(tick(at_us))
        found.append(sorted(run.modes()))
    assert found == [["always", "old"], ["always", "new"], ["always", "new"], ["always"]]


def test_a_fleets_next_change_is_the_next_of_its_dates() -> None:
    days = [date(2024, 6, 16), date(2024, 6, 18), date(2024, 6, 20)]
    assert [next_change_us(dated(), day) for day in days] == [
        midnight_us(date(2024, 6, 18)),
        midnight_us(date(2024, 6, 20)),
        NEVER,
    ]


def test_loads_that_stay_keep_mode_and_dwell_when_others_come_at_midnight() -> None:
    run = Run(dated())
    almost_us = T0 + DAY_US - MINUTE_US
    run.feed(btc(65_000.0), network(), tick(almost_us), power(500.0, almost_us))
    assert set(run.modes().values()) == {"off"}
    run.feed(tick(T0 + DAY_US))
    assert run.modes() == {"always": "off", "new": "off"}
    assert moves(run.signals[-1:]) == [("new", "hash", "off")]


def test_a_fleet_before_the_first_tick_waits_for_log_time() -> None:
    run = Run(start_us=None)
    (begins,) = run.fleet(dated())
    assert begins["kind"] == "epoch"
    assert run.modes() == {}
    run.feed(btc(65_000.0), network(), power(20.0), tick(T0))
    assert sorted(run.modes()) == ["always", "old"]


def test_a_fleet_change_keeps_modes_dwell_and_the_sum_of_explanations() -> None:
    run = Run(miner(site(tier(**STAY), tier("s19", 30.0, **STAY))))
    run.feed(btc(65_000.0), network(), power(20.0), power(75.0, T0 + 1))
    assert run.modes() == {"s21": "hash", "s19": "off"}
    run.fleet(miner(site(tier(**STAY), tier("s19", 30.0, mw=2.0, **STAY), tier("m60", 18.5))))
    assert run.modes() == {"s21": "hash", "s19": "off", "m60": "hash"}
    run.feed(power(20.0, T0 + 2))
    assert run.modes()["s19"] == "off", "its dwell began before the change"
    (started,) = run.feed(tick(T0 + QUARTER_US))
    strike = breakeven_power(tier("s19", 30.0), 65_000.0)
    # 1 MW of it was valued at 75 when it stopped, 2 MW at 20 now.
    assert started["why"]["total"] == pytest.approx(2.0 * (strike - 20.0) - (strike - 75.0))
    assert sum(started["why"]["groups"].values()) == pytest.approx(started["why"]["total"], abs=1e-9)
    assert set(started["why"]["groups"]) == {"power_price", "state"}


def test_a_load_of_another_kind_under_an_old_key_is_new() -> None:
    run = Run(miner(site(tier("hall"))))
    run.feed(btc(65_000.0), network(), rate(2.0), power(500.0))
    assert run.modes() == {"hall": "off"}
    run.fleet(miner(site(pool("hall"))))
    assert run.modes() == {"hall": "ai"}


def test_a_fleet_that_changes_nothing_says_nothing() -> None:
    fleet = miner(site(tier(**STAY)))
    run = Run(fleet)
    run.feed(btc(65_000.0), network(), power(20.0))
    assert run.fleet(fleet) == []


def test_an_epoch_keeps_modes_and_dwell_and_decides_by_its_own_policy() -> None:
    run = Run(miner(site(tier(**STAY))), policy="band")
    strike = breakeven_power(tier(), 65_000.0)
    run.feed(btc(65_000.0), network(), power(strike + 2.0))
    assert run.modes() == {"s21": "hash"}
    entry, stopped = run.epoch(policy="breakeven")
    assert (entry["kind"], entry["policy"]) == ("epoch", "breakeven")
    assert moves([stopped]) == [("s21", "hash", "off")]
    run.feed(power(strike - 2.0, T0 + 1))
    assert run.modes() == {"s21": "off"}
    (started,) = run.feed(tick(T0 + QUARTER_US))
    assert started["policy"] == "breakeven"
    assert started["config_hash"] == entry["config_hash"]


def test_an_epochs_limits_hold_at_once() -> None:
    run = Run(miner(site(tier(failure="off"))), policy="breakeven", power_price_limit_s=7_200)
    run.feed(btc(65_000.0), network(), power(20.0, next_due_us=T0 + SECOND_US), tick(T0 + HOUR_US))
    assert run.modes() == {"s21": "hash"}
    run.epoch(policy="breakeven", power_price_limit_s=60)
    assert run.modes() == {"s21": "off"}


def test_the_signals_of_one_changeover_share_a_decision_and_the_next_has_another() -> None:
    run = Run(miner(site(tier(mw=5.0), pool(mw=5.0, initially_on=False), mw_cap=5.0)))
    run.feed(btc(65_000.0), network(), power(20.0), rate(0.1), rate(2.5, T0 + 1), rate(0.1, T0 + 2))
    decided = [(each["decision"], each["load"], each["to"]) for each in run.switches()]
    assert decided == [
        ("south#1", "h100", "ai"),
        ("south#1", "s21", "off"),
        ("south#2", "h100", "off"),
        ("south#2", "s21", "hash"),
    ]


def test_sites_of_one_miner_do_not_touch_each_other() -> None:
    run = Run(miner(site(tier(mw=5.0), key="north", mw_cap=5.0), site(tier(mw=5.0), key="south", mw_cap=5.0)))
    run.feed(btc(65_000.0), network(), power(500.0))
    assert [(each["site"], each["to"]) for each in run.switches()] == [("north", "off"), ("south", "off")]


def test_prints_nobody_reads_change_nothing() -> None:
    run = Run(miner(site(tier())))
    run.feed(btc(65_000.0), network(), power(20.0))
    assert run.feed(power(9_000.0, T0 + 1, series="power:PJM:WESTERN:rt"), rate(9.0)) == []


def told(run: Run) -> list[Any]:
    return [each["text"] for each in run.switches()]


def test_the_line_of_a_switch_says_what_why_and_by_how_much() -> None:
    run = Run(miner(site(tier("a", mw=10.0), tier("b", 30.0, failure="off"))))
    run.feed(btc(65_000.0), network(), power(20.0))
    run.feed(power(500.0, T0 + 1, next_due_us=T0 + SECOND_US), tick(T0 + HOUR_US))
    strike = breakeven_power(tier(), 65_000.0)
    assert told(run)[0] == (
        f"hash -> off, 10.00 MW: margin {strike - 500.0:.2f} USD/MWh; moved most by power price (+4800.00 USD/h)"
    )
    assert NETWORK in {flip["series"] for flip in run.switches()[0]["flip"]}
