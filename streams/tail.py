"""The follower of our own services and of `changeover tail`: streams without a gap, a double or a broken chain.

How a stream is read and verified is the client's (`streams.client`); here is only what a terminal and a copy need.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import redis.asyncio

from streams.client.notices import Gap, Reset
from streams.client.source import Source
from streams.client.track import Pulse, Track
from streams.errors import WorldError
from streams.wire import Entry, Head, Names

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
        self._names = names
        self._source = Source(client, names)
        self._only = miners
        self._from_seq = from_seq
        self._latest = latest
        self._held = dict(held or {})
        self._tracks: dict[str, Track] = {}
        self._pulses: dict[str, Pulse] = {}

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
        miners = self._only if self._only is not None else await self._source.miners()
        remarks = []
        for miner in miners:
            head = await self._source.head(miner)
            if head is None:
                if self._only is not None and miner not in self._tracks:
                    raise WorldError(await self._source.unknown(miner))
                continue
            if miner not in self._tracks:
                self._tracks[miner] = Track(miner, head.generation, self._start(miner, head))
                self._pulses[miner] = Pulse(STALE_S, time.monotonic())
            remarks += self._meet(self._tracks[miner], head)
            remarks += self._pulse(miner, self._pulses[miner], head.offset)
        return remarks

    @staticmethod
    def _meet(track: Track, head: Head) -> list[Told]:
        """A remark where numbering began anew; a head before what was read is waited for."""
        notice = track.meet(head)
        if isinstance(notice, Gap):
            raise WorldError(f"{track.miner}: entry {notice.first} is trimmed, the oldest kept is {notice.last + 1}")
        if isinstance(notice, Reset):
            text = f"{track.miner} was rebuilt: generation {head.generation} is numbered from 1"
            return [Told.remark(track.miner, "reset", text, generation=head.generation)]
        return []

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
    def _pulse(miner: str, pulse: Pulse, head_offset: int) -> list[Told]:
        """A remark when a head has stood still too long by our own clock, and when it moves again."""
        now_s = time.monotonic()
        if pulse.heard(head_offset, now_s):
            return [Told.remark(miner, "live", f"{miner} is heard again")]
        if pulse.silent(now_s) is not None:
            return [Told.remark(miner, "stale", f"{miner}: nothing from its worker for {STALE_S:g} s")]
        return []

    async def _read(self, *, block: bool) -> list[Told]:
        """The next entries of all miners."""
        if not self._tracks:
            if block:
                await asyncio.sleep(BLOCK_MS / 1_000)
            return []
        after = {miner: track.seq for miner, track in self._tracks.items()}
        found = await self._source.wait(after, PAGE, BLOCK_MS if block else None)
        return [
            Told(miner, admitted.entry.json, admitted.document, admitted.entry)
            for miner, entries in found.items()
            for admitted in self._tracks[miner].take(entries)
        ]
