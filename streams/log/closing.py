"""Closing a consumer of the client library, which can stop half-way and raise as if its caller had been cancelled."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer

CLOSE_S = 5.0


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, all of it.

    Where a fetch was under way or pausing, the library cancels its own task and waits for that (measured): the
    cancellation then goes up through whoever closes, who was not cancelled at all. So it is stopped in a task of its
    own, and what was left is closed here.
    """
    closing = asyncio.create_task(consumer.stop())
    await asyncio.wait([closing])
    if not closing.cancelled():
        closing.result()
        return
    rest = asyncio.create_task(consumer._client.close())  # noqa: SLF001 no public way to close what was left
    await asyncio.wait([rest], timeout=CLOSE_S)
    rest.cancel()
