"""Orders and confirmations as a person gives them: by the command line, through the log, answered by a number."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from models.commands import Command
from streams.fleetfile import encode_miner, read_miners
from streams.inbox import Inbox
from streams.process import Process
from tests.support.stage import Stage, until, worker
from tests.support.story import EXAMPLES, epoch_start, offline, prices

ROOT = Path(__file__).resolve().parents[2]


def now_us() -> int:
    """This machine's clock [us UTC]: orders are given by people, now."""
    return time.time_ns() // 1_000


async def typed(stage: Stage, *words: str) -> tuple[int, dict[str, Any]]:
    """A command as it is typed, with --json; its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "streams.cli", *words, "--json"),
        env=stage.environment(),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, said = await process.communicate()
    assert process.returncode is not None
    assert printed, said.decode()
    return process.returncode, orjson.loads(printed)


@pytest.fixture
async def running(stage: Stage) -> AsyncIterator[Stage]:
    """A worker that carries five tiers at a price at which all of them earn; its site wants confirmations."""
    (miner,) = read_miners(EXAMPLES / "ladder.toml")
    (site,) = miner.site
    asked = replace(miner, site=(replace(site, acknowledge=True),))
    start_us = now_us()
    market = ("observation", start_us, prices(10.0, start_us))
    await stage.append([epoch_start(1), ("fleet", start_us, encode_miner(asked)), market])
    async with worker(stage), ticking(stage):
        await stage.until_head(2)
        yield stage
    assert await stage.stored() == offline(await stage.log())


class ticking:  # noqa: N801 used as a word
    """A clock of the log, as ingest keeps one."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def __aenter__(self) -> None:
        await self._stage.append([self._tick()], "clock-1")
        self._task = asyncio.create_task(self._run())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @staticmethod
    def _tick() -> tuple[str, int, bytes]:
        at_us = now_us()
        return "clock", at_us, orjson.dumps({"time_us": at_us})

    async def _run(self) -> None:
        while True:
            await self._stage.append([self._tick()], "clock-1")
            await asyncio.sleep(0.5)


ORDER = ("command", "force", "ladder", "hub", "s21", "--mode", "off", "--until", "1h", "--who", "A. Meyer")


@pytest.mark.guarantee("G7")
async def test_an_order_and_its_confirmation_are_answered_by_numbered_entries(running: Stage) -> None:
    site = (await running.stored())["ladder"]
    assert [orjson.loads(entry.json)["kind"] for entry in site] == ["epoch"]
    load, site_key = first_load()
    words = [*ORDER[:2], "ladder", site_key, load, *ORDER[5:], "--why", "transformer work"]
    code, printed = await typed(running, *words)
    assert code == 0
    assert printed["answer"]["outcome"] == "accepted"
    assert (printed["answer"]["who"], printed["answer"]["why"]) == ("A. Meyer", "transformer work")
    (switch,) = printed["switches"]
    assert (switch["load"], switch["to"], switch["class"]) == (load, "off", "operator")
    (waiting,) = await until_unconfirmed(running, 1)
    assert (waiting["load"], waiting["state"]) == (load, "awaited")
    async with inbox(running):
        code, confirmed = await typed(running, "ack", switch["id"], "--who", "A. Meyer")
        assert (code, confirmed["answer"]["outcome"]) == (0, "counted")
        assert await until_unconfirmed(running, 0) == []
        code, again = await typed(running, "ack", switch["id"], "--who", "B. Later")
    assert (code, again["answer"]["outcome"]) == (1, "refused")
    assert [orjson.loads(entry.json)["kind"] for entry in (await running.stored())["ladder"]] == [
        *("epoch", "command", "switch", "ack", "ack")
    ]


