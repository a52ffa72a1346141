"""The price of power by contract: what the next MWh changes and what the bill says, at any price of the market."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.charges import (
    ancillary_usd_per_hour,
    capacity_usd_per_mwh,
    carbon_usd_per_mwh,
    coincident_peak_curtails,
    coincident_peak_usd_per_mw,
    demand_charge_usd_per_mwh,
)
from models.fleet import CONTRACTS, Power
from models.power import (
    accounting,
    bought_per_metered_mwh,
    contract_price,
    marginal,
    price_usd_per_mwh,
    share_above_committed,
    unused_commitment_usd_per_hour,
)

lmps = st.floats(-50_000.0, 50_000.0)
shares = st.floats(0.0, 1.0)
megawatts = st.floats(0.0, 1_000.0)


def contract_of(contract: str, **fields: Any) -> Power:
    """A contract at 30 USD/MWh for 75 MW without adder, unless told otherwise."""
    if contract != "spot":
        fields = {"ppa_usd_per_mwh": 30.0, "committed_mw": 75.0, **fields}
    return Power(node="ERCOT:HB_WEST", contract=contract, **{"adder_usd_per_mwh": 0.0, **fields})


def at(coefficients: tuple[float, float], lmp: float) -> float:
    """The price at an LMP."""
    return price_usd_per_mwh(lmp, *coefficients)


powers = st.builds(
    contract_of,
    st.sampled_from(CONTRACTS),
    adder_usd_per_mwh=st.floats(-50.0, 50.0),
    loss_fraction=st.floats(0.0, 0.5),
    resale_fee_usd_per_mwh=st.floats(0.0, 20.0),
)


@pytest.mark.parametrize("lmp", [-250.0, -1.0, 0.0, 45.0, 4_857.82, 9_052.53])
@pytest.mark.parametrize(
    ("contract", "share", "lmp_factor", "fixed"),
    [
        ("spot", 0.0, 1.0, 0.0),
        ("spot", 1.0, 1.0, 0.0),
        ("hedged", 0.0, 1.0, 0.0),
        ("hedged", 0.4, 1.0, 0.0),
        ("ppa_resale", 0.0, 1.0, -2.0),
        ("take_or_pay", 0.0, 0.0, 0.0),
        ("take_or_pay", 0.4, 0.4, 0.0),
        ("take_or_pay", 1.0, 1.0, 0.0),
        ("requirements", 0.0, 0.0, 30.0),
        ("requirements", 1.0, 0.0, 30.0),
    ],
)
def test_marginal_price_by_contract(contract: str, share: float, lmp_factor: float, fixed: float, lmp: float) -> None:
    power = contract_of(contract, **({"resale_fee_usd_per_mwh": 2.0} if contract == "ppa_resale" else {}))
    assert at(marginal(power, share), lmp) == pytest.approx(lmp_factor * lmp + fixed, abs=1e-9)


@pytest.mark.parametrize("lmp", [-250.0, 0.0, 45.0, 4_857.82])
@pytest.mark.parametrize(
    ("contract", "share", "lmp_factor", "fixed"),
    [
        ("spot", 0.0, 1.0, 0.0),
        ("spot", 1.0, 1.0, 0.0),
        ("hedged", 0.0, 0.0, 30.0),
        ("hedged", 0.4, 0.4, 18.0),
        ("ppa_resale", 0.4, 0.0, 30.0),
        ("take_or_pay", 0.0, 0.0, 30.0),
        ("take_or_pay", 0.4, 0.4, 18.0),
        ("take_or_pay", 1.0, 1.0, 0.0),
        ("requirements", 1.0, 0.0, 30.0),
    ],
)
def test_accounting_price_by_contract(contract: str, share: float, lmp_factor: float, fixed: float, lmp: float) -> None:
    assert at(accounting(contract_of(contract), share), lmp) == pytest.approx(lmp_factor * lmp + fixed, abs=1e-9)


@given(powers, shares, lmps)
def test_the_adder_is_paid_for_every_metered_mwh_under_every_contract(power: Power, share: float, lmp: float) -> None:
    bare = Power(
        node=power.node,
        contract=power.contract,
        adder_usd_per_mwh=0.0,
        loss_fraction=power.loss_fraction,
        ppa_usd_per_mwh=power.ppa_usd_per_mwh,
        resale_fee_usd_per_mwh=power.resale_fee_usd_per_mwh,
        committed_mw=power.committed_mw,
    )
    for price in (marginal, accounting):
        added = at(price(power, share), lmp) - at(price(bare, share), lmp)
        assert added == pytest.approx(power.adder_usd_per_mwh, abs=1e-7)


@given(powers, shares, lmps, lmps)
def test_both_prices_are_linear_in_the_market_price(power: Power, share: float, one: float, other: float) -> None:
    for price in (marginal(power, share), accounting(power, share)):
        middle = at(price, 0.5 * one + 0.5 * other)
        assert middle == pytest.approx(0.5 * at(price, one) + 0.5 * at(price, other), abs=1e-7)


@given(powers, shares)
def test_no_contract_makes_a_higher_market_price_cheaper(power: Power, share: float) -> None:
    assert marginal(power, share)[0] >= 0.0
    assert accounting(power, share)[0] >= 0.0


@given(st.sampled_from(CONTRACTS), shares, lmps, st.floats(0.0, 0.5))
def test_losses_scale_the_energy_under_every_contract(contract: str, share: float, lmp: float, lost: float) -> None:
    for price in (marginal, accounting):
        without = at(price(contract_of(contract), share), lmp)
        with_losses = at(price(contract_of(contract, loss_fraction=lost), share), lmp)
        assert with_losses == pytest.approx(without / (1.0 - lost), rel=1e-12, abs=1e-9)


def test_five_percent_of_losses_on_a_price_of_38() -> None:
    power = contract_of("spot", loss_fraction=0.05, adder_usd_per_mwh=6.0)
    assert bought_per_metered_mwh(0.05) == pytest.approx(1.0 / 0.95, rel=1e-15)
    assert at(marginal(power, 0.0), 38.0) == pytest.approx(46.0, rel=1e-14)


@given(st.sampled_from(CONTRACTS), shares)
def test_where_the_market_is_at_the_contract_price_all_contracts_bill_alike(contract: str, share: float) -> None:
    assert at(accounting(contract_of(contract), share), 30.0) == pytest.approx(30.0, rel=1e-14)


@pytest.mark.parametrize(
    ("running", "committed", "share"),
    [(100.0, 75.0, 0.25), (75.0, 75.0, 0.0), (50.0, 75.0, 0.0), (0.0, 75.0, 0.0), (0.0, 0.0, 0.0), (10.0, 0.0, 1.0)],
)
def test_share_above_the_committed_volume(running: float, committed: float, share: float) -> None:
    assert share_above_committed(running, committed) == share


@given(st.sampled_from(["take_or_pay", "hedged", "ppa_resale"]), lmps, st.floats(0.0, 75.0))
def test_bill_of_the_running_and_the_unused_mw_is_what_the_contract_says(contract: str, lmp: float, run: float) -> None:
    """Whole commitment at 30 USD/MWh; take-or-pay throws the rest away, the others get LMP for it."""
    power = contract_of(contract)
    billed = run * at(accounting(power, share_above_committed(run, 75.0)), lmp)
    total = billed + unused_commitment_usd_per_hour(power, lmp, run)
    back = 0.0 if contract == "take_or_pay" else (75.0 - run) * lmp
    assert total == pytest.approx(75.0 * 30.0 - back, abs=1e-6)


@given(st.sampled_from(CONTRACTS), lmps, st.floats(0.0, 150.0), st.floats(0.001, 1.0))
def test_marginal_price_is_what_one_more_mw_adds_to_the_whole_bill(
    contract: str, lmp: float, run: float, more: float
) -> None:
    power = contract_of(contract)
    committed = power.committed_mw or 0.0
    assume(not run < committed < run + more)  # astride the commitment there are two answers
    assume(contract != "ppa_resale" or run + more <= committed)  # above it nothing is left to resell

    def bill(mw: float) -> float:
        price = at(accounting(power, share_above_committed(mw, committed)), lmp)
        return mw * price + unused_commitment_usd_per_hour(power, lmp, mw)

    expected = at(marginal(power, 1.0 if run >= committed else 0.0), lmp)
    assert (bill(run + more) - bill(run)) / more == pytest.approx(expected, rel=1e-6, abs=1e-2)


def test_unused_commitment_costs_nothing_where_none_is_committed() -> None:
    assert unused_commitment_usd_per_hour(contract_of("spot"), 500.0, 10.0) == 0.0
    assert unused_commitment_usd_per_hour(contract_of("requirements"), 500.0, 10.0) == 0.0
    assert unused_commitment_usd_per_hour(contract_of("ppa_resale", committed_mw=None), 500.0, 10.0) == 0.0


def test_a_spot_contract_asked_for_its_price_says_so() -> None:
    with pytest.raises(ValueError, match="contract 'spot' at ERCOT:HB_WEST names no price"):
        contract_price(contract_of("spot"))


@settings(deadline=None)
@given(lmps, st.floats(-2.0, 2.0), st.floats(-1_000.0, 1_000.0))
def test_compiled_price_equals_the_uncompiled_to_the_bit(lmp: float, factor: float, fixed: float) -> None:
    compiled = price_usd_per_mwh(lmp, factor, fixed)
    assert compiled.hex() == price_usd_per_mwh.py_func(lmp, factor, fixed).hex()


def test_pjm_capacity_price_of_2026_27_per_mwh() -> None:
    assert capacity_usd_per_mwh(329.17, 1.0) == pytest.approx(13.72, abs=0.005)
    assert capacity_usd_per_mwh(329.17, 0.5) == pytest.approx(27.43, abs=0.005)


def test_demand_charge_per_mwh_grows_as_the_load_factor_falls() -> None:
    assert demand_charge_usd_per_mwh(10.0, 1.0) == pytest.approx(120_000.0 / 8_760.0, rel=1e-15)
    assert demand_charge_usd_per_mwh(10.0, 0.25) == pytest.approx(480_000.0 / 8_760.0, rel=1e-15)


def test_carbon_and_ancillary_figures_computed_by_hand() -> None:
    assert carbon_usd_per_mwh(0.37, 100.0) == pytest.approx(37.0, rel=1e-15)
    assert ancillary_usd_per_hour(25.0, 8.0, 50.0) == pytest.approx(150.0, rel=1e-15)


@pytest.mark.parametrize(("peaks", "usd_per_mw"), [(4, 1_687.5), (5, 1_350.0), (1, 6_750.0)])
def test_expected_cost_of_a_coincident_peak_window(peaks: int, usd_per_mw: float) -> None:
    assert coincident_peak_usd_per_mw(0.10, 67_500.0, peaks) == pytest.approx(usd_per_mw, rel=1e-14)


@settings(deadline=None)  # the first case may compile
@given(st.floats(0.0, 1.0), st.floats(0.0, 200_000.0), st.floats(0.25, 6.0))
def test_a_window_is_sat_out_exactly_where_its_expected_cost_exceeds_what_running_earns(
    chance: float, rate: float, hours: float
) -> None:
    cost = coincident_peak_usd_per_mw(chance, rate)
    assert not coincident_peak_curtails(cost, cost / hours * 1.001 + 0.001, hours)
    assert coincident_peak_curtails(cost, cost / hours * 0.999 - 0.001, hours)
