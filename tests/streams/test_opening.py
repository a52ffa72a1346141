"""Where a worker may begin: which checkpoints belong together, and that going on from them changes no bit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.checkpoint import Checkpoint
from streams.compilation import code_hash
from streams.opening import market_name, usable_checkpoints
from streams.part import Part
from streams.pipeline import Mode, Pipeline, Step
from streams.resume import resume
from streams.sink import MemorySink
from streams.wire import MARKET, Head, RawRecord
from tests.support.story import offline, opening, steps

MODE = Mode(origin="replay", code_hash=code_hash())
LOG = [RawRecord(feed, at_us, "test", n, body, n) for n, (feed, at_us, body) in enumerate([*opening(), *steps(0, 8)])]


def put(sink: MemorySink, step: Step) -> None:
    """Write a step's batches."""
    for batch in step.batches:
        reply = sink.put(batch)
        assert reply.status in ("OK", "DUPLICATE"), reply.detail


async def run(records: list[RawRecord], chunk: int) -> tuple[MemorySink, list[Checkpoint]]:
    """A sink filled from a log taken so many records at a time, and the checkpoints on the way."""
    sink, pipeline, checkpoints = MemorySink(), Pipeline(MODE), list[Checkpoint]()
    await sink.register("ladder")
    for start in range(0, len(records), chunk):
        step = pipeline.process(records[start : start + chunk])
        put(sink, step)
        checkpoints += step.checkpoints
    return sink, checkpoints


async def store(sink: MemorySink, *checkpoints: Checkpoint) -> None:
    """Keep checkpoints as a worker does."""
    for each in checkpoints:
        assert await sink.store_checkpoint(each.miner, each.offset, each.encode())


async def heads(sink: MemorySink) -> dict[str, Head]:
    """The heads of all miners."""
    found = {miner: await sink.head(miner) for miner in await sink.miners()}
    return {miner: head for miner, head in found.items() if head is not None}


def of(checkpoints: list[Checkpoint], miner: str) -> list[Checkpoint]:
    """Those of one miner, in order."""
    return [each for each in checkpoints if each.miner == miner]


@pytest.mark.guarantee("G2")
async def test_going_on_from_checkpoints_at_different_offsets_changes_no_bit() -> None:
    sink, checkpoints = await run(LOG, 1)
    market, ladder = of(checkpoints, MARKET), of(checkpoints, "ladder")
    assert len(market) > 3
    assert [each.offset for each in market] == [each.offset for each in ladder]
    for first, second in ((1, 1), (1, 3), (0, -1)):
        pipeline = Pipeline(MODE)
        resume(pipeline, [ladder[second], market[first]])
        assert pipeline.offset == market[first].offset
        step = pipeline.process(LOG)
        put(sink, step)
        again = [each for each in step.checkpoints if each.miner == "ladder"]
        assert again[-1] == ladder[-1] if again else second == -1
    assert sink.record("ladder").entries == offline(LOG)["ladder"]


async def test_a_market_beyond_its_miner_is_refused_to_resume() -> None:
    _, checkpoints = await run(LOG, 1)
    with pytest.raises(ValueError, match="at or before every miner's"):
        resume(Pipeline(MODE), [of(checkpoints, "ladder")[0], of(checkpoints, MARKET)[1]])


async def test_without_a_checkpoint_there_is_none_to_use() -> None:
    sink, _ = await run(LOG, 4)
    assert await usable_checkpoints(sink, await heads(sink), Part()) == ([], "there is no checkpoint")


async def test_the_checkpoints_of_one_mark_belong_together() -> None:
    sink, checkpoints = await run(LOG, 1)
    await store(sink, of(checkpoints, "ladder")[2], of(checkpoints, MARKET)[2])
    found, why_not = await usable_checkpoints(sink, await heads(sink), Part())
    assert (found, why_not) == ([of(checkpoints, MARKET)[2], of(checkpoints, "ladder")[2]], "")


async def test_a_miner_whose_checkpoint_is_missing_or_older_or_of_another_generation_leaves_none_to_use() -> None:
    sink, checkpoints = await run(LOG, 1)
    market, ladder = of(checkpoints, MARKET), of(checkpoints, "ladder")
    await store(sink, market[2])
    assert (await usable_checkpoints(sink, await heads(sink), Part()))[1] == "the checkpoint of ladder is missing"
    await store(sink, ladder[1])
    assert "is older than the market's" in (await usable_checkpoints(sink, await heads(sink), Part()))[1]
    await store(sink, replace(ladder[2], generation=7))
    assert "is of generation 7" in (await usable_checkpoints(sink, await heads(sink), Part()))[1]


async def test_a_miner_born_behind_the_checkpoint_needs_none() -> None:
    late = [LOG[0], *(replace(raw, offset=raw.offset - 1) for raw in LOG[2:8]), replace(LOG[1], offset=7), *LOG[8:]]
    sink, checkpoints = await run(late, 1)
    early = [each for each in of(checkpoints, MARKET) if each.offset < 7]
    await store(sink, early[-1])
    found, why_not = await usable_checkpoints(sink, await heads(sink), Part())
    assert (found, why_not) == ([early[-1]], "")
    pipeline = Pipeline(MODE)
    resume(pipeline, found)
    put(sink, pipeline.process(late))
    assert sink.record("ladder").entries == offline(late)["ladder"]


async def test_a_checkpoint_beyond_its_head_is_not_used() -> None:
    sink, checkpoints = await run(LOG, 1)
    await store(sink, of(checkpoints, "ladder")[-1], of(checkpoints, MARKET)[-1])
    behind = {miner: replace(head, offset=3) for miner, head in (await heads(sink)).items()}
    assert "lies beyond its head" in (await usable_checkpoints(sink, behind, Part()))[1]


async def test_each_part_keeps_a_market_of_its_own_and_may_begin_from_the_whole_ones() -> None:
    sink, checkpoints = await run(LOG, 1)
    market, ladder = of(checkpoints, MARKET), of(checkpoints, "ladder")
    await store(sink, ladder[2], market[2])
    part = Part(1, 2)
    assert (await usable_checkpoints(sink, await heads(sink), part))[0] == [market[2], ladder[2]]
    assert await sink.store_checkpoint(market_name(part), market[1].offset, market[1].encode())
    assert (await usable_checkpoints(sink, await heads(sink), part))[0] == [market[1], ladder[2]]
