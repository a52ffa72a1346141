"""The whole sample through a real log and Redis gives the very signals that the offline replay gives, whoever dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from models.records import DecidingConfig
from streams.compilation import code_hash
from streams.history import open_history
from streams.log import TopicProducer
from streams.replay import Answer, Question, fleet_for_replay, in_digest_order, replay
from streams.replay_kafka import replay_through_kafka
from streams.settings import Kafka, Redis, Settings, load
from streams.shipped import shipped
from tests.support.stage import ServiceProcess, Stage

pytestmark = [pytest.mark.listed, pytest.mark.guarantee("G2")]

WORKER = """
[worker]
max_batch = {max_batch}
"""


@pytest.fixture(scope="module")
def question() -> Question:
    fleet = fleet_for_replay(shipped("examples"), {}, None)
    return Question(open_history("sample"), fleet, DecidingConfig(policy="breakeven"), code_hash())


@pytest.fixture(scope="module")
def offline(question: Question) -> Answer:
    return replay(question)


def test_four_workers_give_the_digest_of_the_offline_replay(
    question: Question, offline: Answer, kafka: str, redis_url: str
) -> None:
    settings = Settings(kafka=Kafka(brokers=(kafka,)), redis=Redis(url=SecretStr(redis_url)))
    answer = replay_through_kafka(question, settings, parts=4)
    assert answer.signals == offline.signals > 1_000
    assert answer.digest == offline.digest
    assert (answer.observations, answer.ticks, answer.rejected) == (
        offline.observations,
        offline.ticks,
        offline.rejected,
    )
    for entries in answer.entries.values():
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))


@pytest.fixture
def launch(stage: Stage, tmp_path: Path) -> Iterator[Launch]:
    with ExitStack() as processes:
        yield Launch(stage, tmp_path, processes)


class Launch:
    """Starts compiled workers that take so many records at once."""

    def __init__(self, stage: Stage, folder: Path, processes: ExitStack) -> None:
        self._stage, self._folder, self._processes = stage, folder, processes

    def __call__(self, max_batch: int) -> ServiceProcess:
        file = self._folder / f"batch-{max_batch}.toml"
        file.write_text(WORKER.format(max_batch=max_batch))
        more = {"CHANGEOVER_COMPILED": "1", "CHANGEOVER_CACHE": str(load().cache_folder)}
        service = self._stage.service("worker", CHANGEOVER_SETTINGS=str(file), **more)
        process = self._processes.enter_context(service)
        process.wait_ready()
        return process


async def test_replicas_cut_differently_one_killed_and_a_restart_give_the_bytes_of_the_offline_replay(
    question: Question, offline: Answer, stage: Stage, launch: Launch
) -> None:
    log = list(question.log())
    await stage.make_topics()
    producer = TopicProducer(stage.bootstrap, stage.names.topic("raw"))
    await producer.start()
    one, other, last = launch(700), launch(1_900), None
    try:
        for number, raw in enumerate(log):
            await producer.space()
            producer.append_nowait(raw.payload, headers=raw.headers())
            if number == len(log) // 3:
                await stage.until_head(number // 4)
                one.kill()
            if number == 2 * len(log) // 3:
                await stage.until_head(number // 2)
                other.kill()
                last = launch(1_100)
        await producer.flush()
    finally:
        await producer.stop()
    assert last is not None
    assert "restored" in str(last.report()["opened"])
    for miner in offline.entries:
        await stage.until_head(log[-1].offset, miner)
    stored = await stage.stored()
    assert list(in_digest_order(stored)) == list(in_digest_order(offline.entries))
    assert stored == offline.entries
