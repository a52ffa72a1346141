"""Epochs and parts: another code takes over without a gap, and which worker carries whom changes nothing."""

from __future__ import annotations

import asyncio

import pytest

from streams.compilation import code_hash
from streams.fleetfile import encode_miner, read_miners
from streams.part import Part
from streams.process import Process
from tests.support.copier import copier
from tests.support.stage import WAIT_S, Stage, worker
from tests.support.story import EXAMPLES, START_US, STEP_US, epoch_start, offline, opening, steps, tick

OLD = "old-code"


async def until_standby(process: Process) -> None:
    """Wait until a worker stands by."""
    async with asyncio.timeout(WAIT_S):
        while "standby" not in process.health.state:  # noqa: ASYNC110 health has no event
            await asyncio.sleep(0.02)


async def test_another_codes_epoch_leaves_checkpoints_before_it_and_a_standby_that_says_so(stage: Stage) -> None:
    offsets = await stage.append([*opening(), *steps(0, 2), epoch_start(2, code="another-code")])
    await stage.append(steps(2, 2), "test-2")
    with stage.service("worker") as process:
        process.wait_for(lambda: "standby" in str(process.report().get("state")))
        assert process.get("/ready")[0] == 503
        assert process.get("/health")[0] == 200
        assert process.report()["state"] == f"standby: epoch 2 is for code another-code, this is {code_hash()}"
        assert process.stop() == 0
    assert stage.head_offset() == offsets[-1] - 1
    with stage.redis() as client:
        kept = client.get(stage.names.key("ladder", "checkpoint"))
    assert isinstance(kept, bytes)
    assert kept.startswith(b"%d:" % (offsets[-1] - 1))
    assert await stage.stored() == offline((await stage.log())[: offsets[-1]])


@pytest.mark.guarantee("G1")
async def test_the_epochs_own_code_goes_on_where_the_old_code_stopped(stage: Stage) -> None:
    await stage.append([*opening(code=OLD), *steps(0, 4), epoch_start(2), *steps(4, 4)])
    last = await stage.append([tick(START_US + 8 * STEP_US)], "test-2")
    async with worker(stage) as new:
        await until_standby(new)
        assert stage.head_offset() == -1
        async with copier(stage), worker(stage, code=OLD) as old:
            await until_standby(old)
            assert "epoch 2" in old.health.state
            await stage.until_head(last[0])
        assert old.ending is None
    assert new.ending is None
    assert "restored" in str(new.health.facts["opened"])
    stored = await stage.stored()
    assert stored == offline(await stage.log())
    assert [b'"kind":"epoch"' in entry.json for entry in stored["ladder"]].count(True) == 2
    with stage.redis() as client:
        assert client.hget(stage.names.key("ladder", "head"), "model") == code_hash().encode()


async def test_another_configuration_under_the_same_code_begins_with_its_epoch_entry(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 3), epoch_start(2), *steps(3, 3)])
    async with worker(stage) as process:
        await stage.until_all_is_published()
    assert process.ending is None
    stored = await stage.stored()
    assert stored == offline(await stage.log())
    assert [entry.offset for entry in stored["ladder"] if b'"kind":"epoch"' in entry.json] == [1, 8]


@pytest.mark.guarantee("G2")
async def test_parts_publish_the_same_streams_and_one_restarts_without_the_other(stage: Stage) -> None:
    fleets = [("fleet", START_US, encode_miner(miner)) for miner in read_miners(EXAMPLES)]
    parts = Part.all(2)
    carried = [[miner.key for miner in read_miners(EXAMPLES) if part.carries(miner.key)] for part in parts]
    assert all(carried)
    first = await stage.append([epoch_start(1), *fleets, *steps(0, 5)])
    async with worker(stage, part=parts[0]), worker(stage, part=parts[1]):
        await stage.until_head(first[-2], carried[0][0])
        await stage.until_head(first[-2], carried[1][0])
    more = await stage.append([*steps(5, 4), tick(START_US + 9 * STEP_US)], "test-2")
    async with worker(stage, part=parts[0]):
        await stage.until_head(more[-1], carried[0][0])
    later = await stage.append([*steps(10, 2), tick(START_US + 12 * STEP_US)], "test-3")
    async with worker(stage, part=parts[0]), worker(stage, part=parts[1]) as second:
        assert second.ending is None
        await stage.until_head(later[-1], carried[0][0])
        await stage.until_head(later[-1], carried[1][0])
    assert "restored" in str(second.health.facts["opened"])
    assert await stage.stored() == offline(await stage.log())
