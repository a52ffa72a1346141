"""How a worker begins: knows its log again, restores the checkpoints, or starts from the log's first record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.checkpoint import Checkpoint
from streams.epochs import epochs_of
from streams.errors import WorldError
from streams.log import RawReader, verify_log
from streams.part import Part
from streams.pipeline import Mode, Pipeline
from streams.resume import resume
from streams.sink import Sink
from streams.wire import MARKET, NO_OFFSET, Head


@dataclass(frozen=True, slots=True)
class Opening:
    """A pipeline that stands where its work goes on, and in words how it got there.

    ``standby`` says why this code may not go on from there; empty where it may. ``taken_over``: the checkpoints of
    other code, where that hands over to this one.
    """

    pipeline: Pipeline
    heads: dict[str, Head]
    how: str
    standby: str = ""
    taken_over: tuple[Checkpoint, ...] = ()


def market_name(part: Part) -> str:
    """The pseudo miner under which a part keeps the checkpoint of its market.

    Each part has its own, stored after those of its miners: so it never lies beyond one of them.

    >>> market_name(Part()), market_name(Part(2, 4))
    ('_market', '_market-2-4')
    """
    return MARKET if part.count == 1 else f"{MARKET}-{part.index}-{part.count}"


async def carried_heads(sink: Sink, mode: Mode) -> dict[str, Head]:
    """The heads of the miners that publish and that this part carries."""
    heads = {}
    for miner in await sink.miners():
        head = await sink.head(miner) if mode.part.carries(miner) else None
        if head is not None:
            heads[miner] = head
    return heads


async def verify_heads(reader: RawReader, heads: dict[str, Head]) -> None:
    """Refuse a log in which some head's record is not where the head says.

    Raises:
        LogChangedError: with one line.
    """
    seen = {(head.offset, head.raw_hash) for head in heads.values() if head.offset != NO_OFFSET}
    for offset, raw_hash in sorted(seen):
        await verify_log(reader, offset, raw_hash)


async def open_pipeline(sink: Sink, reader: RawReader, mode: Mode) -> Opening:
    """Bring a pipeline to the newest checkpoints, or before the log's first record.

    Raises:
        LogChangedError: the log is not the one the heads were computed from.
        WorldError: there are no usable checkpoints and the log no longer begins with its first record.
    """
    heads = await carried_heads(sink, mode)
    await verify_heads(reader, heads)
    pipeline = Pipeline(mode, {miner: head.generation for miner, head in heads.items()})
    checkpoints, why_not = await usable_checkpoints(sink, heads, mode.part)
    if checkpoints:
        standby = await foreign(reader, checkpoints, mode)
        if standby:
            return Opening(pipeline, heads, "", standby)
        try:
            resume(pipeline, checkpoints)
        except ValueError as unreadable:  # a snapshot of another schema, or a damaged one
            why_not = f"the checkpoints cannot be restored ({unreadable})"
            pipeline = Pipeline(mode, {miner: head.generation for miner, head in heads.items()})
        else:
            others = all(each.code_hash != mode.code_hash for each in checkpoints)
            how = f"restored {len(checkpoints)} checkpoints at offset {pipeline.offset}"
            return Opening(pipeline, heads, how, taken_over=tuple(checkpoints) if others else ())
    first = await reader.first_offset()
    if first > 0:
        raise WorldError(
            f"{why_not}, and {reader.topic} no longer begins with its first record (it begins at offset {first}): what "
            "would be computed depends on what is missing; bring Redis back from a copy, or start a new log and run "
            "changeover rebuild --new-generation"
        )
    return Opening(pipeline, heads, f"{why_not}: from the log's first record")


async def usable_checkpoints(sink: Sink, heads: dict[str, Head], part: Part) -> tuple[list[Checkpoint], str]:
    """Checkpoints of the market and of every miner that existed then; none, and why, where one of them is missing."""
    found = await sink.load_checkpoint(market_name(part)) or await sink.load_checkpoint(MARKET)
    if found is None:
        return [], "there is no checkpoint"
    try:
        market = Checkpoint.decode(found[1])
        kept = {miner: Checkpoint.decode(one[1]) for miner in heads if (one := await sink.load_checkpoint(miner))}
    except WorldError as unreadable:  # of another schema: what it says is in the log too
        return [], str(unreadable)
    lost = [miner for miner in market.miners if part.carries(miner) and miner not in heads]
    if lost:
        return [], f"the streams of {', '.join(lost)} are missing"
    checkpoints = [market]
    for miner, head in heads.items():
        checkpoint = kept.get(miner)
        if checkpoint is None:
            if not await born_after(sink, miner, head, market.offset):
                return [], f"the checkpoint of {miner} is missing"
        elif checkpoint.generation != head.generation:
            return [], f"the checkpoint of {miner} is of generation {checkpoint.generation}"
        elif checkpoint.offset < market.offset:
            return [], f"the checkpoint of {miner}, at offset {checkpoint.offset}, is older than the market's"
        elif checkpoint.offset > head.offset:
            return [], f"the checkpoint of {miner}, at offset {checkpoint.offset}, lies beyond its head"
        else:
            checkpoints.append(checkpoint)
    return checkpoints, ""


async def born_after(sink: Sink, miner: str, head: Head, offset: int) -> bool:
    """Whether a miner's stream begins behind an offset, so that reading on from there brings it about again."""
    if head.oldest_seq > 1 or head.seq == 0:
        return False
    (first,) = await sink.read(miner, 0, 1)
    return first.offset > offset


async def foreign(reader: RawReader, checkpoints: Sequence[Checkpoint], mode: Mode) -> str:
    """Why this code may not go on from the checkpoints; empty where they are its own, or its own epoch comes next.

    Other code's checkpoints are taken over only where the very next record starts an epoch of this code: what lies
    before that is the other code's to decide. Some may be this code's already, and lie beyond: it was ended between
    storing the first and the last of its own.
    """
    others = {each.code_hash for each in checkpoints} - {mode.code_hash}
    if not others:
        return ""
    places = {each.offset for each in checkpoints if each.code_hash != mode.code_hash}
    following = await reader.record_at(max(places) + 1)
    epochs = [] if following is None or len(places) > 1 else epochs_of(following)
    if any(each.code_hash == mode.code_hash for each in epochs):
        return ""
    return (
        f"standby: the checkpoints are of code {', '.join(sorted(others))}, this is {mode.code_hash}, and no epoch of "
        "this code begins behind them; changeover epoch start announces one"
    )
