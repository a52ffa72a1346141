"""How long a print takes from its append on `raw` to a Redis subscriber, beside a bare forwarder in the same run.

Run ``python benchmarks/bench_latency.py [--json] [--rate 200] [--seconds 20] [--broker kafka|embedded] [--workers N]``.
Every record is a power price that turns one load on or off, so each must give exactly one signal; one that does not
come, or comes twice, ends the run with exit code 1. Worker and forwarder take turns in short blocks, so that what else
the machine does hits both; figures are medians over the blocks. Broker and Redis are started for the run and stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson
import uvloop
from redis.asyncio import Redis

from benchmarks.flipping_market import MINER, open_stream
from benchmarks.road import LostError, Road, hear, subscribed, time_of_record, time_of_signal
from streams.children import Services
from streams.embedded import Broker, EmbeddedBroker, EmbeddedRedis
from streams.embedded.child import Child
from streams.errors import ChangeoverError
from streams.log import RawProducer, create_topics
from streams.sink import RedisSink
from streams.wire import Names
from tests.support.real_kafka import RealKafka, UnavailableError, missing_programs, pinned_version

BLOCK_S = 2.0
READY_S = 60.0
WARM_UP_RECORDS, WARM_UP_RATE = 4_000, 500.0
"""Before anything counts: a broker that has just started compiles itself for its first thousands of requests (measured:
it takes four times the processor time for each, and everything else waits for that)."""

Pairs = list[tuple[list[float], list[float]]]
"""Waits [ms] of neighbouring blocks of worker and forwarder."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and on what."""

    rate: float
    seconds: float
    workers: int
    bootstrap: str
    redis_url: str
    fetch_wait_ms: int
    names: Names
    bare: Names

    @property
    def block_records(self) -> int:
        """Records of one block."""
        return max(1, int(self.rate * BLOCK_S))

    @property
    def pairs(self) -> int:
        """Blocks of each road."""
        return max(1, int(self.seconds / BLOCK_S))

    @property
    def channel(self) -> str:
        """Where the forwarder publishes."""
        return f"{self.bare.prefix}live"


async def measured(plan: Plan, workers: Services, client: Redis) -> Pairs:
    """Waits of worker and forwarder; at the end the stream itself is counted against what was appended."""
    sink = RedisSink(client, plan.names)
    async with AsyncExitStack() as stack:
        roads = []
        for name, names in (("worker", plan.names), ("forwarder", plan.bare)):
            producer = RawProducer(plan.bootstrap, names, f"bench-{name}")
            await producer.start()
            stack.push_async_callback(producer.stop)
            roads.append(Road(name, producer))
        ours, bare = roads
        opened_at = await open_stream(ours.producer)
        start_workers(plan, workers)
        await until_open(sink, workers, opened_at)
        entries_before = len(await sink.read(MINER.key))
        live = await stack.enter_async_context(await subscribed(client, plan.names.key(MINER.key, "live")))
        copies = await stack.enter_async_context(await subscribed(client, plan.channel))
        async with asyncio.TaskGroup() as tasks:
            ears = [
                tasks.create_task(hear(live, ours, time_of_signal)),
                tasks.create_task(hear(copies, bare, time_of_record)),
            ]
            pairs = await turns(plan, workers, ours, bare)
            for ear in ears:
                ear.cancel()
        entries = len(await sink.read(MINER.key)) - entries_before  # reading checks that they are one gapless chain
        if entries != ours.appended:
            raise LostError(f"worker: {ours.appended} records gave {entries} entries of the stream")
    return pairs


def start_workers(plan: Plan, workers: Services) -> None:
    """Start the workers, which may have to compile first, and wait until they serve."""
    names = [f"worker-{number + 1}" for number in range(plan.workers)]
    for name in names:
        workers.start("worker", name)
    for name in names:
        workers.wait_ready(name)


async def until_open(sink: RedisSink, workers: Services, offset: int) -> None:
    """Wait until log time runs and the stream's head is beyond its beginning."""
    async with asyncio.timeout(READY_S):
        while True:
            head = await sink.head(MINER.key)
            if head is not None and head.log_time_us > 0 and head.offset > offset:
                return
            workers.check()
            await asyncio.sleep(0.05)


async def turns(plan: Plan, workers: Services, ours: Road, bare: Road) -> Pairs:
    """Let both roads take turns, each going first every other time, after a long block that does not count."""
    pairs = []
    for road in (ours, bare):
        await road.block(WARM_UP_RECORDS, WARM_UP_RATE)
    for number in range(plan.pairs):
        waits = {}
        for road in (ours, bare) if number % 2 == 0 else (bare, ours):
            waits[road.name] = await road.block(plan.block_records, plan.rate)
            workers.check()
        pairs.append((waits[ours.name], waits[bare.name]))
    return pairs


