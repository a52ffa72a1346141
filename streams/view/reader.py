"""Fills the board from Redis alone, as a desk would read it: heads, sites, and each numbered entry once."""

from __future__ import annotations

import orjson
import redis.asyncio

from streams.sink.redis_sink import RedisSink
from streams.tail import Follower, Told
from streams.view.board import Board
from streams.wire import Names

KEPT_ENTRIES = 1_000  # how far back a reader that comes late begins
SITES_EVERY_S = 2.0


class Reader:
    """Reads one run. ``after`` says where each stream stood before the view: miner -> (generation, seq)."""

    def __init__(
        self, client: redis.asyncio.Redis, names: Names, after: dict[str, tuple[int, int]] | None = None
    ) -> None:
        self._sink = RedisSink(client, names)
        self._follower = Follower(client, names, None, latest=KEPT_ENTRIES)
        self._after = after or {}
        self._sites: set[tuple[str, str]] = set()
        self._looked_s = -SITES_EVERY_S

    async def poll(self, board: Board, at_s: float) -> list[Told]:
        """Bring the board up to date; gives the new entries and remarks. ``at_s`` is the caller's monotonic clock [s].

        Raises:
            redis.exceptions.ConnectionError: Redis is away; calling again goes on where this ended.
            WorldError: a stream has a gap or a double.
            DivergedError: a chain is broken.
        """
        for miner in await self._sink.miners():
            head = await self._sink.head(miner)
            if head is not None:
                board.put_head(miner, head, at_s)
        if at_s - self._looked_s >= SITES_EVERY_S:
            await self._find_sites()
            self._looked_s = at_s
        for miner, site in sorted(self._sites):
            fields = await self._sink.site(miner, site)
            if fields:
                board.put_site(miner, site, orjson.loads(fields["json"]))
        new = [told async for told in self._follower.run(follow=False) if self._is_new(told)]
        for told in new:
            if "seq" in told.signal:
                board.put_entry(told.signal)
        board.sample(at_s)
        return new

    def _is_new(self, told: Told) -> bool:
        """Whether an entry came after the view began; remarks always did."""
        if "seq" not in told.signal:
            return True
        generation, seq = self._after.get(told.miner, (0, 0))
        return int(told.signal["generation"]) != generation or int(told.signal["seq"]) > seq

    async def _find_sites(self) -> None:
        """Which sites there are."""
        for miner in await self._sink.miners():
            self._sites.update((miner, site) for site in await self._sink.sites(miner))


async def standing(client: redis.asyncio.Redis, names: Names) -> dict[str, tuple[int, int]]:
    """Where every stream stands now: miner -> (generation, seq)."""
    sink = RedisSink(client, names)
    heads = {miner: await sink.head(miner) for miner in await sink.miners()}
    return {miner: (head.generation, head.seq) for miner, head in heads.items() if head is not None}
