"""Several loops of one feed, run together: the first to fail ends all, with its own error."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


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
