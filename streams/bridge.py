"""The bridge: copies every published entry from the Redis streams to topic `signals`, where it outlives trimming.

It goes on, miner by miner, behind what the topic holds. A copy whose acknowledgement was lost may be written twice;
readers of the topic tell copies apart by generation and seq in the headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from streams.backoff import Backoff
from streams.connect import REDIS_AWAY, kafka_connection, open_redis, text_of
from streams.copies import entry_of, records_of
from streams.errors import DivergedError, WorldError
from streams.log.connection import Connection
from streams.log.producer import TopicProducer
from streams.process import Process
from streams.tail import Follower, Told
from streams.wire import Entry

EVERYTHING = 2**62


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
    """The greatest (generation, seq) that the topic holds of each miner.

    Reads the whole topic: Kafka keeps no index by key, and no other place can say what the topic really holds.
    """
    held: dict[str, tuple[int, int]] = {}
    async for record in records_of(connection, topic):
        miner, generation, entry = entry_of(record)
        held[miner] = max((generation, entry.seq), held.get(miner, (0, 0)))
    return held


class Bridge:
    """Copies entries until cancelled. What stops it for good is said in health and leaves the process running."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._copied = process.health.counter("signals_copied", "Entries copied to topic signals, by miner.", "miner")
        self.copied: dict[str, tuple[int, int]] = {}
        """(generation, seq) up to which the topic holds each miner's entries, every one."""
        self._stopped = process.health.gauge("bridge_stopped", "Whether the bridge stopped for good (1).")

    async def run(self) -> None:
        """Copy for ever."""
        settings = self._process.settings
        connection = kafka_connection(settings)
        topic = settings.names.topic("signals")
        held = await held_entries(connection, topic)
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
        while True:
            try:
                told = await follower.next(block=True)
                pauses.reset()
            except REDIS_AWAY as error:
                self._process.say(f"the bridge waits for Redis: {text_of(error)}", loud=True)
                await asyncio.sleep(pauses.next_s())
                continue
            await self._append(told, producer)

    async def _append(self, told: Iterable[Told], producer: TopicProducer) -> None:
        """Append copies in order; all are acknowledged when this returns."""
        copies = [(each, each.entry) for each in told if each.entry is not None]
        await asyncio.gather(
            *(
                producer.append(
                    each.json,
                    key=each.miner.encode(),
                    headers=signal_headers(int(each.signal["generation"]), entry),
                )
                for each, entry in copies
            )
        )
        for each, entry in copies:
            self._copied.labels(each.miner).inc()
            self.copied[each.miner] = (int(each.signal["generation"]), entry.seq)
