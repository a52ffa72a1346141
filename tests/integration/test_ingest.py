"""Ingest: each feed runs by itself, the clock ticks, and a feed that fails touches nothing beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.errors import FeedError
from streams.feeds.contract import Appender, Feed
from streams.ingest import FeedRegister, Ingest, IngestProcess
from streams.wire import Names
from tests.support.command import Command
from tests.support.served import case_of, documented, served, table_of
from tests.support.stage import Stage, until, worker

AT_US = 1_718_582_400_000_000


class GoodFeed:
    """Says five things and has nothing more to say."""

    name = "good"

    async def run(self, out: Appender) -> None:
        """Append them."""
        for number in range(5):
            await out.append("observation", AT_US + number, b"[%d]" % number)


class FailingFeed:
    """Says one thing and fails, each time it is run."""

    def __init__(self, name: str, error: Exception) -> None:
        self.name = name
        self.runs = 0
        self._error = error

    async def run(self, out: Appender) -> None:
        """Append once, then fail."""
        self.runs += 1
        await out.append("observation", AT_US, f'["{self.name}", {self.runs}]'.encode())
        raise self._error


@asynccontextmanager
async def ingest(stage: Stage, feeds: list[Feed]) -> AsyncIterator[IngestProcess]:
    """An ingest in this process, cut off at the end of the block."""
    process = IngestProcess(stage.settings)
    register: FeedRegister = {feed.name: (lambda feed=feed: feed) for feed in feeds}  # type: ignore[misc]  # mypy knows no default here
    task = asyncio.create_task(Ingest(process, register).run())
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def payloads(stage: Stage) -> list[bytes]:
    """What the log holds, in order."""
    return [raw.payload for raw in await stage.log()]


async def test_a_feed_that_fails_is_run_again_and_the_others_go_on(stage: Stage) -> None:
    await stage.make_topics()
    wrong, buggy = FailingFeed("wrong", FeedError("the source answers 500")), FailingFeed("buggy", ValueError("ours"))
    async with ingest(stage, [wrong, GoodFeed(), buggy]) as process:

        async def enough() -> bool:
            return wrong.runs >= 2 and buggy.runs >= 2 and process.health.ready

        await until(enough)
        samples = {
            (sample.name, sample.labels.get("feed")): sample.value
            for family in process.health.registry.collect()
            for sample in family.samples
        }
    found = await payloads(stage)
    assert [payload for payload in found if payload[1:2].isdigit()] == [b"[%d]" % number for number in range(5)]
    assert b'["wrong", 2]' in found
    assert b'["buggy", 2]' in found
    assert samples["changeover_ingest_records_total", "good"] == 5
    assert samples["changeover_ingest_failures_total", "wrong"] >= 1
    assert samples["changeover_ingest_failures_total", "buggy"] >= 1
    assert samples["changeover_ingest_feed_running", "good"] == 0


async def test_a_payload_that_is_too_large_is_the_feeds_error_and_nothing_is_appended(stage: Stage) -> None:
    class LargeFeed:
        name = "large"
        said = ""

        async def run(self, out: Appender) -> None:
            try:
                await out.append("observation", AT_US, b" " * (17 * 1024 * 1024))
            except FeedError as error:
                self.said = str(error)

    await stage.make_topics()
    feed = LargeFeed()
    async with ingest(stage, [feed, GoodFeed()]):

        async def heard() -> bool:
            return bool(feed.said) and len(await payloads(stage)) >= 5

        await until(heard)
    assert "larger than the log takes" in feed.said


async def test_a_live_log_begins_with_an_epoch_of_the_worker_and_is_ticked_by_each_service(
    own_broker: EmbeddedBroker, own_redis: EmbeddedRedis, stage: Stage
) -> None:
    live = Stage(own_broker.bootstrap, own_redis.url, Names("live"), stage.folder)
    async with worker(live) as engine, ingest(live, []):

        async def ticked() -> bool:
            clocks = {raw.instance.split("-")[0] for raw in await live.log() if raw.feed == "clock"}
            facts = engine.health.facts
            began = facts.get("epoch") == 1 and int(str(facts.get("log_time_us", 0))) > 0
            return began and clocks == {"worker", "ingest"}

        await live.make_topics()
        await until(ticked)
    assert engine.ending is None
    epochs = [raw for raw in await live.log() if raw.feed == "epoch"]
    assert [orjson.loads(raw.payload)["epoch"] for raw in epochs] == [1]
    assert engine.health.facts["epoch"] == 1


async def test_two_workers_that_begin_a_log_together_agree_on_its_epoch(
    own_broker: EmbeddedBroker, own_redis: EmbeddedRedis, stage: Stage
) -> None:
    live = Stage(own_broker.bootstrap, own_redis.url, Names("live"), stage.folder)
    async with worker(live) as one, worker(live) as other:

        async def both_began() -> bool:
            return one.health.facts.get("epoch") == other.health.facts.get("epoch") == 1

        await until(both_began)
    assert (one.ending, other.ending) == (None, None)


@pytest.mark.guarantee("G4")
async def test_a_demo_ingest_fills_a_log_of_its_own_with_the_simulated_market(stage: Stage) -> None:
    demo = replace(stage, names=Names("demo", stage.names.run))
    await demo.make_topics()
    with demo.service("ingest", CHANGEOVER_DEMO_SPEED="60") as process:
        process.wait_ready()

        async def market() -> bool:
            return len(await demo.log()) > 20

        await until(market)
        assert process.stop() == 0
    log = await demo.log()
    assert {raw.feed for raw in log} == {"clock", "observation"}
    assert {raw.instance.split("-")[0] for raw in log} == {"ingest"}
    assert all(b'"source":"demo"' in raw.payload for raw in log if raw.feed == "observation")


async def test_a_running_ingest_tells_what_each_source_says(stage: Stage, tmp_path: Path) -> None:
    await stage.make_topics()
    with served({name: documented(name) for name in ("kraken", "vast")}) as urls:
        file = tmp_path / "settings.toml"
        file.write_text("\n".join(table_of(name, case_of(name).options(url)) for name, url in urls.items()))
        variables = {"CHANGEOVER_SETTINGS": str(file), "CHANGEOVER_SOURCES": "kraken,vast"}
        with stage.service("ingest", **variables) as process:
            process.wait_ready()
            places = {"CHANGEOVER_HTTP_PORT": str(process.port)}

            def lines() -> dict[str, dict[str, Any]]:
                with Command(["feeds", "--once", "--json"], places, tmp_path) as command:
                    assert command.wait() == 0, command.said
                    document = orjson.loads(command.lines[0])
                return {line["feed"]: line for line in document["feeds"]}

            await until(lambda: asyncio.to_thread(lambda: all(lines()[name]["parsed"] for name in urls)))
            found = lines()
            assert process.stop() == 0
    assert {name: line["state"] for name, line in found.items() if line["state"] != "off"} == {
        "kraken": "on",
        "vast": "on",
    }
    assert [each["series"] for each in found["vast"]["series"]] == ["gpu:H100-SXM@vast"]
    assert {raw.feed for raw in await stage.log()} == {"kraken", "vast"}
