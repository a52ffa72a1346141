"""Starting a worker: waiting for a world that is away, and refusing a log that is another one."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import orjson
import pytest

from streams.cli import main
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.embedded.child import free_port
from streams.log import create_topics, delete_topics
from streams.wire import Names
from tests.support.stage import Stage, worker
from tests.support.story import offline, opening, steps

SECRET = "hunter2"  # noqa: S105 it is what must not be printed


def last_line(said: str) -> str:
    """The last line of what a process said, which must be the only one of its kind and no traceback."""
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.startswith("changeover: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def away(tmp_path: Path, run_names: Names) -> Stage:
    """A stage whose broker and Redis do not run, at ports that are free."""
    return Stage(f"127.0.0.1:{free_port()}", f"redis://:{SECRET}@127.0.0.1:{free_port()}/0", run_names, tmp_path)


def test_without_redis_a_worker_waits_then_ends_with_one_line_that_hides_the_password(
    away: Stage, own_broker: EmbeddedBroker
) -> None:
    stage = Stage(own_broker.bootstrap, away.redis_url, away.names, away.folder)
    with stage.service("worker", CHANGEOVER_START_UP_S="1") as process:
        assert process.wait() == 1
        line = last_line(process.said)
        assert re.search(
            r"Redis at redis://:\*\*\*@127\.0\.0\.1:\d+/0: .*\(tried for 1 s\); start it or set REDIS_URL", line
        )
        assert "waiting for Redis" in process.said
        assert SECRET not in process.said


def test_without_a_broker_a_worker_waits_then_ends_with_one_line(away: Stage, own_redis: EmbeddedRedis) -> None:
    stage = Stage(away.bootstrap, own_redis.url, away.names, away.folder)
    with stage.service("worker", CHANGEOVER_START_UP_S="1") as process:
        assert process.wait() == 1
        line = last_line(process.said)
        assert f"Kafka at {stage.bootstrap}: cannot create the topics" in line
        assert "no broker answers" in line
        assert "waiting for Kafka" in process.said


def test_a_broker_and_a_redis_that_come_later_are_waited_for_in_health(away: Stage, own_broker: EmbeddedBroker) -> None:
    redis_port = free_port()
    stage = Stage(own_broker.bootstrap, f"redis://127.0.0.1:{redis_port}/0", away.names, away.folder)
    with stage.service("worker") as process:
        process.wait_for(lambda: "waiting for Redis" in str(process.report().get("state")))
        assert process.get("/ready")[0] == 503
        assert process.get("/health")[0] == 200
        with EmbeddedRedis(port=redis_port):
            process.wait_ready()
            assert b"changeover_worker_ready 1.0" in process.get("/metrics")[1]
            assert process.stop() == 0
            assert last_exit_is_silent(process.said)


def last_exit_is_silent(said: str) -> bool:
    """Whether a stop that was asked for said nothing as an error."""
    return not any(line.startswith("changeover: ") for line in said.splitlines())


def test_a_worker_stopped_while_it_waits_ends_in_order(away: Stage, own_broker: EmbeddedBroker) -> None:
    stage = Stage(own_broker.bootstrap, away.redis_url, away.names, away.folder)
    with stage.service("worker") as process:
        process.wait_for(lambda: "waiting for Redis" in str(process.report().get("state")))
        assert process.stop() == 0


def test_a_port_that_is_taken_is_said_in_one_line(stage: Stage) -> None:
    with stage.service("worker") as first:
        first.wait_for(lambda: first.get("/health")[0] == 200)
        with stage.service("worker", CHANGEOVER_HTTP_PORT=str(first.port)) as second:
            assert second.wait() == 1
            assert f"cannot listen on 127.0.0.1:{first.port}" in last_line(second.said)


@pytest.mark.guarantee("G1")
async def test_a_topic_made_anew_is_refused_and_a_rebuild_numbers_a_new_generation(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.append([*opening(), *steps(0, 3)])
    async with worker(stage):
        await stage.until_head(6)
    old = await stage.stored()
    await delete_topics(stage.bootstrap, stage.names)
    await create_topics(stage.bootstrap, stage.names)
    await stage.append([*opening(), *steps(1, 5)], "test-2")
    async with worker(stage) as process:
        await process.ended()
    assert process.ending is not None
    assert process.ending.code == 1
    assert process.ending.line.startswith("LOG_CHANGED: offset ")
    assert "changeover rebuild --new-generation" in process.ending.line
    assert await stage.stored() == old

    for name, value in stage.environment().items():
        monkeypatch.setenv(name, value)
    assert await asyncio.to_thread(main, ["rebuild", "--json"]) == 2
    assert await asyncio.to_thread(main, ["rebuild", "--new-generation", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out.splitlines()[-1]) == {"generations": {"ladder": 2}}
    async with worker(stage) as process:
        await stage.until_all_is_published()
    assert process.ending is None
    assert await stage.stored() == offline(await stage.log(), generation=2)
    with stage.redis() as client:
        aside = client.xlen(f"{stage.names.key('ladder', 'signals')}:g1")
    assert aside == len(old["ladder"])


@pytest.mark.guarantee("G1")
async def test_a_broker_that_lost_its_log_is_refused(
    own_broker: EmbeddedBroker, redis_url: str, run_names: Names, tmp_path: Path
) -> None:
    stage = Stage(own_broker.bootstrap, redis_url, run_names, tmp_path)
    await stage.append([*opening(), *steps(0, 3)])
    async with worker(stage):
        await stage.until_head(6)
    own_broker.kill()
    own_broker.start()
    with stage.service("worker") as process:
        assert process.wait() == 1
        assert "LOG_CHANGED: offset " in last_line(process.said)
