"""A server in trouble: functions lost, rights missing, full memory, a replica, a long script, no login, no server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from pathlib import Path
from typing import cast

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from streams.errors import WorldError
from streams.sink import RedisSink, check_redis
from streams.sink.redis_sink import library
from streams.wire import Names
from tests.streams.sink.conftest import OwnServer, acl
from tests.streams.sink.stories import Computation, RedisStore, kept

STORY = Computation("mara", tuple((offset, b'{"n":%d}' % offset) for offset in (1, 2, 2, 4, 5, 5)))
Raw = redis.asyncio.Redis
DOCS = Path(__file__).parents[3] / "docs"


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


def documented_rights() -> list[str]:
    """The commands that the page on the sink says its user needs."""
    _, _, section = (DOCS / "concepts" / "sink.md").read_text().partition("## Versions and rights")
    return re.findall(r"`([A-Z ]+)`", section)


async def test_the_documented_rights_are_enough(own_server: OwnServer) -> None:
    rights = [f"+{right.lower().replace(' ', '|')}" for right in documented_rights()]
    assert {"+fcall", "+function|load", "+xadd"} <= set(rights)
    with own_server() as url:
        async with Raw.from_url(url) as admin:
            await acl(admin, "pub", "on", ">secret", "~changeover:*", "&changeover:*", *rights)
        async with Raw.from_url(url, username="pub", password="secret") as limited:  # noqa: S106 - of this test alone
            assert await check_redis(limited) == []
            sink = RedisSink(limited, Names("live"))
            await sink.start()
            await sink.register("mara")
            assert await sink.miners() == ["mara"]
            assert (await sink.write(STORY.batch(0, 2, sites={"wolf": {"json": "{}"}}))).status == "OK"
            replies = await sink.write_many([STORY.batch(3, 4, trim_below=3), STORY.batch(1, 4), STORY.batch(1, 2)])
            assert [reply.status for reply in replies] == ["OK", "DUPLICATE", "DUPLICATE"]
            assert await sink.store_checkpoint("mara", 4, b"state")
            assert await sink.load_checkpoint("mara") == (4, b"state")
            assert await sink.site("mara", "wolf") == {"json": "{}"}
            assert len(await sink.read("mara")) == 2
            assert await sink.new_generation("mara") == 2


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


async def writing(sink: RedisSink, meanwhile: asyncio.Future[str]) -> None:
    """Write as long as something else goes on."""
    while not meanwhile.done():
        await sink.write(STORY.batch(3, 4))


async def test_a_server_busy_with_a_script_is_a_connection_to_wait_for(own_server: OwnServer) -> None:
    with own_server() as url:
        async with Raw.from_url(url) as client, Raw.from_url(url) as other:
            sink = RedisSink(client, Names("live"))
            await sink.write(STORY.batch(0, 2))
            await client.config_set("busy-reply-threshold", 1)
            endless = asyncio.ensure_future(cast("Awaitable[str]", other.eval("while true do end", 0)))
            with pytest.raises(RedisConnectionError, match="at the moment: BUSY"):
                await writing(sink, endless)
            await client.script_kill()
            with pytest.raises(redis.ResponseError):
                await endless
            assert (await sink.write(STORY.batch(3, 4))).status in ("OK", "DUPLICATE")


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
