"""The gate's drills: what becomes of a price when venues, providers or a market misbehave, on the log's clock."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.arrays import BTC_SERIES, SHORT_MEAN
from models.records import MINUTE_US, SECOND_US, BtcPrice, GpuRate
from models.wording import series_reason, series_state
from tests.support.fleets import (
    HEIGHT,
    POWER,
    T0,
    Run,
    btc,
    miner,
    network,
    pool,
    power,
    rate,
    site,
    tick,
    tier,
)

VENUES = ("bitstamp", "coinbase", "coinbase-exchange", "kraken")
DUE_US = 10 * SECOND_US
RATE = "gpu:H100-SXM"
PROVIDERS = ("akash", "lambda", "runpod-secure", "vast")

Quotes = Mapping[str, float | None]


def venue(name: str, usd_per_btc: float, at_us: int, event_us: int | None = None) -> BtcPrice:
    return BtcPrice(
        series=f"btc:usd@{name}",
        source=name,
        event_time_us=at_us if event_us is None else event_us,
        receipt_time_us=at_us,
        next_due_us=(at_us if event_us is None else event_us) + DUE_US,
        usd_per_btc=usd_per_btc,
    )


def provider(name: str, usd_per_gpu_hour: float, at_us: int) -> GpuRate:
    return GpuRate(
        series=f"{RATE}@{name}",
        source=name,
        event_time_us=at_us,
        receipt_time_us=at_us,
        next_due_us=at_us + 20 * MINUTE_US,
        usd_per_gpu_hour=usd_per_gpu_hour,
    )


class Drill:
    """A site whose prices come once a second, and what is known of a series as time goes on."""

    def __init__(self, fleet: Any = None, **config: Any) -> None:
        self.run = Run(fleet or miner(site(tier(failure="off"))), **config)
        self.run.feed(network(), power(20.0))
        self.at_us = T0

    def seconds(self, count: int, quotes: Callable[[int], Quotes]) -> list[dict[str, Any]]:
        """So many seconds; ``quotes(second)`` gives each venue's price, None where it says nothing."""
        found = []
        for second in range(count):
            self.at_us += SECOND_US
            for name, price in quotes(second).items():
                if price is not None:
                    found += self.run.feed(venue(name, price, self.at_us))
            found += self.run.feed(tick(self.at_us))
        return found

    def series(self, name: str) -> Any:
        return self.run.engine.state.series[self.run.engine.names.series(name)]

    def state(self, name: str = BTC_SERIES) -> str:
        row = self.series(name)
        return series_state(row["known"], row["fresh"], row["quality"])

    def reason(self, name: str = BTC_SERIES) -> str | None:
        return series_reason(self.series(name)["reason"])

    def value(self, name: str = BTC_SERIES) -> float:
        return float(self.series(name)["value"])


def every(usd_per_btc: float, **others: float | None) -> Callable[[int], Quotes]:
    """All venues at one price but for those named (an underscore stands for a hyphen)."""
    quotes = dict.fromkeys(VENUES, usd_per_btc) | {name.replace("_", "-"): price for name, price in others.items()}
    return lambda second: {name: None if price is None else price + second % 2 for name, price in quotes.items()}


def entries(found: list[dict[str, Any]], series: str = BTC_SERIES) -> list[str]:
    return [each["state"] for each in found if each["kind"] == "quality" and each["series"] == series]


def test_the_price_is_the_median_of_its_venues_once_three_have_spoken() -> None:
    drill = Drill()
    drill.seconds(1, lambda _: {"kraken": 65_000.0, "bitstamp": 65_010.0})
    assert (drill.state(), drill.reason()) == ("missing", "too few members agree")
    drill.seconds(1, lambda _: {"coinbase": 65_030.0})
    assert (drill.state(), drill.value()) == ("ok", 65_010.0)
    drill.seconds(1, lambda _: {"coinbase-exchange": 65_020.0})
    assert drill.value() == 65_015.0


def test_a_frozen_venue_leaves_and_the_price_stays() -> None:
    drill = Drill()
    drill.seconds(20, every(65_000.0))
    found = drill.seconds(120, every(66_000.0, kraken=None))
    assert (drill.state(), drill.value()) == ("ok", 66_001.0)
    assert drill.state("btc:usd@kraken") == "stale"
    assert entries(found) == []


