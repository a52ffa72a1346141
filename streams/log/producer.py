"""Appending to a topic: in order, batched by itself, kept through outages; nothing but stale ticks is dropped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed, RecordListTooLargeError
from aiokafka.structs import RecordMetadata

from streams.errors import WorldError
from streams.log.backlog import Backlog, Item, Limits, QueueFullError, RecordTooLargeError
from streams.log.connection import NOT_ALLOWED, Connection, as_connection, broker_errors, explain, probe_writer
from streams.log.topics import require_topic
from streams.wire import MAX_MESSAGE_BYTES

LOG = logging.getLogger(__name__)

BATCH_BYTES = 1024 * 1024
FLUSH_S, CLOSE_S = 5.0, 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
SHORTEST_OUTAGE_S = 0.2
OUTAGES = (KafkaError, ProducerClosed, OSError, TimeoutError)
TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


@dataclass(slots=True)
class Stats:
    """What a producer did. ``outage`` says why records do not go through, empty while they do."""

    appended: int = 0
    refused: int = 0
    reconnects: int = 0
    outage: str = ""


class TopicProducer:
    """Appends to partition 0 of one topic. One batch is under way at a time, so order survives every retry.

    Records that come while a batch is under way form the next one: no lingering. A record is kept until the broker
    has acknowledged it. A batch whose acknowledgement was lost in an outage may be stored twice, whole and in order;
    its records say the same and carry the same numbers.
    """

    def __init__(self, where: str | Connection, topic: str, limits: Limits | None = None) -> None:
        self.connection = as_connection(where)
        self.topic = topic
        self.limits = limits or Limits()
        self.stats = Stats()
        self.idempotent = False
        self._backlog = Backlog(self.limits)
        self._under_way: list[Item] = []
        self._work = asyncio.Event()
        self._space = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._client: AIOKafkaProducer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; the topic must exist.

        Raises:
            WorldError: no broker answers, or it has no such topic.
        """
        self.idempotent = (await probe_writer(self.connection, self.topic)).idempotent
        if not self.idempotent:
            LOG.warning("Kafka at %s gives no producer ids: appending without them", self.connection.bootstrap)
        await require_topic(self.connection, self.topic)
        with broker_errors(self.connection, f"open a producer for {self.topic}"):
            await self._connect()
        self._task = asyncio.create_task(self._run(), name=f"append to {self.topic}")
        self._task.add_done_callback(self._ended)

    async def stop(self, timeout_s: float = FLUSH_S) -> int:
        """Send what waits, for ``timeout_s`` [s] at most, and close. Gives how many records were left behind."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout_s)
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._disconnect()
        return self._give_up("closed before Kafka acknowledged it")

    async def append(
        self, value: bytes, *, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = (), tick: bool = False
    ) -> int:
        """Append one record and wait for its offset, as long as an outage lasts.

        Raises:
            RecordTooLargeError: it can never be stored.
            StaleTickError: a tick that waited too long.
            WorldError: the producer is closed.
        """
        await self.space()
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._put(Item(value, key, headers, tick, self._now_s(), done))
        return await done

    def append_nowait(
        self, value: bytes, *, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = (), tick: bool = False
    ) -> None:
        """Queue one record; it is appended in order and kept through outages.

        Raises:
            RecordTooLargeError: it can never be stored.
            QueueFullError: too many wait already; a tick is dropped and counted instead.
            WorldError: the producer is closed.
        """
        if not self._backlog.is_full(self._now_s()):
            self._put(Item(value, key, headers, tick, self._now_s()))
        elif tick:
            self._backlog.dropped_ticks += 1
        else:
            raise QueueFullError(
                f"{self.queued} records for {self.topic} wait for Kafka at {self.connection.bootstrap} already "
                f"({self.stats.outage or 'it is too slow'})"
            )

    async def space(self) -> None:
        """Wait until a record may be queued."""
        while self._backlog.is_full(self._now_s()):
            self._require_open()
            self._space.clear()
            await self._space.wait()

    async def flush(self) -> None:
        """Wait until every record queued so far is acknowledged."""
        self._require_open()
        await self._idle.wait()
        self._require_open()

    @property
    def queued(self) -> int:
        """How many records are not acknowledged yet."""
        return len(self._backlog) + len(self._under_way)

    @property
    def dropped_ticks(self) -> int:
        """How many ticks were dropped."""
        return self._backlog.dropped_ticks

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _require_open(self) -> None:
        if self._task is None or self._task.done():
            raise WorldError(f"the producer for {self.topic} is not open: {self.stats.outage or 'start it first'}")

    def _put(self, item: Item) -> None:
        self._require_open()
        try:
            self._backlog.put(item)
        except RecordTooLargeError:
            self.stats.refused += 1
            raise
        self._idle.clear()
        self._work.set()

    async def _run(self) -> None:
        """Take what waits and deliver it, again and again."""
        while True:
            while not len(self._backlog):
                self._idle.set()
                self._work.clear()
                await self._work.wait()
            self._under_way = self._backlog.take(BATCH_BYTES, self._now_s())
            self._space.set()
            await self._deliver()

    async def _deliver(self) -> None:
        """Deliver the records under way, however long it takes."""
        pause_s = FIRST_PAUSE_S
        while self._under_way:
            try:
                await self._send(self._under_way)
            except TOO_LARGE as exc:
                self._narrow(exc)
            except OUTAGES as exc:
                self._note_outage(exc)
                if isinstance(exc, NOT_ALLOWED):
                    self._refuse(exc)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                await self._reconnect()
                self._under_way = self._backlog.without_stale(self._under_way, self._now_s())
            else:
                self._under_way = []

    async def _send(self, items: Sequence[Item]) -> None:
        """Send the items as one batch, which the broker stores whole or not at all, and hand out the offsets."""
        if self._client is None:
            raise ProducerClosed
        batch = self._client.create_batch()
        for item in items:
            if batch.append(timestamp=None, key=item.key, value=item.value, headers=list(item.headers)) is None:
                raise ValueError(f"{len(items)} records do not fit one batch of {BATCH_BYTES} bytes")
        stored = await self._acknowledged(await self._client.send_batch(batch, self.topic, partition=0))
        for position, item in enumerate(items):
            item.succeed(stored.offset + position)
        self.stats.appended += len(items)
        if self.stats.outage:
            LOG.warning("Kafka at %s takes records for %s again", self.connection.bootstrap, self.topic)
            self.stats.outage = ""

    async def _acknowledged(self, sent: asyncio.Future[RecordMetadata]) -> RecordMetadata:
        """Wait for the broker's word on a batch. A numbered producer tries for ever by itself: say that it is late."""
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())  # closing may leave it to itself
        await asyncio.wait([sent], timeout=max(self.limits.stale_tick_s, SHORTEST_OUTAGE_S))
        if not sent.done():
            self._note_outage(TimeoutError())
        return await sent

    def _narrow(self, error: KafkaError) -> None:
        """The broker takes less than we do: go on with the first record alone; refuse it where it is alone already."""
        first, *others = self._under_way
        if others:
            self._under_way = [first]
            self._backlog.put_back(others)
            return
        refusal = RecordTooLargeError(
            f"Kafka at {self.connection.bootstrap} refused a record of {first.size} bytes for {self.topic} "
            f"({type(error).__name__}): the topic's max.message.bytes must be {MAX_MESSAGE_BYTES}"
        )
        LOG.error("%s", refusal)
        first.fail(refusal)
        self.stats.refused += 1
        self._under_way = []

    def _refuse(self, error: KafkaError) -> None:
        """Whoever waits for a record that our user may not append is told; what nobody waits for is kept."""
        refusal = WorldError(f"Kafka takes no records for {self.topic}: {explain(error)[0]}")
        for item in self._under_way:
            item.fail(refusal)
        self._under_way = [item for item in self._under_way if item.done is None]

    def _note_outage(self, error: BaseException) -> None:
        reason, _ = explain(error)
        if not self.stats.outage:
            LOG.warning(
                "Kafka at %s takes no records for %s, they are kept: %s", self.connection.bootstrap, self.topic, reason
            )
        self.stats.outage = reason

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The task ends by cancellation only; anything else is our bug, and nobody may wait for it for ever."""
        if not task.cancelled() and task.exception() is not None:
            LOG.critical("the producer for %s failed", self.topic, exc_info=task.exception())
            self.stats.outage = repr(task.exception())
            self._give_up("the producer failed")
            self._space.set()

    def _give_up(self, why: str) -> int:
        left = [*self._under_way, *self._backlog.drain()]
        self._under_way = []
        for item in left:
            item.fail(WorldError(f"a record for {self.topic} may be lost: {why}. {self.stats.outage}".rstrip(" .")))
        if left:
            LOG.error("%d records for %s may be lost: %s", len(left), self.topic, why)
        self._idle.set()
        return len(left)

    async def _connect(self) -> None:
        client = AIOKafkaProducer(
            **self.connection.options(),
            enable_idempotence=self.idempotent,
            acks="all",
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=self.limits.request_timeout_ms,
        )
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        self._client = client

    async def _disconnect(self) -> None:
        """Close the client without its stop(), which would wait for a batch given up as long as the broker is away."""
        client, self._client = self._client, None
        if client is None:
            return
        client._closed = True  # noqa: SLF001 - what stop() does, less the waiting
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(client._sender.close(), CLOSE_S)  # noqa: SLF001 no public way to stop waiting for a broker that is gone
        await client.client.close()

    async def _reconnect(self) -> None:
        """A producer that failed once may fail for ever after (out of sequence, measured): make a new one."""
        await self._disconnect()
        self.stats.reconnects += 1
        try:
            await self._connect()
        except OUTAGES as exc:
            self._note_outage(exc)
