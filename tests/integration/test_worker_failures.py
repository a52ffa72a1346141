"""What befalls a worker: a kill, a lost Redis, records that are wrong, another computation, another code."""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.compilation import code_hash
from streams.embedded import EmbeddedRedis
from streams.wire import Names, envelope
from tests.support.stage import WAIT_S, Stage, worker
from tests.support.story import START_US, STEP_US, offline, opening, prices, steps, tick


async def rejected_by(stage: Stage, count: int) -> dict[int, dict[str, object]]:
    """The first messages of topic rejected, by the offset of the record they are about."""
    partition = TopicPartition(stage.names.topic("rejected"), 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.bootstrap, auto_offset_reset="earliest")
    consumer.assign([partition])
    await consumer.start()
    found: dict[int, dict[str, object]] = {}
    try:
        async with asyncio.timeout(WAIT_S):
            while len(found) < count:
                for message in (await consumer.getmany(timeout_ms=100)).get(partition, []):
                    value = orjson.loads(message.value)
                    assert message.key == f"{stage.names.topic('raw')}:{value['offset']}".encode()
                    found[value["offset"]] = value
    finally:
        await consumer.stop()
    return found


@pytest.mark.guarantee("G1")
async def test_of_two_replicas_one_is_killed_and_the_stream_has_no_gap_and_no_double(stage: Stage) -> None:
    await stage.append(opening())
    with stage.service("worker") as one, stage.service("worker") as other:
        one.wait_ready()
        other.wait_ready()
        for number in range(8):
            offsets = await stage.append(steps(number, 1), f"test-{number}")
            if number == 4:
                one.kill()
            await stage.until_head(offsets[0])
        await stage.until_all_is_published()
        assert other.stop() == 0
    assert await stage.stored() == offline(await stage.log())


@pytest.mark.guarantee("G1")
async def test_a_redis_killed_in_the_middle_is_waited_for_and_nothing_is_lost(
    kafka: str, run_names: Names, tmp_path: Path, own_redis: EmbeddedRedis, compiled: None
) -> None:
    del compiled
    stage = Stage(kafka, own_redis.url, run_names, tmp_path)
    await stage.append([*opening(), *steps(0, 3)])
    async with worker(stage) as process:
        await stage.until_head(6)
        own_redis.kill()
        await stage.append(steps(3, 3), "test-2")
        async with asyncio.timeout(WAIT_S):
            while "Redis is away" not in process.health.state:  # noqa: ASYNC110 health has no event
                await asyncio.sleep(0.02)
        assert process.health.report()["ready"] is False
        own_redis.start()
        await stage.until_all_is_published()
        assert process.health.report()["ready"] is True
    assert process.ending is None
    assert await stage.stored() == offline(await stage.log())


@pytest.mark.guarantee("G1")
async def test_a_redis_that_lost_everything_is_filled_again_from_the_logs_first_record(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 3)])
    async with worker(stage) as process:
        await stage.until_all_is_published()
        with stage.redis() as client:
            client.delete(*client.scan_iter(f"{stage.names.prefix}*"))  # at once, as a Redis that lost all would
        await stage.append(steps(3, 3), "test-2")
        await stage.until_all_is_published()
    assert process.ending is None
    assert await stage.stored() == offline(await stage.log())


@pytest.mark.guarantee("G4")
async def test_poison_goes_to_topic_rejected_with_its_reason_and_nothing_beside_it_is_lost(stage: Stage) -> None:
    at_us = START_US + STEP_US
    good = prices(10.0, at_us)
    poison = {
        "truncated": (("observation", at_us, good[:-20]), "JSON"),
        "no list": (("observation", at_us, b"{}"), "not a list"),
        "unknown feed": (("weather", at_us, b"{}"), "feed 'weather' is unknown"),
        "NaN price": (("observation", at_us, good.replace(b'"usd_per_mwh":10.0', b'"usd_per_mwh":NaN')), "JSON"),
        "BTC 0": (("observation", at_us, good.replace(b"65000.0", b"0.0")), "usd_per_btc 0.0 is outside"),
        "price in cents of another unit": (
            ("observation", at_us, good.replace(b'"usd_per_mwh":10.0', b'"usd_per_mwh":9000000.0')),
            "usd_per_mwh 9000000.0 is outside",
        ),
        "time in seconds": (("clock", at_us, b'{"time_us":1718582400}'), "not a time in microseconds"),
        "unknown miner key": (("fleet", at_us, b'{"key":"x","name":"x","site":[],"colour":1}'), "colour"),
        "empty": (("observation", at_us, b""), "JSON"),
        "deep": (("observation", at_us, b"[" * 100_000), "JSON"),
    }
    first = await stage.append([*opening(), *steps(0, 1)])
    offsets = await stage.append([payload for payload, _ in poison.values()], "test-2")
    last = await stage.append([*steps(1, 1), tick(START_US + 2 * STEP_US)], "test-3")
    async with worker(stage) as process:
        await stage.until_head(last[-1])
    assert process.ending is None
    found = await rejected_by(stage, len(poison))
    for offset, (name, ((feed, _, payload), reason)) in zip(offsets, poison.items(), strict=True):
        assert reason in str(found[offset]["reason"]), name
        assert found[offset]["feed"] == feed
        assert base64.b64decode(str(found[offset]["payload"])) == payload[:65_536]
    assert sorted(found) == offsets
    assert first[-1] < offsets[0]
    stored = await stage.stored()
    assert stored == offline(await stage.log())
    assert [entry.offset for entry in stored["ladder"]][-1] >= last[0]