@pytest.mark.guarantee("G7")
async def test_an_order_that_is_stored_twice_is_carried_out_once_and_a_refused_one_ends_with_1(running: Stage) -> None:
    load, site = first_load()
    start_us = now_us()
    order = Command(
        id="order-1",
        miner="ladder",
        site=site,
        load=load,
        action="lock-out",
        who="A. Meyer",
        why="people at the machines",
        issued_us=start_us,
    )
    twice = [("command", start_us, orjson.dumps(asdict(order)))] * 2
    await running.append(twice, "command-1")
    code, refused = await typed(running, *ORDER[:2], "ladder", site, load, *ORDER[5:], "--why", "no")
    assert (code, refused["answer"]["outcome"]) == (1, "refused")
    assert "locked out by A. Meyer" in refused["answer"]["reason"]
    kinds = [orjson.loads(entry.json)["kind"] for entry in (await running.stored())["ladder"]]
    assert kinds == ["epoch", "command", "switch", "command"]


async def test_what_the_inbox_cannot_use_goes_to_topic_rejected_and_the_next_one_is_taken(running: Stage) -> None:
    load, site = first_load()
    _, printed = await typed(running, *ORDER[:2], "ladder", site, load, *ORDER[5:], "--why", "work")
    (switch,) = printed["switches"]
    key = running.names.key("ladder", "acks")
    wrong: list[tuple[dict[str, str], str]] = [
        ({"who": "A"}, "has signal and who"),
        ({"signal": switch["id"], "who": "A", "colour": "red"}, "has signal and who"),
        ({"signal": "ladder:1:99", "who": "A"}, "there is no signal"),
        ({"signal": "ladder:9:1", "who": "A"}, "of another generation"),
        ({"signal": "mara:1:1", "who": "A"}, "is no id of a signal of ladder"),
        ({"signal": "ladder:1:1", "who": "A"}, "only a switch"),
        ({"signal": switch["id"], "who": " "}, "who must not be empty"),
        ({"signal": switch["id"], "who": "A", "outcome": "refused"}, "note must not be empty"),
    ]
    with running.redis() as client:
        for fields, _ in wrong:
            client.xadd(key, fields)  # type: ignore[arg-type]  # redis-py takes text
        client.xadd(key, {"signal": switch["id"], "who": "A. Meyer"})
        async with inbox(running):
            assert await until_unconfirmed(running, 0) == []
        assert client.xlen(key) == 0
    reasons = [orjson.loads(value)["reason"] for _, _, value in await running.topic("rejected")]
    assert len(reasons) == len(wrong)
    for reason, (_, words) in zip(reasons, wrong, strict=True):
        assert words in reason


async def test_a_command_to_a_miner_without_a_fleet_is_rejected_and_named(stage: Stage) -> None:
    order = Command(id="c", miner="nobody", site="s", action="release", who="A", why="b", issued_us=now_us())
    await stage.append([epoch_start(1), ("command", now_us(), orjson.dumps(asdict(order)))])
    async with worker(stage):

        async def said() -> bool:
            return bool(await stage.topic("rejected"))

        await until(said)
    ((_, _, value),) = await stage.topic("rejected")
    assert "no miner 'nobody' has a fleet" in orjson.loads(value)["reason"]


def first_load() -> tuple[str, str]:
    """A load of the ladder, and its site."""
    (miner,) = read_miners(EXAMPLES / "ladder.toml")
    (site,) = miner.site
    return site.loads[0].key, site.key


async def until_unconfirmed(stage: Stage, count: int) -> list[dict[str, Any]]:
    """What the head shows as unconfirmed, once it is so many."""

    def shown() -> list[dict[str, Any]]:
        with stage.redis() as client:
            found = client.hget(stage.names.key("ladder", "head"), "unconfirmed")
        assert isinstance(found, bytes)
        read: list[dict[str, Any]] = orjson.loads(found)
        return read

    async def enough() -> bool:
        return len(shown()) == count

    await until(enough)
    return shown()


class inbox:  # noqa: N801 used as a word
    """The service that carries acknowledgements into the log."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(Inbox(Process(self._stage.settings, "agents")).run())

    async def __aexit__(self, *_: object) -> None:
        assert not self._task.done(), self._task
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
