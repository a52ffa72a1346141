"""The fleet files that ship: each loads, fits under its caps, and says where its figures come from."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from models.hosting import lease_usd_per_kw_month
from models.hypothetical import as_of
from models.layout import meter_mw
from streams.fleetfile import decode_miner, encode_miner, read_miners

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted((ROOT / "deploy" / "miners").glob("*.toml"))
SHIPPED = [*PROFILES, *sorted((ROOT / "deploy" / "examples").glob("*.toml"))]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_file_loads_and_survives_the_log(file: Path) -> None:
    (miner,) = read_miners(file)
    assert miner.key == file.stem
    assert decode_miner(encode_miner(miner)) == miner
    assert encode_miner(decode_miner(encode_miner(miner))) == encode_miner(miner)


def test_the_four_profiles_and_three_examples_ship() -> None:
    assert [miner.key for miner in read_miners(ROOT / "deploy" / "miners")] == ["cifr", "iren", "mara", "wulf"]
    assert [miner.key for miner in read_miners(ROOT / "deploy" / "examples")] == ["capped", "ladder", "worked"]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_site_shipped_can_compare_hashing_with_ai(file: Path) -> None:
    (miner,) = read_miners(file)
    for site in miner.site:
        assert site.asic or site.reference.asic, f"{miner.key}/{site.key} has no ASIC side"
        assert site.gpu or site.lease or site.reference.gpu or site.reference.lease, f"{site.key} has no AI side"


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: file.stem)
def test_a_profile_fits_under_its_caps_on_every_day(file: Path) -> None:
    (miner,) = read_miners(file)
    edges = {load.effective_from for site in miner.site for load in site.loads}
    for day in {date(2024, 1, 1), *(edge for edge in edges if edge is not None)}:
        for site in as_of(miner, day).site:
            drawn = sum(meter_mw(load) for load in site.loads)
            assert drawn <= site.mw_cap + 1e-9, f"{site.key} on {day}: {drawn} MW under {site.mw_cap}"


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: file.stem)
def test_a_profile_dates_and_marks_its_facts_and_calls_hubs_proxies(file: Path) -> None:
    (miner,) = read_miners(file)
    assert len(miner.fact) >= 5
    assert {fact.mark for fact in miner.fact} == {"confirmed", "derived", "unconfirmed"}
    for fact in miner.fact:
        assert date.fromisoformat(fact.date) >= date(2025, 1, 1)
        assert "://" not in fact.source
    for site in miner.site:
        assert site.power.proxy or site.power.contract == "requirements", f"{site.key} claims to settle at its node"


@pytest.mark.parametrize(
    ("miner", "site", "load", "total_usd", "mw", "years"),
    [
        ("cifr", "barber-lake", "fluidstack-168", 3.0e9, 168.0, 10.0),
        ("cifr", "barber-lake", "fluidstack-39", 0.83e9, 39.0, 10.0),
        ("cifr", "black-pearl", "aws", 5.5e9, 300.0, 15.0),
        ("wulf", "lake-mariner", "fluidstack-200", 3.7e9, 200.0, 10.0),
        ("wulf", "abernathy", "fluidstack-168", 9.5e9, 168.0, 25.0),
    ],
)
def test_the_rents_of_the_profiles_are_those_of_the_published_totals(
    miner: str, site: str, load: str, total_usd: float, mw: float, years: float
) -> None:
    (found,) = (
        lease
        for place in read_miners(ROOT / "deploy" / "miners" / f"{miner}.toml")[0].site
        if place.key == site
        for lease in place.lease
        if lease.key == load
    )
    assert found.usd_per_kw_month == pytest.approx(lease_usd_per_kw_month(total_usd, mw, years), rel=5e-4)
    assert found.it_mw * (found.pue if found.mw_basis == "gross" else 1.0) == pytest.approx(mw)


def test_the_ladder_has_the_terms_of_the_reference_figures() -> None:
    (ladder,) = read_miners(ROOT / "deploy" / "examples" / "ladder.toml")
    (site,) = ladder.site
    assert [tier.joules_per_th for tier in site.asic] == [13.5, 17.5, 21.5, 29.5, 34.0]
    assert (site.power.node, site.power.adder_usd_per_mwh, site.power.contract) == ("ERCOT:HB_SOUTH", 6.0, "spot")
    terms = {
        (
            *(tier.mw, tier.pue, tier.uptime, tier.pool_fee, tier.opex_usd_per_mwh),
            *(tier.stop_usd_per_mw, tier.start_usd_per_mw, tier.min_on_minutes, tier.min_off_minutes),
        )
        for tier in site.asic
    }
    assert terms == {(1.0, 1.05, 1.0, 0.006, 6.0, 10.0, 10.0, 15.0, 15.0)}


def test_the_capped_example_has_more_loads_than_its_meter_carries() -> None:
    (capped,) = read_miners(ROOT / "deploy" / "examples" / "capped.toml")
    (site,) = capped.site
    assert sum(meter_mw(load) for load in site.loads) > site.mw_cap
    assert site.asic
    assert {pool.contract for pool in site.gpu} == {"spot", "reserved"}
