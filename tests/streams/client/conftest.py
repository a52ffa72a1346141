"""A publisher on the suite's Redis, and a server that a test may stop."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
import redis.asyncio

from streams.wire import Names
from tests.support.publisher import Publisher


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
