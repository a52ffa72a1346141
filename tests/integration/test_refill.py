"""A Redis that came back empty or older is whole again without a manual step, from what outlives it in Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import replace

import pytest

from streams.log import TopicProducer
from tests.support.copier import copier, until_copied
from tests.support.stage import WAIT_S, Stage, worker
from tests.support.story import START_US, STEP_US, epoch_start, offline, opening, steps, tick
from tests.support.wholeness import erase_keys, kept_keys, restore_keys

OLD = "old-code"


@pytest.mark.guarantee("G1")
async def test_an_emptied_redis_is_filled_from_topic_signals_and_goes_on_behind_a_checkpoint(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 6)])
    async with copier(stage) as bridge:
        async with worker(stage):
            await stage.until_all_is_published()
            await until_copied(stage, bridge)
        before = await stage.stored()
        with stage.redis() as client:
            erase_keys(client, stage.names)
        await stage.append(steps(6, 3), "test-2")
        async with worker(stage) as process:
            await stage.until_all_is_published()
        assert process.ending is None
    said = str(process.health.facts["refilled"])
    assert f"filled {len(before['ladder'])} entries from topic signals" in said
    assert "going on from the checkpoints at offset" in said
    assert "restored" in str(process.health.facts["opened"])
    after = await stage.stored()
    assert after == offline(await stage.log())
    assert after["ladder"][: len(before["ladder"])] == before["ladder"]


@pytest.mark.guarantee("G1")
async def test_a_redis_emptied_under_a_running_worker_is_filled_again(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 4)])
    async with copier(stage) as bridge, worker(stage) as process:
        await stage.until_all_is_published()
        await until_copied(stage, bridge)
        with stage.redis() as client:
            erase_keys(client, stage.names)
        await stage.append(steps(4, 4), "test-2")
        await stage.until_all_is_published()
        assert process.ending is None
        assert "filled" in str(process.health.facts["refilled"])
    assert await stage.stored() == offline(await stage.log())


@pytest.mark.guarantee("G1")
async def test_a_market_checkpoint_that_lost_its_miners_leads_nowhere(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 4)])
    async with worker(stage):
        await stage.until_all_is_published()
    with stage.redis() as client:
        kept = kept_keys(client, stage.names)
        market = {key: value for key, value in kept.items() if b"{_market}" in key}
        assert market
        restore_keys(client, stage.names, market)
    await stage.append(steps(4, 2), "test-2")
    async with worker(stage) as process:
        await stage.until_all_is_published()
    assert process.ending is None
    assert "the streams of ladder are missing" in str(process.health.facts["opened"])
    assert await stage.stored() == offline(await stage.log())


@pytest.mark.guarantee("G1")
async def test_entries_of_older_code_are_filled_and_never_computed_again(stage: Stage) -> None:
    await stage.append([*opening(code=OLD), *steps(0, 4), epoch_start(2), *steps(4, 4)])
    (last,) = await stage.append([tick(START_US + 8 * STEP_US)], "test-2")
    async with copier(stage) as bridge:
        async with worker(stage) as new, worker(stage, code=OLD):
            await stage.until_head(last)
            await until_copied(stage, bridge)
        assert new.ending is None
        before = await stage.stored()
        with stage.redis() as client:
            erase_keys(client, stage.names)
        await stage.append(steps(8, 2), "test-3")
        async with worker(stage) as process:
            await stage.until_all_is_published()
    assert process.ending is None
    after = await stage.stored()
    assert after["ladder"][: len(before["ladder"])] == before["ladder"]
    assert after == offline(await stage.log())


@pytest.mark.guarantee("G1")
async def test_a_redis_that_came_back_older_gets_the_batches_at_hand_again(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 3)])
    async with worker(stage) as process:
        await stage.until_all_is_published()
        with stage.redis() as client:
            older = kept_keys(client, stage.names)
        await stage.append(steps(3, 3), "test-2")
        await stage.until_all_is_published()
        with stage.redis() as client:
            restore_keys(client, stage.names, older)
        await stage.append(steps(6, 2), "test-3")
        await stage.until_all_is_published()
        assert process.ending is None
        resent = {
            sample.name: sample.value for family in process.health.registry.collect() for sample in family.samples
        }
    assert resent["changeover_worker_batches_resent_total"] > 0
    assert resent["changeover_worker_rewinds_total"] == 0
    assert await stage.stored() == offline(await stage.log())


@pytest.mark.guarantee("G1")
async def test_a_log_that_ends_before_what_was_published_is_refused_and_nothing_is_filled(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 4)])
    async with copier(stage) as bridge, worker(stage):
        await stage.until_all_is_published()
        await until_copied(stage, bridge)
    longer = replace(stage, names=replace(stage.names, run=f"{stage.names.run}b"))
    await longer.append([*opening(), *steps(0, 1)])
    entries = (await stage.stored())["ladder"]
    await copy_signals(stage, longer)
    async with worker(longer) as process:
        async with asyncio.timeout(WAIT_S):
            await process.ended()
    assert process.ending is not None
    assert "LOG_CHANGED" in process.ending.line
    assert f"up to offset {entries[-1].offset}" in process.ending.line
    assert await longer.stored() == {}


@pytest.mark.guarantee("G1")
async def test_what_lies_behind_a_hole_of_the_copies_is_computed_again(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 4)])
    async with copier(stage) as bridge, worker(stage):
        await stage.until_all_is_published()
        await until_copied(stage, bridge)
    holed = replace(stage, names=replace(stage.names, run=f"{stage.names.run}b"))
    await holed.append([(raw.feed, raw.receipt_time_us, raw.payload) for raw in await stage.log()])
    await copy_signals(stage, holed, without={4, 5})
    async with worker(holed) as process:
        await holed.until_all_is_published()
    assert process.ending is None
    said = str(process.health.facts["refilled"])
    assert "filled 3 entries" in said
    assert "ladder: after entry 3 comes entry 6 there, computed again" in said
    assert await holed.stored() == offline(await holed.log())


async def copy_signals(source: Stage, target: Stage, without: Container[int] = ()) -> None:
    """Copy topic `signals` of one stage to that of another, but for some entries."""
    producer = TopicProducer(target.bootstrap, target.names.topic("signals"))
    await producer.start()
    for key, headers, value in await source.topic("signals"):
        if int(headers["seq"]) not in without:
            await producer.append(value, key=key, headers=list(headers.items()))
    await producer.stop()
