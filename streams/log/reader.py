"""Reading the log without a group, and knowing it again: a log that was lost or made anew is refused, not followed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.errors import LogChangedError
from streams.log.closing import close_consumer
from streams.log.connection import REQUEST_TIMEOUT_MS, BrokerError, Connection, as_connection, broker_errors, probe
from streams.log.topics import RAW, require_topic
from streams.wire import MAX_MESSAGE_BYTES, NO_OFFSET, Names, RawRecord

LOG = logging.getLogger(__name__)

REMEDY = "to follow this log from now on: changeover rebuild --new-generation"
LOOKUP_MS = 10_000
CHECK_MS = 2_000
SILENCE_S = 2.0


class RawReader:
    """Reads topic ``raw`` from an offset on, in order, in no consumer group; one task at a time may call it.

    It remembers the last record it gave out. After a reconnect, and when the log is silent, it reads that record
    again: a broker that lost its log is thereby found out before anything of another log is given out. A topic made
    anew on a broker that stayed is found out while the new log is the shorter one; :func:`verify_log` tells at start.
    """

    def __init__(self, where: str | Connection, names: Names) -> None:
        self.connection = as_connection(where)
        self.topic = names.topic(RAW)
        self.position = 0
        self._partition = TopicPartition(self.topic, 0)
        self._known: RawRecord | None = None
        self._consumer: Any = None
        self._links: tuple[object, ...] = ()
        self._suspect = False
        self._reports_end = True
        self._checked_at_s = 0.0

    async def start(self, offset: int = 0) -> None:
        """Connect and stand before ``offset``.

        Raises:
            WorldError: no broker answers, or it has no such topic.
        """
        can = await probe(self.connection)
        self._reports_end = can.long_poll
        await require_topic(self.connection, self.topic)
        consumer = AIOKafkaConsumer(
            **self.connection.options(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=can.fetch_wait_ms,
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        with broker_errors(self.connection, f"open a reader of {self.topic}"):
            try:
                await consumer.start()
            except BaseException:
                await close_consumer(consumer)
                raise
        self._consumer = consumer
        consumer.assign([self._partition])
        self.seek(offset)

    async def stop(self) -> None:
        """Close; called twice or before a start it does nothing."""
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        with broker_errors(self.connection, f"close the reader of {self.topic}"):
            await close_consumer(consumer)

    async def __aenter__(self) -> Self:
        """Start at the log's first offset."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    def seek(self, offset: int) -> None:
        """Stand before ``offset``, the one that is read next."""
        self._consumer.seek(self._partition, offset)
        self.position = offset

    async def read(self, max_records: int = 2_000, timeout_ms: int = 200) -> list[RawRecord]:
        """The next records in order, none when none came in ``timeout_ms`` [ms] or the broker is away for now.

        Raises:
            LogChangedError: the log is not the one read so far, or does not hold the position.
            BrokerError: the broker refuses.
        """
        try:
            fetched = await self._fetch(max_records, timeout_ms)
        except BrokerError as exc:
            if isinstance(exc.__cause__, OffsetOutOfRangeError):
                raise LogChangedError(await self._lost_position()) from exc
            raise
        self._suspect |= self._reconnected()
        records = [RawRecord.from_kafka(each.offset, each.headers, each.value) for each in fetched]
        before = self.position
        if records:
            self.position = records[-1].offset + 1
        if (self._suspect or (not records and self._silent())) and not await self._is_known():
            self.seek(before)  # what was fetched is read again once the log has proved itself
            return []
        if records:
            self.remember(records[-1])
        return records

    def remember(self, record: RawRecord) -> None:
        """Take a record as one that the log must hold from now on."""
        self._known = record
        self._checked_at_s = asyncio.get_running_loop().time()

    async def record_at(self, offset: int, timeout_ms: int = LOOKUP_MS) -> RawRecord | None:
        """The record at an offset, None where the log holds none there. The position stays.

        Raises:
            BrokerError: the broker does not answer within ``timeout_ms`` [ms].
        """
        if offset < await self.first_offset(timeout_ms):
            return None
        if offset >= await self._reported_end(timeout_ms) and offset >= await self.end_offset(timeout_ms):
            return None
        (first,) = await self._look_up(offset, timeout_ms, max_records=1)
        return RawRecord.from_kafka(offset, first.headers, first.value) if first.offset == offset else None

    async def first_offset(self, timeout_ms: int = LOOKUP_MS) -> int:
        """The offset of the first record that is still there; that of the next one where none is.

        Raises:
            BrokerError: the broker does not answer within ``timeout_ms`` [ms].
        """
        with broker_errors(self.connection, f"ask where {self.topic} begins"):
            async with asyncio.timeout(timeout_ms / 1_000):
                offsets = await self._consumer.beginning_offsets([self._partition])
        return int(offsets[self._partition])

    async def end_offset(self, timeout_ms: int = LOOKUP_MS) -> int:
        """The offset that the next record will get. The position stays.

        The embedded broker reports the second offset of its last batch instead (measured), so the end is found by
        reading what lies before the offset reported: a fetch gives a batch whole.

        Raises:
            BrokerError: the broker does not answer within ``timeout_ms`` [ms].
        """
        reported = await self._reported_end(timeout_ms)
        if self._reports_end or reported <= await self.first_offset(timeout_ms):
            return reported
        last = (await self._look_up(reported - 1, timeout_ms))[-1]
        return int(last.offset) + 1

    async def _reported_end(self, timeout_ms: int) -> int:
        with broker_errors(self.connection, f"ask where {self.topic} ends"):
            async with asyncio.timeout(timeout_ms / 1_000):
                offsets = await self._consumer.end_offsets([self._partition])
        return int(offsets[self._partition])

    async def _fetch(self, max_records: int | None, timeout_ms: int) -> Sequence[ConsumerRecord]:
        with broker_errors(self.connection, f"read {self.topic}"):
            fetched = await self._consumer.getmany(self._partition, timeout_ms=timeout_ms, max_records=max_records)
        return list(fetched.get(self._partition, ()))

    async def _look_up(self, offset: int, timeout_ms: int, max_records: int | None = None) -> Sequence[ConsumerRecord]:
        """Records from an offset on that is known to exist; the position stays."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_ms / 1_000
        self._consumer.seek(self._partition, offset)
        try:
            while True:
                left_ms = int(1_000 * (deadline_s - loop.time()))
                if left_ms <= 0:
                    raise BrokerError(
                        f"Kafka at {self.connection.bootstrap}: offset {offset} of {self.topic} did not come within "
                        f"{timeout_ms} ms",
                        retriable=True,
                    )
                fetched = await self._fetch(max_records, left_ms)
                if fetched:
                    return fetched
        finally:
            self._consumer.seek(self._partition, self.position)

    def _reconnected(self) -> bool:
        """Whether a connection was made since the last call: the broker may be another one behind the same name."""
        links = tuple(self._consumer._client._conns.values())  # noqa: SLF001 - no public sign of a reconnect exists
        known, self._links = self._links, links
        return any(all(link is not before for before in known) for link in links)

    def _silent(self) -> bool:
        return asyncio.get_running_loop().time() - self._checked_at_s > SILENCE_S

    async def _is_known(self) -> bool:
        """Whether the log still holds the last record given out; False while the broker is away.

        Raises:
            LogChangedError: it does not.
        """
        if self._known is not None:
            try:
                await verify_log(self, self._known.offset, self._known.hash(), CHECK_MS)
            except BrokerError as exc:
                if not exc.retriable:
                    raise
                LOG.debug("the log is not there to be checked: %s", exc)
                return False
        self._suspect = False
        return True

    async def _lost_position(self) -> str:
        first, end = await self.first_offset(), await self._reported_end(LOOKUP_MS)
        return (
            f"LOG_CHANGED: {self.topic} at {self.connection.bootstrap} holds offsets {first} to {end - 1} and was to "
            f"be read from {self.position}: the topic was made anew, lost, or cut by its retention; {REMEDY}"
        )


async def verify_log(reader: RawReader, offset: int, raw_hash: str, timeout_ms: int = LOOKUP_MS) -> None:
    """Refuse a log that does not hold, at this offset, the record with this hash; ``NO_OFFSET`` asks for nothing.

    Raises:
        LogChangedError: one line with the offset, both hashes and what to do.
        BrokerError: the broker does not answer within ``timeout_ms`` [ms].
    """
    if offset == NO_OFFSET:
        return
    record = await reader.record_at(offset, timeout_ms)
    if record is not None and record.hash() == raw_hash:
        reader.remember(record)
        return
    if record is None:
        first, end = await reader.first_offset(timeout_ms), await reader.end_offset(timeout_ms)
        found = f"the log holds offsets {first} to {end - 1}" if end > first else "the log is empty"
    else:
        found = f"its hash is {record.hash()}"
    raise LogChangedError(
        f"LOG_CHANGED: offset {offset} of {reader.topic} at {reader.connection.bootstrap} must hold the record with "
        f"hash {raw_hash}, but {found}: the topic was made anew, lost, or cut; {REMEDY}"
    )
