"""What batches and stored entries must be in themselves, whatever is compared with them: numbered and chained. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from streams.wire import MARKET, Entry, SinkBatch, genesis_chain, next_chain

LARGEST = 2**53 - 1  # the last whole number that Lua and JSON readers keep exact
MAX_SITE_FIELDS = 1_000


def miner_flaw(miner: str) -> str | None:
    """Why no stream can bear this name, or None.

    >>> miner_flaw("mara"), miner_flaw("_market")
    (None, "'_market' is no miner's name: one is not empty, does not begin with '_', has no braces")
    """
    if not miner or miner.startswith(MARKET[0]) or "{" in miner or "}" in miner:
        return f"{miner!r} is no miner's name: one is not empty, does not begin with '_', has no braces"
    return None


def flaw(batch: SinkBatch) -> str | None:
    """Why no honest worker can have made this batch, or None. Recomputes the chain over every entry's bytes."""
    numbered = miner_flaw(batch.miner) or _number_flaw(batch)
    return numbered or _start_flaw(batch) or _entry_flaw(batch) or _site_flaw(batch)


def _number_flaw(batch: SinkBatch) -> str | None:
    for name in ("generation", "epoch", "from_offset", "to_offset", "seq_before", "log_time_us", "trim_below"):
        value = getattr(batch, name)
        if type(value) is not int or not 0 <= value <= LARGEST:
            return f"{name} {value!r} is not a whole number from 0 to {LARGEST}"
    if batch.generation < 1:
        return "generation 0: generations count from 1"
    if batch.from_offset > batch.to_offset:
        return f"from offset {batch.from_offset} lies beyond to offset {batch.to_offset}"
    return None


def _start_flaw(batch: SinkBatch) -> str | None:
    if not batch.starts_generation:
        return None
    if batch.seq_before != 0:
        return f"it starts a generation with {batch.seq_before} entries before it"
    if batch.chain_before != genesis_chain(batch.miner, batch.generation):
        return f"it starts generation {batch.generation} from chain {batch.chain_before}, which is not its genesis"
    return None


def _entry_flaw(batch: SinkBatch) -> str | None:
    if not batch.chain_before:
        return "the chain before it is empty"
    seq, offset, chain = batch.seq_before, batch.from_offset, batch.chain_before
    for entry in batch.entries:
        seq += 1
        if entry.seq != seq:
            return f"entry {entry.seq} stands where {seq} belongs"
        if type(entry.offset) is not int or not offset <= entry.offset <= batch.to_offset:
            return f"entry {seq} has offset {entry.offset}, outside {offset} to {batch.to_offset}"
        if not entry.json:
            return f"entry {seq} has no bytes"
        chain = next_chain(chain, entry.json)
        if entry.chain != chain:
            return f"entry {seq} carries chain {entry.chain}, its bytes give {chain}"
        offset = entry.offset
    if seq > LARGEST:
        return f"seq {seq} is beyond {LARGEST}"
    return None


def _site_flaw(batch: SinkBatch) -> str | None:
    for site, fields in batch.sites.items():
        if not site or not 1 <= len(fields) <= MAX_SITE_FIELDS:
            return f"site {site!r} has {len(fields)} fields, 1 to {MAX_SITE_FIELDS} are allowed"
    return None


def first_break(entries: Sequence[Entry]) -> str | None:
    """Where entries read back are not one gapless chain, or None.

    >>> first_break([Entry(7, 1, "a", b"x"), Entry(7, 3, "b", b"y")])
    'entry 3 follows entry 1'
    """
    for before, entry in pairwise(entries):
        if entry.seq != before.seq + 1:
            return f"entry {entry.seq} follows entry {before.seq}"
        if entry.chain != next_chain(before.chain, entry.json):
            return f"the bytes of entry {entry.seq} do not give its chain {entry.chain}"
    return None
