"""Polling where a round is more than a list of requests: a token first, or pages that belong together."""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping

from streams.errors import FeedError
from streams.feeds.contract import Appender, Parse
from streams.feeds.http import Client
from streams.wire import RawRecord


class Rounds(ABC):
    """A feed that goes round again and again; a subclass says what it asks in one round.

    ``every_s``: pause between rounds [s]; ``pause_s``: least time between the starts of two requests [s]. An answer
    equal to the last one of the same ``place`` is not appended again.
    """

    def __init__(
        self, name: str, parsers: Mapping[str, Parse], *, every_s: float, pause_s: float, timeout_s: float = 60.0
    ) -> None:
        self.name = name
        self._parsers = parsers
        self._every_s = every_s
        self._client = Client(name, pause_s=pause_s, timeout_s=timeout_s)
        self._digests: dict[str, bytes] = {}

    async def run(self, out: Appender) -> None:
        """Go round until cancelled."""
        async with self._client as client:
            while True:
                await self.go_round(client, out)
                await asyncio.sleep(self._every_s)

    @abstractmethod
    async def go_round(self, client: Client, out: Appender) -> None:
        """Ask everything of one round once. FeedError where something failed."""

    async def keep(self, out: Appender, place: str, record: RawRecord) -> None:
        """Append what came, unless it is what came last from there. FeedError where its parser refuses it whole."""
        digest = hashlib.blake2b(record.payload).digest()
        if self._digests.get(place) == digest:
            return
        await out.append(record.feed, record.receipt_time_us, record.payload, record.note)
        try:
            self._parsers[record.feed](record)
        except (FeedError, ValueError) as fault:
            raise FeedError(f"{place}: {fault}", retriable=True) from fault
        self._digests[place] = digest
