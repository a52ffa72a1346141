"""Everything that can be killed, cut, frozen or emptied is, at random points; the feed is byte for byte the log's.

A run is made of its seed: which faults, where, how deep a cut. CHANGEOVER_TEST_CHAOS_RUNS says how many runs there are,
CHANGEOVER_TEST_CHAOS_SEED where they begin: the seed of a failure, with one run, plays it again.
CHANGEOVER_TEST_CHAOS_FAULTS says how many faults strike in each run.
CHANGEOVER_TEST_CHAOS_FIGURES names a file that gets a line of figures for each run.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded import EmbeddedRedis
from tests.support.chaos.faults import chosen
from tests.support.chaos.machine import Machine, running
from tests.support.chaos.network import Network, networked
from tests.support.real_kafka import RealKafka
from tests.support.story import offline

RUNS = int(os.environ.get("CHANGEOVER_TEST_CHAOS_RUNS", "1"))
FIRST_SEED = int(os.environ.get("CHANGEOVER_TEST_CHAOS_SEED", "1"))
FIGURES = os.environ.get("CHANGEOVER_TEST_CHAOS_FIGURES", "")
FAULTS_OF_A_RUN = int(os.environ.get("CHANGEOVER_TEST_CHAOS_FAULTS", "6"))

LOG = logging.getLogger("chaos")

pytestmark = [pytest.mark.guarantee("G1"), pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """The ways of all runs of this file."""
    with networked() as found:
        yield found


@pytest.fixture(scope="module")
def kafka_to_break(network: Network) -> Iterator[RealKafka]:
    """A Kafka for the runs of this file, which they kill and cut."""
    from tests.conftest import new_real_kafka  # noqa: PLC0415 it skips by name where there is no Java

    server = new_real_kafka(network.ways)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_to_break(network: Network, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that writes everything to its file."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with EmbeddedRedis(port=network.redis_port, appendonly=True, folder=folder) as server:
        yield server


async def broken(machine: Machine, seed: int) -> Counter[str]:
    """One run: feed, break, feed, break ..., then heal; which faults there were."""
    chance = random.Random(seed)
    told: Counter[str] = Counter()
    await machine.start()
    stop = asyncio.Event()
    feeding = asyncio.create_task(machine.feed(stop))
    following = asyncio.create_task(machine.follow(2))
    try:
        await machine.stage.until_head(2)
        for fault in chosen(chance, FAULTS_OF_A_RUN):
            await asyncio.sleep(chance.uniform(0.0, 0.6))
            LOG.info("seed %d: %s at step %d", seed, fault.__name__, machine.source.next_step)
            await fault(machine, chance)
            told[fault.__name__] += 1
            if feeding.done():
                feeding.result()
        LOG.info("seed %d: no more faults", seed)
        stop.set()
        await asyncio.wait({feeding}, timeout=30.0)
        await machine.close_source()
        await machine.heal()
        LOG.info("seed %d: whole again", seed)
        await machine.until_told(following)
    finally:
        for task in (feeding, following):
            task.cancel()
        await asyncio.gather(feeding, following, return_exceptions=True)
    return told


def note(seed: int, **figures: object) -> None:
    """Keep the figures of a run where the environment says."""
    if FIGURES:
        Path(FIGURES).parent.mkdir(parents=True, exist_ok=True)
        with Path(FIGURES).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seed": seed, **figures}) + "\n")


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + RUNS))
async def test_after_any_faults_the_feed_is_the_offline_replay_of_the_log_that_was_left(
    kafka_to_break: RealKafka, redis_to_break: EmbeddedRedis, network: Network, tmp_path: Path, seed: int
) -> None:
    with running(Machine(kafka_to_break, redis_to_break, network, tmp_path, f"chaos-{seed}")) as machine:
        told = await broken(machine, seed)
        log = await machine.stage.log()
        stored, expected = await machine.stage.stored(), offline(log, machine.generation)
        lost = await machine.lost_steps()
        desk, verdict = machine.desk, f"seed {seed}: {dict(told)}"
        stream = stored["ladder"]
        assert [entry.seq for entry in stream] == list(range(1, len(stream) + 1)), verdict
        assert stored == expected, verdict
        assert not lost or told["broker_cut"], f"{verdict}: the log lost steps {lost} that no cut explains"
        assert not desk.wrong, f"{verdict}: {desk.wrong[:5]}"
        assert not desk.diverged or told["broker_cut"], f"{verdict}: {desk.diverged}"
        if not desk.diverged:
            handed = {seq: json for (generation, seq), json in desk.entries.items() if generation == machine.generation}
            assert handed == {entry.seq: entry.json for entry in stream}, f"{verdict}: the desk was told otherwise"
        await machine.until_copied(stream)
        await machine.until_recorded(log)
    figures = {"lost": len(lost), "new_generations": machine.log_changed, "live": desk.live, "expired": desk.expired}
    figures |= {"trapped": machine.trapped}
    note(seed, faults=dict(told), entries=len(stream), diverged=bool(desk.diverged), **figures)
