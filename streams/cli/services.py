"""`changeover worker`, `ingest`, `agents`, `recorder`: the long-running services, one process each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_error, print_json

if TYPE_CHECKING:
    from streams.process import Ending


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (worker, ingest, agents, recorder):
        app.command(command.__name__)(command)


def worker(*, json: Json = False, settings: SettingsFile = None) -> int:
    """Compute the signals: read the log, decide, publish to Redis.

    Runs until stopped. Replicas of one part may run side by side: the first to reach Redis wins each batch, and the
    others have nothing to catch up when it dies. Exit code 70 means that the engine halted or that Redis holds another
    computation of the same stream; nothing is overwritten then.

    Keys with --json, at the end: service, ended, exit.
    """
    from streams.worker import run_worker

    chosen = read_settings(settings)
    return until_ended("worker", lambda: run_worker(chosen), json=json)


def ingest(*, json: Json = False, settings: SettingsFile = None) -> int:
    """Append what the feeds say, and a clock tick a second, to the log.

    Runs until stopped. With origin demo the one feed is the simulated market, which brings its own clock.

    Keys with --json, at the end: service, ended, exit.
    """
    from streams.ingest import run_ingest
    from streams.register import feeds_for

    chosen = read_settings(settings)
    plan = feeds_for(chosen)
    return until_ended("ingest", lambda: run_ingest(chosen, plan.running, plan.off), json=json)


def agents(*, json: Json = False, settings: SettingsFile = None) -> int:
    """Check what outsiders write to topic observations, and copy published signals to topic signals.

    Runs until stopped. Keys with --json, at the end: service, ended, exit.
    """
    from streams.agents import run_agents

    chosen = read_settings(settings)
    return until_ended("agents", lambda: run_agents(chosen), json=json)


def recorder(*, json: Json = False, settings: SettingsFile = None) -> int:
    """Copy the log to the archive: Parquet files that outlive what Kafka keeps, each record once.

    Runs until stopped, and needs the extra `archive` (pyarrow). A second one on the same folder stands by. While the
    disk refuses it holds and tries again. Keys with --json, at the end: service, ended, exit.
    """
    from streams.recorder import run_recorder

    chosen = read_settings(settings)
    return until_ended("recorder", lambda: run_recorder(chosen), json=json)


def until_ended(service: str, start: Callable[[], Awaitable[Ending]], *, json: bool) -> int:
    """Run a service and say how it ended."""
    from streams.process import run

    ending = run(start)
    if ending.line:
        print_error(ending.kind, ending.line, json=json)
    elif json:
        print_json({"service": service, "ended": "stopped", "exit": ending.code})
    return ending.code