def figures(pairs: Pairs) -> dict[str, float]:
    """p50 and p99 of both [ms] and the ratios of neighbouring blocks: medians over the blocks."""
    found: dict[str, float] = {"samples_each": sum(len(ours) for ours, _ in pairs), "blocks_each": len(pairs)}
    for share, name in ((0.50, "p50"), (0.99, "p99")):
        both = [(quantile(ours, share), quantile(bare, share)) for ours, bare in pairs]
        found[f"worker_{name}_ms"] = median(ours for ours, _ in both)
        found[f"forwarder_{name}_ms"] = median(bare for _, bare in both)
        found[f"{name}_ratio"] = median(ours / bare for ours, bare in both)
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def chosen_broker(wanted: str | None) -> tuple[Broker, str]:
    """The broker and its name. Where none was asked for and real Kafka cannot run, the embedded one, and why."""
    missing = missing_programs()
    if wanted == "kafka" or (wanted is None and not missing):
        return RealKafka(), f"Apache Kafka {pinned_version()}"
    reason = f" (no real Kafka: {' and '.join(missing)} not on PATH)" if wanted is None else ""
    return EmbeddedBroker(), f"embedded broker{reason}"


def measure(broker: Broker, rate: float, seconds: float, workers: int) -> dict[str, float]:
    """All figures, with a broker and a Redis of the run's own."""
    run = f"bench{secrets.token_hex(4)}"
    with ExitStack() as stack:
        stack.callback(broker.stop)
        bootstrap = broker.start()
        redis_url = stack.enter_context(EmbeddedRedis()).url
        names, bare = Names("demo", run), Names("demo", f"{run}-bare")
        plan = Plan(rate, seconds, workers, bootstrap, redis_url, broker.capabilities.fetch_wait_ms, names, bare)
        environment = {"KAFKA_BROKERS": bootstrap, "REDIS_URL": redis_url, "CHANGEOVER_TICKS": "1"}
        environment |= {"CHANGEOVER_ORIGIN": "demo", "CHANGEOVER_RUN": run}
        services = Services(environment)
        stack.callback(services.stop)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            for each in (names, bare):
                runner.run(create_topics(bootstrap, each))
            forwarder = forwarder_of(plan)
            stack.callback(forwarder.stop)
            forwarder.start()
            return figures(runner.run(run_on(plan, services)))


def forwarder_of(plan: Plan) -> Child:
    """The bare forwarder as a process."""
    script = Path(__file__).with_name("bare_forwarder.py")
    arguments = [plan.bootstrap, plan.bare.topic("raw"), plan.redis_url, plan.channel, str(plan.fetch_wait_ms)]
    return Child("forwarder", [sys.executable, str(script), *arguments])


async def run_on(plan: Plan, workers: Services) -> Pairs:
    """Measure with a client of Redis."""
    async with Redis.from_url(plan.redis_url) as client:
        return await measured(plan, workers, client)


def text(found: dict[str, float | str]) -> str:
    """The figures for people."""
    where = f"{found['broker']}, {found['workers']} worker(s)"
    lines = [f"from append on raw to a Redis subscriber, {found['rate']:g} records/s, a signal each; {where}"]
    lines += [
        f"  {name}: worker {found[f'worker_{name}_ms']:.2f} ms, bare forwarder {found[f'forwarder_{name}_ms']:.2f} ms, "
        f"ratio {found[f'{name}_ratio']:.2f}"
        for name in ("p50", "p99")
    ]
    lines.append(
        f"  medians over {found['blocks_each']} blocks of {BLOCK_S:g} s each, in turns; {found['samples_each']:,} "
        f"records each way, none lost, none doubled; load average {found['load_before']:.1f} before, "
        f"{found['load_after']:.1f} after, on {found['cpus']} processors"
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--rate", type=float, default=200.0, help="records appended a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each of worker and forwarder is measured")
    parser.add_argument("--broker", choices=("kafka", "embedded"), help="default: kafka where Java and Maven are")
    parser.add_argument("--workers", type=int, default=1, help="replicas of the worker")
    options = parser.parse_args()
    broker, name = chosen_broker(options.broker)
    found: dict[str, float | str] = {"broker": name, "workers": options.workers, "rate": options.rate}
    found |= {"cpus": os.cpu_count() or 0, "load_before": os.getloadavg()[0]}
    failed = ""
    try:
        found |= measure(broker, options.rate, options.seconds, options.workers)
    except* (LostError, ChangeoverError, UnavailableError, TimeoutError) as group:
        failed = "; ".join(f"{type(each).__name__}: {each}" for each in group.exceptions)
    if failed:
        raise SystemExit(f"bench_latency: {failed}")
    found["load_after"] = os.getloadavg()[0]
    sys.stdout.write(orjson.dumps(found).decode() + "\n" if options.json else text(found))


if __name__ == "__main__":
    main()
