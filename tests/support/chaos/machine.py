"""A machine to break: real Kafka, Redis with its file, our services as processes, a source that counts, a desk."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from models.records import HOUR_US
from streams.archive import ArchivedLog, check_archive, log_folders
from streams.cli.rebuild import begin_generations
from streams.copies import Copy, copies_of
from streams.embedded import EmbeddedRedis
from streams.errors import ChangeoverError, WorldError
from streams.log import Connection, RawProducer, StaleTickError, create_topics
from streams.wire import Entry, Names, RawRecord
from tests.support.chaos.desk import Desk
from tests.support.chaos.network import Network
from tests.support.real_kafka import RealKafka
from tests.support.stage import ServiceProcess, Stage, until
from tests.support.story import START_US, STEP_US, Payload, opening, step, tick

WORKERS = ("one", "two")
PACE_S = 0.08
WHOLE_S = 300.0
BEYOND_US = START_US + 200 * HOUR_US
"""Closing ticks lie beyond any jump of the source's clock, which counts once its last ten ticks are all its own."""


@dataclass(slots=True)
class Source:
    """A numbered source: which steps the log acknowledged, and at which offsets (None: a tick that was dropped)."""

    appended: dict[int, list[int | None]] = field(default_factory=dict)
    next_step: int = 0


class Machine:
    """One run's processes over a Kafka and a Redis that live longer. Everything is started and ended by process id.

    Each process reaches Kafka and Redis by a way of its own through the network; the test itself reaches them directly.
    """

    def __init__(self, kafka: RealKafka, redis: EmbeddedRedis, network: Network, folder: Path, run: str) -> None:
        self.kafka, self.redis, self.network = kafka, redis, network
        self.stage = Stage(kafka.bootstrap, redis.url, Names("replay", run), folder)
        self.workers: dict[str, ServiceProcess] = {}
        self.agents: ServiceProcess | None = None
        self.recorder: ServiceProcess | None = None
        self.zombies: list[ServiceProcess] = []
        self.desk = Desk(network.redis("client"), self.stage.names)
        self.source = Source()
        self.generation = self.epoch = 1
        self.log_changed = self.trapped = 0
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
        self.workers[name] = self._service("worker", name, CHANGEOVER_INSTANCE=name)

    def start_agents(self) -> None:
        """Start the agents."""
        if self.agents is not None:
            self.agents.close()
        self.agents = self._service("agents", "agents", CHANGEOVER_CHECKPOINT_EVERY_S="1")

    def start_recorder(self) -> None:
        """Start the recorder."""
        if self.recorder is not None:
            self.recorder.close()
        archive = {"CHANGEOVER_ARCHIVE": str(self.archive), "CHANGEOVER_ARCHIVE_FLUSH_S": "0.05"}
        self.recorder = self._service("recorder", "agents", **archive)

    @property
    def archive(self) -> Path:
        """Where the recorder writes."""
        return self.stage.folder / "archive"

    def _service(self, word: str, who: str, **more: str) -> ServiceProcess:
        ways = {"KAFKA_BROKERS": self.network.kafka(who), "REDIS_URL": self.network.redis(who)}
        return ServiceProcess((word,), self.stage.environment(**ways, **more), self.stage.folder)

    async def feed(self, stop: asyncio.Event) -> None:
        """Append a step after another until told to stop, whatever befalls the broker."""
        while not stop.is_set():
            if self._producer is None:
                self._instances += 1
                producer = RawProducer(self.network.kafka("source"), self.stage.names, f"source-{self._instances}")
                try:
                    await producer.start()
                except ChangeoverError:
                    await asyncio.sleep(0.2)
                    continue
                self._producer = producer
            number = self.source.next_step
            try:
                self.source.appended[number] = [await self._stored(payload) for payload in step(number)]
            except WorldError:
                continue  # the source was killed before the log acknowledged the step: it is sent again
            self.source.next_step += 1
            await asyncio.sleep(PACE_S)

    async def kill_source(self) -> None:
        """End the source with what it had under way; another instance begins at the step not acknowledged."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.producer.stop(0.0)

    async def _stored(self, payload: Payload) -> int | None:
        """Append a payload; its offset, None for a tick that an outage made worthless."""
        assert self._producer is not None
        try:
            return await self._producer.append(*payload)
        except StaleTickError:
            return None

    async def append(self, *payloads: Payload) -> None:
        """Append something beside the source's steps, if the broker is there."""
        producer = self._producer
        if producer is not None:
            for payload in payloads:
                with contextlib.suppress(asyncio.TimeoutError, WorldError):
                    await asyncio.wait_for(producer.append(*payload), 20.0)

    async def close_source(self) -> None:
        """Let the source go."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def heal(self) -> None:
        """Start what is dead and wait until the head has come to the end of the log.

        A log that was cut before a head is refused with LOG_CHANGED; then, and only then, a new generation is begun.
        """
        self.network.calm()
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
        if self.recorder is not None and self.recorder.code is not None:
            self.start_recorder()

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

    async def follow(self, offset: int) -> None:
        """Let the desk follow, from when a head has come to an offset."""
        while True:
            await self.stage.until_head(offset)
            try:
                return await self.desk.follow()
            except WorldError:
                if self.desk.entries:
                    raise
                await asyncio.sleep(
                    0.2
                )  # Redis lost the stream just when the desk began: there is nothing to follow yet

    async def until_told(self, following: asyncio.Task[None]) -> None:
        """Wait until the desk was handed the whole stream; one that found two computations has ended."""
        last = (self.generation, (await self.stage.stored())["ladder"][-1].seq)

        async def told() -> bool:
            if following.done():
                following.result()
            return self.desk.last >= last or bool(self.desk.diverged)

        await until(told)

    async def until_copied(self, stream: Sequence[Entry]) -> None:
        """Wait until topic `signals` gives the stream to whoever takes each number once."""
        found: dict[str, Copy] = {}

        async def copied() -> bool:
            found.update(await copies_of(Connection(bootstrap=self.kafka.bootstrap), self.stage.names))
            copy = found.get("ladder")
            return copy is not None and (copy.generation, copy.entries) == (self.generation, stream)

        try:
            await until(copied)
        except TimeoutError as late:
            copy = found.get("ladder")
            seen = None if copy is None else (copy.generation, copy.seq, copy.broken)
            raise AssertionError(f"topic signals holds {seen}, not all {len(stream)} of {self.generation}") from late

    async def until_recorded(self, log: list[RawRecord]) -> None:
        """Wait until the archive holds the log, where there is a recorder: each record once, and nothing damaged."""
        if self.recorder is None:
            return

        async def recorded() -> bool:
            folders = log_folders(self.archive) if self.archive.exists() else []
            return any(list(ArchivedLog(folder).records()) == log for folder in folders)

        await until(recorded)
        assert check_archive(self.archive).faults == []

    def stop(self) -> None:
        """End every process."""
        self.network.calm()
        for process in (*self.workers.values(), *self.zombies, self.agents, self.recorder):
            if process is not None:
                process.close()


@contextmanager
def running(machine: Machine) -> Iterator[Machine]:
    """A machine whose processes are ended with the block."""
    try:
        yield machine
    finally:
        machine.stop()
