"""The whole road of live prices: sources at fake servers of their own, ingest, broker, worker, Redis, a signal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from models.records import SECOND_US, DecidingConfig
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.feeds.contract import Options
from streams.fleetfile import encode_miner, read_miners
from streams.ingest import Ingest, IngestProcess, Watchdog
from streams.process import Process
from streams.register import feeds_for
from streams.settings import Settings
from streams.settings_tables import Ingest as IngestTable
from streams.wire import Names
from tests.support.faulty_server import HTTP_FAULTS, Switch, either, faulty_http, serving
from tests.support.restamped import Zone, paced
from tests.support.served import case_of
from tests.support.sources_contract import Serve
from tests.support.stage import Stage, until, worker

LIMIT_S = 3
"""How long past its due time a venue's price may be used here [s]; by default it is a minute."""
DUE_S = 10
"""When a venue's next price is due [s]: a venue that died is missed after these two."""
VENUES = ("coinbase", "coinbase-exchange", "kraken", "bitstamp")
PROVIDERS = ("vast", "runpod", "lambda-cloud")
SOURCES = (*VENUES, "mempool", "nyiso", *PROVIDERS)
PATIENCE_S = 30.0
POWER = "power:NYISO:CAPITL:rt"
QUICK = {"every_s": 0.5, "pause_s": 0.05, "day_ahead": False}
FLEET = """\
[miner]
key = "live"
name = "A tier and a pool on live prices"

[[site]]
key = "yard"
name = "20 MW in zone CAPITL"
mw_cap = 20.0

[site.power]
node = "NYISO:CAPITL"
market = "rt"
contract = "spot"

[[site.asic]]
key = "s21"
model = "S21"
joules_per_th = 17.5
mw = 8.0
failure = "off"
initially_on = false
min_on_minutes = 0.0
min_off_minutes = 0.0

[[site.gpu]]
key = "h100"
gpu = "H100-SXM"
gpus = 1714.0
kw_per_gpu = 1.4
bf16_tflops = 989.0
contract = "spot"
utilisation_default = 0.8
initially_on = false
"""


@dataclass(frozen=True)
class LiveStage(Stage):
    """A stage of live names with short limits and the sources' options."""

    feeds: Mapping[str, Options]

    @property
    def settings(self) -> Settings:
        """Settings of every service here."""
        keys = {key: SecretStr(value) for name in SOURCES for key, value in case_of(name).keys.items()}
        return super().settings.model_copy(
            update={
                "deciding": DecidingConfig(policy="breakeven", btc_price_limit_s=LIMIT_S),
                "feeds": self.feeds,
                "keys": keys,
                "ingest": IngestTable(sources=SOURCES),
            }
        )


class World:
    """A server for each source; each can die on its own."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.options: dict[str, Options] = {}
        self._stacks: dict[str, AsyncExitStack] = {}

    async def begin(self) -> None:
        """Serve every source."""
        switch = Switch()
        switch.on = False
        for name in SOURCES:
            case = case_of(name)
            serve: Serve = self.zone.serve if name == "nyiso" else case.serve or self.zone.serve
            handler = either(faulty_http(serve, HTTP_FAULTS["500"], switch), paced(case))
            self._stacks[name] = AsyncExitStack()
            options = case.options(await self._stacks[name].enter_async_context(serving(handler)))
            quick = {key: value for key, value in QUICK.items() if hasattr(options, key)}
            self.options[name] = options.model_copy(update=quick)

    async def kill(self, *names: str) -> None:
        """End these servers."""
        await asyncio.gather(*(self._stacks.pop(name).aclose() for name in names))

    async def end(self) -> None:
        """End those that are left."""
        await self.kill(*self._stacks)


@asynccontextmanager
async def world(zone: Zone) -> AsyncIterator[World]:
    """Servers of the block."""
    servers = World(zone)
    await servers.begin()
    try:
        yield servers
    finally:
        await servers.end()


@asynccontextmanager
async def ingest(stage: Stage) -> AsyncIterator[IngestProcess]:
    """Ingest of the stage's settings in this process."""
    process = IngestProcess(stage.settings)
    plan = feeds_for(stage.settings)
    assert set(plan.running) == set(SOURCES), plan.off
    running = asyncio.create_task(Ingest(process, plan.running, plan.off, Watchdog(look_s=0.5)).run())
    try:
        yield process
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def signals(stage: Stage) -> list[dict[str, Any]]:
    """Everything published so far."""
    return [orjson.loads(entry.json) for entry in (await stage.stored()).get("live", [])]


