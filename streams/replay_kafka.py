"""A replay through a real log: a broker, workers as processes, Redis, in topics and keys of its own, removed after."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Iterable

from models.records import Clock
from streams.connect import kafka_connection, open_redis
from streams.errors import WorldError
from streams.groundwork import erase
from streams.log import TopicProducer, create_topics
from streams.parse import parse
from streams.replay import Answer, Question
from streams.settings import Settings
from streams.sink import RedisSink
from streams.stack import Stack
from streams.wire import RawRecord

POLL_S = 0.05
STALLED_S = 120.0


def say(line: str) -> None:
    """Tell people what is going on; standard output is for the result."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def replay_through_kafka(
    question: Question, settings: Settings, parts: int, overrides: dict[str, str] | None = None
) -> Answer:
    """Run a replay through Kafka and Redis: those set, or embedded ones. ``seconds`` runs from append to last head.

    ``overrides`` is what the workers find in their environment besides, as the settings file.

    Raises:
        WorldError: a service died or stands still.
    """
    name = f"r{secrets.token_hex(6)}"
    run = settings.run.model_copy(update={"origin": "replay", "name": name, "part": None})
    settings = settings.model_copy(update={"run": run})
    overrides = {
        **(overrides or {}),
        "CHANGEOVER_ORIGIN": "replay",
        "CHANGEOVER_RUN": name,
        "KAFKA_BROKERS": settings.kafka.bootstrap,
        "REDIS_URL": settings.redis.url.get_secret_value(),
    }
    log = list(question.log())
    answer = counted(log)
    with Stack(settings, say, overrides) as stack:
        try:
            asyncio.run(create_topics(kafka_connection(stack.settings), stack.settings.names))
            workers = [f"worker-{part}" for part in range(1, parts + 1)]
            for part, worker in enumerate(workers, start=1):
                stack.services.start("worker", worker, {"CHANGEOVER_PART": f"{part}/{parts}"})
            for worker in workers:
                stack.services.wait_ready(worker)
            began = time.perf_counter()
            asyncio.run(run_log(stack, question, log, answer))
            answer.seconds = time.perf_counter() - began
        finally:
            stack.services.stop()
            asyncio.run(erase(stack.settings))
    return answer


def counted(log: Iterable[RawRecord]) -> Answer:
    """An answer with what the log holds counted by the workers' own parser."""
    answer = Answer()
    for raw in log:
        parsed = parse(raw)
        answer.rejected += bool(parsed.faults)
        if raw.feed == "observation":
            answer.observations += len(parsed.records)
        answer.ticks += sum(isinstance(record, Clock) for record in parsed.records)
    return answer


async def run_log(stack: Stack, question: Question, log: list[RawRecord], answer: Answer) -> None:
    """Append the log, wait until every miner's head stands at its end, read the streams."""
    names = stack.settings.names
    producer = TopicProducer(kafka_connection(stack.settings), names.topic("raw"))
    client = open_redis(stack.settings)
    try:
        await producer.start()
        for raw in log:
            await producer.space()
            producer.append_nowait(raw.payload, headers=raw.headers())
        await producer.flush()
        sink = RedisSink(client, names)
        miners = [miner.key for miner in question.fleet]
        await heads_at(stack, sink, miners, log[-1].offset)
        for miner in miners:
            answer.entries[miner] = await sink.read(miner)
    finally:
        await producer.stop()
        await client.aclose()


async def heads_at(stack: Stack, sink: RedisSink, miners: list[str], offset: int) -> None:
    """Wait until every miner's head has come to an offset.

    Raises:
        WorldError: a service died, or no head moved for a while.
    """
    before, moved_s = -1, time.monotonic()
    while True:
        heads = [await sink.head(miner) for miner in miners]
        reached = [-1 if head is None else head.offset for head in heads]
        if min(reached) >= offset:
            return
        if sum(reached) != before:
            before, moved_s = sum(reached), time.monotonic()
        stack.services.check()
        if time.monotonic() - moved_s > STALLED_S:
            raise WorldError(f"no head moved for {STALLED_S:.0f} s: they stand at offsets {reached} of {offset}")
        await asyncio.sleep(POLL_S)
