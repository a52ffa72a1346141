"""What outlives Redis: topic `signals` holds every entry, topic `checkpoints` a ring of sets of checkpoints.

A set is the market's checkpoint and one of every miner, none of which lies before the market's and none of which counts
an entry that topic `signals` does not hold. The ring is of keys: compaction keeps the newest set under each. Sets of a
hand-over to other code have keys of their own, and so has the mark that says which generation a miner's stream is of.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.checkpoint import Checkpoint
from streams.errors import WorldError
from streams.log.closing import close_consumer
from streams.log.connection import Connection, broker_errors
from streams.wire import MARKET, MAX_MESSAGE_BYTES, Entry, Names

LAST_LOOK_MS = 500
END_S = 10.0
RING = 48
"""Sets kept. With one every five minutes they reach four hours back; a log is read again from the oldest if need be."""
EPOCHS = 8
"""Hand-overs of which the set is kept."""


async def records_of(connection: Connection, topic: str, first: int | None = None) -> AsyncIterator[ConsumerRecord]:
    """Every record of a topic of one partition, to its end now; from an offset on, where one is given."""
    with broker_errors(connection, f"read topic {topic}"):
        consumer = AIOKafkaConsumer(
            **connection.options(), enable_auto_commit=False, max_partition_fetch_bytes=MAX_MESSAGE_BYTES
        )
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.start()
        try:
            if first is None:
                await consumer.seek_to_beginning(partition)
            else:
                consumer.seek(partition, first)
            end = (await consumer.end_offsets([partition]))[partition]
            while True:
                found = await consumer.getmany(timeout_ms=LAST_LOOK_MS)
                for record in found.get(partition, ()):
                    yield record
                # Some brokers name the start of the last batch as the end: one empty look behind it makes sure.
                if not found and await consumer.position(partition) >= end:
                    return
        finally:
            await close_consumer(consumer)


async def end_of(connection: Connection, topic: str) -> int:
    """The offset behind the last record of a topic of one partition, as the broker says it."""
    with broker_errors(connection, f"look for the end of {topic}"):
        consumer = AIOKafkaConsumer(**connection.options(), enable_auto_commit=False)
        await consumer.start()
        try:
            partition = TopicPartition(topic, 0)
            async with asyncio.timeout(END_S):
                return int((await consumer.end_offsets([partition]))[partition])
        finally:
            await close_consumer(consumer)


@dataclass(slots=True)
class Copy:
    """What topic `signals` holds of a miner's newest generation, each entry once, in whatever order it came.

    A topic that lost its end, and then got it again, holds some entries behind later ones.
    """

    generation: int
    _found: dict[int, Entry] = field(default_factory=dict)
    _run: list[Entry] = field(default_factory=list)

    @property
    def entries(self) -> list[Entry]:
        """The entries from the first one on, as far as none is missing."""
        if not self._run and self._found:
            seq = min(self._found)
            while seq in self._found:
                self._run.append(self._found[seq])
                seq += 1
        return self._run

    @property
    def seq(self) -> int:
        """The last entry's number, 0 where there is none."""
        return self.entries[-1].seq if self._found else 0

    @property
    def broken(self) -> str:
        """Where an entry is missing; empty where none is."""
        if len(self.entries) == len(self._found):
            return ""
        return f"after entry {self.seq} comes entry {min(seq for seq in self._found if seq > self.seq)}"

    def take(self, entry: Entry) -> None:
        """Take a copy; one that came before is let pass."""
        if entry.seq not in self._found:
            self._found[entry.seq] = entry
            self._run = []


def entry_of(record: ConsumerRecord) -> tuple[str, int, Entry]:
    """A record of topic `signals`: miner, generation, entry."""
    headers = dict(record.headers)
    offset, seq, chain = int(headers["offset"]), int(headers["seq"]), headers["chain"].decode()
    return record.key.decode(), int(headers["generation"]), Entry(offset, seq, chain, record.value)


async def copies_of(connection: Connection, names: Names, wanted: Iterable[str] | None = None) -> dict[str, Copy]:
    """The copies that topic `signals` holds of each miner, or of those wanted."""
    only = None if wanted is None else set(wanted)
    found: dict[str, Copy] = {}
    async for record in records_of(connection, names.topic("signals")):
        miner, generation, entry = entry_of(record)
        if only is not None and miner not in only:
            continue
        copy = found.setdefault(miner, Copy(generation))
        if generation > copy.generation:
            copy = found[miner] = Copy(generation)
        if generation == copy.generation:
            copy.take(entry)
    return found


