"""One service process: its Faust app and services started, watched and stopped; how it ended, as an exit code.

Faust's own command line is not used: it makes its event loop where newer Pythons warn, and answers a crash with a
traceback. Here a service ends the process by :meth:`Process.end` with a code and one line.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import faust
import uvloop
from faust.app.base import BootStrategy
from mode import Service

from streams.errors import ChangeoverError, HaltedError, SettingsError, WorldError
from streams.exit_codes import DONE, HALTED, exit_code
from streams.health import Health, HealthServer
from streams.settings import Settings

logger = logging.getLogger("changeover")

STOP_S = 25.0
"""How long a stop may take [s]; a thread of a library that hangs must not keep the process from ending."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended. ``line`` is empty for a stop that was asked for."""

    code: int
    line: str = ""
    kind: str = ""


class Process:
    """What the services of one process share: settings, health, and the way to end."""

    def __init__(self, settings: Settings, service: str) -> None:
        self.settings = settings
        self.service = service
        self.instance = settings.new_instance(service)
        self.health = Health(service)
        self.ending: Ending | None = None
        self.cut_off = False
        self.stopping = asyncio.Event()
        self._ended = asyncio.Event()

    def say(self, line: str, *, loud: bool = False) -> None:
        """Log one line."""
        logger.log(logging.WARNING if loud else logging.INFO, "%s: %s", self.service, line)

    def end(self, code: int, line: str = "", kind: str = "") -> None:
        """Stop the process with this exit code; the first call counts."""
        if self.ending is None:
            self.ending = Ending(code, line, kind)
            self.health.set(line or "stopping", ready=False, failed=code != DONE)
            self.stopping.set()
            self._ended.set()

    def fail(self, error: Exception) -> None:
        """Stop the process for an error: ours in one line, anything else with its traceback."""
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        if self.stopping.is_set() and isinstance(error, WorldError):
            self.say(f"while stopping: {error}")
            return
        if not isinstance(error, ChangeoverError):
            logger.critical("%s: unexpected %s", self.service, type(error).__name__, exc_info=error)
            self.end(HALTED, f"{self.service} halted: {type(error).__name__}: {error}", "HaltedError")
            return
        if isinstance(error, HaltedError):
            logger.critical("%s: the engine failed", self.service, exc_info=error)
        self.end(exit_code(error), str(error), type(error).__name__)

    async def ended(self) -> None:
        """Wait until something ended the process."""
        await self._ended.wait()


class Guarded(Service):
    """A service with one task. Whatever escapes the task ends the process instead of leaving it half alive."""

    def __init__(
        self, process: Process, name: str, task: Callable[[], Awaitable[None]], patience_s: float = 0.0
    ) -> None:
        self.process = process
        self.name = name
        self._work = task
        self._patience_s = patience_s
        self._finished = asyncio.Event()
        super().__init__()

    @Service.task
    async def work(self) -> None:
        """Run the task."""
        try:
            await self._work()
        except Exception as error:  # noqa: BLE001 nothing may escape: mode would stop half of the process
            self.process.fail(error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self.process.fail(WorldError(f"{self.name} was cancelled from within, by a client library: start again"))
        finally:
            self._finished.set()

    async def on_stop(self) -> None:
        """Give the task a moment to come to its own end before it is cancelled."""
        self.process.stopping.set()
        if self._patience_s:
            try:
                await asyncio.wait_for(self._finished.wait(), self._patience_s)
            except TimeoutError:
                logger.warning("%s: %s was cut off while stopping", self.process.service, self.name)


Built = tuple[faust.App, Sequence[Service]]


async def supervise(process: Process, build: Callable[[], Awaitable[Built]]) -> Ending:
    """Serve health, build the app and its services, run them until a signal or an ending, stop all of it."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, process.end, DONE)
    http = HealthServer(process.health, process.settings.http.host, process.settings.port(process.service))
    try:
        await http.start()
        app, services = await build()
        await run_worker(process, app, services)
    except Exception as error:  # noqa: BLE001 whatever a start raised is told by its kind
        process.fail(error)
    finally:
        process.health.set("stopping", ready=False, failed=process.health.failed)
        await http.stop()
    ending = process.ending or Ending(DONE)
    if process.cut_off:
        process.say(f"ending with {ending.code}: {ending.line or 'stopped'}", loud=True)
        sys.stderr.flush()
        os._exit(ending.code)
    return ending


async def run_worker(process: Process, app: faust.App, services: Sequence[Service]) -> None:
    """Run the app and the services in a Faust worker until a signal or an ending."""
    worker = Unsignalled(
        app,
        *services,
        loop=asyncio.get_running_loop(),
        quiet=True,
        override_logging=False,
        redirect_stdouts=False,
    )
    worker.spinner = None  # it would write to the terminal
    running = asyncio.create_task(worker.start())
    ended = asyncio.create_task(process.ended())
    await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
    process.health.set("stopping", ready=False, failed=process.health.failed)
    try:
        await asyncio.wait_for(worker.stop(), STOP_S)
    except TimeoutError:
        process.cut_off = True
        process.say(f"not everything stopped within {STOP_S:g} s: cut off", loud=True)
    ended.cancel()
    running.cancel()
    await asyncio.gather(ended, return_exceptions=True)
    (result,) = await asyncio.gather(running, return_exceptions=True)
    for problem in (result, worker.crash_reason):
        if isinstance(problem, Exception):
            process.fail(problem)


class Unsignalled(faust.Worker):
    """A Faust worker that leaves signals to :func:`supervise`: its own handler would not wait for the stop."""

    def install_signal_handlers(self) -> None:
        """Install none."""


class QuietApp(faust.App):
    """A Faust app that reads nothing by itself: no consumer is made, whose event loop nobody would close."""

    producer_only = True

    async def on_start(self) -> None:
        """Read the configuration."""
        self.finalize()


class NoKafka(BootStrategy):
    """Starts none of Faust's own Kafka clients: ours start when Kafka is there."""

    enable_kafka = False


def quiet_app(process: Process) -> faust.App:
    """A Faust app of services alone, which starts whether Kafka is there or not."""
    app = QuietApp(**app_settings(process))
    app.boot_strategy = NoKafka(app)
    return app


def app_settings(process: Process) -> dict[str, Any]:
    """The settings that all our Faust apps share."""
    settings = process.settings
    folder = settings.cache_folder / "faust"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"[engine] cache: cannot make {folder}: {error.strerror}; set CHANGEOVER_CACHE to a folder we may write"
        ) from error
    return {
        "id": f"changeover-{settings.names.scope or 'live'}-{process.service}",
        "broker": [f"kafka://{broker}" for broker in settings.kafka.brokers],
        "loop": asyncio.get_running_loop(),
        "autodiscover": False,
        "datadir": folder,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "store": "memory://",
        "web_enabled": False,
        "producer_threaded": False,
        "producer_request_timeout": 30,
    }


def run(start: Callable[[], Awaitable[Ending]]) -> Ending:
    """Run a service to its end in an event loop of its own."""
    configure_logging()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(as_coroutine(start))


async def as_coroutine(start: Callable[[], Awaitable[Ending]]) -> Ending:
    """The service's start; an error before anything runs is an ending too."""
    try:
        return await start()
    except ChangeoverError as error:
        return Ending(exit_code(error), str(error), type(error).__name__)


def configure_logging() -> None:
    """Our lines on standard error in UTC; of the libraries only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger.setLevel(logging.INFO)
