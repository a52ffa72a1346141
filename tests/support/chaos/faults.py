"""What can befall a machine: each fault is a function of the machine and a seeded chance, and leaves it running."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from models.records import HOUR_US
from tests.support.chaos.machine import WORKERS, Machine
from tests.support.story import START_US, STEP_US, step

Fault = Callable[[Machine, random.Random], Awaitable[None]]


async def worker_killed(machine: Machine, chance: random.Random) -> None:
    """SIGKILL of a worker, which is started again."""
    name = chance.choice(WORKERS)
    machine.workers[name].kill()
    machine.start_worker(name)


async def worker_frozen(machine: Machine, chance: random.Random) -> None:
    """SIGSTOP of a worker for up to a second: a long pause, after which it goes on with an old memory."""
    process = machine.workers[chance.choice(WORKERS)]
    process.freeze()
    await asyncio.sleep(chance.uniform(0.05, 1.0))
    process.thaw()


async def agents_killed(machine: Machine, _: random.Random) -> None:
    """SIGKILL of the agents, bridge and keeper among them."""
    if machine.agents is not None:
        machine.agents.kill()
    machine.start_agents()


async def redis_killed(machine: Machine, chance: random.Random) -> None:
    """SIGKILL of Redis, which comes back with its file."""
    machine.redis.kill()
    await asyncio.sleep(chance.uniform(0.0, 0.5))
    machine.redis.start()


async def redis_cut(machine: Machine, chance: random.Random) -> None:
    """Redis comes back with its file cut at a random byte: older."""
    machine.redis.kill()
    files = sorted(append_files(machine), key=lambda file: file.stat().st_size)
    if files:
        size = files[-1].stat().st_size
        os.truncate(files[-1], max(0, size - chance.randrange(1, 20_000)))
    machine.redis.start()


async def redis_emptied(machine: Machine, _: random.Random) -> None:
    """Redis comes back with nothing."""
    machine.redis.kill()
    for folder in {file.parent for file in append_files(machine)}:
        shutil.rmtree(folder)
    machine.redis.start()


def append_files(machine: Machine) -> list[Path]:
    """The files in which Redis keeps its writes."""
    assert machine.redis.folder is not None
    return [file for file in machine.redis.folder.glob("appendonlydir/*.incr.aof") if file.stat().st_size]


async def redis_slow(machine: Machine, chance: random.Random) -> None:
    """Redis answers nobody for a while."""
    with machine.stage.redis() as client:
        client.client_pause(chance.randrange(50, 800), all=True)


async def broker_killed(machine: Machine, _: random.Random) -> None:
    """SIGKILL of Kafka, which comes back with its files."""
    machine.kafka.kill()
    machine.kafka.start()  # on this thread: the server ends with the thread that started it


async def broker_cut(machine: Machine, chance: random.Random) -> None:
    """Kafka comes back with the log's last segment cut at a random byte."""
    machine.kafka.kill()
    folder = machine.kafka.folder / "data" / f"{machine.stage.names.topic('raw')}-0"
    segments = sorted(folder.glob("*.log"))
    if segments and segments[-1].stat().st_size:
        size = segments[-1].stat().st_size
        os.truncate(segments[-1], max(0, size - chance.randrange(1, 2_000)))
    machine.kafka.start()  # on this thread: the server ends with the thread that started it


async def poison(machine: Machine, chance: random.Random) -> None:
    """Records that nobody can read."""
    payloads = (b"", b"{}", b"[" * 1_000, b'[{"kind":"btc_price"}]', bytes(chance.randrange(256) for _ in range(100)))
    await machine.append(("observation", START_US, chance.choice(payloads)), ("weather", START_US, b"{}"))


async def doubled(machine: Machine, chance: random.Random) -> None:
    """A step that came before comes again: later than newer ones, and twice."""
    number = chance.randrange(machine.source.next_step + 1)
    await machine.append(*step(number), *step(max(0, number - 1)))


async def clock_jump(machine: Machine, chance: random.Random) -> None:
    """A lone clock far ahead of all others."""
    ahead_us = START_US + machine.source.next_step * STEP_US + chance.randrange(1, 100) * HOUR_US
    await machine.append(("clock", ahead_us, b'{"time_us":%d}' % ahead_us))


FAULTS: dict[Fault, int] = {
    worker_killed: 4,
    worker_frozen: 3,
    agents_killed: 2,
    redis_killed: 2,
    redis_cut: 2,
    redis_emptied: 1,
    redis_slow: 2,
    broker_killed: 1,
    broker_cut: 1,
    poison: 2,
    doubled: 2,
    clock_jump: 1,
}
"""Fault -> weight among the others."""


def chosen(chance: random.Random, count: int) -> list[Fault]:
    """So many faults, by weight."""
    return chance.choices(list(FAULTS), list(FAULTS.values()), k=count)