@dataclass(slots=True)
class CheckpointSet:
    """Checkpoints that belong together. ``names``: which there must be; ``number``: 0 for one of a hand-over."""

    number: int
    names: Sequence[str]
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)

    @property
    def place(self) -> tuple[int, int]:
        """What newer sets have more of: how far the market has come, then the number."""
        return max(kept.offset for name, kept in self.checkpoints.items() if name.startswith(MARKET)), self.number

    @property
    def is_whole(self) -> bool:
        """Whether none is missing, nor the market's."""
        found = self.checkpoints.keys()
        return found == set(self.names) and any(name.startswith(MARKET) for name in found)


def set_key(name: str, number: int) -> bytes:
    """Key of a checkpoint in the ring.

    >>> set_key("mara", 49)
    b'mara:1'
    """
    return f"{name}:{number % RING}".encode()


def set_headers(number: int, names: Sequence[str]) -> list[tuple[str, bytes]]:
    """Headers of a checkpoint in the topic."""
    return [("set", b"%d" % number), ("names", orjson.dumps(sorted(names)))]


def handover_key(name: str, epoch: int) -> bytes:
    """Key of a checkpoint right before the start of an epoch of other code.

    >>> handover_key("mara", 9)
    b'mara:epoch-1'
    """
    return f"{name}:epoch-{epoch % EPOCHS}".encode()


def handover_headers(market: str, epoch: int, names: Sequence[str]) -> list[tuple[str, bytes]]:
    """Headers of a hand-over's checkpoint; each part's market has a set of its own."""
    return [("set", f"{market}:epoch-{epoch}".encode()), ("names", orjson.dumps(sorted(names)))]


async def sets_of(connection: Connection, names: Names) -> list[CheckpointSet]:
    """The whole sets that topic `checkpoints` holds, the newest first."""
    found: dict[bytes, CheckpointSet] = {}
    async for record in records_of(connection, names.topic("checkpoints")):
        headers = dict(record.headers)
        label = headers.get("set")
        if label is None:
            continue  # the mark of a generation
        number = int(label) if label.isdigit() else 0
        kept = found.setdefault(label, CheckpointSet(number, orjson.loads(headers["names"])))
        name = record.key.decode().rpartition(":")[0]
        with contextlib.suppress(WorldError):  # of another version: its set stays incomplete and is passed over
            kept.checkpoints[name] = Checkpoint.decode(record.value)
    whole = [each for each in found.values() if each.is_whole]
    return sorted(whole, key=lambda each: each.place, reverse=True)


def generation_mark(miner: str, generation: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Key and headers of the record that says which generation a miner's stream is of at least.

    >>> generation_mark("mara", 2)
    (b'mara:generation', [('generation', b'2')])
    """
    return f"{miner}:generation".encode(), [("generation", b"%d" % generation)]


async def generations_of(connection: Connection, names: Names) -> dict[str, int]:
    """The generation that each miner's stream is of at least, where a rebuild said one."""
    found: dict[str, int] = {}
    async for record in records_of(connection, names.topic("checkpoints")):
        headers = dict(record.headers)
        if "set" not in headers:
            miner = record.key.decode().rpartition(":")[0]
            found[miner] = max(found.get(miner, 0), int(headers["generation"]))
    return found


def usable_set(
    sets: Iterable[CheckpointSet], copies: Mapping[str, Copy], market: str, carried: Iterable[str]
) -> CheckpointSet | None:
    """The newest set from which the streams of the carried miners can go on; each is in it, or was born after it.

    A miner's checkpoint must be of the generation that its copy is of and count no more than the copy holds.
    """
    miners = list(carried)
    for each in sets:
        kept = each.checkpoints.get(market)
        if kept is None or not set(kept.miners) <= each.checkpoints.keys():
            continue
        fits = [
            _fits(each.checkpoints.get(miner), copies[miner], kept.offset) for miner in miners if copies[miner].entries
        ]
        if all(fits):
            return each
    return None


def _fits(checkpoint: Checkpoint | None, copy: Copy, market_offset: int) -> bool:
    if checkpoint is None:
        return copy.entries[0].seq == 1 and copy.entries[0].offset > market_offset
    if checkpoint.generation != copy.generation or not market_offset <= checkpoint.offset:
        return False
    if checkpoint.seq == 0:
        return True
    at = checkpoint.seq - copy.entries[0].seq
    return 0 <= at < len(copy.entries) and copy.entries[at].chain == checkpoint.chain
