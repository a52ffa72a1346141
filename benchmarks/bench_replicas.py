"""What killing replicas costs: p99 from an append on `raw` to a Redis subscriber, calm and with a kill in each block.

Run ``python benchmarks/bench_replicas.py [--json] [--rate 100] [--seconds 60] [--every 5] [--broker kafka|embedded]``.
Two workers carry the same part. Calm blocks and blocks in whose middle one worker is killed (SIGKILL) take turns; the
killed one is started again behind its block and awaited, so that both run when a block begins. Every record gives one
signal; one that does not come, or comes twice, ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import orjson
import uvloop
from redis.asyncio import Redis

from benchmarks.bench_latency import WARM_UP_RATE, WARM_UP_RECORDS, chosen_broker, quantile, until_open
from benchmarks.flipping_market import MINER, open_stream
from benchmarks.road import LostError, Road, hear, subscribed, time_of_signal
from streams.children import Services
from streams.embedded import Broker, EmbeddedRedis
from streams.errors import ChangeoverError
from streams.log import RawProducer, create_topics
from streams.sink import RedisSink
from streams.wire import Names
from tests.support.real_kafka import UnavailableError

Blocks = list[tuple[list[float], list[float]]]
"""Waits [ms] of neighbouring blocks: calm, and with a kill."""


@dataclass
class Pair:
    """Two workers, each in a stack of its own, so that one can be killed and started alone."""

    environment: dict[str, str]
    workers: dict[str, Services]
    kills: int = 0

    def start(self, name: str) -> None:
        """Start one."""
        self.workers[name] = Services(self.environment)
        self.workers[name].start("worker", name)

    def kill(self) -> str:
        """End one as a crash would, each in its turn; its name."""
        name = f"worker-{self.kills % 2 + 1}"
        self.kills += 1
        os.kill(self.workers[name].pids[name], 9)
        return name

    def stop(self) -> None:
        """End both."""
        for services in self.workers.values():
            services.stop()


async def measured(bootstrap: str, names: Names, pair: Pair, client: Redis, plan: argparse.Namespace) -> Blocks:
    """Waits of both kinds of block; at the end the stream itself is counted against what was appended."""
    producer = RawProducer(bootstrap, names, "bench")
    await producer.start()
    sink = RedisSink(client, names)
    road = Road("worker", producer)
    try:
        opened_at = await open_stream(producer)
        for name in ("worker-1", "worker-2"):
            pair.start(name)
            await asyncio.to_thread(pair.workers[name].wait_ready, name)
        await until_open(sink, pair.workers["worker-1"], opened_at)
        before = len(await sink.read(MINER.key))
        live = await subscribed(client, names.key(MINER.key, "live"))
        async with asyncio.TaskGroup() as tasks:
            ear = tasks.create_task(hear(live, road, time_of_signal))
            blocks = await turns(road, pair, plan)
            ear.cancel()
        entries = len(await sink.read(MINER.key)) - before  # reading checks that they are one gapless chain
        if entries != road.appended:
            raise LostError(f"{road.appended} records gave {entries} entries of the stream")
        return blocks
    finally:
        await producer.stop()


async def turns(road: Road, pair: Pair, plan: argparse.Namespace) -> Blocks:
    """Calm and disturbed blocks in turns, behind a long block that does not count."""
    await road.block(WARM_UP_RECORDS, WARM_UP_RATE)
    records = max(1, int(plan.rate * plan.every))
    blocks = []
    for _ in range(max(1, int(plan.seconds / plan.every / 2))):
        calm = await road.block(records, plan.rate)
        disturbed = asyncio.create_task(road.block(records, plan.rate))
        await asyncio.sleep(plan.every / 2)
        name = pair.kill()
        blocks.append((calm, await disturbed))
        pair.workers[name].stop()
        pair.start(name)
        await asyncio.to_thread(pair.workers[name].wait_ready, name)
    return blocks


def figures(blocks: Blocks) -> dict[str, float]:
    """p50 and p99 over all waits of each kind [ms], their ratio, and the median ratio of neighbouring blocks."""
    found: dict[str, float] = {"kills": len(blocks), "samples_each": sum(len(calm) for calm, _ in blocks)}
    for share, name in ((0.50, "p50"), (0.99, "p99")):
        calm, killed = (
            quantile([wait for block in kind for wait in block], share) for kind in zip(*blocks, strict=True)
        )
        found |= {f"calm_{name}_ms": calm, f"killed_{name}_ms": killed, f"{name}_ratio": killed / calm}
        found[f"{name}_median_ratio"] = median(quantile(two, share) / quantile(one, share) for one, two in blocks)
    found["longest_ms"] = max(max(killed) for _, killed in blocks)
    return found


def measure(broker: Broker, plan: argparse.Namespace) -> dict[str, float]:
    """All figures, with a broker and a Redis of the run's own."""
    names = Names("demo", f"bench{secrets.token_hex(4)}")
    with ExitStack() as stack:
        stack.callback(broker.stop)
        bootstrap = broker.start()
        redis_url = stack.enter_context(EmbeddedRedis()).url
        environment = {"KAFKA_BROKERS": bootstrap, "REDIS_URL": redis_url, "CHANGEOVER_TICKS": "1"}
        environment |= {"CHANGEOVER_ORIGIN": names.origin, "CHANGEOVER_RUN": names.run}
        pair = Pair(environment, {})
        stack.callback(pair.stop)

        async def run() -> Blocks:
            await create_topics(bootstrap, names)
            async with Redis.from_url(redis_url) as client:
                return await measured(bootstrap, names, pair, client, plan)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return figures(runner.run(run()))


def text(found: dict[str, float | str]) -> str:
    """The figures for people."""
    lines = [f"two replicas at {found['rate']:g} records/s, a signal each, {found['kills']} kills; {found['broker']}"]
    lines += [
        f"  {name}: calm {found[f'calm_{name}_ms']:.2f} ms, with kills {found[f'killed_{name}_ms']:.2f} ms, "
        f"ratio {found[f'{name}_ratio']:.2f} (median over pairs of blocks {found[f'{name}_median_ratio']:.2f})"
        for name in ("p50", "p99")
    ]
    lines.append(
        f"  longest wait with kills {found['longest_ms']:.1f} ms; {found['samples_each']:,} records each, none lost, "
        f"none doubled; load average {found['load_before']:.1f} before, {found['load_after']:.1f} after, on "
        f"{found['cpus']} processors"
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--rate", type=float, default=100.0, help="records appended a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long all blocks together last")
    parser.add_argument("--every", type=float, default=5.0, help="length of a block [s]")
    parser.add_argument("--broker", choices=("kafka", "embedded"), help="default: kafka where Java and Maven are")
    options = parser.parse_args()
    broker, name = chosen_broker(options.broker)
    found: dict[str, float | str] = {"broker": name, "rate": options.rate}
    found |= {"cpus": os.cpu_count() or 0, "load_before": os.getloadavg()[0]}
    failed = ""
    try:
        found |= measure(broker, options)
    except* (LostError, ChangeoverError, UnavailableError, TimeoutError) as group:
        failed = "; ".join(f"{type(each).__name__}: {each}" for each in group.exceptions)
    if failed:
        raise SystemExit(f"bench_replicas: {failed}")
    found["load_after"] = os.getloadavg()[0]
    sys.stdout.write(orjson.dumps(found).decode() + "\n" if options.json else text(found))


if __name__ == "__main__":
    main()
