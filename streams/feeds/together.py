"""What feeds of several loops or answers share: the first loop to fail ends all; an answer refused is a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from streams.errors import FeedError
from streams.feeds.contract import Parse
from streams.wire import RawRecord


async def together(*loops: Coroutine[Any, Any, None]) -> None:
    """Run these until one ends. A task group would wrap a feed's FeedError in a group, which ingest takes for a bug."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def require_read(parse: Parse, raw: RawRecord) -> None:
    """Refuse a record that its parser refuses whole: appended it is already, the service is to count and to wait."""
    try:
        parse(raw)
    except (FeedError, ValueError) as fault:
        raise FeedError(f"{raw.feed}: {fault}", retriable=True) from fault
