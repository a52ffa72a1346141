"""The law of the sink in Python: what becomes of a batch, given a miner's head and entries. Pure, writes nothing.

``changeover.lua`` is the same law inside Redis, test by test in the same order; a property test holds the two
together. The texts of all reasons live here, for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.wire import NO_OFFSET, Entry, Head, SinkBatch, Status, genesis_chain

REASONS = {
    "malformed": "the batch is malformed: {0}",
    "no_head": "there is no head, and the batch (offsets {0} to {1}, from entry {2} on) starts no generation",
    "headless": "a stream of {0} entries has no head",
    "damaged_head": "field {0} of the head holds {1!r}",
    "torn": "head says entries {0} to {1}, the stream holds {2}: {3} to {4}",
    "torn_chain": "head says chain {1} at entry {0}, the stream has {2} there",
    "generation": "the batch is of generation {0}, the head of generation {1}",
    "epoch_behind": "the batch of epoch {0} reaches to offset {1}, past the head at {3}, which is of epoch {2}",
    "epoch_unannounced": "the batch is of epoch {0}, the head of {1}, and the batch does not open with its epoch entry",
    "epoch_spanned": "the batch of epoch {0} begins at offset {1}, its epoch entry has offset {2}",
    "epoch_late": "the batch opens epoch {0} at offset {1}, but epoch {2} has moved the head to {3}",
    "gap": "the batch begins at offset {0}, the head stands at {1}",
    "count": "up to offset {0} the batch counts {1} entries, the stream {2}",
    "more": "up to offset {0} the batch counts {1} entries, the stream has entry {2} at offset {3}",
    "other_log": "the raw record at offset {0} has hash {1} in the batch, {2} in the head: two logs",
    "chain": "after entry {0} the batch has chain {1}, the stream {2}",
    "offset": "the batch begins at offset {0} after entry {1}, which the stream has at offset {2}",
    "entry": "entry {0} is offset {1}, chain {2} in the batch, offset {3}, chain {4} in the stream",
    "bytes": "entry {0} (offset {1}, chain {2}) has other bytes in the stream",
    "passed": "entry {0} of the batch has offset {1}, the head passed {2} without it",
}


class Verdict(NamedTuple):
    """What becomes of a batch; ``reason`` is a key of ``REASONS`` and its values, empty where nothing is wrong."""

    status: Status
    reason: tuple[str | int, ...] = ()


def describe(miner: str, reason: Sequence[str | int]) -> str:
    """The text of a reason.

    >>> describe("mara", ("gap", 12, 9))
    'mara: the batch begins at offset 12, the head stands at 9'
    """
    return f"{miner}: {REASONS[str(reason[0])].format(*reason[1:])}" if reason else ""


def judge(head: Head | None, entries: Sequence[Entry] | None, batch: SinkBatch) -> Verdict:
    """What becomes of a well-formed batch. ``entries`` are those stored, None where the stream does not exist."""
    if head is None:
        if entries is not None:
            return Verdict("DIVERGED", ("headless", len(entries)))
        if batch.starts_generation:
            return Verdict("OK")
        return Verdict("EMPTY", ("no_head", batch.from_offset, batch.to_offset, batch.seq_before + 1))
    torn = _torn(head, entries)
    if torn:
        return Verdict("DIVERGED", torn)
    if batch.generation != head.generation:
        return Verdict("REFUSED", ("generation", batch.generation, head.generation))
    unborn = head.offset == NO_OFFSET and head.seq == 0
    if not (unborn and batch.starts_generation):
        misplaced = _misplaced(head, batch)
        if misplaced:
            return misplaced
    difference = _miscounted(head, entries or (), batch) or _different(head, entries or (), batch)
    if difference:
        return Verdict("DIVERGED", difference)
    return Verdict("DUPLICATE" if batch.to_offset <= head.offset else "OK")


def _torn(head: Head, entries: Sequence[Entry] | None) -> tuple[str | int, ...]:
    """Head and stream contradict each other: one of them was lost, restored or changed by another hand."""
    if head.seq == 0 and entries is None:
        return ()
    stored = entries or ()
    first, last = (f"{stored[0].seq}-0", f"{stored[-1].seq}-0") if stored else ("none", "none")
    whole = len(stored) == head.seq - head.oldest_seq + 1
    if not whole or first != f"{head.oldest_seq}-0" or last != f"{head.seq}-0":
        return ("torn", head.oldest_seq, head.seq, len(stored), first, last)
    if stored[-1].chain != head.chain:
        return ("torn_chain", head.seq, head.chain, stored[-1].chain)
    return ()


def _misplaced(head: Head, batch: SinkBatch) -> Verdict | None:
    """The batch is of an epoch or an offset that cannot follow this head."""
    if batch.epoch < head.epoch and batch.to_offset > head.offset:
        return Verdict("REFUSED", ("epoch_behind", batch.epoch, batch.to_offset, head.epoch, head.offset))
    if batch.epoch > head.epoch:
        if not batch.opens_epoch or not batch.entries:
            return Verdict("REFUSED", ("epoch_unannounced", batch.epoch, head.epoch))
        if batch.entries[0].offset != batch.from_offset:
            return Verdict("REFUSED", ("epoch_spanned", batch.epoch, batch.from_offset, batch.entries[0].offset))
    if batch.from_offset > head.offset + 1:
        return Verdict("GAP", ("gap", batch.from_offset, head.offset))
    if batch.epoch > head.epoch and batch.from_offset <= head.offset:
        return Verdict("DIVERGED", ("epoch_late", batch.epoch, batch.from_offset, head.epoch, head.offset))
    return None


def _miscounted(head: Head, entries: Sequence[Entry], batch: SinkBatch) -> tuple[str | int, ...]:
    """Batch and stream count different numbers of entries up to one offset, or their logs differ there."""
    last_seq = batch.seq_before + len(batch.entries)
    if batch.to_offset > head.offset:
        if batch.seq_before > head.seq:
            return ("count", batch.from_offset - 1, batch.seq_before, head.seq)
        if last_seq < head.seq:
            return ("count", batch.to_offset, last_seq, head.seq)
        return ()
    if last_seq > head.seq:
        return ("count", batch.to_offset, last_seq, head.seq)
    following = max(last_seq + 1, head.oldest_seq) - head.oldest_seq
    if following < len(entries) and entries[following].offset <= batch.to_offset:
        return ("more", batch.to_offset, last_seq, entries[following].seq, entries[following].offset)
    if batch.to_offset == head.offset and batch.raw_hash != head.raw_hash:
        return ("other_log", batch.to_offset, batch.raw_hash, head.raw_hash)
    return ()


def _different(head: Head, entries: Sequence[Entry], batch: SinkBatch) -> tuple[str | int, ...]:
    """The first place where batch and stream are not the same; entries trimmed away count as the same."""
    before = batch.seq_before
    if before == 0 or before >= head.oldest_seq:
        chain = entries[before - head.oldest_seq].chain if before else genesis_chain(batch.miner, batch.generation)
        if batch.chain_before != chain:
            return ("chain", before, batch.chain_before, chain)
    if before >= head.oldest_seq and entries[before - head.oldest_seq].offset >= batch.from_offset:
        return ("offset", batch.from_offset, before, entries[before - head.oldest_seq].offset)
    for entry in batch.entries:
        if entry.seq > head.seq:
            if entry.offset <= head.offset:
                return ("passed", entry.seq, entry.offset, head.offset)
            break  # offsets never fall within a batch: those that follow lie beyond the head too
        stored = entries[entry.seq - head.oldest_seq] if entry.seq >= head.oldest_seq else entry
        if (entry.offset, entry.chain) != (stored.offset, stored.chain):
            return ("entry", entry.seq, entry.offset, entry.chain, stored.offset, stored.chain)
        if entry.json != stored.json:
            return ("bytes", entry.seq, entry.offset, entry.chain)
    return ()
