"""A machine to break: real Kafka, Redis with its file, two workers and agents as processes, a source that counts."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from models.records import HOUR_US
from streams.cli.rebuild import begin_generations
from streams.embedded import EmbeddedRedis
from streams.errors import ChangeoverError
from streams.log import RawProducer, StaleTickError, create_topics
from streams.wire import Names
from tests.support.real_kafka import RealKafka
from tests.support.stage import ServiceProcess, Stage
from tests.support.story import START_US, STEP_US, Payload, opening, step, tick

WORKERS = ("one", "two")
PACE_S = 0.02
WHOLE_S = 120.0
BEYOND_US = START_US + 200 * HOUR_US
"""Closing ticks lie beyond any jump of the source's clock, which counts once its last ten ticks are all its own."""


@dataclass(slots=True)
class Source:
    """A numbered source: which steps the log acknowledged, and at which offsets (None: a tick that was dropped)."""

    appended: dict[int, list[int | None]] = field(default_factory=dict)
    next_step: int = 0


class Machine:
    """One run's processes over a Kafka and a Redis that live longer. Everything is started and ended by process id."""

    def __init__(self, kafka: RealKafka, redis: EmbeddedRedis, folder: Path, run: str) -> None:
        self.kafka, self.redis = kafka, redis
        self.stage = Stage(kafka.bootstrap, redis.url, Names("replay", run), folder)
        self.workers: dict[str, ServiceProcess] = {}
        self.agents: ServiceProcess | None = None
        self.source = Source()
        self.generation = 1
        self.log_changed = 0
        self._producer: RawProducer | None = None
        self._instances = self._closings = 0

    async def start(self) -> None:
        """Topics, the beginning of the log, and every process."""
        await create_topics(self.kafka.bootstrap, self.stage.names)
        await self.stage.append(opening())
        for name in WORKERS:
            self.start_worker(name)
        self.start_agents()

    def start_worker(self, name: str) -> None:
        """Start a worker; it says by itself when it serves."""
        if name in self.workers:
            self.workers[name].close()
        environment = self.stage.environment(CHANGEOVER_INSTANCE=name)
        self.workers[name] = ServiceProcess(("worker",), environment, self.stage.folder)

    def start_agents(self) -> None:
        """Start the agents."""
        if self.agents is not None:
            self.agents.close()
        environment = self.stage.environment(CHANGEOVER_CHECKPOINT_EVERY_S="1")
        self.agents = ServiceProcess(("agents",), environment, self.stage.folder)

    async def feed(self, stop: asyncio.Event) -> None:
        """Append a step after another until told to stop, whatever befalls the broker."""
        while not stop.is_set():
            if self._producer is None:
                self._instances += 1
                producer = RawProducer(self.kafka.bootstrap, self.stage.names, f"source-{self._instances}")
                try:
                    await producer.start()
                except ChangeoverError:
                    await asyncio.sleep(0.2)
                    continue
                self._producer = producer
            number = self.source.next_step
            self.source.next_step += 1
            self.source.appended[number] = [await self._stored(payload) for payload in step(number)]
            await asyncio.sleep(PACE_S)

    async def _stored(self, payload: Payload) -> int | None:
        """Append a payload; its offset, None for a tick that an outage made worthless."""
        assert self._producer is not None
        try:
            return await self._producer.append(*payload)
        except StaleTickError:
            return None

    async def append(self, *payloads: Payload) -> None:
        """Append something beside the source's steps, if the broker is there."""
        if self._producer is not None:
            for payload in payloads:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._producer.append(*payload), 20.0)

    async def close_source(self) -> None:
        """Let the source go."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def heal(self) -> None:
        """Start what is dead and wait until the head has come to the end of the log.

        A log that was cut before a head is refused with LOG_CHANGED; then, and only then, a new generation is begun.
        """
        async with asyncio.timeout(WHOLE_S):
            while True:
                self._revive()
                self._closings += 1
                at_us = BEYOND_US + (self.source.next_step + self._closings) * STEP_US
                (last,) = await self.stage.append([tick(at_us)], f"closing-{self._closings}")
                if await self._reaches(last):
                    return

    async def _reaches(self, offset: int) -> bool:
        while self.stage.head_offset() < offset:
            for name, process in self.workers.items():
                if process.code is None:
                    continue
                if "LOG_CHANGED" in process.said.splitlines()[-1]:
                    await self._rebuild()
                    return False
                assert process.code in (1, -signal.SIGKILL), f"worker {name} ended with {process.code}: {process.said}"
                self.start_worker(name)
            await asyncio.sleep(0.05)
        return True

    async def _rebuild(self) -> None:
        self.log_changed += 1
        for process in self.workers.values():
            process.close()
        generations = await begin_generations(self.stage.settings)
        self.generation = generations["ladder"]
        for name in WORKERS:
            self.start_worker(name)

    def _revive(self) -> None:
        for name, process in list(self.workers.items()):
            if process.code is not None and "LOG_CHANGED" not in process.said:
                self.start_worker(name)
        if self.agents is None or self.agents.code is not None:
            self.start_agents()

    async def lost_steps(self) -> list[int]:
        """Steps that the log acknowledged and no longer holds: a cut file's doing, counted apart."""
        held = {record.offset: record.payload for record in await self.stage.log()}
        return [
            number
            for number, offsets in self.source.appended.items()
            if any(
                at is not None and held.get(at) != payload
                for at, (_, _, payload) in zip(offsets, step(number), strict=True)
            )
        ]

    def stop(self) -> None:
        """End every process."""
        for process in (*self.workers.values(), *([self.agents] if self.agents else [])):
            process.close()


@contextmanager
def running(machine: Machine) -> Iterator[Machine]:
    """A machine whose processes are ended with the block."""
    try:
        yield machine
    finally:
        machine.stop()
