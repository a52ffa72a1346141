"""The background half of the client: looks at heads, reads pages, verifies, reconnects. Hands over to the merge.

A hint of the channel only says when to look; what is read comes from the stream, from the entry after the last one on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from redis.exceptions import RedisError

from streams.backoff import Backoff
from streams.client.clock import RedisClock
from streams.client.merge import AT_ONCE, Merge
from streams.client.notices import Alive, Gap, Notice, Reset, Rewound, Stale
from streams.client.options import Options
from streams.client.records import Position, Signal, signal_of
from streams.client.snapshot import Snapshot, snapshot_of
from streams.client.source import AWAY, Connect, Source
from streams.client.track import Pulse, Track
from streams.errors import ChangeoverError, DivergedError, WorldError
from streams.wire import Head, Names, genesis_chain

PAGE = 500
HINT_S = 0.5
WATCH_S = 0.2
Item: TypeAlias = Signal | Reset | Gap | Rewound


class Fetch:
    """What has been read and not handed over, and the tasks that read on. ``changed`` is set whenever it grew."""

    def __init__(
        self,
        connect: Connect,
        names: Names,
        options: Options,
        clock: RedisClock,
        on_notice: Callable[[Notice], object] | None,
    ) -> None:
        self._connect = connect
        self._names = names
        self._options = options
        self._clock = clock
        self._on_notice = on_notice
        self._hinted: set[str] = set()
        self._full: set[str] = set()
        self._overdue = False
        self._wake = asyncio.Event()
        self._pulses: dict[str, Pulse] = {}
        self.tracks: dict[str, Track] = {}
        self.heads: dict[str, Head] = {}
        self.merge: Merge[Item] = Merge((), options.merge_wait_s)
        self.notices: deque[Stale | Alive] = deque()
        self.changed = asyncio.Event()
        self.connected = False
        self.failed: Exception | None = None
        self.reconnects = 0
        self.closed = False  # asked in every loop: a cancellation can be swallowed inside redis-py

    def open(self) -> Source:
        """A source on a new connection; whoever opens it closes it."""
        return Source(self._connect(), self._names)

    async def begin(
        self, miners: Iterable[str] | None, resume: Mapping[str, Position], *, oldest: bool
    ) -> dict[str, Snapshot]:
        """Find where each stream is to be read from; the snapshots of those that begin at what is now.

        Raises:
            WorldError: a miner does not publish, or Redis refuses.
            redis.exceptions.ConnectionError: Redis is away.
        """
        snapshots = {}
        source = self.open()
        try:
            await source.time(self._clock)
            for miner in await source.miners() if miners is None else miners:
                snapshot = await snapshot_of(source, miner)
                if snapshot is not None:
                    snapshots[miner] = snapshot
                elif miner not in resume:
                    raise WorldError(await source.unknown(miner))
                head = await source.head(miner)
                if head is not None:
                    self.heads[miner] = head
                self._begin(miner, snapshot, head, resume.get(miner), oldest=oldest)
        finally:
            await source.close()
        return snapshots

    def _begin(
        self, miner: str, snapshot: Snapshot | None, head: Head | None, resume: Position | None, *, oldest: bool
    ) -> None:
        if resume is not None:
            track = Track(miner, resume.generation, resume.seq, resume.chain or None)
        elif oldest and head is not None:
            first = head.oldest_seq
            chain = genesis_chain(miner, head.generation) if first == 1 else None
            track = Track(miner, head.generation, first - 1, chain)
        elif snapshot is not None:
            track = Track(miner, snapshot.position.generation, snapshot.position.seq, snapshot.position.chain)
        else:
            raise WorldError(f"the stream of {miner} went away while it was looked at: try again")
        self.tracks[miner] = track
        self.merge.add_miner(miner)
        self._pulses[miner] = Pulse(self._options.stale_after_s, time.monotonic())

    def heartbeat_age_s(self, miner: str) -> float:
        """How long ago the miner's heartbeat last moved [s], by this machine's monotonic clock."""
        return time.monotonic() - self._pulses[miner].moved_s

    def room(self, miner: str) -> None:
        """An entry was handed over: read on where the buffer had been full."""
        if miner in self._full and self.merge.room(miner, self._options.buffer) * 2 >= self._options.buffer:
            self._full.discard(miner)
            self._hint(miner)

    def measure_now(self) -> None:
        """Ask for the time of Redis as soon as can be."""
        self._overdue = True
        self._wake.set()

    def _hint(self, miner: str) -> None:
        self._hinted.add(miner)
        self._wake.set()

    def close(self) -> None:
        """Let every loop end at its next turn."""
        self.closed = True
        self._wake.set()
        self.changed.set()

    async def run(self) -> None:
        """Read until closed; a Redis that goes away is waited for. What ends it for good stays in ``failed``."""
        pauses = Backoff(first_s=0.05, longest_s=2.0)
        try:
            while not self.closed:
                try:
                    await self._follow(pauses)
                except AWAY:
                    self.connected = False
                    self.reconnects += 1
                    await asyncio.sleep(pauses.next_s())
        except ChangeoverError as error:
            self.failed = error
        except Exception as error:  # noqa: BLE001 our own bug: the consumer gets it as it is
            self.failed = error
        self.changed.set()

    async def _follow(self, pauses: Backoff) -> None:
        """Rounds on one connection."""
        source, over = self.open(), asyncio.Event()
        hints = asyncio.create_task(self._listen(over))
        try:
            while not self.closed:
                self._overdue = False
                await source.time(self._clock)
                more = [miner for miner in self.tracks if await self._poll(source, miner)]
                self.connected = True
                pauses.reset()
                self.changed.set()
                if hints.done():
                    hints = asyncio.create_task(self._listen(over))
                await self._hinted_rounds(source, more)
        finally:
            over.set()  # redis-py can swallow a cancellation: the task looks at this too
            hints.cancel()
            await asyncio.gather(hints, return_exceptions=True)
            with contextlib.suppress(RedisError, OSError):
                await source.close()

    async def _hinted_rounds(self, source: Source, more: list[str]) -> None:
        """Look at whom a hint, the consumer or a full page names, until it is time to look at all."""
        self._hinted.update(more)
        deadline_s = time.monotonic() + self._options.poll_s
        while not (self._overdue or self.closed) and (left_s := deadline_s - time.monotonic()) > 0:
            if not self._hinted:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left_s):
                        await self._wake.wait()
            hinted, self._hinted = self._hinted, set()
            for miner in sorted(hinted):
                if await self._poll(source, miner):
                    self._hinted.add(miner)
            if hinted:
                self.changed.set()

    async def _listen(self, over: asyncio.Event) -> None:
        """Let the channels wake us. Hints may be lost, late or doubled; polling makes up for all of it."""
        source = self.open()
        channels = {self._names.key(miner, "live").encode(): miner for miner in self.tracks}
        try:
            async with source.client.pubsub(ignore_subscribe_messages=True) as hints:
                await hints.subscribe(*channels)
                while not over.is_set():
                    message = await hints.get_message(timeout=HINT_S)
                    if message is not None and message["channel"] in channels:
                        self._hint(channels[message["channel"]])
        except (RedisError, OSError):
            return  # without hints, or without the right to them, polling finds everything a little later
        finally:
            with contextlib.suppress(RedisError, OSError):
                await source.close()

    async def _poll(self, source: Source, miner: str) -> bool:
        """Look at one miner once; whether there is more to read at once."""
        track = self.tracks[miner]
        count = min(PAGE, self.merge.room(miner, self._options.buffer))
        if count == 0:
            self._full.add(miner)
            head = await source.head(miner)
            if head is not None:
                self._heard(miner, head)
            return False
        head, entries = await source.look(miner, track.seq, count)
        if head is None:
            return False  # Redis was emptied, or is not filled again yet; staleness tells of it
        self._heard(miner, head)
        notice = track.meet(head)
        if notice is not None:
            self.merge.add(miner, AT_ONCE, notice, time.monotonic())
            self._tell(notice)
            return not track.rewound  # the page was asked for from the old place
        if track.rewound:
            return False
        admitted = track.take(entries)
        now_s = time.monotonic()
        for each in admitted:
            self.merge.add(miner, each.entry.offset, signal_of(miner, each.entry, each.document), now_s)
        if track.seq >= head.seq:
            self.merge.read_up_to(miner, head.offset)
            return False
        if not admitted:
            raise DivergedError(f"{miner}: its head stands at entry {head.seq}, the stream has none after {track.seq}")
        self.merge.read_up_to(miner, admitted[-1].entry.offset - 1)
        return True

    def _heard(self, miner: str, head: Head) -> None:
        self.heads[miner] = head
        if self._pulses[miner].heard(head.log_time_us, time.monotonic()):
            self._remark(Alive(miner, head.log_time_us))

    async def watch(self) -> None:
        """Notice silence, whether or not Redis answers."""
        while not self.closed:
            await asyncio.sleep(WATCH_S)
            now_s = time.monotonic()
            for miner, pulse in self._pulses.items():
                silent_s = pulse.silent(now_s)
                if silent_s is not None:
                    head = self.heads.get(miner)
                    reason = "worker" if self.connected else "redis"
                    self._remark(Stale(miner, silent_s, head.log_time_us if head else 0, reason))

    def _remark(self, notice: Stale | Alive) -> None:
        self.notices.append(notice)
        self._tell(notice)
        self.changed.set()

    def _tell(self, notice: Notice) -> None:
        if self._on_notice is not None:
            self._on_notice(notice)
