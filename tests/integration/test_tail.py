"""The first client: reads the record gapless, says what is wrong with it, and goes on where it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from streams.cli import main
from streams.cli.rebuild import begin_generations
from streams.connect import open_redis
from streams.embedded import EmbeddedRedis
from streams.errors import DivergedError, WorldError
from streams.tail import Follower, Told
from streams.wire import Names
from tests.support.stage import WAIT_S, Stage, worker
from tests.support.story import opening, steps


async def publish(stage: Stage, first: int, count: int) -> list[bytes]:
    """Append steps, let a worker publish them; the bytes of every entry."""
    offsets = await stage.append(([] if first else opening()) + steps(first, count), f"test-{first}")
    async with worker(stage):
        await stage.until_head(offsets[-2])
    return [entry.json for entry in (await stage.stored())["ladder"]]


async def read(
    stage: Stage, miners: list[str] | None = None, *, from_seq: int | None = None, latest: int = 10
) -> list[Told]:
    """What a follower is told up to the end of the streams."""
    client = open_redis(stage.settings)
    try:
        follower = Follower(client, stage.names, miners, from_seq=from_seq, latest=latest)
        return [told async for told in follower.run(follow=False)]
    finally:
        await client.aclose()


async def test_every_entry_is_told_once_in_order_and_byte_for_byte(stage: Stage) -> None:
    published = await publish(stage, 0, 4)
    assert len(published) > 12
    assert [told.json for told in await read(stage, latest=1_000)] == published
    assert [told.json for told in await read(stage, ["ladder"])] == published[-10:]
    assert [told.json for told in await read(stage, from_seq=5)] == published[4:]


async def test_what_comes_later_is_told_and_a_new_generation_is_announced(stage: Stage) -> None:
    old = await publish(stage, 0, 2)
    client = open_redis(stage.settings)
    follower = Follower(client, stage.names, None, latest=1_000)
    try:
        assert [told.json for told in await follower.next(block=False)] == old
        new = await publish(stage, 2, 2)
        assert [told.json for told in await follower.next(block=True)] == new[len(old) :]
        await begin_generations(stage.settings)
        (reset,) = await follower.next(block=False)
        assert (reset.signal["kind"], reset.signal["generation"], reset.entry) == ("reset", 2, None)
        async with worker(stage):
            await stage.until_all_is_published()
        first, *_ = await follower.next(block=True)
        assert (first.signal["generation"], first.signal["seq"]) == (2, 1)
    finally:
        await client.aclose()


async def test_a_miner_that_does_not_publish_is_refused_with_those_that_do(stage: Stage) -> None:
    await publish(stage, 0, 1)
    with pytest.raises(WorldError, match=r"no stream of 'mara' under .*: known are ladder"):
        await read(stage, ["mara"])


async def test_an_entry_that_is_trimmed_is_refused_with_the_oldest_kept(stage: Stage) -> None:
    await publish(stage, 0, 2)
    with stage.redis() as client:
        client.hset(stage.names.key("ladder", "head"), "oldest", "4")
        client.xtrim(stage.names.key("ladder", "signals"), minid="4-0", approximate=False)
    with pytest.raises(WorldError, match="ladder: entry 2 is trimmed, the oldest kept is 4"):
        await read(stage, from_seq=2)


async def test_a_gap_is_refused(stage: Stage) -> None:
    await publish(stage, 0, 2)
    with stage.redis() as client:
        client.xdel(stage.names.key("ladder", "signals"), "3-0")
    with pytest.raises(WorldError, match="ladder: after entry 2 came entry 4"):
        await read(stage, latest=1_000)


async def test_a_changed_entry_is_refused(stage: Stage) -> None:
    published = await publish(stage, 0, 2)
    with stage.redis() as client:
        key = stage.names.key("ladder", "signals")
        entries = (await stage.stored())["ladder"]
        client.delete(key)
        for entry in entries:
            text = entry.json.replace(b'"mw":1.0', b'"mw":2.0') if entry.seq == 3 else entry.json
            client.xadd(key, {"offset": entry.offset, "chain": entry.chain, "json": text}, id=f"{entry.seq}-0")
    assert len(published) > 3
    with pytest.raises(DivergedError, match="ladder: entry 3 does not carry on the chain of entry 2"):
        await read(stage, latest=1_000)


async def test_the_command_prints_signals_as_published_and_ends_with_their_count(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = await publish(stage, 0, 2)
    for name, value in stage.environment().items():
        monkeypatch.setenv(name, value)
    assert await asyncio.to_thread(main, ["tail", "ladder", "--from", "1", "--count", "3", "--json"]) == 0
    assert capsys.readouterr().out.encode().splitlines() == published[:3]
    assert await asyncio.to_thread(main, ["tail", "--latest", "1", "--no-follow"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    last = orjson.loads(published[-1])
    assert f"ladder #{last['seq']}  {last['kind']}  {last['text']} (replay)" in line
    assert await asyncio.to_thread(main, ["fleet", "show", "--json"]) == 0
    (shown,) = orjson.loads(capsys.readouterr().out)["miners"]
    assert (shown["miner"], shown["seq"], shown["generation"]) == ("ladder", last["seq"], 1)
    assert [load["load"] for load in shown["sites"][0]["loads"]] == [f"tier-{n}" for n in (13, 17, 21, 29, 34)]


async def test_a_redis_that_goes_away_is_waited_for_and_nothing_is_missed(
    kafka: str, run_names: Names, tmp_path: Path, own_redis: EmbeddedRedis, compiled: None
) -> None:
    del compiled
    stage = Stage(kafka, own_redis.url, run_names, tmp_path)
    published = await publish(stage, 0, 2)
    with stage.service("tail", "--json", "--from", "1", "--count", str(len(published) + 5)) as process:
        lines = [await asyncio.to_thread(process.read_line) for _ in published]
        own_redis.kill()
        await asyncio.to_thread(process.wait_for, lambda: "trying again" in process.said)
        own_redis.start()
        published = await publish(stage, 2, 2)
        async with asyncio.timeout(WAIT_S):
            lines += [await asyncio.to_thread(process.read_line) for _ in range(5)]
        assert process.wait() == 0
    assert lines == published[: len(lines)]
