"""The clock of the log: one tick a second, so that log time moves while feeds are quiet."""

from __future__ import annotations

import asyncio

import orjson

from streams.log import RawProducer, StaleTickError
from streams.now import now_us

SECOND_US = 1_000_000


async def append_ticks(producer: RawProducer) -> None:
    """Append a tick at each full second, for ever. A tick that an outage holds back is dropped: the next says more."""
    while True:
        await asyncio.sleep((SECOND_US - now_us() % SECOND_US) / SECOND_US)
        moment = now_us()
        try:
            await producer.append("clock", moment, orjson.dumps({"time_us": moment}))
        except StaleTickError:
            continue
