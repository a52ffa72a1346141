"""The sink on Redis or Valkey: packs batches for the functions of the Lua files here and reads what they keep."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Sequence
from importlib.resources import files
from typing import Any, cast

import orjson
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from streams.errors import DivergedError, WorldError
from streams.sink.redis_answers import behind_a_lost_call, deed, entry_of, function_lost, head_of, malformed, reply_of
from streams.sink.redis_errors import redis_errors
from streams.sink.redis_line import ClusterLine, Line
from streams.sink.refilling import refill_arguments, refilled
from streams.sink.wellformed import first_break, flaw, miner_flaw
from streams.wire import MARKET, Entry, Head, Names, SinkBatch, SinkReply, genesis_chain

READ_PAGE = 1_000
READ_ATTEMPTS = 3
CHECKPOINT_PREFIX_BYTES = 17  # 16 digits and a colon: the longest an offset can be


def library() -> tuple[str, str]:
    """Source of the function library and its version, which is a hash of it: two versions can live side by side."""
    folder = files("streams.sink")
    source = "".join(folder.joinpath(name).read_text() for name in ("changeover.lua", "upkeep.lua"))
    version = hashlib.sha256(source.encode()).hexdigest()[:12]
    return source.replace("@VERSION@", version), version


class RedisSink:
    """A ``Sink`` on one Redis or on a cluster. Nothing is connected before the first call."""

    def __init__(self, client: Redis | RedisCluster, names: Names) -> None:
        settings = cast("Any", client).get_connection_kwargs()  # redis-py leaves it untyped
        if settings.get("decode_responses"):
            raise ValueError("RedisSink needs a client with decode_responses=False: entries are exact bytes")
        self._client = cast("Redis", client)  # the calls made here are the same
        self._line = ClusterLine(client) if isinstance(client, RedisCluster) else Line(client)
        self._names = names
        self._source, self._version = library()

    async def start(self) -> None:
        """Load the functions; a Redis that loses them later gets them again with the next call."""
        with redis_errors("load the sink's functions"):
            await self._client.function_load(self._source, replace=True)

    async def write(self, batch: SinkBatch) -> SinkReply:
        """Append what the stream lacks of ``batch`` and move its head, or write nothing and say why."""
        (reply,) = await self.write_many([batch])
        return reply

    async def write_many(self, batches: Sequence[SinkBatch]) -> list[SinkReply]:
        """Write several batches in one round trip, those of one miner in the order given."""
        replies: dict[int, SinkReply] = {}
        waiting: list[int] = []
        for index, batch in enumerate(batches):
            wrong = flaw(batch)
            if wrong:
                replies[index] = malformed(batch, wrong)
            else:
                waiting.append(index)
        answers = await self._write([batches[index] for index in waiting])
        again = behind_a_lost_call([batches[index].miner for index in waiting], answers)
        if again:
            await self.start()
            later = await self._write([batches[waiting[place]] for place in again])
            for place, answer in zip(again, later, strict=True):
                answers[place] = answer
        for index, answer in zip(waiting, answers, strict=True):
            with redis_errors(deed(batches[index])):
                if isinstance(answer, Exception):
                    raise answer
            replies[index] = reply_of(batches[index].miner, answer)
        return [replies[index] for index in range(len(batches))]

    async def head(self, miner: str) -> Head | None:
        """Where a miner's stream stands. A head that cannot be read is a ``WorldError``."""
        key = self._names.key(miner, "head")
        with redis_errors(f"read {key}"):
            found = await cast("Awaitable[dict[bytes, bytes]]", self._client.hgetall(key))
        return head_of(key, found)

    async def read(self, miner: str, after_seq: int = 0, count: int | None = None) -> list[Entry]:
        """Entries from ``after_seq`` + 1 on, at most ``count``; their chain is recomputed."""
        key = self._names.key(miner, "signals")
        broken: str | None = ""
        for _ in range(READ_ATTEMPTS):  # a trim or a new generation may come between two pages, but not every time
            entries = await self._pages(key, after_seq, count)
            broken = first_break(entries)
            if broken is None:
                return entries
        raise DivergedError(f"{key}: {broken}; it was changed by another hand")

    async def _pages(self, key: str, after_seq: int, count: int | None) -> list[Entry]:
        entries: list[Entry] = []
        while count is None or len(entries) < count:
            start = (entries[-1].seq if entries else after_seq) + 1
            wanted = READ_PAGE if count is None else min(READ_PAGE, count - len(entries))
            page = await self._page(key, start, wanted)
            entries += page
            if len(page) < wanted:
                break
        return entries

    async def _page(self, key: str, start: int, wanted: int) -> list[Entry]:
        with redis_errors(f"read {key}"):
            found = await self._client.xrange(key, min=f"{start}-0", max="+", count=wanted)
        return [entry_of(key, *item) for item in cast("list[tuple[bytes, dict[bytes, bytes]]]", found)]

    async def site(self, miner: str, site: str) -> dict[str, str]:
        """A site's latest valuation; empty where there is none."""
        key = self._names.key(miner, f"site:{site}")
        with redis_errors(f"read {key}"):
            found = await cast("Awaitable[dict[bytes, bytes]]", self._client.hgetall(key))
        return {name.decode(): value.decode() for name, value in found.items()}

    async def sites(self, miner: str) -> list[str]:
        """A miner's sites that were ever valued, in order of name."""
        key = self._names.key(miner, "sites")
        with redis_errors(f"read {key}"):
            found = await cast("Awaitable[set[bytes]]", self._client.smembers(key))
        return sorted(name.decode() for name in found)

    async def store_checkpoint(self, miner: str, offset: int, blob: bytes, generation: int | None = None) -> bool:
        """Keep a checkpoint unless a newer one is there, the head is not so far, or of another generation."""
        if offset < 0:
            raise ValueError(f"a checkpoint of {miner} at offset {offset}: offsets count from 0")
        keys = [self._names.key(miner, "checkpoint"), self._names.key(miner, "head")]
        arguments = [offset, blob, "" if generation is None else generation, int(not miner.startswith(MARKET[0]))]
        answer = await self._call("checkpoint", keys, arguments, action=f"store the checkpoint of {miner} at {offset}")
        return answer == [b"KEPT"]

    async def load_checkpoint(self, miner: str) -> tuple[int, bytes] | None:
        """The newest checkpoint."""
        key = self._names.key(miner, "checkpoint")
        with redis_errors(f"read {key}"):
            value = await cast("Awaitable[bytes | None]", self._client.get(key))
        if value is None:
            return None
        digits, colon, blob = value.partition(b":")
        if not colon or not digits.isdigit() or len(digits) >= CHECKPOINT_PREFIX_BYTES:
            raise WorldError(f"{key} holds no checkpoint of ours ({len(value)} bytes); delete it to start without one")
        return int(digits), blob

    async def new_generation(self, miner: str, least: int = 1) -> int:
        """Set the old stream aside, drop the checkpoint, number from 1 again."""
        wrong = miner_flaw(miner)
        if wrong:
            raise ValueError(wrong)
        head = await self.head(miner)
        old = head.generation if head else 0
        new = max(old + 1, least)
        stream = self._names.key(miner, "signals")
        keys = [self._names.key(miner, "head"), stream, f"{stream}:g{old}", self._names.key(miner, "checkpoint")]
        arguments = [old if head else "", new, genesis_chain(miner, new)]
        answer = await self._call("generation", keys, arguments, action=f"begin generation {new} of {miner}")
        if answer[0] == b"TAKEN":
            raise WorldError(f"cannot set {stream} aside: {keys[2]} is there already; rename or delete that one first")
        if answer[0] == b"CHANGED" and answer[1] != b"%d" % new:
            raise WorldError(f"the head of {miner} went from generation {old} to {answer[1].decode()} meanwhile")
        return new  # CHANGED to just this one: made at the same moment, or by our own call whose reply was lost

    async def refill(self, miner: str, entries: Sequence[Entry], head: Head | None = None) -> bool:
        """Fill a lost stream from a copy; see the contract."""
        keys = [self._names.key(miner, "head"), self._names.key(miner, "signals")]
        arguments = refill_arguments(entries, head)
        return refilled(miner, await self._call("refill", keys, arguments, action=f"refill the stream of {miner}"))

    async def mark_trim(self, miner: str, generation: int, below: int) -> None:
        """Say below which number entries may go."""
        key = self._names.key(miner, "trim")
        with redis_errors(f"write {key}"):
            await self._client.set(key, f"{generation}:{below}")

    async def trim_mark(self, miner: str, generation: int) -> int:
        """The number below which entries may go; a mark of another hand or generation counts as none."""
        key = self._names.key(miner, "trim")
        with redis_errors(f"read {key}"):
            value = await cast("Awaitable[bytes | None]", self._client.get(key))
        of, _, below = (value or b"").decode(errors="replace").partition(":")
        return int(below) if of == str(generation) and below.isdigit() else 0

    async def register(self, miner: str) -> None:
        """Add to the miners that publish."""
        with redis_errors(f"add {miner} to {self._names.miners}"):
            await self._client.sadd(self._names.miners, miner)

    async def miners(self) -> list[str]:
        """The miners that publish, in order of name."""
        with redis_errors(f"read {self._names.miners}"):
            found = await cast("Awaitable[set[bytes]]", self._client.smembers(self._names.miners))
        return sorted(name.decode() for name in found)

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.aclose()

    def _packed(self, batch: SinkBatch) -> tuple[list[str], list[Any]]:
        """Keys and arguments of the write function, in the order in which ``changeover.lua`` reads them."""
        miner, names = batch.miner, self._names
        keys = [names.key(miner, "head"), names.key(miner, "signals")]
        if batch.sites:
            keys.append(names.key(miner, "sites"))
            keys.extend(names.key(miner, f"site:{site}") for site in batch.sites)
        arguments: list[Any] = [
            batch.generation,
            batch.epoch,
            int(batch.opens_epoch),
            int(batch.starts_generation),
            batch.from_offset,
            batch.to_offset,
            batch.seq_before,
            batch.chain_before,
            genesis_chain(miner, batch.generation),
            batch.raw_hash,
            batch.log_time_us,
            batch.model_version,
            orjson.dumps(list(batch.degraded)),
            batch.trim_below,
            names.key(miner, "live"),
            len(batch.entries),
            len(batch.sites),
            orjson.dumps(list(batch.unconfirmed)),
        ]
        for entry in batch.entries:
            arguments += (entry.offset, entry.seq, entry.chain, entry.json)
        for fields in batch.sites.values():
            arguments.append(len(fields))
            for pair in fields.items():
                arguments += pair
        return keys, arguments

    async def _call(self, function: str, keys: list[str], arguments: list[Any], *, action: str) -> list[bytes]:
        name = f"changeover_{function}_{self._version}"
        with redis_errors(action):
            try:
                return cast("list[bytes]", await self._client.fcall(name, len(keys), *keys, *arguments))
            except ResponseError as exc:
                if not function_lost(exc):
                    raise
            await self._client.function_load(self._source, replace=True)
            return cast("list[bytes]", await self._client.fcall(name, len(keys), *keys, *arguments))

    async def _write(self, batches: Sequence[SinkBatch]) -> list[Any]:
        if not batches:
            return []
        name = f"changeover_write_{self._version}"
        commands = []
        for batch in batches:
            keys, arguments = self._packed(batch)
            commands.append(("FCALL", name, len(keys), *keys, *arguments))
        with redis_errors(deed(batches[0]) if len(batches) == 1 else f"write {len(batches)} batches"):
            return await self._line.ask(commands)
