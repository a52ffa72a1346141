"""A Redis that would lose signals is named before the first one is written, with what to do."""

from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streams.errors import WorldError
from streams.sink import check_redis
from streams.sink.redis_checks import violations
from tests.streams.sink.conftest import OwnServer, acl

SOUND: dict[str, Any] = {
    "redis_version": "7.2.4",
    "maxmemory_policy": "noeviction",
    "role": "master",
    "loading": 0,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
}


def test_a_sound_server_has_no_line() -> None:
    assert violations(SOUND, durable=True) == []
    assert violations({**SOUND, "aof_enabled": 0}) == []


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14 is too old: install Redis 7 or Valkey 8"),
        ({"valkey_version": "7.2.5"}, "Valkey 7.2.5 is too old"),
        ({"maxmemory_policy": "allkeys-lru"}, "CONFIG SET maxmemory-policy noeviction"),
        ({"role": "slave"}, "set REDIS_URL to its primary"),
        ({"loading": 1}, "wait until"),
        ({"aof_last_write_status": "err"}, "free its disk"),
        ({"aof_enabled": 0}, "set appendonly yes"),
    ],
)
def test_each_violation_is_one_line_that_says_what_to_do(info: dict[str, Any], words: str) -> None:
    lines = violations({**SOUND, **info}, durable=True)
    assert len(lines) == 1
    assert words in lines[0]


async def test_a_real_server_is_asked(own_server: OwnServer) -> None:
    with own_server() as url:
        async with redis.asyncio.Redis.from_url(url) as client:
            assert await check_redis(client) == []
            await client.config_set("maxmemory-policy", "allkeys-lru")
            await client.replicaof("127.0.0.1", "1")
            lines = await check_redis(client, durable=True)
    assert [line.split(":")[0] for line in lines] == [
        "maxmemory-policy is allkeys-lru, which may drop signals",
        "this is a replica and takes no writes",
        "appendonly is off, so a restart loses signals",
    ]


async def test_a_user_without_functions_is_told(own_server: OwnServer) -> None:
    with own_server() as url:
        async with redis.asyncio.Redis.from_url(url) as client:
            await acl(client, "default", "-function")
            (line,) = await check_redis(client)
    assert line.startswith("Redis does not load the sink's functions (")
    assert line.endswith("give our user FUNCTION LOAD and FCALL")


async def test_a_server_that_is_not_there_is_one_clear_error(own_server: OwnServer) -> None:
    with own_server() as url:
        pass
    async with redis.asyncio.Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(WorldError, match="cannot reach Redis"):
            await check_redis(client)
