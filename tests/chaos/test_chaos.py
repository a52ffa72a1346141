"""Everything that can be killed, cut, frozen or emptied is, at random points; the feed is byte for byte the log's.

A run is made of its seed: which faults, where, how deep a cut. CHANGEOVER_TEST_CHAOS_RUNS says how many runs there are,
CHANGEOVER_TEST_CHAOS_SEED where they begin: the seed of a failure, with one run, plays it again.
CHANGEOVER_TEST_CHAOS_FIGURES names a file that gets a line of figures for each run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded import EmbeddedRedis
from tests.support.chaos.faults import chosen
from tests.support.chaos.machine import Machine, running
from tests.support.real_kafka import RealKafka
from tests.support.story import offline

RUNS = int(os.environ.get("CHANGEOVER_TEST_CHAOS_RUNS", "1"))
FIRST_SEED = int(os.environ.get("CHANGEOVER_TEST_CHAOS_SEED", "1"))
FIGURES = os.environ.get("CHANGEOVER_TEST_CHAOS_FIGURES", "")
FAULTS_OF_A_RUN = 6

pytestmark = [pytest.mark.guarantee("G1"), pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def kafka_to_break() -> Iterator[RealKafka]:
    """A Kafka for the runs of this file, which they kill and cut."""
    from tests.conftest import new_real_kafka  # noqa: PLC0415 it skips by name where there is no Java

    server = new_real_kafka()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_to_break(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that writes everything to its file."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with EmbeddedRedis(appendonly=True, folder=folder) as server:
        yield server


async def broken(machine: Machine, seed: int) -> Counter[str]:
    """One run: feed, break, feed, break ..., then heal; which faults there were."""
    chance = random.Random(seed)
    told: Counter[str] = Counter()
    await machine.start()
    stop = asyncio.Event()
    feeding = asyncio.create_task(machine.feed(stop))
    try:
        await machine.stage.until_head(2)
        for fault in chosen(chance, FAULTS_OF_A_RUN):
            await asyncio.sleep(chance.uniform(0.0, 0.6))
            await fault(machine, chance)
            told[fault.__name__] += 1
            if feeding.done():
                feeding.result()
        await asyncio.sleep(0.2)
    finally:
        stop.set()
        await asyncio.wait({feeding}, timeout=30.0)
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await machine.close_source()
    await machine.heal()
    return told


def note(seed: int, **figures: object) -> None:
    """Keep the figures of a run where the environment says."""
    if FIGURES:
        Path(FIGURES).parent.mkdir(parents=True, exist_ok=True)
        with Path(FIGURES).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seed": seed, **figures}) + "\n")


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + RUNS))
async def test_after_any_faults_the_feed_is_the_offline_replay_of_the_log_that_was_left(
    kafka_to_break: RealKafka,
    redis_to_break: EmbeddedRedis,
    tmp_path: Path,
    seed: int,
) -> None:
    with running(Machine(kafka_to_break, redis_to_break, tmp_path, f"chaos-{seed}")) as machine:
        told = await broken(machine, seed)
        log = await machine.stage.log()
        stored, expected = await machine.stage.stored(), offline(log, machine.generation)
        lost = await machine.lost_steps()
    assert [entry.seq for entry in stored["ladder"]] == list(range(1, len(stored["ladder"]) + 1)), f"seed {seed}"
    assert stored == expected, f"seed {seed}: {dict(told)}"
    assert not lost or told["broker_cut"], f"seed {seed}: the log lost steps {lost} that no cut explains"
    note(seed, faults=dict(told), entries=len(stored["ladder"]), lost=len(lost), new_generations=machine.log_changed)
