"""The bridge: every published entry reaches topic `signals` once, whatever is restarted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streams.bridge import Bridge, held_entries
from streams.cli.rebuild import begin_generations
from streams.copies import copies_of
from streams.log import Connection
from streams.process import Process
from streams.wire import Entry, Names
from tests.support.real_kafka import RealKafka
from tests.support.stage import WAIT_S, Stage, until, worker
from tests.support.story import opening, steps


@asynccontextmanager
async def bridge(stage: Stage) -> AsyncIterator[Process]:
    """A bridge in this process, cut off at the end of the block."""
    await stage.make_topics()
    process = Process(stage.settings, "agents")
    task = asyncio.create_task(Bridge(process).run())
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def publish(stage: Stage, first: int, count: int) -> list[Entry]:
    """Append steps to the log, let a worker publish them; the whole stream."""
    offsets = await stage.append(([] if first else opening()) + steps(first, count), f"test-{first}")
    async with worker(stage):
        await stage.until_head(offsets[-2])
    return (await stage.stored())["ladder"]


async def copies(stage: Stage, seq: int, generation: int = 1) -> list[tuple[int, int, bytes]]:
    """All copies in topic signals, as (generation, seq, bytes), once it holds this one."""
    async with asyncio.timeout(WAIT_S):
        while (await held(stage)).get("ladder", (0, 0)) < (generation, seq):  # noqa: ASYNC110 Kafka cannot wake us
            await asyncio.sleep(0.05)
    return [
        (int(headers["generation"]), int(headers["seq"]), value)
        for key, headers, value in await stage.topic("signals")
        if key == b"ladder"
    ]


async def held(stage: Stage) -> dict[str, tuple[int, int]]:
    """What topic signals holds of each miner."""
    return await held_entries(Connection(bootstrap=stage.bootstrap), stage.names.topic("signals"))


@pytest.mark.guarantee("G1")
async def test_entries_are_copied_once_and_in_order_across_restarts(stage: Stage) -> None:
    first = await publish(stage, 0, 3)
    async with bridge(stage):
        assert [seq for _, seq, _ in await copies(stage, first[-1].seq)] == [entry.seq for entry in first]
    more = await publish(stage, 3, 3)
    assert len(more) > len(first)
    async with bridge(stage):
        found = await copies(stage, more[-1].seq)
    assert found == [(1, entry.seq, entry.json) for entry in more]


async def test_a_copy_carries_what_its_reader_checks_the_chain_by(stage: Stage) -> None:
    (entry, *_) = await publish(stage, 0, 1)
    async with bridge(stage):
        await copies(stage, 1)
        ((key, headers, value), *_) = await stage.topic("signals")
    assert key == b"ladder"
    assert headers == {
        "generation": b"1",
        "seq": b"1",
        "offset": b"%d" % entry.offset,
        "chain": entry.chain.encode(),
    }
    assert value == entry.json


async def test_a_new_generation_is_copied_from_its_first_entry(stage: Stage) -> None:
    old = await publish(stage, 0, 2)
    async with bridge(stage):
        await copies(stage, old[-1].seq)
        assert await begin_generations(stage.settings) == {"ladder": 2}
        async with worker(stage):
            await stage.until_all_is_published()
        new = (await stage.stored())["ladder"]
        found = await copies(stage, new[-1].seq, generation=2)
    assert found == [(1, entry.seq, entry.json) for entry in old] + [(2, entry.seq, entry.json) for entry in new]


async def test_a_chain_that_is_broken_stops_the_bridge_loudly_and_not_the_process(stage: Stage) -> None:
    entries = await publish(stage, 0, 2)
    with stage.redis() as client:
        key = stage.names.key("ladder", "signals")
        client.delete(key)
        for entry in entries:
            changed = entry.json.replace(b'"mw":1.0', b'"mw":2.0') if entry.seq == 3 else entry.json
            fields = {"offset": entry.offset, "chain": entry.chain, "json": changed}
            client.xadd(key, fields, id=f"{entry.seq}-0")  # type: ignore[arg-type]  # redis-py's fields are invariant
    async with bridge(stage) as process:
        async with asyncio.timeout(WAIT_S):
            while "bridge" not in process.health.facts:  # noqa: ASYNC110 health has no event
                await asyncio.sleep(0.02)
        assert "entry 3 does not carry on the chain" in str(process.health.facts["bridge"])
        assert process.ending is None
        assert await held(stage) in ({}, {"ladder": (1, 2)})


@pytest.mark.guarantee("G1")
async def test_a_bridge_that_was_thought_dead_and_wakes_up_does_no_harm(stage: Stage) -> None:
    await publish(stage, 0, 2)
    with stage.service("agents") as zombie:
        zombie.wait_ready()
        first = (await stage.stored())["ladder"]
        await copies(stage, first[-1].seq)
        zombie.freeze()
        more = await publish(stage, 2, 3)
        with stage.service("agents") as other:
            await copies(stage, more[-1].seq)
            zombie.thaw()
            last = await publish(stage, 5, 3)
            await copies(stage, last[-1].seq)
            other.kill()
        latest = await publish(stage, 8, 2)
        found = await copies(stage, latest[-1].seq)
    assert {seq: json for _, seq, json in found} == {entry.seq: entry.json for entry in latest}
    taken = (await copies_of(Connection(bootstrap=stage.bootstrap), stage.names))["ladder"]
    assert (taken.entries, taken.broken) == (latest, "")


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("lost", ["its last copy", "everything"])
async def test_a_topic_that_lost_its_end_gets_what_it_lacks_again(
    own_real_kafka: RealKafka, redis_url: str, run_names: Names, tmp_path: Path, compiled: None, lost: str
) -> None:
    del compiled
    stage = Stage(own_real_kafka.bootstrap, redis_url, run_names, tmp_path)
    entries = await publish(stage, 0, 4)
    connection = Connection(bootstrap=stage.bootstrap)
    async with bridge(stage):
        await copies(stage, entries[-1].seq)
        own_real_kafka.kill()
        segment = own_real_kafka.folder / "data" / f"{stage.names.topic('signals')}-0" / f"{0:020}.log"
        os.truncate(segment, segment.stat().st_size - 10 if lost == "its last copy" else 0)
        own_real_kafka.start()
        assert (await held(stage)).get("ladder", (1, 0))[1] < entries[-1].seq

        async def whole() -> bool:
            copy = (await copies_of(connection, stage.names)).get("ladder")
            return copy is not None and copy.entries == entries

        await until(whole)
    more = await publish(stage, 4, 2)
    async with bridge(stage):
        await copies(stage, more[-1].seq)
    assert (await copies_of(connection, stage.names))["ladder"].entries == more