def test_a_venue_that_repeats_an_old_event_time_is_frozen_too() -> None:
    drill = Drill()
    drill.seconds(20, every(65_000.0))
    frozen_us = drill.at_us
    for _ in range(80):
        drill.at_us += SECOND_US
        drill.run.feed(venue("kraken", 65_000.0, drill.at_us, event_us=frozen_us), tick(drill.at_us))
    assert drill.state("btc:usd@kraken") == "stale"


def test_a_venue_three_percent_off_is_left_out_and_returns_at_half_the_band_after_a_while() -> None:
    drill = Drill()
    drill.seconds(10, every(65_000.0))
    found = drill.seconds(10, every(65_000.0, kraken=67_000.0))
    assert drill.value() == 65_001.0
    assert drill.series("btc:usd@kraken")["out"] != 0
    near = every(65_000.0, kraken=65_500.0)  # within the band, not within half of it
    found += drill.seconds(60, near)
    assert drill.series("btc:usd@kraken")["out"] != 0
    back = every(65_000.0, kraken=65_200.0)
    found += drill.seconds(29, back)
    assert drill.series("btc:usd@kraken")["out"] != 0
    found += drill.seconds(2, back)
    assert drill.series("btc:usd@kraken")["out"] == 0
    assert entries(found) == []


def test_a_venue_at_the_edge_of_the_band_does_not_flap() -> None:
    drill = Drill()
    drill.seconds(10, every(65_000.0))
    states = []
    for _ in range(100):
        for price in (65_640.0, 65_700.0):  # 0.98 % and 1.08 %
            drill.seconds(1, every(65_000.0, kraken=price))
            states.append(int(drill.series("btc:usd@kraken")["out"]))
    assert sum(before != after for before, after in pairwise(states)) <= 1


def test_two_venues_down_of_four_degrade_within_the_limit_and_a_second() -> None:
    drill = Drill(btc_price_limit_s=60)
    drill.seconds(20, every(65_000.0))
    down_at_us = drill.at_us
    quotes = every(65_000.0, kraken=None, coinbase=None)
    found: list[dict[str, Any]] = []
    while not entries(found):
        found += drill.seconds(1, quotes)
    assert drill.state() == "withheld"
    (entry,) = [each for each in found if each["kind"] == "quality"]
    assert (entry["state"], entry["reason"]) == ("withheld", "too few members agree")
    assert entry["log_time_us"] - (down_at_us + DUE_US) <= 61 * SECOND_US
    assert entry["direction"] == {"s21": "off: off"}
    assert [each["to"] for each in found if each["kind"] == "switch"] == ["off"]
    assert entry["expected_cost_usd_per_hour"] == pytest.approx(
        drill.run.engine.site_values()[0]["mw_cap"] * 0.0 + cost(drill)
    )


def cost(drill: Drill) -> float:
    """What the one tier would earn if it ran, by its last margin."""
    load = drill.run.engine.state.loads[0]
    return float(load["margin"] * load["draw_mw"] * load["uptime"])


def test_all_venues_down_and_back_give_one_entry_each() -> None:
    drill = Drill()
    drill.seconds(20, every(65_000.0))
    found = drill.seconds(200, lambda _: {})
    assert entries(found) == ["withheld"]
    found = drill.seconds(120, every(64_000.0))
    assert entries(found) == ["ok"]
    assert drill.value() in (64_000.0, 64_001.0)


def test_a_sudden_move_of_all_venues_withholds_nothing() -> None:
    drill = Drill()
    drill.seconds(10, every(65_000.0))
    found = drill.seconds(3, every(62_000.0))
    assert (drill.state(), drill.value(), entries(found)) == ("ok", 62_000.0, [])


def test_a_lost_minority_of_wrong_venues_cannot_move_the_price() -> None:
    drill = Drill()
    drill.seconds(10, every(65_000.0))
    drill.seconds(10, every(65_000.0, kraken=70_000.0))
    assert drill.value() == 65_001.0


def test_a_print_that_jumps_waits_for_the_next_one() -> None:
    drill = Drill()
    drill.seconds(10, every(65_000.0))
    drill.seconds(1, every(65_000.0, kraken=650_000.0))
    assert (drill.state("btc:usd@kraken"), drill.value("btc:usd@kraken")) == ("suspect", 65_001.0)
    drill.seconds(1, every(65_000.0))
    assert drill.state("btc:usd@kraken") == "ok"
    drill.seconds(2, every(80_000.0))  # all of them, twice: it is so
    assert drill.state() == "ok"
    assert drill.value() == 80_001.0


