"""What-if fleets: exactly what was asked is swapped, all of it is said, and what cannot be meant is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fleet import AsicTier, GpuPool, Lease, Miner, Power, Reference, Site
from models.hypothetical import as_of, mapped, needed_series

RENT_BEGINS = date(2026, 8, 1)

TIER = AsicTier(key="s21", model="S21", joules_per_th=17.5, mw=50.0, effective_until=RENT_BEGINS)
TENANT = Lease(key="tenant", usd_per_kw_month=150.0, it_mw=40.0, effective_from=RENT_BEGINS)
POOL = GpuPool(
    key="gb300",
    gpu="GB300-NVL72",
    gpus=1_000.0,
    kw_per_gpu=2.63,
    bf16_tflops=2_500.0,
    utilisation_series="utilisation:west-gb300",
)
REFERENCE = GpuPool(key="reference", gpu="H100-SXM", gpus=1.0, kw_per_gpu=1.4, bf16_tflops=989.0)

WEST = Site(
    key="west",
    mw_cap=60.0,
    power=Power(node="ERCOT:HB_WEST"),
    asic=(TIER,),
    gpu=(POOL,),
    reference=Reference(gpu=REFERENCE),
)
PLANNED = Site(
    key="planned",
    mw_cap=50.0,
    power=Power(node="ERCOT:HB_WEST", market="da"),
    lease=(TENANT,),
    reference=Reference(asic=replace(TIER, effective_until=None)),
)
TARIFF = Site(
    key="tariff",
    mw_cap=50.0,
    power=Power(node="BCHYDRO:INDUSTRIAL", contract="requirements", ppa_usd_per_mwh=35.0),
    asic=(replace(TIER, effective_until=None),),
)
MINER = Miner(key="iren", name="IREN", site=(WEST, PLANNED))


def test_a_fleet_as_of_a_day_holds_that_days_loads_without_dates() -> None:
    before = as_of(MINER, date(2024, 7, 1))
    after = as_of(MINER, RENT_BEGINS)
    assert [(site.key, [load.key for load in site.loads]) for site in before.site] == [("west", ["gb300", "s21"])]
    assert [(site.key, [load.key for load in site.loads]) for site in after.site] == [
        ("west", ["gb300"]),
        ("planned", ["tenant"]),
    ]
    dates = {(load.effective_from, load.effective_until) for site in (*before.site, *after.site) for load in site.loads}
    assert dates == {(None, None)}


def test_a_fleet_as_of_a_day_says_so_and_names_the_sites_left_out() -> None:
    assert as_of(MINER, date(2024, 7, 1)).hypothetical == ("fleet as of 2024-07-01, without planned",)
    assert as_of(MINER, RENT_BEGINS).hypothetical == ("fleet as of 2026-08-01",)


def test_a_fleet_as_of_a_day_changes_nothing_else_of_a_load() -> None:
    kept = as_of(MINER, date(2024, 7, 1)).site[0]
    assert kept.asic == (replace(TIER, effective_until=None),)
    assert kept == replace(WEST, asic=kept.asic)


def test_a_day_without_any_loads_is_refused() -> None:
    planned_alone = replace(MINER, site=(PLANNED,))
    with pytest.raises(ValueError, match=r"^miner 'iren' has no loads on 2024-07-01"):
        as_of(planned_alone, date(2024, 7, 1))


@given(st.dates(date(2024, 1, 1), date(2028, 1, 1)))
def test_a_fleet_as_of_any_day_exists_on_every_day(day: date) -> None:
    frozen = as_of(MINER, day)
    assert all(load.exists_on(other) for site in frozen.site for load in site.loads for other in (date.min, date.max))
    assert as_of(frozen, RENT_BEGINS).site == frozen.site


def test_a_node_is_mapped_in_either_market_and_becomes_a_proxy() -> None:
    miner, unread = mapped(MINER, {"ERCOT:HB_WEST": "power:ERCOT:HB_SOUTH:rt"})
    assert [site.power.series for site in miner.site] == ["power:ERCOT:HB_SOUTH:rt"] * 2
    assert all(site.power.proxy for site in miner.site)
    assert unread == ()
    assert miner.hypothetical == (
        "site west reads power:ERCOT:HB_WEST:rt from power:ERCOT:HB_SOUTH:rt",
        "site planned reads power:ERCOT:HB_WEST:da from power:ERCOT:HB_SOUTH:rt",
    )


def test_a_power_series_is_mapped_in_its_market_only_and_wins_over_its_node() -> None:
    west_only, _ = mapped(MINER, {"power:ERCOT:HB_WEST:rt": "power:ERCOT:HB_SOUTH:da"})
    assert [site.power.series for site in west_only.site] == ["power:ERCOT:HB_SOUTH:da", "power:ERCOT:HB_WEST:da"]
    both, unread = mapped(
        MINER,
        {"power:ERCOT:HB_WEST:rt": "power:ERCOT:HB_NORTH:rt", "ERCOT:HB_WEST": "power:ERCOT:HB_SOUTH:rt"},
    )
    assert [site.power.series for site in both.site] == ["power:ERCOT:HB_NORTH:rt", "power:ERCOT:HB_SOUTH:rt"]
    assert unread == ()


def test_rates_and_utilisations_are_mapped_in_pools_and_references() -> None:
    mapping = {
        "gpu:GB300-NVL72": "gpu:H100-SXM",
        "gpu:H100-SXM": "gpu:H200-SXM",
        "utilisation:west-gb300": "utilisation:demo",
    }
    miner, unread = mapped(MINER, mapping)
    pool, reference = miner.site[0].gpu[0], miner.site[0].reference.gpu
    assert reference is not None
    assert (pool.series, pool.utilisation_series) == ("gpu:H100-SXM", "utilisation:demo")
    assert (pool.gpu, pool.kw_per_gpu) == ("GB300-NVL72", 2.63)
    assert reference.series == "gpu:H200-SXM"
    assert unread == ()
    assert set(miner.hypothetical) == {f"site west reads {key} from {value}" for key, value in mapping.items()}


def test_what_no_part_of_the_miner_reads_is_named() -> None:
    mapping = {"NYISO:WEST": "power:ERCOT:HB_SOUTH:rt", "gpu:B200": "gpu:H100-SXM", "ERCOT:HB_WEST": "power:X:Y:rt"}
    miner, unread = mapped(MINER, mapping)
    assert unread == ("NYISO:WEST", "gpu:B200")
    assert [site.power.series for site in miner.site] == ["power:X:Y:rt"] * 2


def test_an_empty_mapping_changes_nothing() -> None:
    assert mapped(MINER, {}) == (MINER, ())


def test_swaps_are_added_to_what_was_said_before() -> None:
    both = mapped(as_of(MINER, RENT_BEGINS), {"ERCOT:HB_WEST": "power:ERCOT:HB_SOUTH:rt"})[0]
    assert both.hypothetical[0] == "fleet as of 2026-08-01"
    assert len(both.hypothetical) == 3


@pytest.mark.parametrize(
    ("key", "series", "reason"),
    [
        ("ERCOT:HB_WEST", "ERCOT:HB_SOUTH", "needs a series power:ISO:NODE:rt or :da"),
        ("ERCOT:HB_WEST", "power:ERCOT:HB_SOUTH", "needs a series power:ISO:NODE:rt or :da"),
        ("ERCOT:HB_WEST", "power:ERCOT:HB_SOUTH:5m", "needs a series power:ISO:NODE:rt or :da"),
        ("power:ERCOT:HB_WEST:rt", "gpu:H100-SXM", "needs a series power:ISO:NODE:rt or :da"),
        ("gpu:GB300-NVL72", "utilisation:x", "needs a series gpu:..."),
        ("utilisation:x", "gpu:H100-SXM", "needs a series utilisation:..."),
        ("gpu:GB300-NVL72", "gpu:", "needs a series gpu:..."),
        ("btc:usd", "btc:eur", "is neither a node"),
        ("network:btc", "network:other", "is neither a node"),
        ("HB_WEST", "power:ERCOT:HB_SOUTH:rt", "is neither a node"),
        ("", "power:ERCOT:HB_SOUTH:rt", "is neither a node"),
    ],
)
def test_a_pair_that_cannot_be_meant_is_refused(key: str, series: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mapped(MINER, {key: series})


def test_needed_series_are_all_that_margins_and_references_read() -> None:
    assert needed_series(MINER) == (
        "btc:usd",
        "gpu:GB300-NVL72",
        "gpu:H100-SXM",
        "network:btc",
        "power:ERCOT:HB_WEST:da",
        "power:ERCOT:HB_WEST:rt",
        "utilisation:west-gb300",
    )


def test_a_requirements_contract_needs_no_market_price() -> None:
    assert needed_series(replace(MINER, site=(TARIFF,))) == ("btc:usd", "network:btc")


def test_a_site_of_gpus_alone_needs_no_bitcoin_price() -> None:
    alone = replace(WEST, asic=(), reference=Reference())
    assert needed_series(replace(MINER, site=(alone,))) == (
        "gpu:GB300-NVL72",
        "power:ERCOT:HB_WEST:rt",
        "utilisation:west-gb300",
    )


def test_after_a_full_mapping_only_the_mapped_series_are_needed() -> None:
    mapping = {
        "ERCOT:HB_WEST": "power:ERCOT:HB_SOUTH:rt",
        "gpu:GB300-NVL72": "gpu:H100-SXM",
        "utilisation:west-gb300": "utilisation:demo",
    }
    assert needed_series(mapped(MINER, mapping)[0]) == (
        "btc:usd",
        "gpu:H100-SXM",
        "network:btc",
        "power:ERCOT:HB_SOUTH:rt",
        "utilisation:demo",
    )
