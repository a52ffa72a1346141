"""A Redis that came back empty is filled again: entries from topic `signals`, engine states from topic `checkpoints`.

Entries are never computed again by newer code; what lies behind the last of them is, by the worker, from the
checkpoints laid down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from streams.checkpoint import Checkpoint
from streams.copies import CheckpointSet, Copy, copies_of, generations_of, sets_of, usable_set
from streams.errors import LogChangedError
from streams.log import RawReader
from streams.part import Part
from streams.sink import Sink
from streams.wire import MARKET, NO_OFFSET, Head, Names

PAGE = 500


@dataclass(frozen=True, slots=True)
class Refilled:
    """What was filled: entries of each miner, and the offset the engines go on behind; None: from the first record.

    ``holes``: where topic `signals` lacks entries; what lies behind is computed again, as all that was never copied.
    """

    entries: Mapping[str, int]
    offset: int | None
    holes: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """In words."""
        total, miners = sum(self.entries.values()), ", ".join(sorted(self.entries))
        place = "the log's first record" if self.offset is None else f"the checkpoints at offset {self.offset}"
        lacking = "".join(
            f"; {miner}: {hole} there, computed again from the first" for miner, hole in self.holes.items()
        )
        return f"Redis had lost {miners}: filled {total} entries from topic signals, going on from {place}{lacking}"


async def lost_miners(sink: Sink, part: Part) -> bool:
    """Whether Redis may have lost streams of this part: nobody publishes, or somebody without a head."""
    miners = await sink.miners()
    if not miners:
        return True
    return any([await sink.head(miner) is None for miner in miners if part.carries(miner)])


async def refill(sink: Sink, reader: RawReader, names: Names, part: Part, market: str) -> Refilled | None:
    """Fill what Redis lacks of a part; None where it lacks nothing, or there is no copy of it.

    Raises:
        LogChangedError: the log does not reach to the last entry published.
        DivergedError: what is left in Redis is other than the copies.
    """
    if not await lost_miners(sink, part):
        return None
    copies = {miner: copy for miner, copy in (await copies_of(reader.connection, names)).items() if part.carries(miner)}
    copies = {miner: copy for miner, copy in copies.items() if await sink.head(miner) is None}
    begun = await begin_again(sink, reader, names, part, copies)
    copies = {miner: copy for miner, copy in copies.items() if miner not in begun}
    if not copies:
        return Refilled(dict.fromkeys(begun, 0), None) if begun else None
    await require_log(reader, max(copy.entries[-1].offset for copy in copies.values()))
    found = None if begun else await newest_set(reader, names, market, copies)
    for miner, copy in sorted(copies.items()):
        await fill(sink, reader, miner, copy, None if found is None else found.checkpoints.get(miner))
        await sink.register(miner)
    if found is not None:
        await lay_down(sink, found, market, copies)
    offset = None if found is None else found.checkpoints[market].offset
    filled = {miner: len(copy.entries) for miner, copy in copies.items()} | dict.fromkeys(begun, 0)
    return Refilled(filled, offset, {miner: copy.broken for miner, copy in copies.items() if copy.broken})


async def begin_again(sink: Sink, reader: RawReader, names: Names, part: Part, copies: Mapping[str, Copy]) -> list[str]:
    """Miners whose newest generation has no entry in topic `signals`: it begins again, the older one stays over."""
    begun = []
    for miner, generation in sorted((await generations_of(reader.connection, names)).items()):
        held = copies[miner].generation if miner in copies else 0
        if part.carries(miner) and generation > held and await sink.head(miner) is None:
            await sink.new_generation(miner, generation)
            await sink.register(miner)
            begun.append(miner)
    return begun


async def newest_set(reader: RawReader, names: Names, market: str, copies: Mapping[str, Copy]) -> CheckpointSet | None:
    """The newest set from which the streams can go on, of this log: a rebuild may have left some of another."""
    sets = await sets_of(reader.connection, names)
    while (found := usable_set(sets, copies, market, copies)) is not None:
        kept = found.checkpoints[market]
        record = await reader.record_at(kept.offset)
        if record is not None and record.hash() == kept.raw_hash:
            return found
        sets = [each for each in sets if each is not found]
    return None


async def require_log(reader: RawReader, offset: int) -> None:
    """Refuse a log that ends before an entry that was published from it."""
    end = await reader.end_offset()
    if offset >= end:
        raise LogChangedError(
            f"LOG_CHANGED: entries were published up to offset {offset} and {reader.topic} ends at {end - 1}: the log "
            "was made anew or lost its end; run changeover rebuild --new-generation"
        )


async def fill(sink: Sink, reader: RawReader, miner: str, copy: Copy, checkpoint: Checkpoint | None) -> None:
    """Write a miner's entries and make its head.

    The last entry's offset may hold more that was never copied, so the head stands right before it; unless a
    checkpoint has counted all entries there are, and so knows that nothing came up to its own offset.
    """
    last = copy.entries[-1]
    offset, raw_hash = last.offset - 1, ""
    if checkpoint is not None and (checkpoint.seq, checkpoint.chain) == (last.seq, last.chain):
        offset, raw_hash = checkpoint.offset, checkpoint.raw_hash
    elif offset != NO_OFFSET:
        record = await reader.record_at(offset)
        raw_hash = "" if record is None else record.hash()
    signal = orjson.loads(last.json)
    head = Head(
        generation=copy.generation,
        epoch=int(signal["epoch"]),
        offset=offset,
        raw_hash=raw_hash,
        seq=last.seq,
        chain=last.chain,
        oldest_seq=copy.entries[0].seq,
        log_time_us=int(signal["log_time_us"]),
        model_version="" if checkpoint is None else checkpoint.code_hash,
        degraded=(),
    )
    pages = [copy.entries[start : start + PAGE] for start in range(0, len(copy.entries), PAGE)]
    for page in pages[:-1]:
        if not await sink.refill(miner, page):
            return
    await sink.refill(miner, pages[-1], head)


async def lay_down(sink: Sink, found: CheckpointSet, market: str, copies: Mapping[str, Copy]) -> None:
    """Keep the checkpoints in Redis, from where the work goes on as after any restart."""
    for name in sorted(found.checkpoints, key=lambda each: each.startswith(MARKET)):
        kept = found.checkpoints[name]
        if name == market:
            await sink.store_checkpoint(name, kept.offset, kept.encode())
        elif name in copies:
            await sink.store_checkpoint(name, kept.offset, kept.encode(), kept.generation)
