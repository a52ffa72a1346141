"""A desk for tests: follows with the client and keeps what it was told, as a user of it would."""

from __future__ import annotations

import asyncio
from typing import Any

from streams.client import Position, Signal, Signals, Told
from streams.wire import Names

WAIT_S = 60.0


def follow(url: str, names: Names, miners: list[str] | None = None, **more: Any) -> Signals:
    """A client of a run of a test."""
    return Signals(url, miners or ["mara"], origin=names.origin, run=names.run, **more)


async def take(signals: Signals, count: int) -> list[Told]:
    """The next things told."""
    async with asyncio.timeout(WAIT_S):
        return [await anext(signals) for _ in range(count)]


async def take_signals(signals: Signals, count: int) -> list[Signal]:
    """The next signals; remarks are passed over."""
    found: list[Signal] = []
    async with asyncio.timeout(WAIT_S):
        while len(found) < count:
            told = await anext(signals)
            if isinstance(told, Signal):
                found.append(told)
    return found


async def nothing_comes(signals: Signals, for_s: float = 0.4) -> bool:
    """Whether nothing is told for a while."""
    try:
        async with asyncio.timeout(for_s):
            await anext(signals)
    except TimeoutError:
        return True
    return False


def saved(signals: Signals) -> dict[str, Position]:
    """Positions as a desk finds them after it was started again."""
    return {miner: Position.from_json(position.to_json()) for miner, position in signals.position.items()}
