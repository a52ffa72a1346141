"""Which sources run under which settings, and why the others do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.feed_notes import nodes_of_fleet, notes_of
from streams.feeds.sources import SOURCES
from streams.fleetfile import read_miners
from streams.register import feeds_for
from streams.settings import Settings, load
from streams.shipped import shipped

KEYLESS = {
    "coinbase",
    "coinbase-exchange",
    "kraken",
    "bitstamp",
    "binance",
    "mempool",
    "braiins",
    "vast",
    "runpod",
    "akash",
}
ERCOT_KEYS = {name: "x" for source in SOURCES if source.name == "ercot-api" for name in source.keys}


def settings_with(tmp_path: Path, text: str = "", **environment: str) -> Settings:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    return load(file, environment)


def test_without_keys_or_settings_the_public_sources_run_and_the_others_say_why(tmp_path: Path) -> None:
    plan = feeds_for(settings_with(tmp_path))
    assert plan.running.keys() >= KEYLESS
    assert plan.running.keys() | plan.off.keys() == {source.name for source in SOURCES}
    assert not plan.running.keys() & plan.off.keys()
    assert plan.off["lambda-cloud"] == "no key: set LAMBDA_API_KEY to use it"
    assert "no node of ERCOT is wanted" in plan.off["ercot-mis"]


def test_the_nodes_a_fleet_reads_switch_on_the_market_that_prints_them(tmp_path: Path) -> None:
    plan = feeds_for(settings_with(tmp_path, CHANGEOVER_NODES="ERCOT:HB_WEST,NYISO:WEST"))
    assert {"ercot-mis", "nyiso"} <= plan.running.keys()
    assert {"caiso", "miso", "spp", "pjm", "ercot-api"} <= plan.off.keys()


def test_with_its_key_the_better_of_two_sources_of_a_market_runs_alone(tmp_path: Path) -> None:
    plan = feeds_for(settings_with(tmp_path, CHANGEOVER_NODES="ERCOT:HB_WEST", **ERCOT_KEYS))
    assert "ercot-api" in plan.running
    assert "ercot-api has its key" in plan.off["ercot-mis"]


def test_a_source_can_be_switched_off_or_chosen_by_name(tmp_path: Path) -> None:
    assert "switched off" in feeds_for(settings_with(tmp_path, "[feeds.kraken]\non = false\n")).off["kraken"]
    chosen = feeds_for(settings_with(tmp_path, CHANGEOVER_SOURCES="kraken, bitstamp"))
    assert chosen.running.keys() == {"kraken", "bitstamp"}
    assert feeds_for(settings_with(tmp_path, CHANGEOVER_SOURCES="none")).running == {}
    with pytest.raises(SettingsError, match="there is no source 'krakn'; did you mean kraken"):
        feeds_for(settings_with(tmp_path, CHANGEOVER_SOURCES="krakn"))


def test_every_source_that_runs_can_be_made(tmp_path: Path) -> None:
    keys = {name: "x" for source in SOURCES for name in (*source.keys, *source.optional_keys)}
    nodes = "ERCOT:HB_WEST,CAISO:TH_NP15_GEN-APND,NYISO:WEST,MISO:ILLINOIS.HUB,SPP:SPPNORTH_HUB,PJM:51217"
    plan = feeds_for(settings_with(tmp_path, CHANGEOVER_NODES=nodes, **keys))
    made = {name: make() for name, make in plan.running.items()}
    assert {name: feed.name for name, feed in made.items()} == {name: name for name in made}


def test_up_says_which_series_of_its_fleet_nothing_brings(tmp_path: Path) -> None:
    fleet = read_miners(shipped("miners"))
    nodes = nodes_of_fleet(fleet)
    assert "ERCOT:HB_WEST" in nodes
    bare, found = (
        settings_with(tmp_path, CHANGEOVER_SOURCES="none"),
        settings_with(tmp_path, CHANGEOVER_NODES=",".join(nodes)),
    )
    assert "btc:usd" in notes_of(bare, fleet)[1]
    assert all("btc:usd" not in note and "power:ERCOT" not in note for note in notes_of(found, fleet))
