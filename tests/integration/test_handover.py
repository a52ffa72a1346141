"""A hand-over to other code survives the loss of Redis at any moment, and no number is given out twice."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from streams.bridge import Bridge, held_entries
from streams.cli.rebuild import begin_generations
from streams.compilation import code_hash
from streams.copies import generations_of, sets_of
from streams.log import Connection
from streams.process import Process
from streams.wire import Entry
from tests.support.copier import copier, until_copied
from tests.support.stage import WAIT_S, Stage, until, worker
from tests.support.story import Payload, epoch_start, offline, opening, steps
from tests.support.wholeness import erase_keys, kept_keys, restore_keys

OLD = "old-code"
NEVER_S = 3_600.0
"""The keeper copies no set: what is there was left by the hand-over."""

pytestmark = pytest.mark.guarantee("G1")


async def until_state(process: Process, words: str) -> None:
    """Wait until a worker says this of itself."""

    async def said() -> bool:
        assert process.ending is None, process.ending
        return words in process.health.state

    await until(said)


async def handed_over(stage: Stage, more: list[Payload] | None = None) -> None:
    """Old code decides four steps, then new code takes over and decides some more; the copies hold all of it."""
    await stage.append([*opening(code=OLD), *steps(0, 4), epoch_start(2), *(more or steps(4, 4))])
    async with copier(stage, NEVER_S) as bridge, worker(stage) as new, worker(stage, code=OLD):
        await stage.until_all_is_published()
        await until_bridged(stage, bridge)
        assert new.ending is None


async def until_bridged(stage: Stage, bridge: Bridge) -> None:
    """Wait until topic signals holds the whole stream."""
    last = (await stage.stored())["ladder"][-1]
    seq, generation = last.seq, int(orjson.loads(last.json)["generation"])

    async def held() -> bool:
        return bridge.copied.get("ladder", (0, 0)) >= (generation, seq)

    await until(held)


async def published(stage: Stage, *workers: Process) -> None:
    """Wait until all that the log holds is published; a worker that ended is said at once."""
    waiting = asyncio.create_task(stage.until_all_is_published())
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=0.1)
            assert all(each.ending is None for each in workers), [each.ending for each in workers]
        await waiting
    finally:
        waiting.cancel()


async def entries(stage: Stage) -> list[Entry]:
    """The stream."""
    return (await stage.stored()).get("ladder", [])


async def test_new_code_waits_until_the_entries_before_its_epoch_outlive_redis(stage: Stage) -> None:
    await stage.append([*opening(code=OLD), *steps(0, 4), epoch_start(2), *steps(4, 2)])
    async with worker(stage, code=OLD) as old:
        await until_state(old, "standby: epoch 2")
    before = await entries(stage)
    async with worker(stage) as new:
        await until_state(new, "lacks entries ladder 1 to ")
        assert "changeover agents copies them" in new.health.state
        assert await entries(stage) == before
        async with copier(stage, NEVER_S):
            await stage.until_all_is_published()
    assert "taken over from other code and durable" in str(new.health.facts["opened"])
    assert await stage.stored() == offline(await stage.log())


async def test_a_redis_lost_right_after_a_hand_over_is_filled_and_new_code_goes_on_without_the_old(
    stage: Stage,
) -> None:
    await handed_over(stage)
    before = await entries(stage)
    sets = await sets_of(Connection(bootstrap=stage.bootstrap), stage.names)
    assert {kept.code_hash for kept in sets[0].checkpoints.values()} == {OLD}
    with stage.redis() as client:
        erase_keys(client, stage.names)
    await stage.append(steps(8, 2), "test-2")
    async with worker(stage) as process:
        await published(stage, process)
    assert process.ending is None
    assert "filled" in str(process.health.facts["refilled"])
    after = await entries(stage)
    assert after[: len(before)] == before
    assert await stage.stored() == offline(await stage.log())


async def test_a_redis_emptied_before_new_code_took_over_is_brought_back_by_the_old_code(stage: Stage) -> None:
    await stage.append([*opening(code=OLD), *steps(0, 4), epoch_start(2), *steps(4, 2)])
    async with worker(stage, code=OLD) as old, worker(stage) as new:
        await until_state(old, "standby: epoch 2")
        await until_state(new, "lacks entries")
        with stage.redis() as client:
            erase_keys(client, stage.names)
        async with copier(stage, NEVER_S):
            await stage.until_all_is_published()
        assert (old.ending, new.ending) == (None, None)
    assert await stage.stored() == offline(await stage.log())


async def test_a_redis_that_came_back_from_before_a_hand_over_is_brought_on_without_the_old_code(
    stage: Stage,
) -> None:
    await stage.append([*opening(code=OLD), *steps(0, 3)])
    async with worker(stage, code=OLD):
        await stage.until_head(6)
    with stage.redis() as client:
        older = kept_keys(client, stage.names)
    stood = len(await entries(stage))
    await stage.append([*steps(3, 2), epoch_start(2), *steps(5, 3)], "test-2")
    async with copier(stage, NEVER_S) as bridge, worker(stage), worker(stage, code=OLD):
        await stage.until_all_is_published()
        await until_bridged(stage, bridge)
    shown = await entries(stage)
    with stage.redis() as client:
        restore_keys(client, stage.names, older)
    assert len(await entries(stage)) == stood
    await stage.append(steps(8, 2), "test-3")
    async with worker(stage) as process:
        await published(stage, process)
    assert process.ending is None
    assert "filled" in str(process.health.facts["refilled"])
    after = await entries(stage)
    assert after[: len(shown)] == shown
    assert await stage.stored() == offline(await stage.log())


async def test_a_running_worker_whose_redis_falls_back_behind_its_hand_over_brings_it_on(stage: Stage) -> None:
    await stage.append([*opening(code=OLD), *steps(0, 3)])
    async with worker(stage, code=OLD):
        await stage.until_head(6)
    with stage.redis() as client:
        older = kept_keys(client, stage.names)
    await stage.append([*steps(3, 2), epoch_start(2), *steps(5, 2)], "test-2")
    async with copier(stage, NEVER_S) as bridge, worker(stage) as process:
        async with worker(stage, code=OLD):
            await stage.until_all_is_published()
        await until_bridged(stage, bridge)
        shown = await entries(stage)
        with stage.redis() as client:
            restore_keys(client, stage.names, older)
        await stage.append(steps(8, 2), "test-3")
        await published(stage, process)
    assert (await entries(stage))[: len(shown)] == shown
    assert await stage.stored() == offline(await stage.log())


async def test_a_deployment_that_is_rolled_back_goes_on_with_the_next_number(stage: Stage) -> None:
    payloads = [*steps(4, 3), epoch_start(3, code=OLD), *steps(7, 3)]
    await handed_over(stage, payloads)
    stored = await stage.stored()
    assert stored == offline(await stage.log())
    assert [entry.seq for entry in stored["ladder"]] == list(range(1, len(stored["ladder"]) + 1))
    assert [b'"kind":"epoch"' in entry.json for entry in stored["ladder"]].count(True) == 3
    with stage.redis() as client:
        assert client.hget(stage.names.key("ladder", "head"), "model") == OLD.encode()


async def test_code_killed_between_storing_its_miners_and_its_markets_first_checkpoint_goes_on(stage: Stage) -> None:
    await stage.append([*opening(code=OLD), *steps(0, 4)])
    market = stage.names.key("_market", "checkpoint")
    await stage.append([epoch_start(2)], "test-2")
    async with worker(stage, code=OLD) as old:
        await until_state(old, "standby: epoch 2")
    with stage.redis() as client:
        kept = client.get(market)
    assert isinstance(kept, bytes)
    await stage.append(steps(4, 4), "test-3")
    async with copier(stage), worker(stage):
        await stage.until_all_is_published()
    with stage.redis() as client:
        assert client.get(market) != kept
        client.set(market, kept)
    await stage.append(steps(8, 2), "test-4")
    async with worker(stage) as process:
        await published(stage, process)
    assert process.ending is None
    assert await stage.stored() == offline(await stage.log())


async def test_a_checkpoint_of_an_older_schema_is_computed_again_from_the_log(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 4)])
    async with worker(stage):
        await stage.until_all_is_published()
    key = stage.names.key("_market", "checkpoint")
    with stage.redis() as client:
        kept = client.get(key)
        assert isinstance(kept, bytes)
        client.set(key, kept.replace(b'"schema":2', b'"schema":1', 1))
    await stage.append(steps(4, 2), "test-2")
    async with worker(stage) as process:
        await published(stage, process)
    assert process.ending is None
    assert str(process.health.facts["opened"]).startswith("a checkpoint is not of schema 2")
    assert await stage.stored() == offline(await stage.log())


async def test_a_checkpoint_whose_engine_state_cannot_be_restored_is_computed_again_from_the_log(
    stage: Stage,
) -> None:
    await stage.append([*opening(), *steps(0, 4)])
    async with worker(stage):
        await stage.until_all_is_published()
    key = stage.names.key("ladder", "checkpoint")
    with stage.redis() as client:
        kept = client.get(key)
        assert isinstance(kept, bytes)
        client.set(key, kept[:-10])
    async with worker(stage) as process:
        await published(stage, process)
    assert process.ending is None
    assert "cannot be restored" in str(process.health.facts["opened"])
    assert await stage.stored() == offline(await stage.log())


async def test_a_redis_emptied_right_after_a_rebuild_does_not_bring_the_old_generation_back(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 4)])
    async with copier(stage) as bridge, worker(stage):
        await stage.until_all_is_published()
        await until_copied(stage, bridge)
    assert await begin_generations(stage.settings) == {"ladder": 2}
    connection = Connection(bootstrap=stage.bootstrap)
    assert await generations_of(connection, stage.names) == {"ladder": 2}
    with stage.redis() as client:
        erase_keys(client, stage.names)
    await stage.append(steps(4, 2), "test-2")
    async with worker(stage) as process:
        await published(stage, process)
        assert process.ending is None
    assert await stage.stored() == offline(await stage.log(), 2)
    async with copier(stage) as bridge:
        await until_bridged(stage, bridge)
    assert (await held_entries(connection, stage.names.topic("signals")))["ladder"][0] == 2
    with stage.redis() as client:
        erase_keys(client, stage.names)
    async with worker(stage) as process:
        await published(stage, process)
    assert "filled" in str(process.health.facts["refilled"])
    assert "filled 0 entries" not in str(process.health.facts["refilled"])
    assert await stage.stored() == offline(await stage.log(), 2)


async def test_a_second_rebuild_after_an_emptied_redis_takes_the_next_number(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 2)])
    async with worker(stage):
        await stage.until_all_is_published()
    assert await begin_generations(stage.settings) == {"ladder": 2}
    with stage.redis() as client:
        erase_keys(client, stage.names)
        client.sadd(stage.names.miners, "ladder")
    assert await begin_generations(stage.settings) == {"ladder": 3}
    async with asyncio.timeout(WAIT_S), worker(stage):
        await stage.until_all_is_published()
    assert await stage.stored() == offline(await stage.log(), 3)
    assert code_hash() != OLD
