"""A publisher on the suite's Redis, and a server that a test may stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio
import redis.asyncio

from models.signals import Content, Signal
from streams.stream import Stream
from streams.wire import Names
from tests.support.publisher import Publisher, switch


@pytest_asyncio.fixture
async def redis_client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A plain client of the suite's server."""
    async with redis.asyncio.Redis.from_url(redis_url) as connected:
        yield connected


@pytest_asyncio.fixture
async def mara(redis_client: redis.asyncio.Redis, run_names: Names) -> Publisher:
    """One miner with three entries and a tick."""
    publisher = Publisher(redis_client, run_names)
    await publisher.publish(count=3)
    await publisher.tick()
    return publisher


@pytest.fixture
def mara_lines() -> list[bytes]:
    """The same miner's three entries as published, without a server."""
    stream = Stream("live", "mara", 1, 1, "m1", 0)
    for number in range(1, 4):
        stream.add([Signal(number, cast("Content", switch("mara", number, number, number)))], number, str)
    return [entry.json for entry in stream.entries]
