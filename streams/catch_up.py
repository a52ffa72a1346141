"""A Redis that came back older than a hand-over: what its streams lack comes from topic `signals`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import orjson

from streams.checkpoint import Checkpoint
from streams.copies import Copy, copies_of
from streams.errors import DivergedError
from streams.log import RawReader
from streams.part import Part
from streams.refill import Refilled, lay_down, newest_set
from streams.sink import Sink
from streams.wire import Entry, Head, Names, SinkBatch

PAGE = 500


async def catch_up(sink: Sink, reader: RawReader, names: Names, part: Part, market: str) -> Refilled | None:
    """Bring streams that stand before the newest durable checkpoints up to them; None where none does.

    The entries are the published ones, with their numbers and bytes; the checkpoints are laid down, so that the code
    whose epoch begins behind them goes on from there.

    Raises:
        DivergedError: a stream holds other entries than topic `signals`.
    """
    copies = {miner: copy for miner, copy in (await copies_of(reader.connection, names)).items() if part.carries(miner)}
    heads = {miner: head for miner in copies if (head := await sink.head(miner)) is not None}
    if heads.keys() != copies.keys() or any(heads[miner].generation != copies[miner].generation for miner in copies):
        return None
    found = await newest_set(reader, names, market, copies)
    if found is None:
        return None
    behind = [
        miner for miner in copies if miner in found.checkpoints and _behind(heads[miner], found.checkpoints[miner])
    ]
    if not behind:
        return None
    written = {}
    for miner in behind:
        batches = [each async for each in batches_to(reader, heads[miner], copies[miner], found.checkpoints[miner])]
        for reply in await sink.write_many(batches):
            if reply.status not in ("OK", "DUPLICATE"):
                raise DivergedError(f"DIVERGED from topic signals: {reply.detail}")
        written[miner] = sum(len(each.entries) for each in batches)
    await lay_down(sink, found, market, copies)
    return Refilled(written, found.checkpoints[market].offset)


def _behind(head: Head, checkpoint: Checkpoint) -> bool:
    return head.offset < checkpoint.offset


@dataclass(slots=True)
class Piece:
    """Entries of one epoch that one batch can carry; without any, the stretch before an epoch's start."""

    epoch: int
    opens: bool
    entries: list[Entry]


def pieces(entries: Sequence[Entry], epoch: int, page: int = PAGE) -> list[Piece]:
    """Entries behind a head of an epoch, cut where an epoch starts, and between two offsets where they are many.

    >>> [piece.opens for piece in pieces([Entry(4, 1, "a", b'{"epoch":1}'), Entry(9, 2, "b", b'{"epoch":2}')], 1)]
    [False, True]
    """
    found: list[Piece] = []
    for entry in entries:
        of = int(orjson.loads(entry.json)["epoch"])
        last = found[-1] if found else None
        if of > (last.epoch if last else epoch):
            found.append(Piece(of, opens=True, entries=[]))
        elif last is None or (len(last.entries) >= page and entry.offset > last.entries[-1].offset):
            found.append(Piece(of, opens=False, entries=[]))
        found[-1].entries.append(entry)
    return found


async def batches_to(reader: RawReader, head: Head, copy: Copy, checkpoint: Checkpoint) -> AsyncIterator[SinkBatch]:
    """The batches that carry a stream from its head to a checkpoint."""
    cut = pieces([entry for entry in copy.entries if head.seq < entry.seq <= checkpoint.seq], head.epoch)
    if not cut or (cut[0].opens and cut[0].entries[0].offset > head.offset + 1):
        cut = [Piece(head.epoch, opens=False, entries=[]), *cut]
    seq, chain, start, log_time_us = head.seq, head.chain, head.offset + 1, head.log_time_us
    for number, piece in enumerate(cut, 1):
        to, raw_hash = checkpoint.offset, checkpoint.raw_hash
        if number < len(cut):
            to = cut[number].entries[0].offset - 1
            record = await reader.record_at(to)
            raw_hash = "" if record is None else record.hash()
        if piece.entries:
            log_time_us = int(orjson.loads(piece.entries[-1].json)["log_time_us"])
        yield SinkBatch(
            miner=checkpoint.miner,
            generation=copy.generation,
            epoch=piece.epoch,
            opens_epoch=piece.opens,
            starts_generation=False,
            from_offset=start,
            to_offset=to,
            seq_before=seq,
            chain_before=chain,
            entries=piece.entries,
            raw_hash=raw_hash,
            log_time_us=log_time_us,
            model_version=checkpoint.code_hash,
        )
        start = to + 1
        if piece.entries:
            seq, chain = piece.entries[-1].seq, piece.entries[-1].chain
