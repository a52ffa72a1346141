"""What the client asks Redis, and nothing else: TIME, heads, pages of entries, sites, which miners there are.

Rights that it needs: HGETALL, XRANGE, XREVRANGE, MULTI, EXEC, TIME, SMEMBERS, SUBSCRIBE, all of them reading, on the
keys of the miners it follows; on `changeover:miners` only where it is told no miner. `streams/security/roles.py` grants
just that to a desk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from streams.client.clock import RedisClock
from streams.errors import WorldError
from streams.redis_access import open_client
from streams.sink.redis_answers import entry_of, head_of
from streams.sink.redis_errors import redis_errors
from streams.tls import Tls
from streams.wire import Entry, Head, Names

AWAY = (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError)
"""What a Redis that is away, loading or failing over raises; asking again may help."""

Connect: TypeAlias = Callable[[], redis.asyncio.Redis]
Page: TypeAlias = list[tuple[bytes, dict[bytes, bytes]]]


def connect_to(url: str, answer_timeout_s: float, tls: Tls | None, password: str | None) -> redis.asyncio.Redis:
    """A client that never retries by itself and gives up an answer after ``answer_timeout_s``."""
    return open_client(
        url, tls=tls, password=password, connect_timeout_s=answer_timeout_s, answer_timeout_s=answer_timeout_s
    )


class Source:
    """One connection's worth of questions about a run's streams."""

    def __init__(self, client: redis.asyncio.Redis, names: Names) -> None:
        if client.get_connection_kwargs().get("decode_responses"):  # type: ignore[no-untyped-call]  # redis-py's own
            raise ValueError("the client needs decode_responses=False: entries are exact bytes")
        self.client = client
        self.names = names

    async def time(self, clock: RedisClock) -> None:
        """Let a clock learn the time of Redis."""
        asked = clock.read()
        with redis_errors("tell the time"):
            seconds, microseconds = await self.client.time()
        clock.learn(seconds * 1_000_000 + microseconds, asked)

    async def miners(self) -> list[str]:
        """The miners that publish, in order of name."""
        with redis_errors(f"read {self.names.miners} (a desk names the miners it follows)"):
            found = await cast("Awaitable[set[bytes]]", self.client.smembers(self.names.miners))
        return sorted(name.decode() for name in found)

    async def unknown(self, miner: str) -> str:
        """What is said where a miner has no head; which there are is told to those who may know."""
        said = f"no stream of {miner!r} under {self.names.prefix}"
        try:
            return f"{said}: known are {', '.join(await self.miners()) or 'none'}"
        except WorldError:
            return said

    async def head(self, miner: str) -> Head | None:
        """Where a miner's stream stands."""
        key = self.names.key(miner, "head")
        with redis_errors(f"read {key}"):
            return head_of(key, await cast("Awaitable[dict[bytes, bytes]]", self.client.hgetall(key)))

    async def look(self, miner: str, after_seq: int, count: int) -> tuple[Head | None, list[Entry]]:
        """Head and the next entries as they are at one moment."""
        head_key, key = self.names.key(miner, "head"), self.names.key(miner, "signals")
        async with self.client.pipeline(transaction=True) as asked:
            asked.hgetall(head_key)
            asked.xrange(key, min=f"{after_seq + 1}-0", max="+", count=count)
            with redis_errors(f"read {key}"):
                head, page = await asked.execute()
        return head_of(head_key, head), self.entries(miner, page)

    async def standing(
        self, miner: str, sites: list[str], newest: int
    ) -> tuple[Head | None, dict[str, dict[bytes, bytes]], list[Entry]]:
        """Head, sites, and the newest entries (newest first) as they are at one moment."""
        head_key, key = self.names.key(miner, "head"), self.names.key(miner, "signals")
        async with self.client.pipeline(transaction=True) as asked:
            asked.hgetall(head_key)
            asked.xrevrange(key, count=newest)
            for site in sites:
                asked.hgetall(self.names.key(miner, f"site:{site}"))
            with redis_errors(f"read the sites of {miner}"):
                head, page, *found = await asked.execute()
        fields = {site: each for site, each in zip(sites, found, strict=True) if each}
        return head_of(head_key, head), fields, self.entries(miner, page)

    async def sites(self, miner: str) -> list[str]:
        """A miner's sites that were ever valued, in order of name."""
        key = self.names.key(miner, "sites")
        with redis_errors(f"read {key}"):
            found = await cast("Awaitable[set[bytes]]", self.client.smembers(key))
        return sorted(name.decode() for name in found)

    def entries(self, miner: str, page: Page) -> list[Entry]:
        """Entries as they came from XRANGE or XREAD."""
        key = self.names.key(miner, "signals")
        return [entry_of(key, *item) for item in page]

    async def wait(self, after: dict[str, int], count: int, block_ms: int | None) -> dict[str, list[Entry]]:
        """The next entries of several miners behind the seq each was read to; waits for the first of them."""
        keys = {self.names.key(miner, "signals").encode(): miner for miner in after}
        wanted = {key: f"{after[miner]}-0" for key, miner in keys.items()}
        with redis_errors("read the streams"):
            found = await self.client.xread(cast("Any", wanted), count=count, block=block_ms)
        answer = cast("list[tuple[bytes, Page]]", found)
        return {keys[key]: self.entries(keys[key], page) for key, page in answer}

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
