"""Where a test's feed puts what it received: a list that can be awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from streams.feeds.contract import Feed
from streams.wire import RawRecord

PATIENCE_S = 10.0


class Appended:
    """An appender that keeps everything, in order."""

    def __init__(self) -> None:
        self.records: list[RawRecord] = []
        self._changed = asyncio.Event()

    async def append(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> None:
        """Keep one payload."""
        self.records.append(RawRecord(feed, receipt_time_us, "test", len(self.records), payload, note=note))
        self._changed.set()

    @property
    def payloads(self) -> list[bytes]:
        """The payloads alone."""
        return [record.payload for record in self.records]

    @property
    def notes(self) -> list[str]:
        """The notes alone."""
        return [record.note for record in self.records]

    async def until(self, enough: Callable[[Appended], bool]) -> None:
        """Wait until enough was appended."""
        while not enough(self):
            self._changed.clear()
            await self._changed.wait()


async def run_until(feed: Feed, enough: Callable[[Appended], bool]) -> Appended:
    """Run a feed until enough was appended, then stop it; what it raises before goes on."""
    out = Appended()
    running, waiting = asyncio.create_task(feed.run(out)), asyncio.create_task(out.until(enough))
    try:
        async with asyncio.timeout(PATIENCE_S):
            done, _ = await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running in done and waiting not in done:
            running.result()
            raise AssertionError("the feed ended before enough was appended")
    finally:
        for task in (running, waiting):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):  # the outcome above is what counts
                await task
    return out


async def fails(feed: Feed) -> tuple[Appended, Exception]:
    """What a feed appended before it failed, and its failure."""
    out = Appended()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await feed.run(out)
    except TimeoutError:
        raise
    except Exception as fault:  # noqa: BLE001 the test looks at its type
        return out, fault
    raise AssertionError("the feed ended without a failure")
