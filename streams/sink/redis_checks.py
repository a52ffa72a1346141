"""What a Redis must be before we publish on it: one line for each thing that is not so, saying what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from streams.errors import WorldError
from streams.sink.redis_errors import redis_errors
from streams.sink.redis_sink import library

OLDEST = {"Redis": 7, "Valkey": 8}  # functions came with Redis 7


async def check_redis(client: Redis, *, durable: bool = False) -> list[str]:
    """One line for each violation, empty where all is well. ``durable``: an append-only file is asked for too.

    Reads INFO, which managed servers allow where they refuse CONFIG, and loads the sink's functions. A server that
    cannot be reached raises ``WorldError``.
    """
    found: dict[str, Any] = {}
    try:
        with redis_errors("say what it is (INFO)"):
            for section in ("server", "memory", "replication", "persistence", "cluster"):
                found |= await client.info(section)
    except (RedisConnectionError, RedisTimeoutError) as exc:
        raise WorldError(f"cannot reach Redis: {exc}; start it, or set REDIS_URL to where it is") from exc
    lines = [*violations(found, durable=durable)]
    if not lines:
        lines += await _without_functions(client)
    return lines


def violations(info: Mapping[str, Any], *, durable: bool = False) -> list[str]:
    """The violations that INFO shows.

    >>> violations({"redis_version": "6.2.14", "maxmemory_policy": "noeviction", "role": "master"})
    ['Redis 6.2.14 is too old: install Redis 7 or Valkey 8']
    """
    lines = []
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get(f"{name.lower()}_version", "0"))
    if int(version.partition(".")[0]) < OLDEST[name]:
        lines.append(f"{name} {version} is too old: install {' or '.join(f'{k} {v}' for k, v in OLDEST.items())}")
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        lines.append(f"maxmemory-policy is {policy}, which may drop signals: CONFIG SET maxmemory-policy noeviction")
    if info.get("role") != "master":
        lines.append("this is a replica and takes no writes: set REDIS_URL to its primary")
    if info.get("loading"):
        lines.append("it is still loading its data: wait until INFO persistence says loading:0")
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        lines.append("its last write to the append-only file failed: free its disk, then look at its log")
    if durable and not info.get("aof_enabled"):
        lines.append("appendonly is off, so a restart loses signals: set appendonly yes and appendfsync everysec")
    return lines


async def _without_functions(client: Redis) -> list[str]:
    """Load the sink's functions, which a worker does anyway: the one sure test that they may be loaded."""
    try:
        await client.function_load(library()[0], replace=True)
    except ResponseError as exc:
        return [f"Redis does not load the sink's functions ({exc}): give our user FUNCTION LOAD and FCALL"]
    return []
