"""How long the feed takes to be whole again after Redis lost everything, against the length of the log.

Run ``python benchmarks/bench_refill.py [--json] [--records 2000,10000,40000] [--broker kafka|embedded]``.
Every record of the log gives one signal of 2 kB. For each length Redis is emptied under a running worker twice: with
copies and checkpoints in Kafka (``changeover agents`` ran), and without any, so that everything is computed again from
the log's first record. The stream must hold the same entries after each.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from contextlib import ExitStack
from dataclasses import asdict
from time import perf_counter

import orjson
import uvloop
from redis.asyncio import Redis

from benchmarks.bench_latency import chosen_broker
from benchmarks.flipping_market import CHEAP, DEAR, MINER, price, rest_of_the_market
from models.records import DecidingConfig
from streams.children import Services
from streams.compilation import code_hash
from streams.copies import sets_of
from streams.embedded import Broker, EmbeddedRedis
from streams.errors import ChangeoverError
from streams.fleetfile import encode_miner
from streams.log import Connection, RawProducer, create_topics
from streams.now import now_us
from streams.sink import RedisSink
from streams.wire import Names
from tests.support.real_kafka import UnavailableError

WHOLE_S = 600.0
CONFIG = DecidingConfig(policy="breakeven", checkpoint_every_s=5)

Figures = dict[str, float]


async def appended(bootstrap: str, names: Names, records: int) -> int:
    """Write a log of so many prices; the last offset."""
    producer = RawProducer(bootstrap, names, "bench")
    await producer.start()
    try:
        epoch = {"epoch": 1, "config": asdict(CONFIG), "code_hash": code_hash()}
        await producer.append("epoch", now_us(), orjson.dumps(epoch))
        await producer.append("fleet", now_us(), encode_miner(MINER))
        at_us = now_us()
        await producer.append("clock", at_us, orjson.dumps({"time_us": at_us, "replayed": True}))
        await producer.append("observation", at_us, rest_of_the_market(at_us))
        for number in range(1, records):
            payload = price(DEAR if number % 2 else CHEAP, at_us + number)
            if number % 1_000 == 0:
                await producer.append("observation", at_us + number, payload)
            else:
                producer.append_nowait("observation", at_us + number, payload)
        return await producer.append(
            "observation", at_us + records, price(DEAR if records % 2 else CHEAP, at_us + records)
        )
    finally:
        await producer.stop()


async def whole(sink: RedisSink, services: Services, offset: int) -> None:
    """Wait until the head has come to an offset."""
    async with asyncio.timeout(WHOLE_S):
        while True:
            head = await sink.head(MINER.key)
            if head is not None and head.offset >= offset:
                return
            services.check()
            await asyncio.sleep(0.01)


async def kept(bootstrap: str, names: Names, seq: int) -> None:
    """Wait until the copies hold the stream and a set of checkpoints counts all of it."""
    async with asyncio.timeout(WHOLE_S):
        while True:
            sets = await sets_of(Connection(bootstrap=bootstrap), names)
            if any(each.checkpoints[MINER.key].seq >= seq for each in sets if MINER.key in each.checkpoints):
                return
            await asyncio.sleep(0.5)


async def emptied(sink: RedisSink, client: Redis, services: Services, offset: int) -> float:
    """Empty Redis and wait until the stream holds what it held; the seconds that took."""
    before = await sink.read(MINER.key)
    await client.flushall()
    began_s = perf_counter()
    await whole(sink, services, offset)
    took_s = perf_counter() - began_s
    after = await sink.read(MINER.key)
    if after[: len(before)] != before:
        raise ChangeoverError(f"{len(before)} entries before, {len(after)} after, and not the same")
    return took_s


async def measured(bootstrap: str, redis_url: str, names: Names, services: Services, records: int) -> Figures:
    """All figures of one length."""
    await create_topics(bootstrap, names)
    offset = await appended(bootstrap, names, records)
    async with Redis.from_url(redis_url) as client:
        sink = RedisSink(client, names)
        began_s = perf_counter()
        services.start("worker")
        await asyncio.to_thread(services.wait_ready, "worker")
        served_s = perf_counter()
        await whole(sink, services, offset)
        found: Figures = {"records": records, "first_s": perf_counter() - began_s}
        found["behind_ready_s"] = perf_counter() - served_s
        computed_s = await emptied(sink, client, services, offset)
        head = await sink.head(MINER.key)
        services.start("agents", environment={"CHANGEOVER_CHECKPOINT_EVERY_S": "1"})
        await kept(bootstrap, names, 0 if head is None else head.seq)
        filled_s = await emptied(sink, client, services, offset)
        entries = len(await sink.read(MINER.key))
        if entries < records - 1:  # the first price leaves the load as it is
            raise ChangeoverError(f"{records} records gave {entries} entries")
    found |= {"entries": entries, "computed_s": computed_s, "computed_per_s": records / computed_s}
    return found | {"filled_s": filled_s, "filled_per_s": entries / filled_s}


def measure(broker: Broker, lengths: list[int]) -> list[Figures]:
    """The figures of each length, with a broker and a Redis of the run's own."""
    found = []
    with ExitStack() as stack:
        stack.callback(broker.stop)
        bootstrap = broker.start()
        for records in lengths:
            names = Names("demo", f"bench{secrets.token_hex(4)}")
            with EmbeddedRedis() as server, ExitStack() as run:
                environment = {"KAFKA_BROKERS": bootstrap, "REDIS_URL": server.url, "CHANGEOVER_TICKS": "1"}
                services = Services(environment | {"CHANGEOVER_ORIGIN": names.origin, "CHANGEOVER_RUN": names.run})
                run.callback(services.stop)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    found.append(runner.run(measured(bootstrap, server.url, names, services, records)))
    return found


def text(found: list[Figures], where: str) -> str:
    """The figures for people."""
    lines = [f"Redis emptied under a running worker; {where}"]
    lines += [
        f"  {each['records']:,.0f} records, {each['entries']:,.0f} entries: whole after {each['filled_s']:.1f} s from "
        f"copies ({each['filled_per_s']:,.0f} entries/s), after {each['computed_s']:.1f} s computed again "
        f"({each['computed_per_s']:,.0f} records/s)"
        for each in found
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--records", default="2000,10000,40000", help="lengths of the log, with commas")
    parser.add_argument("--broker", choices=("kafka", "embedded"), help="default: kafka where Java and Maven are")
    options = parser.parse_args()
    broker, name = chosen_broker(options.broker)
    try:
        found = measure(broker, [int(word) for word in options.records.split(",")])
    except (ChangeoverError, UnavailableError, TimeoutError) as error:
        raise SystemExit(f"bench_refill: {type(error).__name__}: {error}") from error
    where = f"{name}, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    sys.stdout.write(
        orjson.dumps({"where": where, "runs": found}).decode() + "\n" if options.json else text(found, where)
    )


if __name__ == "__main__":
    main()
