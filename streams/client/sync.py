"""`SyncSignals`: the same client for code without an event loop, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self, TypeVar

from streams.client.notices import Notice
from streams.client.options import Options
from streams.client.records import Position, Switch, Unknown
from streams.client.signals import Signals, Told
from streams.client.snapshot import Snapshot
from streams.client.source import Connect
from streams.tls import Tls
from streams.wire import Origin

T = TypeVar("T")
STOP_S = 10.0


class ClosedError(Exception):
    """The client was closed meanwhile; its iteration ends."""

    def __init__(self) -> None:
        super().__init__("SyncSignals was closed")


class SyncSignals:
    """The streams of some miners as an iterator that blocks. Arguments and guarantees are those of `Signals`.

    ``on_notice`` is called on the client's thread. One thread at a time may iterate; any may call ``close``.
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
        self._include_expired = include_expired
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="changeover-signals", daemon=True)
        self._opened = False
        self._closed = False
        self._turn = threading.Lock()  # work is given to the loop before it is closed, or not at all

        async def make() -> Signals:  # its events belong to the loop in which it is made
            return Signals(
                url,
                miners,
                origin=origin,
                run=run,
                resume=resume,
                start=start,
                include_expired=include_expired,
                tls=tls,
                password=password,
                connect=connect,
                on_notice=on_notice,
                options=options,
            )

        self._thread.start()
        try:
            self._signals = self._run(make())
        except BaseException:  # also Ctrl-C must end the thread
            self.close()
            raise

    def __enter__(self) -> Self:
        """Connect, take the snapshots, begin to read; raises what `Signals` raises."""
        try:
            self._run(self._signals.__aenter__())
        except BaseException:  # also Ctrl-C must end the thread
            self.close()
            raise
        self._opened = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Stop reading, close the connections, end the thread. Called again it only waits for that end."""
        with self._turn:
            ending = None if self._closed else asyncio.run_coroutine_threadsafe(self._end(), self._loop)
            self._closed = True
        if ending is None:
            self._thread.join(STOP_S)
            return
        ending.result(STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()

    async def _end(self) -> None:
        """Close the client and let whoever waits for its next hear of it."""
        if self._opened:
            await self._signals.close()
        waiting = asyncio.all_tasks() - {task for task in (asyncio.current_task(),) if task is not None}
        await asyncio.gather(*waiting, return_exceptions=True)

    def __iter__(self) -> Self:
        """Iterate."""
        return self

    def __next__(self) -> Told:
        """The next signal or remark; waits for it."""
        told = self.next(None)
        if told is None:
            raise StopIteration
        return told

    def next(self, timeout_s: float | None) -> Told | None:
        """The next signal or remark, None after ``timeout_s`` without one, or once it is closed. Nothing is lost by it.

        Raises:
            WorldError: Redis refuses, or an entry is missing in the middle of a stream.
            DivergedError: a chain is broken.
        """
        while True:
            try:
                told = self._run(self._soon(timeout_s))
            except ClosedError:
                return None
            if told is None:
                return None
            if not isinstance(told, (Switch, Unknown)) or told.expired or self._signals.judge(told) != "expired":
                return told
            self._signals.expired[told.miner] += 1  # it ran out on its way from the other thread
            if self._include_expired:
                return replace(told, expired=True)

    @property
    def position(self) -> dict[str, Position]:
        """How far each miner was handed over: save it when you have acted on the last, and give it to ``resume``."""
        return self._signals.position

    @property
    def expired(self) -> dict[str, int]:
        """How many switches of each miner had expired."""
        return dict(self._signals.expired)

    @property
    def snapshots(self) -> dict[str, Snapshot]:
        """How the miners stood at the start."""
        return self._signals.snapshots

    def snapshot(self, miner: str) -> Snapshot | None:
        """How a miner stands now; None where it has no head."""
        return self._run(self._signals.snapshot(miner))

    def heartbeat(self, miner: str) -> tuple[int, float]:
        """The miner's last heartbeat [us UTC], and how long ago it moved [s]."""
        return self._signals.heartbeat(miner)

    async def _soon(self, timeout_s: float | None) -> Told | None:
        try:
            async with asyncio.timeout(timeout_s):
                return await anext(self._signals, None)
        except TimeoutError:
            return None

    def _run(self, work: Coroutine[object, object, T]) -> T:
        """Run on the client's thread; an interrupt here cancels it there."""
        with self._turn:
            if self._closed:
                work.close()
                raise ClosedError
            future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except (CancelledError, FutureTimeoutError):
            raise
        except BaseException:  # also Ctrl-C: nobody waits for the answer any more
            future.cancel()
            raise
