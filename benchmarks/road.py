"""One way from a log to a Redis subscriber, timed: what is appended, what comes of it, and whether anything is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

import orjson
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from benchmarks.flipping_market import CHEAP, DEAR, price
from streams.log import RawProducer
from streams.now import now_us

LOST_S = 10.0
"""How long after the last of a block a message may come [s]."""


class LostError(Exception):
    """A record gave nothing, or more than one message; the text says where."""


class Road:
    """One way from a log to a subscriber."""

    def __init__(self, name: str, producer: RawProducer) -> None:
        self.name = name
        self.producer = producer
        self.appended = 0
        self._last_us = 0
        self._sent_s: dict[int, float] = {}
        self._waits_ms: list[float] = []
        self._all_came = asyncio.Event()

    async def block(self, records: int, rate: float) -> list[float]:
        """Append records at a steady rate and wait for what comes of each; the waits [ms].

        Raises:
            LostError: not all of them came.
        """
        loop = asyncio.get_running_loop()
        self._waits_ms = []
        due_s = loop.time()
        for _ in range(records):
            due_s += 1 / rate
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self._append()
        try:
            await asyncio.wait_for(self._all_came.wait(), LOST_S)
        except TimeoutError:
            raise LostError(f"{self.name}: nothing came of {len(self._sent_s)} of {records} records") from None
        return self._waits_ms

    def _append(self) -> None:
        """Append the next price, which turns the load the other way."""
        at_us = self._last_us = max(now_us(), self._last_us + 1)
        payload = price(DEAR if self.appended % 2 else CHEAP, at_us)
        self.appended += 1
        self._all_came.clear()
        self._sent_s[at_us] = perf_counter()
        self.producer.append_nowait("observation", at_us, payload)

    def came(self, at_us: int, came_s: float) -> None:
        """Something came of the record stamped with ``at_us``.

        Raises:
            LostError: for the second time, or of a record that was not appended.
        """
        if at_us not in self._sent_s:
            raise LostError(f"{self.name}: heard twice of one record, or of one that was not appended ({at_us})")
        self._waits_ms.append((came_s - self._sent_s.pop(at_us)) * 1_000)
        if not self._sent_s:
            self._all_came.set()


async def subscribed(client: Redis, channel: str) -> PubSub:
    """A subscription that Redis has confirmed."""
    pubsub = client.pubsub()
    await pubsub.subscribe(channel)
    while await pubsub.get_message(timeout=LOST_S) is None:
        continue
    return pubsub


async def hear(pubsub: PubSub, road: Road, time_of: Callable[[bytes], int]) -> None:
    """Hear a subscription for ever; the moment counts at which a message is in hand."""
    async for message in pubsub.listen():
        came_s = perf_counter()
        road.came(time_of(message["data"]), came_s)


def time_of_signal(message: bytes) -> int:
    """The time that a signal's print was stamped with."""
    return int(orjson.loads(message)["event_time_us"])


def time_of_record(message: bytes) -> int:
    """The time that a forwarded payload was stamped with."""
    return int(orjson.loads(message)[0]["event_time_us"])
