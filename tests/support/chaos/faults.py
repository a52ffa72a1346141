"""What can befall a machine: each fault is a function of the machine and a seeded chance, and leaves it running."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from models.records import HOUR_US
from tests.support.chaos.machine import WORKERS, Machine
from tests.support.chaos.network import KAFKA_WHO, WHO
from tests.support.proxy import Trap
from tests.support.stage import ServiceProcess, until
from tests.support.story import CONFIG, START_US, STEP_US, epoch_start, step

Fault = Callable[[Machine, random.Random], Awaitable[None]]

MOMENTS: tuple[Literal["before", "between", "after"], ...] = ("before", "between", "after")
SINK_STEPS = (b"changeover_write", b"changeover_write", b"changeover_checkpoint", b":trim")
WAYS = (*((who, "kafka") for who in KAFKA_WHO), *((who, "redis") for who in WHO))
TRAP_S, READY_S = 4.0, 15.0
ROOM_BYTES = 2_000


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
    cut_segment(machine, "raw", chance)
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
    """A lone clock far ahead of all others, or far behind."""
    hours = chance.choice((-1, 1)) * chance.randrange(1, 100)
    at_us = START_US + machine.source.next_step * STEP_US + hours * HOUR_US
    await machine.append(("clock", at_us, b'{"time_us":%d}' % at_us))


async def source_killed(machine: Machine, _: random.Random) -> None:
    """The source ends with what it had under way; another instance sends again what was not acknowledged."""
    await machine.kill_source()


async def sink_step(machine: Machine, chance: random.Random) -> None:
    """SIGKILL of a worker at one of its requests to Redis: before it, before its answer, or right behind that."""
    name, word, moment = chance.choice(WORKERS), chance.choice(SINK_STEPS), chance.choice(MOMENTS)
    process, proxy = machine.workers[name], machine.network.proxies[name, "redis"]
    await until_ready(process)
    trap = proxy.trap = Trap(lambda data: word in data, moment, process.kill)
    machine.trapped += await asyncio.to_thread(trap.sprung.wait, TRAP_S)
    proxy.trap = None
    process.kill()
    machine.start_worker(name)


async def until_ready(process: ServiceProcess) -> None:
    """Wait a while until a service serves: what it does at its start is not what is to be trapped."""

    async def ready() -> bool:
        return (await asyncio.to_thread(process.get, "/ready"))[0] == HTTPStatus.OK

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_S):
            await until(ready)


async def bridge_step(machine: Machine, chance: random.Random) -> None:
    """SIGKILL of the agents at a copy to topic `signals`: before it, before its answer, or right behind that."""
    agents, proxy = machine.agents, machine.network.proxies["agents", "kafka"]
    assert agents is not None
    await until_ready(agents)
    trap = proxy.trap = Trap(copies_something, chance.choice(MOMENTS), agents.kill)
    machine.trapped += await asyncio.to_thread(trap.sprung.wait, TRAP_S)
    proxy.trap = None
    agents.kill()
    machine.start_agents()


def copies_something(data: bytes) -> bool:
    """Whether a request to Kafka appends to topic `signals`: its key, behind four bytes of length, is 0."""
    return data[4:6] == bytes(2) and b".signals" in data


async def bridge_zombie(machine: Machine, chance: random.Random) -> None:
    """The agents stand still, others take over, then the first go on with their old memory, beside the others."""
    agents = machine.agents
    assert agents is not None
    agents.freeze()
    machine.zombies.append(agents)
    machine.agents = None
    machine.start_agents()
    await asyncio.sleep(chance.uniform(0.5, 6.0))
    agents.thaw()


async def network_cut(machine: Machine, chance: random.Random) -> None:
    """Somebody's connections to Kafka or to Redis break, and none is let through for a while."""
    way = chance.choice(WAYS)
    machine.network.proxies[way].shut = True
    machine.network.cut(way)
    await asyncio.sleep(chance.uniform(0.0, 2.0))
    machine.network.proxies[way].shut = False


async def network_stalled(machine: Machine, chance: random.Random) -> None:
    """Nothing passes between somebody and Kafka or Redis for a while; no connection breaks."""
    proxy = machine.network.proxies[chance.choice(WAYS)]
    proxy.stalled.set()
    await asyncio.sleep(chance.uniform(0.2, 3.0))
    proxy.stalled.clear()


async def network_slow(machine: Machine, chance: random.Random) -> None:
    """Everything between somebody and Kafka or Redis comes late for a while."""
    proxy = machine.network.proxies[chance.choice(WAYS)]
    proxy.delay_s = chance.uniform(0.02, 0.2)
    await asyncio.sleep(chance.uniform(0.5, 2.0))
    proxy.delay_s = 0.0


