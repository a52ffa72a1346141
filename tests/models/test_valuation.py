"""What a site and a miner earn: the relative return with its basis, the marginal return, normalised figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fleet import Lease, Load, Power, Reference, Site
from models.records import SECOND_US
from tests.support.fleets import (
    DIFFICULTY,
    FEES,
    NODE,
    T0,
    USED,
    Run,
    btc,
    miner,
    network,
    pool,
    power,
    rate,
    reference_pool,
    site,
    tick,
    tier,
    used,
)
from tests.support.formulas import Prices, draw_mw, value_usd_per_hour

PRICES = Prices(40.0, 65_000.0, DIFFICULTY, 3.125 + FEES, 2.0, 0.5)
POOR = Prices(40.0, 65_000.0, DIFFICULTY, 3.125 + FEES, 0.2, 0.1)  # at which no pool pays


def valued(*sites: Site, prices: Prices = PRICES) -> Run:
    """A miner at these prices."""
    run = Run(miner(*sites))
    utilisation = 0.5 if prices.utilisation is None else prices.utilisation
    run.feed(network(prices.difficulty), btc(prices.usd_per_btc), rate(prices.usd_per_gpu_hour), used(utilisation))
    run.feed(power(prices.power_usd_per_mwh))
    return run


def relative(run: Run, number: int = 0) -> dict[str, Any]:
    """Relative return of a site."""
    return {**run.engine.site_values()[number]["relative_return"]}


def margin(load: Load, prices: Prices = PRICES) -> float:
    """Cash margin by the definitions [USD/MWh]."""
    return value_usd_per_hour(load, prices) / draw_mw(load, prices)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.1, 9.0), st.floats(0.1, 9.0), st.floats(0.1, 9.0), st.floats(0.5, 30.0), st.floats(-50.0, 500.0))
def test_the_relative_return_weighs_by_mw_and_contests_what_either_could_draw(
    first_mw: float, second_mw: float, pool_mw: float, cap_mw: float, power_price: float
) -> None:
    tiers = (tier("a", 13.5, mw=first_mw), tier("b", 30.0, mw=second_mw))
    hall = pool(mw=pool_mw, utilisation_series=USED, idle_fraction=0.35)
    prices = Prices(power_price, 65_000.0, DIFFICULTY, 3.125 + FEES, 2.0, 0.5)
    run = valued(site(hall, *tiers, mw_cap=cap_mw), prices=prices)
    hashing = sum(value_usd_per_hour(load, prices) for load in tiers) / (first_mw + second_mw)
    expected = hashing - margin(hall, prices)
    contested = min(first_mw + second_mw, draw_mw(hall, prices), cap_mw)
    assert relative(run) == {
        "usd_per_mwh": pytest.approx(expected, rel=1e-12, abs=1e-9),
        "usd_per_hour": pytest.approx(expected * contested, rel=1e-12, abs=1e-9),
        "contested_mw": pytest.approx(contested),
        "basis": "owned",
    }


def test_a_site_without_ai_is_held_against_its_reference_pool_over_its_own_mw() -> None:
    run = valued(site(tier(mw=7.0), mw_cap=5.0, reference=reference_pool()))
    expected = margin(tier()) - margin(pool())
    assert relative(run) == {
        "usd_per_mwh": pytest.approx(expected),
        "usd_per_hour": pytest.approx(expected * 7.0),
        "contested_mw": 7.0,
        "basis": "reference",
    }


@pytest.mark.parametrize("kind", ["tier against lease", "pool against tier"])
def test_the_side_a_site_does_not_own_is_the_one_its_profile_declares(kind: str) -> None:
    tenant = Lease(key="tenant", usd_per_kw_month=154.1667, it_mw=80.0)
    if kind == "tier against lease":
        run, expected = valued(site(tier(), reference=Reference(lease=tenant))), margin(tier()) - 143.607
    else:
        run = valued(site(pool(), reference=Reference(asic=tier("r", 17.5))))
        expected = margin(tier("r", 17.5)) - margin(pool())
    assert relative(run)["usd_per_mwh"] == pytest.approx(expected, abs=1e-3)
    assert relative(run)["basis"] == "reference"


def test_without_a_reference_or_its_price_there_is_no_relative_return() -> None:
    nothing = {"usd_per_mwh": None, "usd_per_hour": None, "contested_mw": 0.0, "basis": "none"}
    assert relative(valued(site(tier()))) == nothing
    run = Run(miner(site(tier(), reference=reference_pool())))
    run.feed(network(), btc(65_000.0), power(40.0))
    assert relative(run) == nothing
    run.feed(rate(2.0))
    assert relative(run)["basis"] == "reference"


def test_a_side_that_cannot_be_valued_makes_the_whole_unknown() -> None:
    run = valued(site(tier(), pool(), reference=reference_pool()))
    run.feed(rate(2.0, T0 + 1, next_due_us=T0 + SECOND_US), tick(T0 + 90_000 * SECOND_US))
    assert relative(run)["basis"] == "none"


def test_a_miners_relative_return_is_the_sum_per_hour_over_the_sum_of_contested_mw() -> None:
    owned = site(tier("a", 13.5, mw=4.0), pool(mw=3.0), key="north")
    held = site(tier("b", 17.5, mw=2.0), key="south", reference=reference_pool())
    run = valued(owned, held, site(tier("c"), key="west"))
    (stopped, *_) = run.feed(power(9_000.0, T0 + 1))
    prices = Prices(9_000.0, 65_000.0, DIFFICULTY, 3.125 + FEES, 2.0, 0.8)
    north = (margin(tier("a", 13.5), prices) - margin(pool(), prices)) * 3.0
    south = (margin(tier("b", 17.5), prices) - margin(pool(), prices)) * 2.0
    assert stopped["relative_return"]["miner"] == {
        "usd_per_hour": pytest.approx(north + south),
        "usd_per_mwh": pytest.approx((north + south) / 5.0),
        "contested_mw": pytest.approx(5.0),
        "basis": "reference",
    }


def marginal(run: Run) -> float | None:
    return run.engine.site_values()[0]["marginal_return_usd_per_mwh"]


def test_the_marginal_return_is_that_of_the_tier_whose_stop_would_let_the_best_pool_start() -> None:
    """The pool does not pay at this utilisation, so it waits while both tiers run and the cap is full."""
    hall = pool(mw=2.0, utilisation_series=USED)
    tiers = (tier("a", 13.5, mw=2.0), tier("b", 17.5, mw=2.0))
    run = valued(site(hall, *tiers, mw_cap=4.0), prices=POOR)
    assert run.modes() == {"h100": "off", "a": "hash", "b": "hash"}
    assert marginal(run) == pytest.approx(margin(tiers[1], POOR) - margin(hall, POOR))


def test_a_tier_too_small_to_make_room_is_not_the_marginal_one() -> None:
    hall = pool(mw=2.0, utilisation_series=USED)
    tiers = (tier("a", 13.5, mw=3.0), tier("b", 17.5, mw=1.0))
    run = valued(site(hall, *tiers, mw_cap=4.0), prices=POOR)
    assert marginal(run) == pytest.approx(margin(tiers[0], POOR) - margin(hall, POOR))


def test_there_is_no_marginal_return_where_the_cap_does_not_stand_between() -> None:
    hall = pool(mw=2.0, utilisation_series=USED)
    assert marginal(valued(site(hall, tier(mw=2.0), mw_cap=10.0), prices=POOR)) is None
    assert marginal(valued(site(hall, mw_cap=10.0), prices=POOR)) is None
    assert marginal(valued(site(pool(mw=2.0), tier(mw=2.0), mw_cap=2.0))) is None, "the pool runs already"


def test_a_sites_valuation_carries_margins_modes_and_normalised_figures() -> None:
    machines = tier("a", 13.5, mw=2.0, uptime=0.9)
    run = valued(site(machines, pool(mw=3.0), mw_cap=50.0))
    (value,) = run.engine.site_values()
    assert value["mw_running"] == pytest.approx(5.0)
    assert value["power_usd_per_mwh"] == 40.0
    assert value["usd_per_btc"] == 65_000.0
    hashprice = PRICES.hashprice_usd_per_ph_day
    assert value["hashprice_usd_per_ph_day"] == pytest.approx(hashprice)
    assert value["hashprice_btc_per_ph_day"] == pytest.approx(hashprice / 65_000.0)
    hall, asic = value["loads"]
    assert asic["margin_usd_per_mwh"] == pytest.approx(margin(machines))
    assert asic["margin_btc_per_mwh"] == pytest.approx(margin(machines) / 65_000.0)
    assert asic["per_unit"] == pytest.approx(hashprice * 0.994 - 0.024 * 13.5 * 1.05 * 46.0)
    assert hall["per_unit"] == pytest.approx(2.0 / 0.989)
    earned = 0.9 * value_usd_per_hour(machines, PRICES) + 3.0 * margin(pool())
    assert value["earning_usd_per_hour"] == pytest.approx(earned)


CONTRACTS: dict[str, tuple[dict[str, Any], float]] = {
    "spot": ({}, 500.0),
    "spot with losses": ({"loss_fraction": 0.2}, 625.0),
    "ppa_resale": ({"ppa_usd_per_mwh": 30.0, "resale_fee_usd_per_mwh": 5.0}, 495.0),
    "requirements": ({"ppa_usd_per_mwh": 30.0}, 30.0),
    "hedged": ({"ppa_usd_per_mwh": 30.0, "committed_mw": 10.0}, 500.0),
    "take_or_pay": ({"ppa_usd_per_mwh": 30.0, "committed_mw": 10.0}, 0.0),
}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_what_decides_is_the_marginal_price_of_power_by_contract(contract: str) -> None:
    """At an LMP of 500 and an adder of 6 $/MWh."""
    terms, usd_per_mwh = CONTRACTS[contract]
    bought = Power(node=NODE, contract=contract.partition(" ")[0], adder_usd_per_mwh=6.0, **terms)
    run = valued(site(tier(), power=bought), prices=replace(PRICES, power_usd_per_mwh=500.0))
    (load,) = run.engine.site_values()[0]["loads"]
    prices = replace(PRICES, power_usd_per_mwh=usd_per_mwh + 6.0)
    assert load["margin_usd_per_mwh"] == pytest.approx(value_usd_per_hour(tier(), prices))


def test_a_commitment_is_given_to_loads_in_their_order_ai_first() -> None:
    """3 MW committed: the pool's 1 MW, then 2 of the first tier's 4; the second tier pays the market for all of it."""
    bought = Power(node=NODE, contract="take_or_pay", adder_usd_per_mwh=0.0, ppa_usd_per_mwh=30.0, committed_mw=3.0)
    loads = (pool("h100"), tier("a", mw=4.0), tier("b", mw=4.0))
    run = valued(site(*loads, power=bought), prices=Prices(500.0, 65_000.0, DIFFICULTY, 3.125 + FEES, 2.0, 0.8))
    margins = [load["margin_usd_per_mwh"] for load in run.engine.site_values()[0]["loads"]]
    paid = [Prices(price, 65_000.0, DIFFICULTY, 3.125 + FEES, 2.0, 0.8) for price in (0.0, 250.0, 500.0)]
    assert margins == [pytest.approx(margin(load, prices)) for load, prices in zip(loads, paid, strict=True)]


def test_a_pool_without_telemetry_is_valued_at_its_default() -> None:
    asked = pool(utilisation_default=0.3)
    run = valued(site(asked))
    default = Prices(40.0, 65_000.0, DIFFICULTY, 3.125 + FEES, 2.0, 0.3)
    assert run.engine.site_values()[0]["loads"][0]["margin_usd_per_mwh"] == pytest.approx(margin(asked, default))


def test_a_site_where_nothing_runs_earns_nothing() -> None:
    run = valued(site(tier()))
    run.feed(power(9_000.0, T0 + 1))
    (value,) = run.engine.site_values()
    assert (value["mw_running"], value["earning_usd_per_hour"]) == (0.0, 0.0)
