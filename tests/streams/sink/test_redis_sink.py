"""What Redis itself holds and refuses: documented keys, malformed arguments, what another hand did to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import redis.asyncio

from streams.errors import DivergedError, WorldError
from streams.sink import RedisSink
from streams.wire import SinkBatch
from tests.streams.sink.stories import Computation, RedisStore, kept, rechained

STORY = Computation("mara", tuple((offset, b'{"n":%d}' % offset) for offset in (1, 2, 2, 4, 5, 5)))
Raw = redis.asyncio.Redis


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
        b"unconfirmed": b"[]",
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