async def redis_restarted(machine: Machine, _: random.Random) -> None:
    """Redis is stopped in order and started again."""
    machine.redis.stop()
    machine.redis.start()


async def broker_restarted(machine: Machine, _: random.Random) -> None:
    """Kafka is stopped in order and started again."""
    machine.kafka.pause()
    machine.kafka.start()


async def copies_cut(machine: Machine, chance: random.Random) -> None:
    """Kafka comes back with the last segment of topic `signals` cut at a random byte."""
    machine.kafka.kill()
    cut_segment(machine, "signals", chance)
    machine.kafka.start()


def cut_segment(machine: Machine, topic: str, chance: random.Random) -> None:
    """Cut the last segment of a topic; Kafka must not run."""
    folder = machine.kafka.folder / "data" / f"{machine.stage.names.topic(topic)}-0"
    segments = sorted(folder.glob("*.log"))
    if segments and segments[-1].stat().st_size:
        size = segments[-1].stat().st_size
        os.truncate(segments[-1], max(0, size - chance.randrange(1, 2_000)))


async def disk_full(machine: Machine, chance: random.Random) -> None:
    """The recorder's files may not grow for a while: every write beyond a few kB fails, as on a full disk."""
    if machine.recorder is None or machine.recorder.code is not None:
        machine.start_recorder()
    recorder = machine.recorder
    assert recorder is not None
    _, hard = resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (len(recorder.said) + ROOM_BYTES, hard))
    await asyncio.sleep(chance.uniform(0.5, 3.0))
    resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (hard, hard))


async def recorder_killed(machine: Machine, _: random.Random) -> None:
    """SIGKILL of the recorder, which is started again."""
    if machine.recorder is not None:
        machine.recorder.kill()
    machine.start_recorder()


async def epoch_started(machine: Machine, chance: random.Random) -> None:
    """Another configuration decides from here on."""
    machine.epoch += 1
    config = replace(CONFIG, checkpoint_every_s=chance.choice((1_800, 3_600, 7_200)))
    await machine.append(epoch_start(machine.epoch, config))


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault, how often it is chosen among the others, where it strikes, and what must hold beside the guarantee."""

    fault: Fault
    weight: int
    strikes: str
    holds: str = ""


KINDS = (
    Kind(worker_killed, 4, "worker", "the other replica goes on; nobody waits"),
    Kind(worker_frozen, 3, "worker", "an old memory that wakes up doubles nothing"),
    Kind(sink_step, 6, "worker, between two steps of the sink", "a batch is in whole or not at all"),
    Kind(epoch_started, 1, "the log", "no batch spans the start of an epoch"),
    Kind(agents_killed, 2, "agents", "the bridge goes on behind what the topic holds"),
    Kind(bridge_step, 3, "agents, between two steps of the bridge", "a copy may come twice, none is missing"),
    Kind(bridge_zombie, 2, "agents", "two bridges at once: consumers tell copies apart by number"),
    Kind(source_killed, 2, "source", "what was not acknowledged is sent again; what was is in the log"),
    Kind(recorder_killed, 1, "recorder", "the archive holds each record of the log once"),
    Kind(disk_full, 2, "recorder", "it holds what it has, and the archive is whole when there is room again"),
    Kind(redis_killed, 2, "Redis", "acknowledged writes are there again"),
    Kind(redis_restarted, 1, "Redis", "the same"),
    Kind(redis_cut, 3, "Redis, its file cut at a random byte", "what it lacks is written again, with the same bytes"),
    Kind(redis_emptied, 2, "Redis", "it is filled from topic `signals`; the rest is computed again"),
    Kind(redis_slow, 2, "Redis", "the batch is held"),
    Kind(broker_killed, 1, "Kafka", "acknowledged records are there again"),
    Kind(broker_restarted, 1, "Kafka", "the same"),
    Kind(broker_cut, 2, "Kafka, topic `raw` cut at a random byte", "LOG_CHANGED where a head lies beyond the cut"),
    Kind(copies_cut, 2, "Kafka, topic `signals` cut at a random byte", "the bridge copies again what is missing"),
    Kind(network_cut, 4, "between a worker, agents, source or desk and Kafka or Redis", "the connection is made anew"),
    Kind(network_stalled, 3, "the same places", "it is waited for, then given up"),
    Kind(network_slow, 3, "the same places", "late is not lost"),
    Kind(poison, 2, "the log", "rejected with the reason; nothing beside it is lost"),
    Kind(doubled, 2, "the log", "repeats and late records decide nothing twice"),
    Kind(clock_jump, 1, "the log", "a lone clock far ahead, or back, moves no log time"),
)


def chosen(chance: random.Random, count: int) -> list[Fault]:
    """So many faults, by weight."""
    return [kind.fault for kind in chance.choices(KINDS, [kind.weight for kind in KINDS], k=count)]
