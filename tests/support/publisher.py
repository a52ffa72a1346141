"""A worker's writing half for tests of readers: numbered switches of some miners, through the real stream and sink."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import redis.asyncio
from redis.exceptions import RedisError

from models.signals import Content, Signal
from streams.errors import WorldError
from streams.sink import RedisSink
from streams.stream import Stream
from streams.wire import Entry, Names, SinkBatch, SinkReply

HOUR_US = 3_600_000_000


def switch(miner: str, number: int, at_us: int, valid_until_us: int) -> dict[str, Any]:
    """A switch with every key."""
    relative = {"usd_per_mwh": 1.5, "usd_per_hour": 15.0, "contested_mw": 10.0, "basis": "owned"}
    return {
        "kind": "switch",
        "miner": miner,
        "site": "north",
        "load": f"tier-{number % 3}",
        "decision": f"north#{number}",
        "class": "economic",
        "rule": "policy",
        "from": "off" if number % 2 else "hash",
        "to": "hash" if number % 2 else "off",
        "mw": 10.0,
        "event_time_us": at_us,
        "receipt_time_us": at_us,
        "log_time_us": at_us,
        "valid_until_us": valid_until_us,
        "act_by_us": at_us + 60_000_000,
        "margins": {"hash": 3.5, "off": 0.0},
        "relative_return": {"site": relative, "miner": relative, "marginal_usd_per_mwh": None},
        "band": {"stop_below_usd_per_mwh": -1.0, "start_above_usd_per_mwh": 1.0},
        "switch_cost_usd": 12.0,
        "expected_gain_usd_per_hour": 35.0,
        "why": {"unit": "USD/h", "scope": "load", "total": 35.0, "groups": {"power_price": 35.0}},
        "flip": [],
        "inputs": [],
        "policy": "breakeven",
        "config_hash": "c0ffee",
        "order": None,
        "forecast": None,
        "text": f"switch {number}",
    }


@dataclass
class Publisher:
    """Publishes for some miners on one log; keeps every batch, so that it can write again what Redis lost."""

    client: redis.asyncio.Redis
    names: Names
    miners: tuple[str, ...] = ("mara",)
    generation: int = 1
    offset: int = 0
    streams: dict[str, Stream] = field(default_factory=dict)
    batches: dict[str, list[SinkBatch]] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin the streams of every miner."""
        self.sink = RedisSink(self.client, self.names)
        self.begin(self.generation)

    def begin(self, generation: int) -> None:
        """Number from 1 again."""
        self.generation = generation
        for miner in self.miners:
            self.streams[miner] = Stream(self.names.origin, miner, generation, 1, "m1", self.offset)
            self.batches[miner], self.entries[miner] = [], []
            self.written[miner] = -1

    def json(self, miner: str = "mara") -> list[bytes]:
        """The exact bytes of every entry so far."""
        return [entry.json for entry in self.entries[miner]]

    async def publish(self, miner: str = "mara", count: int = 1, valid_for_us: int = HOUR_US, **more: Any) -> None:
        """Append switches at log offsets of their own; the other miners' heads stay where they are."""
        for _ in range(count):
            self.offset += 1
            at_us = time.time_ns() // 1_000
            content = switch(miner, self.offset, at_us, at_us + valid_for_us) | more
            stream = self.streams[miner]
            stream.add([Signal(self.offset, cast("Content", content))], at_us, str)
            self._cut(miner, at_us)
        await self.write(miner)

    async def tick(self) -> None:
        """Log time goes on, and every head with it; the sites are valued."""
        self.offset += 1
        for miner in self.miners:
            self._cut(miner, time.time_ns() // 1_000, self._site(miner))
            await self.write(miner)

    def _site(self, miner: str) -> dict[str, dict[str, str]]:
        modes: dict[str, str] = {}
        for entry in self.entries[miner]:
            found = orjson.loads(entry.json)
            modes[found["load"]] = found["to"]
        loads = [{"load": load, "mode": mode} for load, mode in modes.items()]
        document = {"miner": miner, "site": "north", "loads": loads}
        return {"north": {"json": orjson.dumps(document).decode(), "offset": str(self.offset)}}

    def _cut(self, miner: str, log_time_us: int, sites: dict[str, dict[str, str]] | None = None) -> None:
        batch = self.streams[miner].cut(self.offset, f"record {self.offset}", log_time_us, sites=sites)
        self.batches[miner].append(batch)
        self.entries[miner] += batch.entries

    async def write(self, miner: str) -> None:
        """Write what the head lacks, as a worker does: held while Redis is away, again from where the head stands."""
        pending = [batch for batch in self.batches[miner] if batch.to_offset > self.written[miner]]
        while pending:
            try:
                reply = await self._put(pending)
            except (RedisError, OSError):
                await asyncio.sleep(0.02)
                continue
            if reply.status in {"OK", "DUPLICATE"}:
                self.written[miner] = pending[-1].to_offset
                return
            assert reply.status in {"GAP", "EMPTY"}, reply.detail
            pending = [batch for batch in self.batches[miner] if batch.to_offset > reply.head_offset]

    async def _put(self, pending: list[SinkBatch]) -> SinkReply:
        try:
            await self.sink.register(pending[-1].miner)
            return (await self.sink.write_many(pending))[-1]
        except WorldError as error:
            raise AssertionError(str(error)) from error
