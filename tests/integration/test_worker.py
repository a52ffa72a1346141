"""The worker over a real broker and Redis: what it publishes is what its log gives offline, whatever befalls it."""

from __future__ import annotations

import pytest

from tests.support.stage import Stage, worker
from tests.support.story import offline, opening, steps


@pytest.mark.guarantee("G2")
async def test_the_stream_is_byte_for_byte_what_the_log_gives_offline(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 6)])
    async with worker(stage) as process:
        await stage.until_all_is_published()
    assert process.ending is None
    stored = await stage.stored()
    assert stored == offline(await stage.log())
    assert len(stored["ladder"]) > 20
    with stage.redis() as client:
        ids = [entry_id for entry_id, _ in client.xrange(stage.names.key("ladder", "signals"))]  # type: ignore[union-attr]  # redis-py types both clients in one
    assert ids == [b"%d-0" % number for number in range(1, len(ids) + 1)]


@pytest.mark.guarantee("G2")
async def test_a_worker_started_again_goes_on_from_the_checkpoint(stage: Stage) -> None:
    await stage.append([*opening(), *steps(0, 5)])
    async with worker(stage):
        await stage.until_head(10)
    await stage.append(steps(5, 4), "test-2")
    async with worker(stage) as process:
        await stage.until_all_is_published()
    assert process.ending is None
    assert "restored" in str(process.health.facts["opened"])
    assert await stage.stored() == offline(await stage.log())


async def test_records_appended_while_it_runs_are_published_as_they_come(stage: Stage) -> None:
    await stage.append(opening())
    async with worker(stage):
        for number in range(4):
            offsets = await stage.append(steps(number, 1), f"test-{number}")
            await stage.until_head(offsets[-2])
        await stage.until_all_is_published()
    assert await stage.stored() == offline(await stage.log())