def test_a_consensus_is_made_of_its_members_and_cannot_be_given() -> None:
    drill = Drill()
    drill.seconds(10, every(65_000.0))
    drill.run.feed(btc(1_000.0, drill.at_us + 1))
    assert drill.value() == 65_001.0


def test_one_source_alone_is_taken_at_its_word() -> None:
    run = Run(miner(site(tier())))
    run.feed(network(), power(20.0))
    run.feed(btc(65_000.0))
    assert run.current(BTC_SERIES) == (65_000.0, 0, True)


def test_a_power_price_twenty_minutes_late_degrades_its_site_and_its_return_mends_it() -> None:
    drill = Drill(power_price_limit_s=900)
    drill.seconds(5, every(65_000.0))
    start_us = drill.at_us
    drill.run.feed(power(25.0, start_us, next_due_us=start_us + 5 * MINUTE_US))
    found: list[dict[str, Any]] = []
    while not entries(found, POWER):
        found += drill.seconds(1, every(65_000.0))
    (late,) = [each for each in found if each["kind"] == "quality"]
    assert late["state"] == "stale"
    assert 0 < late["log_time_us"] - (start_us + 5 * MINUTE_US + 900 * SECOND_US) <= SECOND_US
    found = drill.run.feed(power(25.0, drill.at_us))
    assert entries(found, POWER) == ["ok"]


def test_a_spike_is_used_at_once_flagged_and_confirmed_by_the_next_interval() -> None:
    drill = Drill()
    drill.seconds(3, every(65_000.0))
    seen = []
    for price in (20.0, 22.0, 4_857.82, 3_000.0, 21.0, 9_000.0, 20.0):
        drill.at_us += 5 * MINUTE_US
        drill.run.feed(power(price, drill.at_us))
        seen.append((drill.value(POWER), drill.state(POWER)))
    assert seen == [
        (20.0, "ok"),
        (22.0, "ok"),
        (4_857.82, "suspect"),
        (3_000.0, "ok"),
        (21.0, "ok"),
        (9_000.0, "suspect"),
        (20.0, "ok"),
    ]
    assert drill.series(POWER)["base"] < 50.0


def test_the_usual_level_follows_a_new_regime_in_time() -> None:
    drill = Drill()
    for _ in range(200):
        drill.at_us += 5 * MINUTE_US
        drill.run.feed(power(1_000.0, drill.at_us))
    assert (drill.state(POWER), drill.reason(POWER)) == ("ok", None)


def test_a_correction_an_hour_later_changes_no_current_price_and_one_of_it_does() -> None:
    drill = Drill()
    drill.seconds(3, every(65_000.0))
    old_us = drill.at_us
    drill.run.feed(power(20.0, old_us))
    drill.at_us += 60 * MINUTE_US
    drill.run.feed(power(30.0, drill.at_us))
    assert drill.run.feed(power(40.0, old_us, receipt_time_us=drill.at_us + 1)) == []
    assert (drill.value(POWER), drill.state(POWER)) == (30.0, "ok")
    drill.run.feed(power(31.0, drill.at_us, receipt_time_us=drill.at_us + 2))
    assert (drill.value(POWER), drill.state(POWER)) == (31.0, "corrected")
    assert drill.reason(POWER) == "restated by its source"


def gpu_drill() -> Drill:
    drill = Drill(miner(site(pool(rate_series=RATE, failure="off"))))
    drill.seconds(2, every(65_000.0))
    return drill