async def found(stage: Stage, wanted: Callable[[dict[str, Any]], bool], after: int = 0) -> dict[str, Any]:
    """The first signal later than a number that is wanted, once there is one."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        published = await signals(stage)
        seen = [each for each in published if each["seq"] > after and wanted(each)]
        if seen:
            return seen[0]
        assert time.monotonic() < deadline_s, "\n".join(each["text"] for each in published)
        await asyncio.sleep(0.1)


def switch(load: str, to: str) -> Callable[[dict[str, Any]], bool]:
    """What is wanted: a switch of a load."""
    return lambda each: each["kind"] == "switch" and each["load"] == load and each["to"] == to


def inputs_of(signal: Mapping[str, Any]) -> dict[str, tuple[float, str, str]]:
    """Series -> value, state, source."""
    return {each["series"]: (each["value"], each["state"], each["source"]) for each in signal["inputs"]}


async def first_signals(stage: Stage) -> None:
    """The first prices switch both loads on, and say by which sources."""
    hashing = inputs_of(await found(stage, switch("s21", "hash")))
    usd, state, source = hashing["btc:usd"]
    assert (state, source) in {("ok", "median of 3"), ("ok", "median of 4")}
    assert 64_000.0 < usd < 68_000.0
    assert hashing[POWER] == (20.0, "ok", "nyiso")
    assert hashing["network:btc"][1:] in {("ok", "mempool"), ("suspect", "mempool")}  # few blocks of fees at first
    hosting = inputs_of(await found(stage, switch("h100", "ai")))
    rate, state, source = hosting["gpu:H100-SXM"]
    assert (state, source[:10]) == ("ok", "median of ")
    assert 2.25 <= rate <= 4.14


async def last_seq(stage: Stage) -> int:
    """The number of the last signal."""
    return int((await signals(stage))[-1]["seq"])


async def all_is_heard(process: IngestProcess) -> None:
    """Every source has said a price."""

    async def heard() -> bool:
        return all(process.book.entry(name).latest for name in SOURCES)

    await until(heard)


async def check_no_venue_is_missed_alone(stage: Stage, servers: World, process: IngestProcess, engine: Process) -> None:
    """One venue dies: no entry says so, and the next switch tells of three."""
    before = await last_seq(stage)
    await servers.kill("kraken")

    async def is_late() -> bool:
        missed_us = process.book.entry("kraken").latest["btc:usd@kraken"].next_due_us + LIMIT_S * SECOND_US
        return int(str(engine.health.facts["log_time_us"])) > missed_us

    await until(is_late)
    servers.zone.print(25.0)
    back = await found(stage, switch("s21", "hash"), before)
    assert inputs_of(back)["btc:usd"][1:] == ("ok", "median of 3")
    assert inputs_of(back)[POWER] in {(25.0, "corrected", "nyiso"), (25.0, "ok", "nyiso")}
    assert [each for each in await signals(stage) if each["kind"] == "quality" and each["seq"] > before] == []


async def check_all_venues_are_missed(stage: Stage, servers: World) -> None:
    """All venues die: the price is withheld within its limit, and the tier goes where its fleet file says."""
    before = await last_seq(stage)
    died_us = time.time_ns() // 1_000
    await servers.kill("coinbase", "coinbase-exchange", "bitstamp")
    lost = await found(stage, lambda each: each["kind"] == "quality" and each["series"] == "btc:usd", before)
    assert (lost["state"], lost["reason"], lost["was"]) == ("withheld", "too few members agree", "ok")
    assert died_us < lost["log_time_us"] <= died_us + (DUE_S + LIMIT_S + 2) * SECOND_US
    assert lost["direction"] == {"s21": "off: off"}
    off = await found(stage, switch("s21", "off"), before)
    assert (off["class"], off["rule"]) == ("safety", "failure direction")
    assert inputs_of(off)["btc:usd"][1] == "withheld"


@pytest.mark.listed
async def test_a_power_price_switches_a_dead_venue_does_not_and_all_of_them_withhold_the_price(
    own_broker: EmbeddedBroker, own_redis: EmbeddedRedis, compiled: None, tmp_path: Path
) -> None:
    del compiled  # only the order matters
    fleet_file = tmp_path / "live.toml"
    fleet_file.write_text(FLEET)
    (miner,) = read_miners(fleet_file)
    async with world(Zone(20.0, back=1)) as servers:
        live = LiveStage(own_broker.bootstrap, own_redis.url, Names("live"), tmp_path, servers.options)
        await live.make_topics()
        async with worker(live) as engine, ingest(live) as process:
            await fleet_applied(live, engine, encode_miner(miner))
            await first_signals(live)
            await all_is_heard(process)
            before = await last_seq(live)
            servers.zone.print(4_000.0)
            spike = await found(live, switch("s21", "off"), before)
            assert inputs_of(spike)["btc:usd"][1:] == ("ok", "median of 4")
            assert inputs_of(spike)[POWER] == (4_000.0, "suspect", "nyiso")
            assert max(spike["why"]["groups"], key=lambda group: abs(spike["why"]["groups"][group])) == "power_price"
            await check_no_venue_is_missed_alone(live, servers, process, engine)
            await check_all_venues_are_missed(live, servers)
        assert engine.ending is None


async def fleet_applied(stage: Stage, engine: Process, fleet: bytes) -> None:
    """Append a fleet once the log has its epoch."""

    async def begun() -> bool:
        return engine.health.facts.get("epoch") == 1

    await until(begun)
    await stage.append([("fleet", time.time_ns() // 1_000, fleet)])
