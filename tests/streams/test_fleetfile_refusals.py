"""A wrong fleet document is refused by file, place, value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streams.errors import SettingsError
from streams.fleetfile import miner_of
from tests.support.fleet_document import document


def refusal_of(change: Callable[[dict[str, Any]], object]) -> str:
    """What is said of the document after a change."""
    changed = document()
    change(changed)
    with pytest.raises(SettingsError) as caught:
        miner_of(changed, "fleet.toml")
    return str(caught.value)


def test_an_unknown_key_is_named_with_the_nearest_and_all_that_are_allowed() -> None:
    message = refusal_of(lambda document: document["site"][0]["asic"][1].update(joules_per_tera=17.5))
    assert message.startswith(
        "fleet.toml: site[0].asic[1].joules_per_tera = 17.5 is not a known key; did you mean joules_per_th? allowed"
    )
    assert message.endswith(
        "act_within_minutes, effective_from, effective_until, failure, initially_on, joules_per_th, key, "
        "min_off_minutes, min_on_minutes, model, mw, opex_usd_per_mwh, pool_fee, pue, start_usd_per_mw, "
        "stop_usd_per_mw, uptime"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d: d.update(sites=[]),
            "sites = [] is not a known key; did you mean site? allowed here: fact, miner, site",
        ),
        (
            lambda d: d.update(zzz=1),
            "zzz = 1 is not a known key; allowed here: fact, miner, site",
        ),
        (
            lambda d: d["miner"].update(ticker="MARA"),
            "miner.ticker = 'MARA' is not a known key; allowed here: key, name",
        ),
        (
            lambda d: d["miner"].update(hypothetical=["x"]),
            "miner.hypothetical = ['x'] is not a known key; allowed here: key, name",
        ),
        (
            lambda d: d.update({"two\nlines": 1}),
            "'two\\nlines' = 1 is not a known key; allowed here: fact, miner, site",
        ),
        (
            lambda d: d["site"][0]["power"].update(lmp=45.0),
            (
                "site[0].power.lmp = 45.0 is not a known key; allowed here: adder_usd_per_mwh, committed_mw, contract, "
                "loss_fraction, market, node, ppa_usd_per_mwh, proxy, resale_fee_usd_per_mwh"
            ),
        ),
        (
            lambda d: d["site"][0]["reference"].update(gpus={}),
            "site[0].reference.gpus = {} is not a known key; did you mean gpu? allowed here: asic, gpu, lease",
        ),
        (
            lambda d: d["fact"][0].update(url="x"),
            "fact[0].url = 'x' is not a known key; allowed here: claim, date, mark, source",
        ),
        (lambda d: d["site"][0]["asic"][1].update(pue=9.0), "site[0].asic[1].pue 9.0 is outside 1.0 to 3.0"),
        (lambda d: d["site"][0]["asic"][1].update(mw=float("nan")), "site[0].asic[1].mw nan is not a finite number"),
        (lambda d: d["site"][0]["asic"][1].update(mw=10**400), "site[0].asic[1].mw inf is not a finite number"),
        (lambda d: d["site"][0]["asic"][1].update(mw="8 MW"), "site[0].asic[1].mw = '8 MW' must be a number"),
        (lambda d: d["site"][0]["asic"][1].update(mw=True), "site[0].asic[1].mw = True must be a number"),
        (lambda d: d["site"][0]["asic"][1].update(model=19), "site[0].asic[1].model = 19 must be text in quotes"),
        (lambda d: d["site"][0]["power"].update(proxy="yes"), "site[0].power.proxy = 'yes' must be true or false"),
        (
            lambda d: d["site"][0]["gpu"][0].update(effective_from="Q3 2025"),
            "site[0].gpu[0].effective_from = 'Q3 2025' must be a date written 2025-09-30",
        ),
        (
            lambda d: d["site"][0]["gpu"][0].update(effective_from=20250930),
            "site[0].gpu[0].effective_from = 20250930 must be a date written 2025-09-30",
        ),
        (
            lambda d: d["site"][0]["lease"][0].update(lease_type="net"),
            "site[0].lease[0].lease_type 'net' is not one of triple_net, gross",
        ),
        (
            lambda d: d["site"][0]["power"].update(contract="hedged"),
            "site[0].power.contract 'hedged' needs ppa_usd_per_mwh",
        ),
        (
            lambda d: d["site"][0]["reference"]["asic"].update(uptime=95),
            "site[0].reference.asic.uptime 95.0 is outside 0.01 to 1.0",
        ),
        (lambda d: d["site"][0].update(mw_cap=-1), "site[0].mw_cap -1.0 is outside 0.001 to 100000.0"),
        (lambda d: d["site"][0].pop("power"), "site[0].power is missing"),
        (lambda d: d["site"][0].update(power="spot"), "site[0].power = 'spot' must be a table"),
        (lambda d: d["site"][0].update(asic={}), "site[0].asic = {} must be a list of tables, each written [[...]]"),
        (lambda d: d.update(site={}), "site = {} must be a list of tables, each written [[...]]"),
        (lambda d: d.update(site=[1]), "site[0] = 1 must be a table"),
        (lambda d: d.update(site=[]), "miner 'mara' has no sites"),
        (lambda d: d.pop("site"), "site is missing"),
        (lambda d: d["site"].append(d["site"][0]), "miner 'mara' names a site twice: yard, yard"),
        (
            lambda d: d["site"][0]["asic"].append(d["site"][0]["asic"][0]),
            "site[0]: two loads 's21' of site 'yard' exist on one day",
        ),
        (
            lambda d: d["site"].append({"key": "bare", "mw_cap": 1, "power": d["site"][0]["power"]}),
            "site[1]: site 'bare' has no loads: give it asic, gpu or lease tables",
        ),
        (lambda d: d.pop("miner"), "needs a table [miner] with key and name"),
        (lambda d: d.update(miner="mara"), "needs a table [miner] with key and name"),
        (lambda d: d["miner"].pop("key"), "miner.key is missing"),
        (
            lambda d: d["miner"].update(key="Mara Holdings"),
            "miner.key 'Mara Holdings' is not a key: lower-case letters, digits and hyphens, 40 at most",
        ),
        (
            lambda d: d["site"][0].update(key="West 1"),
            "site[0].key 'West 1' is not a key: lower-case letters, digits and hyphens, 40 at most",
        ),
        (
            lambda d: d["site"][0]["gpu"][0].update(key="H100"),
            "site[0].gpu[0].key 'H100' is not a key: lower-case letters, digits and hyphens, 40 at most",
        ),
        (
            lambda d: d["fact"][0].update(source=""),
            "fact[0]: a fact needs claim, date and source",
        ),
        (lambda d: d["fact"][0].update(mark="U"), "fact[0].mark 'U' is not one of confirmed, derived, unconfirmed"),
    ],
)
def test_a_wrong_document_is_refused_by_place_value_and_what_is_allowed(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    assert refusal_of(change) == f"fleet.toml: {said}"


def test_several_mistakes_are_told_together_and_many_are_counted() -> None:
    message = refusal_of(lambda d: d["site"][0]["asic"][0].update(mw="8", pue="1", model=1))
    assert message.count(" must be ") == 3
    many = refusal_of(lambda d: d.update(fact=[{}] * 3))
    assert many.count(" is missing") == 5
    assert many.endswith("; and 7 more")


def test_a_long_value_is_shown_cut() -> None:
    message = refusal_of(lambda d: d["miner"].update(key="x" * 10_000, name=["y" * 10_000]))
    assert "miner.name = ['yyy" in message
    assert len(message) < 200
