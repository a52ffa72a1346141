"""Waiting for the numbered answer to what a person ordered or confirmed."""

from __future__ import annotations

import asyncio
from typing import Any

import redis.asyncio

from streams.errors import WorldError
from streams.tail import Follower
from streams.wire import Names


class Answers:
    """One miner's stream from now on, in which an answer will stand. Open it before asking."""

    def __init__(self, client: redis.asyncio.Redis, names: Names, miner: str) -> None:
        self._follower = Follower(client, names, [miner], latest=0)
        self._miner = miner

    async def open(self) -> None:
        """Find where the stream stands. Raises WorldError: no such miner publishes."""
        await self._follower.next(block=False)

    async def wait(self, kind: str, key: str, identity: str, wait_s: float) -> list[dict[str, Any]]:
        """The answer with this id, and the switches of the same record that came with it.

        Raises:
            WorldError: none came within ``wait_s`` [s].
        """
        found: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(wait_s):
                while not found:
                    for told in await self._follower.next(block=True):
                        signal = told.signal
                        is_answer = signal.get("kind") == kind and signal.get(key) == identity
                        if is_answer or (found and signal.get("offset") == found[0]["offset"]):
                            found.append(signal)
        except TimeoutError as error:
            raise WorldError(
                f"no answer to {identity} within {wait_s:g} s: it is in the log and will be answered when a worker of "
                f"{self._miner} runs; see changeover tail {self._miner}"
            ) from error
        return found
