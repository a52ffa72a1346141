"""The sink in memory: the twin of ``RedisSink`` for tests and offline replay. Nothing outlives the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from streams.errors import DivergedError, WorldError
from streams.sink.refilling import hole, other_entry
from streams.sink.rules import describe, judge
from streams.sink.wellformed import first_break, flaw, miner_flaw
from streams.wire import MARKET, NO_OFFSET, Entry, Head, SinkBatch, SinkReply, genesis_chain


@dataclass(slots=True)
class Record:
    """All that is kept of one miner; what is None does not exist. ``set_aside``: old streams by generation."""

    head: Head | None = None
    entries: list[Entry] | None = None
    checkpoint: tuple[int, bytes] | None = None
    sites: dict[str, dict[str, str]] = field(default_factory=dict)
    set_aside: dict[int, list[Entry]] = field(default_factory=dict)
    trim: tuple[int, int] = (0, 0)  # generation, number below which entries may go


def fresh_head(miner: str, generation: int) -> Head:
    """The head of a generation that has no entry yet."""
    return Head(generation, 0, NO_OFFSET, "", 0, genesis_chain(miner, generation), 1, 0, "", ())


class MemorySink:
    """A ``Sink`` in this process; ``put`` is ``write`` for code without an event loop."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._publishing: set[str] = set()

    def record(self, miner: str) -> Record:
        """What is kept of a miner, for tests that tamper with it."""
        return self.records.setdefault(miner, Record())

    def put(self, batch: SinkBatch) -> SinkReply:
        """Write one batch."""
        wrong = flaw(batch)
        if wrong:
            return SinkReply("REFUSED", 0, NO_OFFSET, 0, describe(batch.miner, ("malformed", wrong)))
        record = self.record(batch.miner)
        verdict = judge(record.head, record.entries, batch)
        appended = self._append(record, batch) if verdict.status == "OK" else 0
        offset, seq = (record.head.offset, record.head.seq) if record.head else (NO_OFFSET, 0)
        return SinkReply(verdict.status, appended, offset, seq, describe(batch.miner, verdict.reason))

    @staticmethod
    def _append(record: Record, batch: SinkBatch) -> int:
        seq, oldest = (record.head.seq, record.head.oldest_seq) if record.head else (0, 1)
        new = batch.entries[seq - batch.seq_before :]
        entries = record.entries or []
        entries.extend(new)
        record.entries = entries or None
        seq += len(new)
        kept_from = max(oldest, min(batch.trim_below, seq))  # the newest entry always stays
        del entries[: kept_from - oldest]
        record.head = Head(
            generation=batch.generation,
            epoch=batch.epoch,
            offset=batch.to_offset,
            raw_hash=batch.raw_hash,
            seq=seq,
            chain=batch.entries[-1].chain if batch.entries else batch.chain_before,
            oldest_seq=kept_from,
            log_time_us=batch.log_time_us,
            model_version=batch.model_version,
            degraded=tuple(batch.degraded),
            unconfirmed=tuple(batch.unconfirmed),
        )
        for site, fields in batch.sites.items():
            record.sites.setdefault(site, {}).update(fields)
        return len(new)

    async def write(self, batch: SinkBatch) -> SinkReply:
        """Append what the stream lacks of ``batch`` and move its head, or write nothing and say why."""
        return self.put(batch)

    async def write_many(self, batches: Sequence[SinkBatch]) -> list[SinkReply]:
        """Write several batches in the order given."""
        return [self.put(batch) for batch in batches]

    async def head(self, miner: str) -> Head | None:
        """Where a miner's stream stands."""
        return self.record(miner).head

    async def read(self, miner: str, after_seq: int = 0, count: int | None = None) -> list[Entry]:
        """Entries from ``after_seq`` + 1 on, at most ``count``; their chain is recomputed."""
        entries = self.record(miner).entries or []
        start = max(0, after_seq + 1 - entries[0].seq) if entries else 0
        found = entries[start:] if count is None else entries[start : start + count]
        broken = first_break(found)
        if broken:
            raise DivergedError(f"the stream of {miner}: {broken}; it was changed by another hand")
        return found

    async def site(self, miner: str, site: str) -> dict[str, str]:
        """A site's latest valuation; empty where there is none."""
        return dict(self.record(miner).sites.get(site, {}))

    async def sites(self, miner: str) -> list[str]:
        """A miner's sites that were ever valued, in order of name."""
        return sorted(self.record(miner).sites)

    async def store_checkpoint(self, miner: str, offset: int, blob: bytes, generation: int | None = None) -> bool:
        """Keep a checkpoint unless a newer one is there, the head is not so far, or of another generation."""
        if offset < 0:
            raise ValueError(f"a checkpoint of {miner} at offset {offset}: offsets count from 0")
        record = self.record(miner)
        if not miner.startswith(MARKET[0]):
            if record.head is None or offset > record.head.offset:
                return False
            if generation is not None and generation != record.head.generation:
                return False
        if record.checkpoint is None or offset > record.checkpoint[0]:
            record.checkpoint = (offset, blob)
        return offset == record.checkpoint[0]

    async def load_checkpoint(self, miner: str) -> tuple[int, bytes] | None:
        """The newest checkpoint."""
        return self.record(miner).checkpoint

    async def new_generation(self, miner: str, least: int = 1) -> int:
        """Set the old stream aside, drop the checkpoint, number from 1 again."""
        wrong = miner_flaw(miner)
        if wrong:
            raise ValueError(wrong)
        old = self.record(miner)
        last = old.head.generation if old.head else 0
        new = max(last + 1, least)
        set_aside = dict(old.set_aside)
        if old.entries is not None:
            if last in set_aside:
                raise WorldError(
                    f"cannot set the stream of {miner} aside: generation {last} is there already; rename or delete "
                    f"that one first"
                )
            set_aside[last] = old.entries
        self.records[miner] = replace(
            old, head=fresh_head(miner, new), entries=None, checkpoint=None, set_aside=set_aside
        )
        return new

    async def refill(self, miner: str, entries: Sequence[Entry], head: Head | None = None) -> bool:
        """Fill a lost stream from a copy; see the contract."""
        record = self.record(miner)
        if record.head is not None:
            return False
        kept = list(record.entries or ())
        for entry in entries:
            at = entry.seq - kept[0].seq if kept else 0
            if kept and at < 0:
                continue
            if at < len(kept):
                if (kept[at].chain, kept[at].json) != (entry.chain, entry.json):
                    raise DivergedError(other_entry(miner, entry.seq, entry.chain, kept[at].chain))
            elif kept and entry.seq != kept[-1].seq + 1:
                record.entries = kept
                raise WorldError(hole(miner, kept[-1].seq, entry.seq))
            else:
                kept.append(entry)
        record.entries = kept or None
        if head is not None:
            if not kept:
                raise WorldError(hole(miner, 0, 0))
            record.head = replace(
                head, seq=kept[-1].seq, chain=kept[-1].chain, oldest_seq=kept[0].seq, degraded=(), unconfirmed=()
            )
        return True

    async def mark_trim(self, miner: str, generation: int, below: int) -> None:
        """Say below which number entries may go."""
        self.record(miner).trim = (generation, below)

    async def trim_mark(self, miner: str, generation: int) -> int:
        """The number below which entries may go."""
        of, below = self.record(miner).trim
        return below if of == generation else 0

    async def register(self, miner: str) -> None:
        """Add to the miners that publish."""
        self._publishing.add(miner)

    async def miners(self) -> list[str]:
        """The miners that publish, in order of name."""
        return sorted(self._publishing)

    async def close(self) -> None:
        """Nothing to let go of; what was written stays readable."""
