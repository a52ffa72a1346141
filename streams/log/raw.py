"""Writing the log: raw records with their headers, numbered by the instance that appends them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from streams.log.backlog import Limits
from streams.log.connection import Connection
from streams.log.producer import TopicProducer
from streams.log.topics import RAW
from streams.wire import Names, RawRecord

TICKS = frozenset({"clock"})


class RawProducer:
    """Appends records to the log.

    Args:
        where: the broker.
        names: the run whose topic ``raw`` it writes.
        instance: unlike that of any other producer, also of an earlier run of the same process; it stands in every
            record beside a counter from 0. A hole in the counter is a tick that was dropped, a repeated number a
            record whose acknowledgement was lost.
        ticks: the feeds whose records are worthless once old: dropped after ``limits.stale_tick_s`` of outage.
        limits: how much may wait, and how long.
    """

    def __init__(
        self,
        where: str | Connection,
        names: Names,
        instance: str,
        *,
        ticks: Iterable[str] = TICKS,
        limits: Limits | None = None,
    ) -> None:
        self.instance = instance
        self.producer = TopicProducer(where, names.topic(RAW), limits)
        self._ticks = frozenset(ticks)
        self._numbers = itertools.count()

    async def start(self) -> None:
        """Connect; the topic must exist. Raises WorldError."""
        await self.producer.start()

    async def stop(self, timeout_s: float = 5.0) -> int:
        """Send what waits, for ``timeout_s`` [s] at most, and close. Gives how many records were left behind."""
        return await self.producer.stop(timeout_s)

    async def append(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> int:
        """Append one record and wait for its offset, as long as an outage lasts.

        Raises:
            RecordTooLargeError: it can never be stored; names feed and size.
            StaleTickError: a tick that waited too long.
            WorldError: the producer is closed.
        """
        await self.producer.space()
        record = self._number(feed, receipt_time_us, payload, note)
        return await self.producer.append(payload, headers=record.headers(), tick=feed in self._ticks)

    def append_nowait(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> None:
        """Queue one record; it is appended in order and kept through outages, ticks until they are stale.

        Raises:
            RecordTooLargeError: it can never be stored; names feed and size.
            QueueFullError: too many wait already; a tick is dropped and counted instead.
            WorldError: the producer is closed.
        """
        record = self._number(feed, receipt_time_us, payload, note)
        self.producer.append_nowait(payload, headers=record.headers(), tick=feed in self._ticks)

    async def flush(self) -> None:
        """Wait until every record queued so far is acknowledged."""
        await self.producer.flush()

    def _number(self, feed: str, receipt_time_us: int, payload: bytes, note: str) -> RawRecord:
        return RawRecord(feed, receipt_time_us, self.instance, next(self._numbers), payload, note=note)
