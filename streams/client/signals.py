"""`Signals`: what a desk iterates over. Each numbered entry once, in order, verified; nothing expired as if it held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self, TypeAlias

from streams.client.clock import RedisClock
from streams.client.fetch import Fetch, Item
from streams.client.notices import Gap, Notice, Reset
from streams.client.options import Options
from streams.client.records import Position, Signal, Switch, Unknown
from streams.client.snapshot import Snapshot, snapshot_of
from streams.client.source import AWAY, Connect, connect_to
from streams.errors import WorldError
from streams.redis_access import url_flaw
from streams.tls import Tls
from streams.wire import Names, Origin, genesis_chain

Told: TypeAlias = Signal | Notice
Verdict = Literal["live", "expired", "unknown"]
RETRY_S = 0.2
UNKNOWN_S = 0.05


class Signals:
    """The streams of some miners, as an asynchronous iterator of signals and of remarks about them.

    Args:
        url: where Redis is, ``redis://`` or ``rediss://``; not used where ``connect`` is given.
        miners: whom to follow; None for all that publish when it starts.
        origin, run: which names: ``live``, or ``demo`` or ``replay`` with their run.
        resume: positions saved before; the other miners begin at ``start``.
        start: ``now`` (a snapshot, then what comes) or ``oldest`` (all that Redis keeps).
        include_expired: hand expired switches over too, marked; else they are counted.
        tls: whom to trust and who we are, for ``rediss://``; without it the system's authorities are trusted.
        password: of the login in the URL, where the URL is not to hold it.
        connect: gives a client of redis-py (``decode_responses=False``); asked again after each lost connection.
        on_notice: called with each remark the moment it is noticed, in the event loop; must not block.
        options: time limits and sizes.

    A live signal is judged by the time of Redis, one of a demo or replay by the log time of its miner's head: their
    log runs by a clock of its own.
    """

    def __init__(
        self,
        url: str = "",
        miners: Iterable[str] | None = None,
        *,
        origin: Origin = "live",
        run: str = "",
        resume: Mapping[str, Position] | None = None,
        start: Literal["now", "oldest"] = "now",
        include_expired: bool = False,
        tls: Tls | None = None,
        password: str | None = None,
        connect: Connect | None = None,
        on_notice: Callable[[Notice], object] | None = None,
        options: Options | None = None,
    ) -> None:
        if not url and connect is None:
            raise ValueError("neither url nor connect says where Redis is")
        flaw = url_flaw(url) if url else None
        if flaw is not None:
            raise ValueError(f"url: {flaw}")
        self._options = options or Options()
        self._names = Names(origin, run)
        self._miners = None if miners is None else list(dict.fromkeys(miners))
        self._resume = dict(resume or {})
        self._start = start
        self._include_expired = include_expired
        self._clock = RedisClock(self._options.max_skew_s)
        opened = connect or (lambda: connect_to(url, self._options.answer_timeout_s, tls, password))
        self._fetch = Fetch(opened, self._names, self._options, self._clock, on_notice)
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._handed: dict[str, Position] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.expired: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        """Connect, take the snapshots, begin to read.

        Raises:
            WorldError: Redis is not reached within ``connect_s``, refuses, or a miner does not publish.
        """
        deadline_s = time.monotonic() + self._options.connect_s
        while True:
            try:
                oldest = self._start == "oldest"
                self.snapshots = await self._fetch.begin(self._miners, self._resume, oldest=oldest)
                break
            except AWAY as error:
                if time.monotonic() >= deadline_s:
                    said = str(error).rstrip(".") or type(error).__name__
                    raise WorldError(f"Redis was not reached for {self._options.connect_s:g} s: {said}") from error
                await asyncio.sleep(RETRY_S)
        self._handed = {miner: track.position for miner, track in self._fetch.tracks.items()}
        self.expired = dict.fromkeys(self._handed, 0)
        self._tasks = [asyncio.create_task(self._fetch.run()), asyncio.create_task(self._fetch.watch())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Stop reading and close the connections; whoever waits for the next is told that there is none."""
        self._closed = True
        self._fetch.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def position(self) -> dict[str, Position]:
        """How far each miner was handed over: save it when you have acted on the last, and give it to ``resume``."""
        return dict(self._handed)

    @property
    def reconnects(self) -> int:
        """How often the connection was lost."""
        return self._fetch.reconnects

    def heartbeat(self, miner: str) -> tuple[int, float]:
        """The miner's last heartbeat [us UTC], and how long ago it moved by this machine's monotonic clock [s]."""
        head = self._fetch.heads.get(miner)
        return (head.log_time_us if head else 0), self._fetch.heartbeat_age_s(miner)

    async def snapshot(self, miner: str) -> Snapshot | None:
        """How a miner stands now, apart from the iteration; None where it has no head."""
        source = self._fetch.open()
        try:
            return await snapshot_of(source, miner)
        finally:
            await source.close()

    def __aiter__(self) -> Self:
        """Iterate."""
        return self

    async def __anext__(self) -> Told:
        """The next signal or remark. A call that is cancelled takes nothing.

        Raises:
            WorldError: Redis refuses, or an entry is missing in the middle of a stream.
            DivergedError: a chain is broken.
        """
        if not self._tasks:
            raise ValueError("Signals was not opened: write `async with Signals(...) as signals`")
        fetch = self._fetch
        while not self._closed:
            fetch.changed.clear()
            if fetch.notices:
                return fetch.notices.popleft()
            found = fetch.merge.peek(time.monotonic())
            if found is None:
                if fetch.failed is not None:
                    raise fetch.failed
                await self._wait()
                continue
            verdict = self.judge(found[1])
            if verdict == "unknown":  # it stays where it is until the time of Redis is known again
                if fetch.failed is not None:
                    raise fetch.failed
                fetch.measure_now()
                await asyncio.sleep(UNKNOWN_S)
                continue
            told = self._hand_over(*found, verdict)
            if told is not None:
                return told
        raise StopAsyncIteration

    async def _wait(self) -> None:
        """Wait until something is new, or what is held back for other miners has waited long enough."""
        due_s = self._fetch.merge.due_s()
        try:
            async with asyncio.timeout(None if due_s is None else max(0.0, due_s - time.monotonic())):
                await self._fetch.changed.wait()
        except TimeoutError:
            return

    def judge(self, item: Told) -> Verdict:
        """Whether a signal may be handed over as live at this moment; ``unknown`` where the time is not."""
        until_us = item.valid_until_us if isinstance(item, (Switch, Unknown)) else None
        if until_us is None:
            return "live"
        if self._names.origin != "live":
            head = self._fetch.heads.get(item.miner)
            return "unknown" if head is None else "expired" if head.log_time_us > until_us else "live"
        bounds = self._clock.bounds_us()
        if bounds is None:
            return "unknown"
        return "expired" if bounds[1] > until_us else "live"

    def _hand_over(self, miner: str, item: Item, late: bool, verdict: Verdict) -> Told | None:  # noqa: FBT001 as peeked
        """Take what was peeked; None where it is only counted."""
        self._fetch.merge.pop(miner)
        self._fetch.room(miner)
        if isinstance(item, Reset):
            self._fetch.merge.begin_again(miner)
            self._handed[miner] = Position(item.generation, 0, genesis_chain(miner, item.generation))
            return item
        if isinstance(item, Gap):
            self._handed[miner] = Position(item.generation, item.last, "")
            return item
        if not isinstance(item, Signal):
            return item
        self._handed[miner] = item.position
        if verdict == "expired":
            self.expired[miner] += 1
            if not self._include_expired:
                return None
            return replace(item, expired=True, late=late) if isinstance(item, (Switch, Unknown)) else item
        return replace(item, late=True) if late else item
