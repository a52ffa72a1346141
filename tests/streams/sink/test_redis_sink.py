"""What only a real server can show: atomic writes, functions lost, foreign hands, rights, full memory, lost replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from streams.errors import DivergedError, WorldError
from streams.sink import MemorySink, RedisSink
from streams.sink.redis_sink import library
from streams.wire import Head, Names, SinkBatch
from tests.streams.sink.conftest import OwnServer, acl
from tests.streams.sink.stories import Computation, RedisStore, rechained

STORY = Computation("mara", tuple((offset, b'{"n":%d}' % offset) for offset in (1, 2, 2, 4, 5, 5)))
Raw = redis.asyncio.Redis


async def kept(client: Raw, names: Names) -> dict[bytes, bytes | None]:
    """Every key of the run with all it holds."""
    keys = sorted([key async for key in client.scan_iter(match=f"{names.prefix}*", count=1_000)])
    return {key: await client.dump(key) for key in keys}


async def test_a_reader_without_our_code_finds_the_documented_keys(redis_store: RedisStore) -> None:
    client, names = redis_store.client, redis_store.names
    await redis_store.sink.write(STORY.batch(0, 2, degraded=("power:x",), sites={"wolf": {"json": "{}"}}))
    signals = await client.xrange(names.key("mara", "signals"))
    assert signals == [
        (
            b"%d-0" % seq,
            {b"offset": b"%d" % offset, b"chain": STORY.chains[seq].encode(), b"json": b'{"n":%d}' % offset},
        )
        for seq, offset in ((1, 1), (2, 2), (3, 2))
    ]
    head = await cast("Awaitable[dict[bytes, bytes]]", client.hgetall(names.key("mara", "head")))
    assert head == {
        b"generation": b"1",
        b"epoch": b"0",
        b"offset": b"2",
        b"raw_hash": b"log:2",
        b"seq": b"3",
        b"chain": STORY.chains[3].encode(),
        b"oldest": b"1",
        b"log_time_us": b"1700000000000002",
        b"model": b"m1",
        b"degraded": b'["power:x"]',
    }
    site = await cast("Awaitable[dict[bytes, bytes]]", client.hgetall(names.key("mara", "site:wolf")))
    assert site == {b"json": b"{}"}


async def test_each_appended_entry_is_published_once(redis_store: RedisStore) -> None:
    channel = redis_store.names.key("mara", "live")
    async with redis_store.client.pubsub(ignore_subscribe_messages=True) as subscriber:
        await subscriber.subscribe(channel)
        await redis_store.sink.write(STORY.batch(0, 2))
        await redis_store.sink.write(STORY.batch(0, 2))
        await redis_store.sink.write(STORY.batch(1, 4))
        heard: list[bytes] = []
        while len(heard) < 4:
            message = await subscriber.get_message(timeout=5.0)
            if message is not None:
                heard.append(message["data"])
        await redis_store.client.publish(channel, "the end")
        last = await subscriber.get_message(timeout=5.0)
        while last is None:
            last = await subscriber.get_message(timeout=5.0)
    assert heard == [json for _, json in STORY.entries[:4]]
    assert last["data"] == b"the end"


UNCHECKED: dict[str, Callable[[SinkBatch], SinkBatch]] = {
    "from beyond to": lambda batch: replace(batch, from_offset=10),
    "an offset below zero": lambda batch: replace(batch, from_offset=-1),
    "an offset no double can hold": lambda batch: replace(batch, to_offset=2**53),
    "an offset of 17 digits": lambda batch: replace(batch, to_offset=10**16),
    "generation 0": lambda batch: replace(batch, generation=0),
    "an epoch that is no number": lambda batch: replace(batch, epoch="1e3"),  # type: ignore[arg-type]  # past the checks
    "a log time with a fraction": lambda batch: replace(batch, log_time_us=1.5),  # type: ignore[arg-type]  # past the checks
    "a seq that jumps": lambda batch: replace(
        batch, entries=[batch.entries[0], replace(batch.entries[1], seq=9), *batch.entries[2:]]
    ),
    "a seq before that does not fit": lambda batch: replace(batch, seq_before=2),
    "an entry before from": lambda batch: replace(
        batch, entries=[replace(batch.entries[0], offset=1), *batch.entries[1:]]
    ),
    "an entry beyond to": lambda batch: replace(
        batch, entries=[*batch.entries[:-1], replace(batch.entries[-1], offset=10)]
    ),
    "offsets that fall": lambda batch: replace(
        batch, entries=[replace(batch.entries[0], offset=5), *batch.entries[1:]]
    ),
    "no chain before": lambda batch: replace(batch, chain_before="", entries=()),
    "an entry without bytes": lambda batch: rechained(batch, [(2, b"")]),
    "an entry without chain": lambda batch: replace(
        batch, entries=[replace(batch.entries[0], chain=""), *batch.entries[1:]]
    ),
    "a start with entries before it": lambda batch: replace(batch, starts_generation=True),
    "a start from another chain": lambda batch: replace(
        batch, starts_generation=True, seq_before=0, chain_before="00", entries=()
    ),
    "a site without fields": lambda batch: replace(batch, sites={"wolf": {}}),
}


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("change", UNCHECKED.values(), ids=list(UNCHECKED))
async def test_redis_itself_refuses_what_is_malformed(
    redis_store: RedisStore, change: Callable[[SinkBatch], SinkBatch]
) -> None:
    sink = cast("RedisSink", redis_store.sink)
    await sink.write(STORY.batch(0, 1))
    before = await kept(redis_store.client, redis_store.names)
    answer = await sink._call("write", *sink._packed(change(STORY.batch(2, 5))), action="write")
    assert answer[:5] == [b"REFUSED", b"0", b"-1", b"0", b"malformed"]
    assert await kept(redis_store.client, redis_store.names) == before


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("cut", [1, 4, 18, -1])
async def test_redis_refuses_arguments_that_are_cut_off(redis_store: RedisStore, cut: int) -> None:
    sink = cast("RedisSink", redis_store.sink)
    keys, arguments = sink._packed(STORY.batch(0, 5, sites={"wolf": {"json": "{}", "offset": "5"}}))
    answer = await sink._call("write", keys, arguments[:cut], action="write")
    assert answer[0] == b"REFUSED"
    answer = await sink._call("write", keys, [*arguments, "more"], action="write")
    assert answer[0] == b"REFUSED"
    assert await kept(redis_store.client, redis_store.names) == {}


@pytest.mark.guarantee("G1")
async def test_functions_that_a_server_lost_are_loaded_again(own_server: OwnServer) -> None:
    with own_server() as url:
        async with Raw.from_url(url) as client:
            sink = RedisSink(client, Names("live"))
            await sink.start()
            assert (await sink.write(STORY.batch(0, 1))).status == "OK"
            await client.function_flush("SYNC")
            assert (await sink.write(STORY.batch(2, 2))).status == "OK"
            await client.function_flush("SYNC")
            replies = await sink.write_many([STORY.batch(3, 4), STORY.batch(5, 5)])
            assert [reply.status for reply in replies] == ["OK", "OK"]
            await client.function_flush("SYNC")
            assert await sink.store_checkpoint("mara", 5, b"x")
            await client.function_flush("SYNC")
            assert await sink.new_generation("mara") == 2


async def test_two_versions_of_the_functions_live_side_by_side(redis_store: RedisStore) -> None:
    sink = cast("RedisSink", redis_store.sink)
    await sink.start()
    source, version = library()
    other = source.replace(version, "someotherone")
    await redis_store.client.function_load(other, replace=True)
    try:
        newer = RedisSink(redis_store.client, redis_store.names)
        newer._version, newer._source = "someotherone", other
        assert (await sink.write(STORY.batch(0, 1))).status == "OK"
        assert (await newer.write(STORY.batch(2, 2))).status == "OK"
        assert (await sink.write(STORY.batch(2, 4))).status == "OK"
    finally:
        await redis_store.client.function_delete("changeover_someotherone")


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("spot", ["1500-0", "*"])
async def test_an_entry_added_and_deleted_by_another_hand_diverges_before_a_write(
    redis_store: RedisStore, spot: str
) -> None:
    await redis_store.sink.write(STORY.batch(0, 2))
    key = redis_store.names.key("mara", "signals")
    added = await redis_store.client.xadd(key, {"a": "b"}, id=spot)
    for _ in range(2):
        before = await kept(redis_store.client, redis_store.names)
        reply = await redis_store.sink.write(STORY.batch(3, 4))
        assert reply.status == "DIVERGED"
        assert await kept(redis_store.client, redis_store.names) == before
        await redis_store.client.xdel(key, added)  # the stream looks whole again, but would not take entry 4


@pytest.mark.guarantee("G1")
async def test_an_entry_deleted_in_the_middle_diverges(redis_store: RedisStore) -> None:
    await redis_store.sink.write(STORY.batch(0, 2))
    await redis_store.client.xdel(redis_store.names.key("mara", "signals"), "2-0")
    reply = await redis_store.sink.write(STORY.batch(3, 4))
    assert reply.status == "DIVERGED"
    assert "head says entries 1 to 3, the stream holds 2: 1-0 to 3-0" in reply.detail
    with pytest.raises(DivergedError, match="entry 3 follows entry 1"):
        await redis_store.sink.read("mara")


@pytest.mark.guarantee("G1")
async def test_bytes_changed_in_redis_are_found_by_readers_and_by_duplicates(redis_store: RedisStore) -> None:
    await redis_store.sink.write(STORY.batch(0, 2))
    client, key = redis_store.client, redis_store.names.key("mara", "signals")
    entries = await client.xrange(key)
    await client.delete(key)
    for seq, (_, fields) in enumerate(cast("list[tuple[bytes, dict[Any, Any]]]", entries), start=1):
        await client.xadd(key, {**fields, b"json": b"{}"} if seq == 2 else fields, id=f"{seq}-0")
    with pytest.raises(DivergedError, match="bytes of entry 2 do not give its chain"):
        await redis_store.sink.read("mara")
    reply = await redis_store.sink.write(STORY.batch(0, 2))
    assert reply.status == "DIVERGED"
    assert "entry 2 (offset 2" in reply.detail
    assert "has other bytes in the stream" in reply.detail


async def test_an_entry_of_another_shape_is_named(redis_store: RedisStore) -> None:
    await redis_store.client.xadd(redis_store.names.key("mara", "signals"), {"a": "b"}, id="1-0")
    with pytest.raises(DivergedError, match="entry 1-0 is not of ours"):
        await redis_store.sink.read("mara")
    assert (await redis_store.sink.write(STORY.batch(0, 2))).status == "DIVERGED"


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("field", ["generation", "epoch", "offset", "raw_hash", "seq", "chain", "oldest"])
async def test_a_damaged_head_diverges_and_names_its_field(redis_store: RedisStore, field: str) -> None:
    await redis_store.sink.write(STORY.batch(0, 2))
    await redis_store.client.hdel(redis_store.names.key("mara", "head"), field)
    reply = await redis_store.sink.write(STORY.batch(3, 4))
    assert reply.status == "DIVERGED"
    assert field in reply.detail
    with pytest.raises(WorldError, match="was changed by another hand"):
        await redis_store.sink.head("mara")


async def test_a_checkpoint_by_another_hand_is_a_clear_error(redis_store: RedisStore) -> None:
    await redis_store.client.set(redis_store.names.key("mara", "checkpoint"), b"\x00\x01")
    with pytest.raises(WorldError, match="holds no checkpoint of ours"):
        await redis_store.sink.load_checkpoint("mara")


@pytest.mark.guarantee("G1")
async def test_a_site_key_of_another_type_stops_the_batch_before_its_first_write(redis_store: RedisStore) -> None:
    await redis_store.client.set(redis_store.names.key("mara", "site:wolf"), "a string")
    before = await kept(redis_store.client, redis_store.names)
    with pytest.raises(WorldError, match="site:wolf holds a string, a hash belongs there"):
        await redis_store.sink.write(STORY.batch(0, 2, sites={"ox": {"json": "{}"}, "wolf": {"json": "{}"}}))
    assert await kept(redis_store.client, redis_store.names) == before


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("missing", ["-publish", "-xadd", "-xtrim", "resetchannels", "-hset"])
async def test_a_user_who_lacks_one_right_writes_nothing_at_all(own_server: OwnServer, missing: str) -> None:
    with own_server() as url:
        async with Raw.from_url(url) as admin:
            await RedisSink(admin, Names("live")).write(STORY.batch(0, 2))
            await acl(admin, "pub", "on", ">secret", "~*", "&*", "+@all", missing)
            before = await kept(admin, Names("live"))
            async with Raw.from_url(url, username="pub", password="secret") as limited:  # noqa: S106 - of this test alone
                sink = RedisSink(limited, Names("live"))
                with pytest.raises(WorldError, match="lacks a right"):
                    await sink.write(STORY.batch(3, 4, trim_below=2, sites={"wolf": {"json": "{}"}}))
            assert await kept(admin, Names("live")) == before


@pytest.mark.guarantee("G1")
async def test_a_full_memory_is_said_and_nothing_is_half_written(own_server: OwnServer) -> None:
    with own_server() as url:
        async with Raw.from_url(url) as client:
            sink = RedisSink(client, Names("live"))
            await sink.write(STORY.batch(0, 2))
            await client.config_set("maxmemory", 1)
            before = await kept(client, Names("live"))
            with pytest.raises(WorldError, match="raise maxmemory"):
                await sink.write(STORY.batch(3, 4))
            with pytest.raises(WorldError, match="raise maxmemory"):
                await sink.write_many([STORY.batch(3, 4), STORY.batch(5, 5)])
            assert await kept(client, Names("live")) == before
            await client.config_set("maxmemory", 0)
            assert (await sink.write(STORY.batch(3, 4))).status == "OK"


async def test_a_replica_is_a_connection_to_wait_for(own_server: OwnServer) -> None:
    with own_server() as url:
        async with Raw.from_url(url) as client:
            sink = RedisSink(client, Names("live"))
            await sink.write(STORY.batch(0, 2))
            await client.replicaof("127.0.0.1", "1")
            with pytest.raises(RedisConnectionError, match="at the moment"):
                await sink.write(STORY.batch(3, 4))
            await client.replicaof("NO", "ONE")
            assert (await sink.write(STORY.batch(3, 4))).status == "OK"


async def test_a_wrong_login_is_the_operators_and_no_server_is_the_networks(own_server: OwnServer) -> None:
    once = Retry(NoBackoff(), 0)
    with own_server() as url:
        async with Raw.from_url(url) as admin:
            await admin.config_set("requirepass", "right")
        async with Raw.from_url(url, password="wrong", retry=once) as client:  # noqa: S106 - of this test alone
            with pytest.raises(WorldError, match="check the login"):
                await RedisSink(client, Names("live")).write(STORY.batch(0, 2))
    async with Raw.from_url(url, retry=once) as client:
        with pytest.raises(RedisConnectionError):
            await RedisSink(client, Names("live")).write(STORY.batch(0, 2))


async def test_a_client_that_decodes_is_refused_at_once(redis_url: str) -> None:
    async with Raw.from_url(redis_url, decode_responses=True) as client:
        with pytest.raises(ValueError, match="decode_responses=False"):
            RedisSink(client, Names("live"))


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


async def test_two_rebuilds_from_one_head_make_one_generation(redis_store: RedisStore) -> None:
    await redis_store.sink.write(STORY.batch(0, 2))
    assert await Overtaken(redis_store.client, redis_store.names).new_generation("mara") == 2
    head = await redis_store.sink.head("mara")
    assert head is not None
    assert head.generation == 2
    assert len(await redis_store.set_aside("mara", 1)) == 3
