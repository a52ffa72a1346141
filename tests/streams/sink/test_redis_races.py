"""What comes between: a reply lost, replicas at the same time, a trim or a rebuild while another reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast
from urllib.parse import urlsplit

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError

from streams.sink import MemorySink, RedisSink
from streams.wire import Entry, Head, Names, SinkBatch
from tests.streams.sink.stories import Computation, RedisStore

STORY = Computation("mara", tuple((offset, b'{"n":%d}' % offset) for offset in (1, 2, 2, 4, 5, 5)))
Raw = redis.asyncio.Redis


@asynccontextmanager
async def losing_replies(url: str, lost: int) -> AsyncIterator[str]:
    """A proxy that passes every request on, but cuts the connection in place of the first ``lost`` answers to FCALL."""
    target = urlsplit(url)
    cuts = lost
    serving: set[asyncio.Task[None]] = set()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        nonlocal cuts
        while data := await source.read(1 << 16):
            if answers and cuts and any(status in data for status in (b"OK\r\n$1\r\n", b"DUPLICATE")):
                cuts -= 1
                return
            sink.write(data)
            await sink.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        behind_reader, behind_writer = await asyncio.open_connection(target.hostname, target.port)
        ways = [
            asyncio.create_task(pump(reader, behind_writer, answers=False)),
            asyncio.create_task(pump(behind_reader, writer, answers=True)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (behind_writer, writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*serving)
    assert cuts == 0, "no answer was cut: the test proved nothing"


@pytest.mark.guarantee("G1")
async def test_a_batch_whose_reply_was_lost_may_be_sent_again(
    redis_store: RedisStore, redis_url: str, run_names: Names
) -> None:
    await cast("RedisSink", redis_store.sink).start()
    async with (
        losing_replies(redis_url, 1) as broken,
        Raw.from_url(broken, retry=Retry(NoBackoff(), 0)) as client,
    ):
        sink = RedisSink(client, run_names)
        with pytest.raises(RedisConnectionError):
            await sink.write(STORY.batch(0, 2))
        reply = await sink.write(STORY.batch(0, 2))
        assert (reply.status, reply.appended, reply.head_seq) == ("DUPLICATE", 0, 3)
        assert (await sink.write(STORY.batch(3, 4))).status == "OK"
    assert await redis_store.sink.read("mara") == [STORY.entry(seq) for seq in (1, 2, 3, 4)]


@pytest.mark.guarantee("G1")
async def test_replicas_racing_each_other_make_the_stream_of_one(
    redis_store: RedisStore, redis_url: str, run_names: Names
) -> None:
    crowd = Computation(
        "race", tuple((offset, b"%d:%d" % (offset, n)) for offset in range(300) for n in range(offset % 4))
    )

    async def replica(step: int) -> set[str]:
        statuses: set[str] = set()
        first = 0
        async with Raw.from_url(redis_url) as client:
            sink = RedisSink(client, run_names)
            while first < 300:
                last = min(first + step, 299)
                reply = await sink.write(crowd.batch(first, last))
                statuses.add(reply.status)
                first = last + 1
        return statuses

    for statuses in await asyncio.gather(*(replica(step) for step in (0, 1, 4, 6))):
        assert statuses <= {"OK", "DUPLICATE"}
    assert await redis_store.sink.read("race") == [crowd.entry(seq) for seq in range(1, len(crowd.entries) + 1)]
    twin = MemorySink()
    twin.put(crowd.batch(0, 299))
    assert await redis_store.sink.head("race") == await twin.head("race")


async def test_all_that_a_call_touches_lies_in_one_slot_of_a_cluster(redis_store: RedisStore) -> None:
    sink = cast("RedisSink", redis_store.sink)
    keys, _ = sink._packed(STORY.batch(0, 2, sites={"wolf": {"json": "{}"}, "{odd}": {"json": "{}"}}))
    names = [*keys, *(redis_store.names.key("mara", part) for part in ("checkpoint", "signals:g1", "live"))]
    assert len(names) == 8
    assert len({key_slot(name.encode()) for name in names}) == 1


async def test_reading_pages_through_a_long_stream(redis_store: RedisStore) -> None:
    long = Computation("long", tuple((offset, b"%d" % offset) for offset in range(2_500)))
    await redis_store.sink.write(long.batch(0, 2_499))
    assert await redis_store.sink.read("long") == [long.entry(seq) for seq in range(1, 2_501)]
    assert [entry.seq for entry in await redis_store.sink.read("long", 500, 1_500)] == list(range(501, 2_001))


class Overtaken(RedisSink):
    """A sink whose new generation is made by another between its reading the head and its call."""

    async def head(self, miner: str) -> Head | None:
        found = await super().head(miner)
        await RedisSink(self._client, self._names).new_generation(miner)
        return found


class TrimmedMeanwhile(RedisSink):
    """A sink whose stream is trimmed after its first page was read."""

    trim: SinkBatch | None = None

    async def _page(self, key: str, start: int, wanted: int) -> list[Entry]:
        page = await super()._page(key, start, wanted)
        if self.trim is not None:
            trim, self.trim = self.trim, None
            assert (await self.write(trim)).status == "OK"
        return page


async def test_a_trim_while_reading_is_no_hole(redis_store: RedisStore) -> None:
    long = Computation("long", tuple((offset, b"%d" % offset) for offset in range(2_600)))
    reader = TrimmedMeanwhile(redis_store.client, redis_store.names)
    await reader.write(long.batch(0, 2_499))
    reader.trim = long.batch(2_500, 2_599, trim_below=1_800)
    assert await reader.read("long") == [long.entry(seq) for seq in range(1_800, 2_601)]


async def test_two_rebuilds_from_one_head_make_one_generation(redis_store: RedisStore) -> None:
    await redis_store.sink.write(STORY.batch(0, 2))
    assert await Overtaken(redis_store.client, redis_store.names).new_generation("mara") == 2
    head = await redis_store.sink.head("mara")
    assert head is not None
    assert head.generation == 2
    assert len(await redis_store.set_aside("mara", 1)) == 3
