"""The worker service: a Faust app without a group whose services are the engine loop and the clock."""

from __future__ import annotations

import asyncio
import gc
import importlib
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from streams.clock import append_ticks
from streams.compilation import code_hash, prepare
from streams.connect import kafka_connection, open_redis, wait_for_redis, wait_for_topics
from streams.log import RawProducer, RawReader, TopicProducer, check_topic
from streams.part import Part
from streams.process import Built, Ending, Guarded, Process, quiet_app, supervise
from streams.settings import Settings
from streams.sink import RedisSink, check_redis

if TYPE_CHECKING:
    from streams.pipeline import Mode

STOP_PATIENCE_S = 10.0


def compile_engine(process: Process) -> None:
    """Compile the engine, or load what was compiled before; takes seconds the first time."""
    if prepare(process.settings):
        process.say("compiling the engine (first start only)")
    importlib.import_module("streams.warm_up").warm_up()


async def check_world(process: Process, client: Redis) -> None:
    """Say where Kafka and Redis are not set as they must be, a line for each."""
    settings = process.settings
    lines = await check_topic(kafka_connection(settings), settings.names)
    lines += await check_redis(client)
    for line in lines:
        process.say(line, loud=True)
    process.health.facts["violations"] = lines


async def run_engine(process: Process) -> None:
    """Everything a worker does: compile, then carry its part until the stop."""
    process.health.set("compiling the engine", ready=False)
    await asyncio.to_thread(compile_engine, process)
    gc.collect()
    gc.freeze()  # what start-up made stays for good: no later collection pauses to look at it again
    from streams.pipeline import Mode  # noqa: PLC0415 the core may be imported only once it is prepared

    run = process.settings.run
    part = Part.parse(run.part) if run.part else Part()
    await carry_part(process, Mode(origin=run.origin, code_hash=code_hash(), part=part))


async def carry_part(process: Process, mode: Mode) -> None:
    """Wait for the world, check it, and run the engine loop with all it works on until the stop."""
    from streams.engine_loop import EngineLoop  # noqa: PLC0415 the core may be imported only once it is prepared

    settings = process.settings
    connection = kafka_connection(settings)
    client = open_redis(settings)
    reader = RawReader(connection, settings.names)
    raw = RawProducer(connection, settings.names, process.instance)
    rejected = TopicProducer(connection, settings.names.topic("rejected"))
    try:
        async with asyncio.TaskGroup() as waits:
            waits.create_task(wait_for_redis(process, client))
            waits.create_task(wait_for_topics(process))
        await check_world(process, client)
        await asyncio.gather(reader.start(), raw.start(), rejected.start())
        loop = EngineLoop(process, mode, RedisSink(client, settings.names), reader, raw, rejected)
        async with asyncio.TaskGroup() as tasks:
            clock = tasks.create_task(tick_once_open(loop.opened, raw)) if settings.ticks else None
            await loop.run()
            if clock is not None:
                clock.cancel()
    finally:
        await asyncio.gather(reader.stop(), raw.stop(), rejected.stop())
        await client.aclose()


async def tick_once_open(opened: asyncio.Event, raw: RawProducer) -> None:
    """Append ticks once the log has proved to be the right one."""
    await opened.wait()
    await append_ticks(raw)


async def run_worker(settings: Settings) -> Ending:
    """Run the worker service until it is stopped."""
    process = Process(settings, "worker")

    async def build() -> Built:
        engine = Guarded(process, "engine loop", lambda: run_engine(process), STOP_PATIENCE_S)
        return quiet_app(process), [engine]

    return await supervise(process, build)
