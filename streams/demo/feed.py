"""The simulated market as a feed: its events in real time, at so many simulated seconds a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from models.records import SECOND_US
from streams.demo.market import DEFAULT_SPEED, START_US, MarketEvent, events, require_speed
from streams.feeds.contract import Appender

Keep = Callable[[MarketEvent], None]


class DemoFeed:
    """A seeded market in real time. It goes on where it was when it is run again.

    ``speed`` is in simulated seconds per real second. ``keep`` is given each event once the log has taken it, so a
    recording holds what the log holds, in its order. ``now`` [s] and ``sleep`` are the pace's clock.
    """

    name = "demo"

    def __init__(
        self,
        seed: int,
        speed: float = DEFAULT_SPEED,
        keep: Keep | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        require_speed(speed)
        self._events = events(seed, speed)
        self._speed = speed
        self._keep = keep
        self._now = now
        self._sleep = sleep
        self._pending: MarketEvent | None = None
        self._appended_until_us = START_US

    async def run(self, out: Appender) -> None:
        """Append each event when its simulated time has come; what is late is appended at once, in order."""
        began_s, first_us = self._now(), self._appended_until_us
        while True:
            event = self._pending or next(self._events)
            self._pending = event
            due_s = began_s + (event.receipt_time_us - first_us) / SECOND_US / self._speed
            wait_s = due_s - self._now()
            if wait_s > 0:
                await self._sleep(wait_s)
            await out.append(event.feed, event.receipt_time_us, event.payload)
            self._pending, self._appended_until_us = None, event.receipt_time_us
            if self._keep is not None:
                self._keep(event)