def say(drill: Drill, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    found = []
    for name, usd in rates.items():
        found += drill.run.feed(provider(name, usd, drill.at_us))
    return found + drill.run.feed(tick(drill.at_us))


def later(drill: Drill, minutes: int, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    drill.at_us += minutes * MINUTE_US
    return say(drill, rates)


def test_a_gpu_rate_is_the_median_of_providers_and_outliers_do_not_count() -> None:
    drill = gpu_drill()
    say(drill, {"akash": 2.4, "lambda": 2.99, "runpod-secure": 2.69, "vast": 2.5})
    assert drill.value(RATE) == pytest.approx((2.5 + 2.69) / 2)
    later(drill, 10, {"akash": 2.4, "lambda": 2.99, "runpod-secure": 2.69, "vast": 2.5, "sesterce": 3.6})
    assert drill.value(RATE) == 2.69
    assert drill.series(f"{RATE}@sesterce")["out"] == 0
    later(drill, 10, {"akash": 2.4, "lambda": 2.99, "runpod-secure": 2.69, "vast": 2.5, "oblivus": 9.0})
    assert drill.series(f"{RATE}@oblivus")["out"] != 0


def test_gpu_providers_down_to_two_withhold_the_rate() -> None:
    drill = gpu_drill()
    say(drill, dict.fromkeys(PROVIDERS, 2.5))
    found: list[dict[str, Any]] = []
    while not entries(found, RATE):
        found += later(drill, 10, {"akash": 2.5, "vast": 2.5})
        assert drill.at_us < T0 + 3 * 86_400 * SECOND_US
    assert drill.state(RATE) == "withheld"


def test_providers_too_far_apart_withhold_the_rate() -> None:
    drill = gpu_drill()
    say(drill, {"akash": 1.0, "lambda": 2.5, "runpod-secure": 4.5})
    assert (drill.state(RATE), drill.reason(RATE)) == ("missing", "its members lie too far apart")
    later(drill, 10, {"akash": 2.2, "lambda": 2.5, "runpod-secure": 2.9})
    later(drill, 10, {"akash": 2.2, "lambda": 2.5, "runpod-secure": 2.9})
    assert (drill.state(RATE), drill.value(RATE)) == ("ok", 2.5)


def test_an_index_needs_no_second_voice_and_is_kept_apart_from_list_prices() -> None:
    drill = gpu_drill()
    index = replace(rate(1.66, drill.at_us), series=f"{RATE}:index@ornn")
    drill.run.feed(index, tick(drill.at_us + SECOND_US))
    assert (drill.state(f"{RATE}:index"), drill.value(f"{RATE}:index")) == ("ok", 1.66)
    assert drill.state(RATE) == "missing"


def test_fees_over_few_blocks_are_flagged_and_do_not_displace_a_full_mean() -> None:
    drill = Drill()
    drill.run.feed(network(height=HEIGHT + 1, fees_btc_per_block=0.2, fee_blocks=144))
    assert drill.state("network:btc") == "ok"
    drill.run.feed(network(height=HEIGHT + 2, fees_btc_per_block=3.0, fee_blocks=1))
    assert (drill.series("network:btc")["second"], drill.state("network:btc")) == (0.2, "ok")
    drill.run.feed(network(height=HEIGHT + 300, fees_btc_per_block=3.0, fee_blocks=8))
    row = drill.series("network:btc")
    assert (row["second"], row["reason"]) == (3.0, SHORT_MEAN)
    assert drill.state("network:btc") == "suspect"
    drill.run.feed(network(height=HEIGHT + 300, fees_btc_per_block=0.3, fee_blocks=144))
    assert (drill.series("network:btc")["second"], drill.state("network:btc")) == (0.3, "ok")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(1.0, 3.0), min_size=3, max_size=9))
def test_the_consensus_of_members_that_agree_is_the_median_of_the_textbook(rates: list[float]) -> None:
    drill = gpu_drill()
    say(drill, {f"p{number}": usd for number, usd in enumerate(rates)})
    centre = statistics.median(rates)
    deviation = 1.4826 * statistics.median(abs(usd - centre) for usd in rates)
    kept = [usd for usd in rates if abs(usd - centre) <= max(3.0 * deviation, 0.1 * centre)]
    middle = statistics.median(kept)
    wide = 1.4826 * statistics.median(abs(usd - middle) for usd in kept) > 0.45 * middle
    if len(kept) < 3 or wide:
        assert drill.state(RATE) in ("missing", "withheld")
    else:
        assert drill.value(RATE) == pytest.approx(middle, rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_restart_in_the_middle_of_a_drill_changes_nothing(data: st.DataObject) -> None:
    prices = st.one_of(st.none(), st.floats(60_000.0, 70_000.0))
    plan = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(VENUES, prices)), min_size=4, max_size=60))
    cut = data.draw(st.integers(1, len(plan) - 1))
    whole, halves = Drill(), Drill()
    whole.seconds(len(plan), lambda second: plan[second])
    halves.seconds(cut, lambda second: plan[second])
    halves.run = halves.run.copy()
    halves.seconds(len(plan) - cut, lambda second: plan[cut + second])
    assert halves.run.engine.snapshot() == whole.run.engine.snapshot()
