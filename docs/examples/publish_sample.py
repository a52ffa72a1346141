"""Publishes the signals of the packaged sample on a Redis, so that a reader can be tried where no service runs.

They are labelled ``replay``, run ``sample``; live names are not touched. Run it with the URL of a Redis of your own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

import redis.asyncio

from streams.compilation import code_hash, prepare
from streams.settings import load

prepare(load())  # before the core is imported: it is compiled once, for all programs

from models.records import DecidingConfig  # noqa: E402 behind its preparation
from streams.history import open_history  # noqa: E402 the same
from streams.replay import Question, fleet_for_replay, replay  # noqa: E402 the same
from streams.shipped import shipped  # noqa: E402 the same
from streams.sink import RedisSink  # noqa: E402 the same
from streams.wire import Entry, Names, SinkBatch, genesis_chain  # noqa: E402 the same

NAMES = Names("replay", "sample")


def batches(miner: str, entries: Sequence[Entry]) -> Iterator[SinkBatch]:
    """One batch for each offset that has entries, as a worker that is never behind would write them."""
    seq, chain, after = 0, genesis_chain(miner, 1), 0
    for offset, found in groupby(entries, key=lambda entry: entry.offset):
        own = list(found)
        yield SinkBatch(
            miner=miner,
            generation=1,
            epoch=1,
            opens_epoch=seq == 0,
            starts_generation=seq == 0,
            from_offset=offset if seq == 0 else after,
            to_offset=offset,
            seq_before=seq,
            chain_before=chain,
            entries=own,
            raw_hash=f"record {offset}",
            log_time_us=1_718_582_400_000_000 + offset,
            model_version="sample",
        )
        seq, chain, after = own[-1].seq, own[-1].chain, offset + 1


async def publish(url: str, miner: str = "capped", first: int | None = None) -> int:
    """Publish a miner's signals, or only the first so many; how many there are now."""
    fleet = fleet_for_replay(shipped("examples"), {}, None)
    question = Question(open_history("sample"), fleet, DecidingConfig(), code_hash())
    answer = await asyncio.to_thread(replay, question, 1)  # it has an event loop of its own
    entries = list(answer.entries[miner])[:first]
    async with redis.asyncio.Redis.from_url(url) as client:
        sink = RedisSink(client, NAMES)
        await sink.register(miner)
        replies = await sink.write_many(list(batches(miner, entries)))
    return replies[-1].head_seq


if __name__ == "__main__":
    print(asyncio.run(publish(sys.argv[1])), "signals of the miner 'capped' are there")
