"""A service process: health from the first moment, and an end with a code and one line whatever happens in it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from streams.errors import DivergedError, HaltedError, SettingsError, WorldError
from streams.process import Built, Ending, Guarded, Process, quiet_app, supervise
from streams.settings import Engine, Http, Settings

Work = Callable[[Process], Awaitable[None]]


async def run(folder: Path, work: Work) -> Ending:
    """A service whose one task is ``work``."""
    process = Process(Settings(http=Http(port=0), engine=Engine(cache=folder)), "worker")

    async def build() -> Built:
        return quiet_app(process), [Guarded(process, "work", lambda: work(process), 1.0)]

    return await supervise(process, build)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (WorldError("no broker"), 1, "no broker"),
        (SettingsError("no such key"), 2, "no such key"),
        (DivergedError("two streams"), 70, "two streams"),
        (HaltedError("HALTED: offset 7"), 70, "HALTED: offset 7"),
        (ValueError("ours"), 70, "worker halted: ValueError: ours"),
    ],
)
async def test_an_error_in_a_task_ends_the_process_by_whose_fault_it_was(
    tmp_path: Path, error: Exception, code: int, line: str
) -> None:
    async def work(_process: Process) -> None:
        raise error

    ending = await run(tmp_path, work)
    assert (ending.code, ending.line) == (code, line)


async def test_a_cancellation_that_nobody_asked_for_ends_the_process(tmp_path: Path) -> None:
    async def cancelled(_: Process) -> None:
        raise asyncio.CancelledError  # as a client library may let out of its own closing

    ending = await run(tmp_path, cancelled)
    assert ending.code == 1
    assert "work was cancelled from within" in ending.line


async def test_an_error_in_a_group_of_tasks_is_told_as_itself(tmp_path: Path) -> None:
    async def fail() -> None:
        raise WorldError("no broker")

    async def work(_process: Process) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())

    assert await run(tmp_path, work) == Ending(1, "no broker", "WorldError")


async def test_a_signal_stops_in_order_with_code_0(tmp_path: Path) -> None:
    finished = []

    async def work(process: Process) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await process.stopping.wait()
        await asyncio.sleep(0)
        finished.append(True)

    assert await run(tmp_path, work) == Ending(0)
    assert finished == [True]


async def test_what_fails_because_of_the_stop_is_no_failure(tmp_path: Path) -> None:
    async def work(process: Process) -> None:
        process.end(0)
        await asyncio.sleep(0)
        raise WorldError("the connection was closed")

    assert await run(tmp_path, work) == Ending(0)


async def test_a_task_that_does_not_stop_is_cut_off(tmp_path: Path) -> None:
    async def work(process: Process) -> None:
        process.end(0)
        await asyncio.Event().wait()

    assert await run(tmp_path, work) == Ending(0)


async def test_health_answers_while_the_service_waits_and_while_it_serves(tmp_path: Path) -> None:
    answers = []

    async def work(process: Process) -> None:
        url = f"http://127.0.0.1:{process.health.facts['port']}"
        async with aiohttp.ClientSession() as session:
            for state, ready in (("waiting for Redis", False), ("serving", True)):
                process.health.set(state, ready=ready)
                for page in ("health", "ready"):
                    async with session.get(f"{url}/{page}") as answer:
                        answers.append((page, answer.status, (await answer.json())["state"]))
            async with session.get(f"{url}/metrics") as answer:
                answers.append(("metrics", answer.status, "changeover_worker_ready 1.0" in await answer.text()))
        process.end(0)

    assert await run(tmp_path, work) == Ending(0)
    assert answers == [
        ("health", 200, "waiting for Redis"),
        ("ready", 503, "waiting for Redis"),
        ("health", 200, "serving"),
        ("ready", 200, "serving"),
        ("metrics", 200, True),
    ]


async def test_a_cache_folder_that_cannot_be_made_is_the_operators_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def work(_process: Process) -> None:
        raise AssertionError

    ending = await run(tmp_path / "file", work)
    assert ending.code == 2
    assert "set CHANGEOVER_CACHE to a folder we may write" in ending.line
