"""Settlement and scores: each figure by hand on a few rows, for loads alone and under a cap."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from models.fleet import Miner, Power
from models.records import HOUR_US, MINUTE_US, DecidingConfig, Observation
from streams.backtest import Ask, Comparison, compare, known_names
from streams.backtest.rules import RULES, rule_modes
from streams.backtest.score import figures
from streams.backtest.trial import first_mode_free, modes_of
from streams.errors import SettingsError
from streams.history.contract import imported
from streams.history.joined import join
from streams.replay import Answer
from streams.wire import Entry
from tests.support.fleets import (
    CURVE,
    NODE,
    T0,
    breakeven_power,
    btc,
    hour,
    miner,
    network,
    pool,
    power,
    rate,
    site,
    tier,
)

QUARTER_US = 15 * MINUTE_US
USD_PER_BTC = 65_000.0
LOW, HIGH = 10.0, 400.0


def prices(*usd_per_mwh: float) -> list[Observation]:
    """Bitcoin and its network at T0 and a price for each quarter hour from there."""
    live: list[Observation] = [btc(USD_PER_BTC, T0), network(at_us=T0)]
    return [*live, *(power(price, T0 + number * QUARTER_US) for number, price in enumerate(usd_per_mwh))]


def comparison(fleet: Miner, found: list[Observation], lag: int = 0, **more: int) -> Comparison:
    made = join("made", [imported("made", [[each] for each in found], "test")])
    return compare(Ask(made, (fleet,), DecidingConfig(), "test", lag, **more))


def priced(uptime: float = 1.0) -> Miner:
    return miner(site(tier(mw=2.0, stop_usd_per_mw=3.0, start_usd_per_mw=4.0, uptime=uptime)))


def gain(price: float, mw: float = 2.0) -> float:
    """What a quarter hour earns [USD], written out."""
    return (breakeven_power(tier(), USD_PER_BTC) - price) * mw * 0.25


def test_a_row_earns_its_margin_at_its_own_price_and_switches_cost_what_the_fleet_file_says() -> None:
    made = comparison(priced(), prices(LOW, HIGH, HIGH, LOW))
    (scored,) = made.sites
    assert scored.site.loads[0].gain_usd.tolist() == pytest.approx([gain(LOW), gain(HIGH), gain(HIGH), gain(LOW)])
    found = figures(made.sites, [[np.array([1, 1, 0, 1])]])
    assert found.net_usd == pytest.approx(2 * gain(LOW) + gain(HIGH) - 2.0 * (3.0 + 4.0))
    assert found.clairvoyant_net_usd == pytest.approx(2 * gain(LOW) - 2.0 * (3.0 + 4.0))
    assert found.constant_net_usd == 0.0 > 2 * gain(LOW) + 2 * gain(HIGH)
    assert found.capture_pooled == pytest.approx(found.net_usd / found.clairvoyant_net_usd)
    assert (found.bound, found.switches, found.over_cap_intervals) == ("exact", 2, 0)
    assert found.switches_per_day == 48.0
    assert found.usd_per_mwh == pytest.approx(found.net_usd / (3 * 0.25 * 2.0))
    assert found.usd_per_mw_year == pytest.approx(found.net_usd / 2.0 * 8_760.0)
    assert found.missed_spike_minutes == 15.0
    assert found.false_trigger_usd == 0.0


def test_uptime_scales_what_a_row_earns_and_draws() -> None:
    half = comparison(priced(uptime=0.5), prices(LOW, HIGH)).sites[0].site.loads[0]
    whole = comparison(priced(), prices(LOW, HIGH)).sites[0].site.loads[0]
    assert half.gain_usd.tolist() == pytest.approx((whole.gain_usd / 2.0).tolist())
    assert half.mwh.tolist() == pytest.approx((whole.mwh / 2.0).tolist())


def test_what_is_known_of_a_row_lags_and_a_curve_does_not() -> None:
    load = comparison(priced(), prices(LOW, HIGH, LOW), lag=1).sites[0].site.loads[0]
    assert np.isnan(load.known.margin[0])
    assert load.first_known == 1
    assert load.known.lmp[1:].tolist() == [LOW, HIGH]
    bought = Power(node=NODE, market="da", adder_usd_per_mwh=0.0)
    fleet = miner(site(tier(), power=bought))
    found: list[Observation] = [
        btc(USD_PER_BTC, T0),
        network(at_us=T0),
        *(hour(price, T0 + number * HOUR_US) for number, price in enumerate((LOW, HIGH))),
    ]
    (settled,) = comparison(fleet, found, lag=1).sites
    assert settled.site.rows.curve
    assert settled.site.site.power.series == CURVE
    assert settled.site.loads[0].known.lmp.tolist() == [LOW, HIGH]


def test_rows_in_which_a_load_has_no_price_are_worth_nothing_to_anyone() -> None:
    fleet = miner(site(pool()))
    late = rate(4.0, T0 + QUARTER_US)
    load = comparison(fleet, [*prices(LOW, LOW), late]).sites[0].site.loads[0]
    assert load.scored.tolist() == [False, True]
    assert load.gain_usd[0] == load.mwh[0] == load.draw_mw[0] == 0.0
    assert load.gain_usd[1] > 0.0


def test_loads_that_compete_are_bounded_together_and_their_excess_is_counted() -> None:
    fleet = miner(site(tier("a", 17.5), tier("b", 30.0), mw_cap=1.0))
    made = comparison(fleet, prices(LOW, LOW))
    (scored,) = made.sites
    a, b = scored.site.loads
    assert scored.together is not None
    assert scored.together.exact
    assert scored.together.clairvoyant_usd == pytest.approx(a.gain_usd.sum())
    both = figures(made.sites, [[np.array([1, 1]), np.array([1, 1])]])
    assert both.over_cap_intervals == 2
    assert both.net_usd == pytest.approx(a.gain_usd.sum() + b.gain_usd.sum())
    assert both.loads[0].capture is None
    longer = miner(site(tier("a", 17.5, min_off_minutes=60.0), tier("b", 30.0), mw_cap=1.0))
    assert (
        figures(comparison(longer, prices(LOW, LOW)).sites, [[np.array([1, 1]), np.array([0, 0])]]).bound
        == "upper bound"
    )


def test_more_than_twelve_loads_are_bounded_by_prices_of_the_cap() -> None:
    fleet = miner(site(*(tier(f"t{number}", 13.0 + number) for number in range(13)), mw_cap=6.0))
    made = comparison(fleet, prices(LOW, HIGH, LOW, LOW))
    (scored,) = made.sites
    assert scored.together is not None
    six = sum(max(float(load.gain_usd[row]), 0.0) for row in range(4) for load in scored.site.loads[:6])
    assert not scored.together.exact
    assert six - 6 * 20.0 <= scored.together.clairvoyant_usd <= six * 1.02


def test_a_load_that_exists_for_a_while_is_scored_for_that_while() -> None:
    day_us = 96 * QUARTER_US
    found = [btc(USD_PER_BTC, T0), network(at_us=T0), power(LOW, T0), power(LOW, T0 + day_us)]
    old = tier("a", 30.0, effective_until=date(2024, 6, 18))
    new = tier("a", 15.0, effective_from=date(2024, 6, 18))
    (scored,) = comparison(miner(site(old, new, mw_cap=1.0)), found).sites
    assert [load.scored.tolist() for load in scored.site.loads] == [[True, False], [False, True]]
    assert scored.together is None  # never there together: the cap of one MW binds neither


def entry(load: str, to: str, log_time_us: int, place: str = "south") -> Entry:
    text = f'{{"kind":"switch","site":"{place}","load":"{load}","to":"{to}","log_time_us":{log_time_us}}}'
    return Entry(1, 1, "", text.encode())


def test_a_row_runs_in_the_mode_signalled_up_to_and_including_its_start() -> None:
    made = comparison(priced(), prices(LOW, LOW, LOW, LOW))
    (scored,) = made.sites
    signalled = [
        entry("s21", "off", T0 + QUARTER_US),
        entry("other", "hash", T0),
        entry("s21", "hash", T0 + 2 * QUARTER_US + 1),
    ]
    answer = Answer(entries={"acme": signalled})
    modes = modes_of(answer, scored.site.loads[0], scored.site.rows.start_us, initially_on=True)
    assert modes.tolist() == [1, 0, 0, 1]


def test_the_first_mode_is_free_also_where_nothing_was_known_before_it() -> None:
    assert first_mode_free(np.array([1, 1, 0, 1]), 2).tolist() == [0, 0, 0, 1]
    assert first_mode_free(np.array([1, 0]), 0).tolist() == [1, 0]
    assert first_mode_free(np.array([1, 1]), 2).tolist() == [1, 1]


@pytest.mark.parametrize("name", RULES)
def test_a_baseline_knows_no_row_that_the_lag_hides(name: str) -> None:
    one = comparison(priced(), prices(LOW, HIGH, HIGH, HIGH, LOW, LOW), lag=2)
    other = comparison(priced(), prices(LOW, HIGH, HIGH, HIGH, HIGH, HIGH), lag=2)
    found = [rule_modes(RULES[name], each.sites[0].site.loads[0], 15.0).tolist() for each in (one, other)]
    assert found[0] == found[1]
    assert len(found[0]) == 6


def test_a_baseline_is_marked_and_has_no_digest() -> None:
    found = comparison(priced(), prices(LOW, HIGH, LOW)).run("myopic")
    assert (found.baseline, found.digest, found.signals) == (True, None, 0)
    assert found.figures.capture_pooled == pytest.approx(
        found.figures.net_usd / found.figures.clairvoyant_net_usd, abs=1.0
    )


def test_names_are_refused_that_are_neither_policy_nor_baseline_or_stand_twice() -> None:
    assert list(known_names("band,myopic")) == ["band", "myopic"]
    with pytest.raises(
        SettingsError, match=r"'greed' is neither a policy .*rolling_plan.* nor a baseline .*window_rule"
    ):
        list(known_names("band,greed"))
    with pytest.raises(SettingsError, match="names 'band' twice"):
        list(known_names("band,band"))


def test_where_nothing_can_be_scored_the_reason_is_given() -> None:
    with pytest.raises(SettingsError, match="none of the prices that these fleets settle at, power:ERCOT:LZ_WEST:rt"):
        comparison(miner(site(tier(), power=Power(node="ERCOT:LZ_WEST"))), prices(LOW))
    with pytest.raises(SettingsError, match="its intervals run from 2024-06-17T00:00:00Z to 2024-06-17T00:15:00Z"):
        comparison(priced(), prices(LOW), from_us=T0 + HOUR_US)
