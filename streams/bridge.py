"""The bridge: copies every published entry from the Redis streams to topic `signals`, where it outlives trimming.

It goes on, miner by miner, behind what the topic holds. A copy whose acknowledgement was lost may be written twice;
readers of the topic tell copies apart by generation and seq in the headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from streams.backoff import Backoff
from streams.connect import REDIS_AWAY, kafka_connection, open_redis, text_of
from streams.copies import end_of, entry_of, records_of
from streams.errors import DivergedError, WorldError
from streams.log.connection import BrokerError, Connection
from streams.log.producer import TopicProducer
from streams.process import Process
from streams.tail import Follower, Told
from streams.wire import Entry

EVERYTHING = 2**62
CHECK_S = 10.0
"""How often the topic is asked whether it still holds the last copy [s]."""


def signal_headers(generation: int, entry: Entry) -> list[tuple[str, bytes]]:
    """Headers of an entry's copy: what tells copies apart, and what its reader checks the chain by.

    >>> signal_headers(1, Entry(7, 3, "c0ffee", b"{}"))
    [('generation', b'1'), ('seq', b'3'), ('offset', b'7'), ('chain', b'c0ffee')]
    """
    return [
        ("generation", b"%d" % generation),
        ("seq", b"%d" % entry.seq),
        ("offset", b"%d" % entry.offset),
        ("chain", entry.chain.encode()),
    ]


async def held_entries(connection: Connection, topic: str) -> dict[str, tuple[int, int]]:
    """The (generation, seq) up to which the topic holds each miner's entries, none missing between.

    Reads the whole topic: Kafka keeps no index by key, and no other place can say what the topic really holds.
    """
    return (await read_held(connection, topic))[0]


async def read_held(connection: Connection, topic: str) -> tuple[dict[str, tuple[int, int]], int]:
    """What :func:`held_entries` gives, and the offset of the topic's last record (-1: it has none)."""
    held: dict[str, tuple[int, int]] = {}
    first, last = -1, -1
    async for record in records_of(connection, topic):
        first, last = record.offset if first < 0 else first, record.offset
        miner, generation, entry = entry_of(record)
        before, seq = held.get(miner, (0, 0))
        if generation > before:
            # Only a topic that its retention has cut may begin in the middle of a stream; one that lost all may not.
            held[miner] = (generation, entry.seq if first > 0 or entry.seq == 1 else 0)
        elif generation == before and entry.seq == seq + 1:
            held[miner] = (generation, entry.seq)
    return held, last


class LostEndError(Exception):
    """The topic gave an offset again that it had given before: it lost its end, and with it copies."""


class Bridge:
    """Copies entries until cancelled. What stops it for good is said in health and leaves the process running."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._copied = process.health.counter("signals_copied", "Entries copied to topic signals, by miner.", "miner")
        self.copied: dict[str, tuple[int, int]] = {}
        """(generation, seq) up to which the topic holds each miner's entries, every one."""
        self._last_offset = -1
        self._stopped = process.health.gauge("bridge_stopped", "Whether the bridge stopped for good (1).")

    async def run(self) -> None:
        """Copy for ever; behind what the topic holds, also where that has become less."""
        while True:
            try:
                await self._run()
            except LostEndError as lost:
                self._process.say(f"the bridge: {lost}", loud=True)
            else:
                return

    async def _run(self) -> None:
        settings = self._process.settings
        connection = kafka_connection(settings)
        topic = settings.names.topic("signals")
        held, self._last_offset = await read_held(connection, topic)
        self.copied = dict(held)
        producer = TopicProducer(connection, topic)
        await producer.start()
        client = open_redis(settings)
        try:
            follower = Follower(client, settings.names, None, latest=EVERYTHING, held=held)
            await self._copy(follower, producer)
        except (DivergedError, WorldError) as error:
            self._stopped.set(1)
            self._process.health.facts["bridge"] = f"stopped: {error}"
            self._process.say(f"the bridge to {topic} stopped: {error}", loud=True)
        finally:
            await producer.stop()
            await client.aclose()

    async def _copy(self, follower: Follower, producer: TopicProducer) -> None:
        pauses = Backoff(first_s=0.2, longest_s=5.0)
        loop = asyncio.get_running_loop()
        check_s = loop.time() + CHECK_S
        while True:
            try:
                told = await follower.next(block=True)
                pauses.reset()
            except REDIS_AWAY as error:
                self._process.say(f"the bridge waits for Redis: {text_of(error)}", loud=True)
                await asyncio.sleep(pauses.next_s())
                continue
            await self._append(told, producer)
            if loop.time() >= check_s:
                await self._check_end(producer)
                check_s = loop.time() + CHECK_S

    async def _check_end(self, producer: TopicProducer) -> None:
        """Ask whether the topic still reaches to the last copy: a quiet miner's next entry may be long in coming."""
        if not producer.idempotent:
            return  # a broker in memory, whose ends are not exact and which loses all or nothing
        try:
            end = await end_of(producer.connection, producer.topic)
        except BrokerError:
            return  # away: it is asked again
        if end <= self._last_offset:
            raise LostEndError(
                f"{producer.topic} ends at {end - 1}, not {self._last_offset}: copying again behind that"
            )

    async def _append(self, told: Iterable[Told], producer: TopicProducer) -> None:
        """Append copies in order; all are acknowledged when this returns."""
        copies = [(each, each.entry) for each in told if each.entry is not None]
        offsets = await asyncio.gather(
            *(
                producer.append(
                    each.json,
                    key=each.miner.encode(),
                    headers=signal_headers(int(each.signal["generation"]), entry),
                )
                for each, entry in copies
            )
        )
        if offsets and offsets[0] <= self._last_offset:
            raise LostEndError(
                f"{producer.topic} gave offset {offsets[0]} after {self._last_offset}: it lost its end; copying again "
                "behind what it holds"
            )
        self._last_offset = max([self._last_offset, *offsets])
        for each, entry in copies:
            self._copied.labels(each.miner).inc()
            self.copied[each.miner] = (int(each.signal["generation"]), entry.seq)
