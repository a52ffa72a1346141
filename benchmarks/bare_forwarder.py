"""What bench_latency.py compares with: a bare consumer that reads each record as JSON and publishes it on Redis.

It numbers nothing, decides nothing and keeps nothing: the least that a record of Kafka costs on its way to a
subscriber, with the same client libraries, the same event loop and the same wait at the broker as the worker.
"""

from __future__ import annotations

import argparse
import asyncio

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis


async def forward(bootstrap: str, topic: str, redis_url: str, channel: str, fetch_wait_ms: int) -> None:
    """Forward until the process is ended."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=fetch_wait_ms,
    )
    async with Redis.from_url(redis_url) as client, consumer:
        async for record in consumer:
            orjson.loads(record.value)
            await client.publish(channel, record.value)


def main() -> None:
    """Read the arguments and forward."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("bootstrap", "topic", "redis_url", "channel"):
        parser.add_argument(name)
    parser.add_argument("fetch_wait_ms", type=int)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(forward(**vars(options)))


if __name__ == "__main__":
    main()
