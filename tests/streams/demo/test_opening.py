"""The opening hour of the demo through the real pipeline: to AI, back to hashing, and a stop for the spike of power."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from models.fleet import AsicTier, GpuPool, Site
from models.hashprice import subsidy_btc, usd_per_ph_day
from models.hosting import pool_draw_kw_per_gpu, pool_margin_usd_per_mwh
from models.mining import margin_usd_per_mwh
from models.records import HOUR_US, MINUTE_US
from streams.demo.chance import Chance
from streams.demo.market import START_US
from streams.demo.network import NetworkParameters
from streams.demo.prices import BtcParameters, GpuParameters, PowerParameters, UtilisationParameters, utilisations
from tests.support.demo_log import fleet, signals_of

SEEDS = (1, 2, 3, 7, 2026)


def switches(seed: int, miner: str, site: str, hours: float = 1.0) -> list[dict[str, Any]]:
    return [each for each in signals_of(seed, hours)[miner] if each["kind"] == "switch" and each["site"] == site]


def decisions(seed: int) -> dict[str, dict[str, tuple[str, str]]]:
    """Switches of the capped site by decision: load -> (from, to)."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for each in switches(seed, "juniper", "north"):
        found.setdefault(each["decision"], {})[each["load"]] = (each["from"], each["to"])
    return found


@pytest.mark.listed
@pytest.mark.parametrize("seed", SEEDS)
def test_demand_takes_the_megawatts_from_a_tier_of_asics_and_gives_them_back_later(seed: int) -> None:
    linked = list(decisions(seed).values())
    to_ai = {"h100-spot": ("off", "ai"), "s21": ("hash", "off")}
    back = {"h100-spot": ("ai", "off"), "s21": ("off", "hash")}
    assert linked[:2] == [to_ai, back]


@pytest.mark.listed
@pytest.mark.parametrize("seed", SEEDS)
def test_the_spike_of_power_stops_every_asic_of_both_miners_and_its_end_starts_them(seed: int) -> None:
    spike_us = START_US + 30 * MINUTE_US
    for miner, site, tiers in (("juniper", "north", 3), ("juniper", "west-hall", 1), ("harbor", "ladder", 5)):
        running: dict[str, bool] = {}
        for each in switches(seed, miner, site):
            if each["log_time_us"] <= spike_us + MINUTE_US and each["load"] != "h100-spot":
                running[each["load"]] = each["to"] == "hash"
        assert list(running.values()) == [False] * tiers
        after = [each for each in switches(seed, miner, site) if each["log_time_us"] > spike_us + MINUTE_US]
        assert sum(each["to"] == "hash" for each in after) >= tiers - 1


@pytest.mark.parametrize("seed", SEEDS)
def test_all_of_it_happens_within_the_first_minute_at_the_default_speed(seed: int) -> None:
    times_us = [each["log_time_us"] for each in switches(seed, "juniper", "north")]
    assert times_us[0] - START_US < 10 * MINUTE_US
    assert times_us[-1] - START_US < 60 * MINUTE_US


@pytest.mark.parametrize("seed", SEEDS)
def test_every_switch_says_why_in_one_line_and_in_numbers(seed: int) -> None:
    for miner in ("juniper", "harbor"):
        for each in signals_of(seed)[miner]:
            assert each["origin"] == "demo"
            assert each["text"]
            assert "\n" not in each["text"]
            if each["kind"] == "switch":
                assert sum(each["why"]["groups"].values()) == pytest.approx(each["why"]["total"], abs=1e-9)
                assert {given["source"] for given in each["inputs"]} == {"demo"}


def test_the_spike_is_explained_by_the_price_of_power_and_the_changeover_by_utilisation() -> None:
    found = switches(1, "juniper", "north")
    assert "utilisation" in found[0]["text"]
    stops = [each for each in found if each["decision"] == "north#3"]
    assert [each["load"] for each in stops] == ["s21xp", "s21", "s19xp"]
    assert all("power price" in each["text"] for each in stops)


def north() -> tuple[Site, AsicTier, GpuPool]:
    (site,) = (site for miner in fleet() for site in miner.site if site.key == "north")
    (tier,) = (tier for tier in site.asic if tier.key == "s21")
    return site, tier, site.gpu[0]


def tie_utilisation(power_usd_per_mwh: float, *, idle_fraction: float | None = None, per_mwh: bool = False) -> float:
    """Utilisation at which the pool earns in an hour what the tier earns whose room it needs; or, a MWh of each."""
    site, tier, pool = north()
    network = NetworkParameters()
    reward_btc = subsidy_btc(network.next_epoch_height) + network.fees_satoshi / 1e8
    usd_per_ph = usd_per_ph_day(network.difficulty, reward_btc, 0.0, BtcParameters().usd_per_btc)
    lambda_ = power_usd_per_mwh + site.power.adder_usd_per_mwh
    tier_usd_per_mwh = margin_usd_per_mwh(
        usd_per_ph, tier.joules_per_th, tier.pue, tier.pool_fee, lambda_, tier.opex_usd_per_mwh
    )
    rate = dict(GpuParameters().means)[pool.gpu]
    idle = pool.idle_fraction if idle_fraction is None else idle_fraction
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        kw = pool_draw_kw_per_gpu(pool.kw_per_gpu, idle, middle)
        margin = pool_margin_usd_per_mwh(rate, middle, kw, pool.pue, lambda_, pool.opex_usd_per_gpu_hour)
        pool_mw, tier_mw = (1.0, 1.0) if per_mwh else (pool.gpus * kw * pool.pue / 1_000.0, tier.mw)
        if margin * pool_mw > tier_usd_per_mwh * tier_mw:
            high = middle
        else:
            low = middle
    return low


def test_the_loads_of_the_capped_site_exceed_its_cap_by_the_pool() -> None:
    site, tier, pool = north()
    assert sum(asic.mw for asic in site.asic) == site.mw_cap
    least_mw = pool.gpus * pool_draw_kw_per_gpu(pool.kw_per_gpu, pool.idle_fraction, 0.05) * pool.pue / 1_000.0
    most_mw = pool.gpus * pool_draw_kw_per_gpu(pool.kw_per_gpu, pool.idle_fraction, 0.40) * pool.pue / 1_000.0
    assert min(asic.mw for asic in site.asic) < least_mw < most_mw < tier.mw


def test_the_tie_of_pool_and_tier_lies_where_the_page_says() -> None:
    assert tie_utilisation(33.0) == pytest.approx(0.164, abs=0.0005)
    assert tie_utilisation(33.0, per_mwh=True) == pytest.approx(0.155, abs=0.0005)
    assert tie_utilisation(33.0, per_mwh=True, idle_fraction=1.0) == pytest.approx(0.189, abs=0.0005)


def test_utilisation_of_the_pool_straddles_the_tie() -> None:
    tie = tie_utilisation(PowerParameters().mean)
    stream = utilisations(UtilisationParameters(), Chance(1, "utilisation"), START_US)
    shares = [float(str(many[0]["utilisation"])) for _, many in itertools.islice(stream, 12, 5_000)]
    above = sum(share > tie for share in shares) / len(shares)
    assert 0.3 < above < 0.7
    crossings = sum((before > tie) != (after > tie) for before, after in itertools.pairwise(shares))
    assert crossings > len(shares) / 40


def test_changeovers_go_on_both_ways_after_the_opening() -> None:
    late = [each for each in switches(2, "juniper", "north", 24.0) if each["log_time_us"] > START_US + HOUR_US]
    assert sum(each["to"] == "ai" for each in late) >= 2
    assert sum(each["from"] == "ai" for each in late) >= 2