async def test_negative_prices_and_prices_of_thousands_pass(stage: Stage) -> None:
    payloads = [
        ("observation", START_US + number * STEP_US, prices(price, START_US + number * STEP_US))
        for number, price in enumerate((-250.0, 9_000.0))
    ]
    last = await stage.append([*opening(), tick(START_US), *payloads, tick(START_US + 2 * STEP_US)])
    async with worker(stage) as process:
        await stage.until_head(last[-1])
    metrics = {sample.name: sample.value for family in process.health.registry.collect() for sample in family.samples}
    assert metrics["changeover_worker_rejected_total"] == 0
    assert metrics["changeover_worker_observations_total"] == 6


@pytest.mark.guarantee("G1")
async def test_a_stream_that_differs_stops_the_worker_with_70_and_is_not_overwritten(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 3)])
    async with worker(stage):
        await stage.until_head(6)
    stream = stage.names.key("ladder", "signals")
    with stage.redis() as client:
        client.delete(stage.names.key("_market", "checkpoint"))  # so that the whole log is computed again
        entries: Any = client.xrange(stream)
        client.delete(stream)
        for entry_id, fields in entries:
            text = fields[b"json"]
            changed = text.replace(b'"mw":1.0', b'"mw":2.0') if entry_id == b"3-0" else text
            client.xadd(stream, {**fields, b"json": changed}, id=entry_id)
        before = client.xrange(stream)
        assert before != entries
    with stage.service("worker") as process:
        assert process.wait() == 70
        assert "DIVERGED: ladder: entry 3" in process.said
        assert process.said.count(f"version {code_hash()}") == 2
    with stage.redis() as client:
        assert client.xrange(stream) == before


@pytest.mark.guarantee("G1")
async def test_a_replica_that_rounds_otherwise_is_refused_at_its_first_other_bit_and_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.append([*opening(), *steps(0, 3)])
    with stage.service("worker", CHANGEOVER_INSTANCE="honest") as honest:
        honest.wait_ready()
        await stage.until_all_is_published()
        before = await stage.stored()
        with stage.redis() as client:
            client.delete(stage.names.key("_market", "checkpoint"))  # so that the replica computes all of it
        monkeypatch.setattr("streams.stream.envelope", rounded)
        async with worker(stage) as altered:
            async with asyncio.timeout(WAIT_S):
                await altered.ended()
        monkeypatch.undo()
        assert altered.ending is not None
        assert altered.ending.code == 70
        assert altered.ending.line.startswith("DIVERGED: ladder: entry ")
        assert f"this worker is version {code_hash()}" in altered.ending.line
        replies = {
            sample.labels["status"]: sample.value
            for family in altered.health.registry.collect()
            for sample in family.samples
            if sample.name == "changeover_worker_sink_replies_total"
        }
        assert replies["DIVERGED"] == 1
        assert replies.get("OK", 0) == 0
        assert await stage.stored() == before
        await stage.append(steps(3, 2), "test-2")
        await stage.until_all_is_published()
        assert honest.code is None
    assert await stage.stored() == offline(await stage.log())


def rounded(content: bytes, **more: Any) -> bytes:
    """What a replica would publish whose numbers lose their last digit."""
    return envelope(re.sub(rb"(\.\d{6,})\d(?=[,}\]])", rb"\1", content), **more)
