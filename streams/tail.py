"""A first client: follows the numbered streams of miners without a gap, a double or a broken chain.

It reads the record (the Redis streams), not the wake-up channel, so nothing said while it was away is missed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import redis.asyncio

from streams.errors import DivergedError, WorldError
from streams.sink.redis_sink import RedisSink
from streams.wire import Entry, Head, Names, next_chain

BLOCK_MS = 500
PAGE = 500
STALE_S = 10.0


@dataclass(frozen=True, slots=True)
class Told:
    """One thing a follower is told: a signal (its exact bytes), or a remark of the client itself (no ``entry``)."""

    miner: str
    json: bytes
    signal: dict[str, Any]
    entry: Entry | None = None

    @classmethod
    def remark(cls, miner: str, kind: str, text: str, **more: object) -> Told:
        """A remark: ``reset`` (numbering began anew), ``stale`` (nothing comes), ``live`` (it comes again)."""
        content = {"kind": kind, "miner": miner, **more, "text": text}
        return cls(miner, orjson.dumps(content), content)


@dataclass(slots=True)
class Position:
    """How far one miner's stream has been read, and what must come next."""

    miner: str
    generation: int
    seq: int
    chain: str | None = None
    head_offset: int = -1
    moved_s: float = field(default_factory=time.monotonic)
    stale: bool = False

    def admit(self, entry: Entry, signal: dict[str, Any]) -> Told:
        """Take the next entry; ``signal`` is its content.

        Raises:
            WorldError: an entry is missing or came twice.
            DivergedError: the entry does not carry on the chain.

        >>> from streams.wire import genesis_chain
        >>> start = genesis_chain("mara", 1)
        >>> signal = {"chain": start, "seq": 1}
        >>> text = orjson.dumps(signal)
        >>> Position("mara", 1, 0, start).admit(Entry(5, 1, next_chain(start, text), text), signal).json == text
        True
        >>> Position("mara", 1, 0, start).admit(Entry(5, 2, "", text), signal)
        Traceback (most recent call last):
        streams.errors.WorldError: mara: after entry 0 came entry 2: the stream has a gap or a double
        """
        if entry.seq != self.seq + 1:
            raise WorldError(
                f"{self.miner}: after entry {self.seq} came entry {entry.seq}: the stream has a gap or a double"
            )
        before = str(signal.get("chain")) if self.chain is None else self.chain
        if signal.get("chain") != before or next_chain(before, entry.json) != entry.chain:
            raise DivergedError(f"{self.miner}: entry {entry.seq} does not carry on the chain of entry {self.seq}")
        self.seq, self.chain = entry.seq, entry.chain
        return Told(self.miner, entry.json, signal, entry)


class Follower:
    """Follows some miners, or all that publish and those that will.

    ``from_seq``: the first entry wanted; without it the newest ``latest`` of each miner come first. ``held``: the
    (generation, seq) up to which a miner's entries are held already; they win where the generation is still the same.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        names: Names,
        miners: list[str] | None,
        *,
        from_seq: int | None = None,
        latest: int = 10,
        held: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self._client = client
        self._names = names
        self._sink = RedisSink(client, names)
        self._only = miners
        self._from_seq = from_seq
        self._latest = latest
        self._held = dict(held or {})
        self._positions: dict[str, Position] = {}

    async def run(self, *, follow: bool) -> AsyncIterator[Told]:
        """Yield what comes, in order for each miner; without ``follow`` end where the streams end now.

        Raises:
            WorldError: a named miner does not publish, a wanted entry is trimmed, or a stream has a gap or a double.
            DivergedError: a chain is broken.
            redis.exceptions.ConnectionError: Redis went away; calling again goes on where this ended.
        """
        while True:
            told = await self.next(block=follow)
            for each in told:
                yield each
            if not follow and not any(each.entry for each in told):
                return

    async def next(self, *, block: bool) -> list[Told]:
        """What came since the last call; with ``block`` wait a moment for it."""
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # Python 3.11's wait_for, in redis-py, may have swallowed a Ctrl-C
            raise asyncio.CancelledError
        return [*await self._look(), *await self._read(block=block)]

    async def _look(self) -> list[Told]:
        """Find new miners, new generations, and streams that have fallen silent."""
        miners = self._only if self._only is not None else await self._sink.miners()
        remarks = []
        for miner in miners:
            head = await self._sink.head(miner)
            if head is None:
                if self._only is not None and miner not in self._positions:
                    raise WorldError(
                        f"no stream of {miner!r} under {self._names.prefix}: known are "
                        f"{', '.join(await self._sink.miners()) or 'none'}"
                    )
                continue
            position = self._positions.get(miner)
            if position is None:
                self._positions[miner] = Position(miner, head.generation, self._start(miner, head))
            elif position.generation != head.generation:
                self._positions[miner] = Position(miner, head.generation, 0)
                text = f"{miner} was rebuilt: generation {head.generation} is numbered from 1"
                remarks.append(Told.remark(miner, "reset", text, generation=head.generation))
            remarks += self._pulse(self._positions[miner], head.offset)
        return remarks

    def _start(self, miner: str, head: Head) -> int:
        """The entry before the first one wanted."""
        generation, seq = self._held.get(miner, (0, 0))
        if generation == head.generation:
            wanted = seq + 1
        elif self._from_seq is not None:
            wanted = self._from_seq
        else:
            return max(head.oldest_seq - 1, head.seq - self._latest, 0)
        if wanted < head.oldest_seq:
            raise WorldError(f"{miner}: entry {wanted} is trimmed, the oldest kept is {head.oldest_seq}")
        return wanted - 1

    @staticmethod
    def _pulse(position: Position, head_offset: int) -> list[Told]:
        """A remark when a head has stood still too long by our own clock, and when it moves again."""
        now_s = time.monotonic()
        miner = position.miner
        if head_offset != position.head_offset:
            position.head_offset, position.moved_s = head_offset, now_s
            if position.stale:
                position.stale = False
                return [Told.remark(miner, "live", f"{miner} is heard again")]
        elif not position.stale and now_s - position.moved_s > STALE_S:
            position.stale = True
            return [Told.remark(miner, "stale", f"{miner}: nothing from its worker for {STALE_S:g} s")]
        return []

    async def _read(self, *, block: bool) -> list[Told]:
        """The next entries of all miners."""
        if not self._positions:
            if block:
                await asyncio.sleep(BLOCK_MS / 1_000)
            return []
        keys = {self._names.key(miner, "signals").encode(): miner for miner in self._positions}
        wanted = {key: f"{self._positions[miner].seq}-0" for key, miner in keys.items()}
        found = await self._client.xread(cast("Any", wanted), count=PAGE, block=BLOCK_MS if block else None)
        answer = cast("list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]", found)
        return [told for key, entries in answer for told in self._admit(self._positions[keys[key]], entries)]

    @staticmethod
    def _admit(position: Position, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[Told]:
        """The entries of one miner, up to one of another generation (the next look at its head resets)."""
        told = []
        for entry_id, fields in entries:
            signal = orjson.loads(fields[b"json"])
            if signal.get("generation") != position.generation:
                break
            seq = int(entry_id.split(b"-", maxsplit=1)[0])
            entry = Entry(int(fields[b"offset"]), seq, fields[b"chain"].decode(), fields[b"json"])
            told.append(position.admit(entry, signal))
        return told
