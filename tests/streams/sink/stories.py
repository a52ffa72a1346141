"""What the sink's tests tell stories with: computations of a log, batches cut from them, stores to tamper with."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, cast

import redis.asyncio

from streams.sink import MemorySink, RedisSink, Sink
from streams.sink.memory import Record
from streams.wire import Entry, Names, SinkBatch, genesis_chain, next_chain

PARTS = ("head", "signals", "checkpoint")
Snapshot = Mapping[str, Any]


@dataclass(frozen=True)
class Computation:
    """What one worker's code makes of a log for one miner: entries (offset, bytes), where epochs begin, its birth."""

    miner: str
    entries: tuple[tuple[int, bytes], ...]
    born: int = 0
    generation: int = 1
    epochs: Mapping[int, int] = field(default_factory=dict)  # offset of the start: number
    log: str = "log"

    @cached_property
    def chains(self) -> list[str]:
        """The chain after each number of entries."""
        chains = [genesis_chain(self.miner, self.generation)]
        for _, json in self.entries:
            chains.append(next_chain(chains[-1], json))
        return chains

    def upto(self, offset: int) -> int:
        """How many entries lie at or before an offset."""
        return sum(own <= offset for own, _ in self.entries)

    def epoch(self, offset: int) -> int:
        """The epoch that an offset belongs to."""
        return max((number for start, number in self.epochs.items() if start <= offset), default=0)

    def cut(self, first: int, last: int) -> int:
        """The last offset of a batch from ``first`` that should reach ``last`` and may not span an epoch's start."""
        return min([last, *(start - 1 for start in self.epochs if first < start <= last)])

    def batch(self, first: int, last: int, **changes: Any) -> SinkBatch:
        """The batch of the offsets ``first`` to ``last``."""
        before, after = self.upto(first - 1), self.upto(last)
        batch = SinkBatch(
            miner=self.miner,
            generation=self.generation,
            epoch=self.epoch(first),
            opens_epoch=first in self.epochs,
            starts_generation=first <= self.born <= last,
            from_offset=first,
            to_offset=last,
            seq_before=before,
            chain_before=self.chains[before],
            entries=[self.entry(seq) for seq in range(before + 1, after + 1)],
            raw_hash=f"{self.log}:{last}",
            log_time_us=1_700_000_000_000_000 + last,
            model_version="m1",
        )
        return replace(batch, **changes)

    def entry(self, seq: int) -> Entry:
        """The entry of a number."""
        offset, json = self.entries[seq - 1]
        return Entry(offset, seq, self.chains[seq], json)


def rechained(batch: SinkBatch, entries: Collection[tuple[int, bytes]]) -> SinkBatch:
    """The same batch with other entries (offset, bytes), numbered and chained anew."""
    chain, made = batch.chain_before, []
    for seq, (offset, json) in enumerate(entries, start=batch.seq_before + 1):
        chain = next_chain(chain, json)
        made.append(Entry(offset, seq, chain, json))
    return replace(batch, entries=made)


class Store(Protocol):
    """A sink and the hand that reaches behind it."""

    sink: Sink

    async def snapshot(self, miner: str) -> Snapshot:
        """All that is kept of a miner, part by part."""
        ...

    async def restore(self, miner: str, snapshot: Snapshot, parts: Collection[str] = PARTS) -> None:
        """Put parts back as they were; a part that was not there is deleted."""
        ...

    async def move_head(self, miner: str, offset: int) -> None:
        """Write another offset into the head, and nothing else."""
        ...

    async def set_aside(self, miner: str, generation: int) -> list[Entry]:
        """The entries of an old generation's stream."""
        ...


class MemoryStore:
    """A MemorySink laid open."""

    def __init__(self) -> None:
        self.sink: Sink = MemorySink()

    def _record(self, miner: str) -> Record:
        return cast("MemorySink", self.sink).record(miner)

    async def snapshot(self, miner: str) -> Snapshot:
        record = self._record(miner)
        return copy.deepcopy({"head": record.head, "signals": record.entries, "checkpoint": record.checkpoint})

    async def restore(self, miner: str, snapshot: Snapshot, parts: Collection[str] = PARTS) -> None:
        names = {"head": "head", "signals": "entries", "checkpoint": "checkpoint"}
        for part in parts:
            setattr(self._record(miner), names[part], copy.deepcopy(snapshot.get(part)))

    async def move_head(self, miner: str, offset: int) -> None:
        record = self._record(miner)
        assert record.head is not None
        record.head = replace(record.head, offset=offset)

    async def set_aside(self, miner: str, generation: int) -> list[Entry]:
        return self._record(miner).set_aside.get(generation, [])


class RedisStore:
    """A RedisSink and a client beside it."""

    def __init__(self, client: redis.asyncio.Redis, names: Names) -> None:
        self.client, self.names = client, names
        self.sink: Sink = RedisSink(client, names)

    async def snapshot(self, miner: str) -> Snapshot:
        return {part: await self.client.dump(self.names.key(miner, part)) for part in PARTS}

    async def restore(self, miner: str, snapshot: Snapshot, parts: Collection[str] = PARTS) -> None:
        for part in parts:
            key, kept = self.names.key(miner, part), snapshot.get(part)
            if kept is None:
                await self.client.delete(key)
            else:
                await self.client.restore(key, 0, kept, replace=True)

    async def move_head(self, miner: str, offset: int) -> None:
        await self.client.hset(self.names.key(miner, "head"), "offset", str(offset))

    async def set_aside(self, miner: str, generation: int) -> list[Entry]:
        found = await self.client.xrange(f"{self.names.key(miner, 'signals')}:g{generation}")
        pairs = cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
        return [
            Entry(int(fields[b"offset"]), int(entry_id.partition(b"-")[0]), fields[b"chain"].decode(), fields[b"json"])
            for entry_id, fields in pairs
        ]


async def kept(client: redis.asyncio.Redis, names: Names) -> dict[bytes, bytes | None]:
    """Every key of the run with all it holds."""
    keys = sorted([key async for key in client.scan_iter(match=f"{names.prefix}*", count=1_000)])
    return {key: await client.dump(key) for key in keys}
