"""A log, a Redis and our services over them, for tests: in this process, or as processes to kill."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numba
import redis
import redis.asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import SecretStr

from streams.compilation import code_hash
from streams.embedded.child import free_port
from streams.log import RawProducer, RawReader, create_topics
from streams.part import Part
from streams.pipeline import Mode
from streams.process import Process
from streams.settings import Engine, Http, Kafka, Redis, Run, Settings, Worker
from streams.sink import RedisSink
from streams.wire import Entry, Names, RawRecord
from streams.worker import carry_part
from tests.support.story import Payload, closing_tick

WAIT_S = 100.0


@dataclass(frozen=True)
class Stage:
    """Where one test plays: broker, Redis, names of its own, a folder."""

    bootstrap: str
    redis_url: str
    names: Names
    folder: Path

    @property
    def settings(self) -> Settings:
        """Settings of a service on this stage."""
        return Settings(
            kafka=Kafka(brokers=(self.bootstrap,)),
            redis=Redis(url=SecretStr(self.redis_url)),
            run=Run(origin=self.names.origin, name=self.names.run or "main"),
            http=Http(port=0),
            engine=Engine(cache=self.folder, compiled=not vars(numba.config)["DISABLE_JIT"]),
            worker=Worker(start_up_s=30, poll_ms=50),
        )

    def environment(self, **more: str) -> dict[str, str]:
        """Environment of a service process on this stage; uncompiled, so that it starts in a second or two."""
        return {
            "PATH": os.environ["PATH"],
            "KAFKA_BROKERS": self.bootstrap,
            "REDIS_URL": self.redis_url,
            "CHANGEOVER_ORIGIN": self.names.origin,
            "CHANGEOVER_RUN": self.names.run or "main",
            "CHANGEOVER_CACHE": str(self.folder),
            "CHANGEOVER_COMPILED": "0",
            "CHANGEOVER_SOURCES": "none",
            **more,
        }

    async def make_topics(self) -> None:
        """Make the topics of this stage."""
        await create_topics(self.bootstrap, self.names)

    async def append(self, payloads: Iterable[Payload], instance: str = "test-1") -> list[int]:
        """Append to the log; gives the offsets."""
        await self.make_topics()
        producer = RawProducer(self.bootstrap, self.names, instance)
        await producer.start()
        try:
            return [await producer.append(*payload) for payload in payloads]
        finally:
            await producer.stop()

    async def log(self) -> list[RawRecord]:
        """Everything the log holds."""
        records: list[RawRecord] = []
        async with RawReader(self.bootstrap, self.names) as reader:
            end = await reader.end_offset()
            while not records or records[-1].offset < end - 1:
                records += await reader.read()
        return records

    async def topic(self, name: str) -> list[tuple[bytes | None, dict[str, bytes], bytes]]:
        """Key, headers and value of every message that a topic holds now."""
        partition = TopicPartition(self.names.topic(name), 0)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        consumer.assign([partition])
        await consumer.start()
        messages = []
        try:
            end = (await consumer.end_offsets([partition]))[partition]
            while True:
                found = (await consumer.getmany(timeout_ms=200)).get(partition, [])
                messages += [(each.key, dict(each.headers), each.value) for each in found]
                if not found and await consumer.position(partition) >= end:
                    return messages
        finally:
            await consumer.stop()

    @contextmanager
    def redis(self) -> Iterator[redis.Redis]:
        """A plain client, to look at or to spoil what is stored."""
        with redis.Redis.from_url(self.redis_url) as client:
            yield client

    async def stored(self) -> dict[str, list[Entry]]:
        """Every miner's stream as the sink holds it."""
        client = redis.asyncio.Redis.from_url(self.redis_url)
        sink = RedisSink(client, self.names)
        try:
            return {miner: await sink.read(miner) for miner in await sink.miners()}
        finally:
            await client.aclose()

    def head_offset(self, miner: str = "ladder") -> int:
        """The offset of a head, -1 where there is none."""
        with self.redis() as client:
            found = client.hget(self.names.key(miner, "head"), "offset")
        return int(found) if isinstance(found, bytes) else -1

    async def until_head(self, offset: int, miner: str = "ladder") -> None:
        """Wait until a head has come to an offset."""
        async with asyncio.timeout(WAIT_S):
            while self.head_offset(miner) < offset:  # noqa: ASYNC110 Redis cannot wake us
                await asyncio.sleep(0.02)

    async def until_all_is_published(self, *miners: str) -> None:
        """Append a closing tick and wait until the heads have come to it: then all before it is published."""
        (offset,) = await self.append([closing_tick()], "closing")
        for miner in miners or ("ladder",):
            await self.until_head(offset, miner)

    @contextmanager
    def service(self, *words: str, **more: str) -> Iterator[ServiceProcess]:
        """A service as a process, ended with the block."""
        process = ServiceProcess(words, self.environment(**more), self.folder)
        try:
            yield process
        finally:
            process.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition of the world outside, which cannot wake us."""
    async with asyncio.timeout(WAIT_S):
        while not await condition():  # noqa: ASYNC110 the reason of this function
            await asyncio.sleep(0.05)


@asynccontextmanager
async def worker(stage: Stage, code: str | None = None, part: Part | None = None) -> AsyncIterator[Process]:
    """A worker in this process, stopped with the block; what ended it early is in ``process.ending``.

    ``code``: the hash it works under, where it plays another installation's worker.
    """
    process = Process(stage.settings, "worker")
    mode = Mode(origin=stage.names.origin, code_hash=code or code_hash(), part=part or Part())

    async def work() -> None:
        try:
            await carry_part(process, mode)
        except Exception as error:  # noqa: BLE001 told by its kind, as the service would
            process.fail(error)

    task = asyncio.create_task(work())
    try:
        yield process
        process.stopping.set()
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class ServiceProcess:
    """One of our services, run as an operator runs it; warnings are errors."""

    def __init__(self, words: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self.port = free_port()
        self._errors = folder / f"{words[0]}-{self.port}.stderr"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "streams.cli", *words],
                env={"CHANGEOVER_HTTP_PORT": str(self.port)} | environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=Path(__file__).resolve().parents[2],
            )

    @property
    def said(self) -> str:
        """What it wrote to standard error so far."""
        return self._errors.read_text()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of one of its pages; 0 while nothing answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def report(self) -> dict[str, object]:
        """The object of /health; empty while nothing answers."""
        found: dict[str, object] = json.loads(self.get("/health")[1] or b"{}")
        return found

    def wait_ready(self) -> None:
        """Wait until it serves."""
        self.wait_for(lambda: self.get("/ready")[0] == http.HTTPStatus.OK)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, as long as the process lives."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.said}"
            assert time.monotonic() < deadline, f"waited too long; {self.report()}; {self.said}"
            time.sleep(0.05)

    def read_line(self) -> bytes:
        """The next line of its standard output, without its end."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip(b"\n")

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def freeze(self) -> None:
        """Stop it where it is, with all it holds."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait(WAIT_S)

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        return self._process.wait(WAIT_S)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._process.poll() is None:
            self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
