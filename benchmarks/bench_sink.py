"""How fast the sink is: signals a second in batches, the wait for one signal beside a plain XADD, one crowded offset.

Run ``python benchmarks/bench_sink.py [--json] [--seconds S] [--rounds N]``. Uses the Redis at REDIS_URL, else one of
its own. Its keys have a prefix of their own and are deleted at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from statistics import median
from time import perf_counter

import orjson
from redis.asyncio import Redis

from streams.embedded import EmbeddedRedis
from streams.sink import RedisSink
from streams.wire import Entry, Names, SinkBatch, genesis_chain, next_chain

SIGNAL_BYTES = 2_000
BATCH_SIGNALS = 1_000
BATCHES = 40
CROWD_SIGNALS = 10_000
SIGNALS_PER_S = 500

Writer = Callable[[], Awaitable[object]]


class Feed:
    """Batches of one miner, one after the other, made before the clock runs."""

    def __init__(self, miner: str) -> None:
        self.miner = miner
        self._offset, self._seq, self._chain = 0, 0, genesis_chain(miner, 1)

    def batch(self, signals: int) -> SinkBatch:
        """The next batch: ``signals`` signals of one offset."""
        seq_before, chain_before, entries = self._seq, self._chain, []
        for _ in range(signals):
            self._seq += 1
            json = b'{"seq":%d,"text":"' % self._seq
            json += b"x" * (SIGNAL_BYTES - len(json) - 2) + b'"}'
            self._chain = next_chain(self._chain, json)
            entries.append(Entry(self._offset, self._seq, self._chain, json))
        batch = SinkBatch(
            miner=self.miner,
            generation=1,
            epoch=0,
            opens_epoch=False,
            starts_generation=self._offset == 0,
            from_offset=self._offset,
            to_offset=self._offset,
            seq_before=seq_before,
            chain_before=chain_before,
            entries=entries,
            raw_hash="0" * 32,
            log_time_us=1_700_000_000_000_000,
            model_version="bench",
        )
        self._offset += 1
        return batch


async def accepted(sink: RedisSink, batch: SinkBatch, status: str = "OK") -> None:
    """Write a batch that must get this status."""
    reply = await sink.write(batch)
    if reply.status != status:
        raise SystemExit(f"the sink answered {reply.status}: {reply.detail}")


async def signals_per_second(sink: RedisSink, plain: Callable[[Entry], Awaitable[object]]) -> dict[str, float]:
    """Batches of 1,000 through the sink, the same again as duplicates, and as plain XADDs one after the other."""
    feed = Feed("batched")
    batches = [feed.batch(BATCH_SIGNALS) for _ in range(BATCHES)]
    seconds = {}
    for name, status in (("batched", "OK"), ("duplicate", "DUPLICATE")):
        began = perf_counter()
        for batch in batches:
            await accepted(sink, batch, status)
        seconds[name] = perf_counter() - began
    entries = [entry for batch in batches[:2] for entry in batch.entries]
    began = perf_counter()
    for entry in entries:
        await plain(entry)
    plain_seconds = perf_counter() - began
    return {
        "batched_signals_per_s": BATCHES * BATCH_SIGNALS / seconds["batched"],
        "duplicate_signals_per_s": BATCHES * BATCH_SIGNALS / seconds["duplicate"],
        "plain_xadd_per_s": len(entries) / plain_seconds,
    }


async def waits_ms(write: Writer, count: int) -> list[float]:
    """How long each of ``count`` writes took [ms], begun at a steady rate."""
    loop, waits = asyncio.get_running_loop(), []
    due = loop.time()
    for _ in range(count):
        due += 1 / SIGNALS_PER_S
        await asyncio.sleep(max(0.0, due - loop.time()))
        began = perf_counter()
        await write()
        waits.append((perf_counter() - began) * 1_000)
    return waits


async def beside_plain(
    sink: RedisSink, plain: Callable[[Entry], Awaitable[object]], seconds: float, rounds: int
) -> dict[str, float]:
    """Single signals at 500 a second through the sink and as plain XADD, in turns."""
    sunk, added = Feed("single"), Feed("plain")
    count = int(seconds * SIGNALS_PER_S / rounds)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        batches = iter([sunk.batch(1) for _ in range(count)])
        entries = iter([added.batch(1).entries[0] for _ in range(count)])
        ours += await waits_ms(lambda left=batches: accepted(sink, next(left)), count)  # type: ignore[misc]  # bound now
        theirs += await waits_ms(lambda left=entries: plain(next(left)), count)  # type: ignore[misc]  # bound now
    figures = {}
    for share, name in ((0.50, "p50"), (0.99, "p99")):
        figures[f"sink_{name}_ms"], figures[f"xadd_{name}_ms"] = quantile(ours, share), quantile(theirs, share)
        figures[f"{name}_ratio"] = figures[f"sink_{name}_ms"] / figures[f"xadd_{name}_ms"]
    return figures


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def crowded_offset(client: Redis, sink: RedisSink, rounds: int) -> dict[str, float]:
    """10,000 signals of 2 kB for one offset: the whole call, and what of it is spent inside Redis."""
    feed = Feed("crowd")
    await accepted(sink, feed.batch(1))
    call, inside = [], []
    for _ in range(rounds):
        batch = feed.batch(CROWD_SIGNALS)
        await client.config_resetstat()
        began = perf_counter()
        await accepted(sink, batch)
        call.append((perf_counter() - began) * 1_000)
        stats = await client.info("commandstats")
        inside.append(stats["cmdstat_fcall"]["usec"] / 1_000)
    return {"crowd_call_ms": median(call), "crowd_in_redis_ms": median(inside)}


async def measure(url: str, seconds: float, rounds: int) -> dict[str, float]:
    """All figures."""
    names = Names("replay", f"bench{secrets.token_hex(4)}")
    async with Redis.from_url(url) as client:
        sink = RedisSink(client, names)
        await sink.start()

        async def plain(entry: Entry) -> object:
            fields = {"offset": str(entry.offset), "chain": entry.chain, "json": entry.json}
            return await client.xadd(f"{names.prefix}{{plain}}", fields)  # type: ignore[arg-type]  # invariant dict

        try:
            figures = await signals_per_second(sink, plain)
            figures |= await beside_plain(sink, plain, seconds, rounds)
            figures |= await crowded_offset(client, sink, rounds)
        finally:
            async for key in client.scan_iter(match=f"{names.prefix}*", count=1_000):
                await client.unlink(key)
    return figures


def text(figures: dict[str, float]) -> str:
    """The figures for people."""
    f = figures
    return (
        f"sink, signals of {SIGNAL_BYTES} bytes\n"
        f"  batches of {BATCH_SIGNALS}: {f['batched_signals_per_s']:,.0f} signals/s written, "
        f"{f['duplicate_signals_per_s']:,.0f} compared as duplicates; "
        f"{f['plain_xadd_per_s']:,.0f} by plain XADD one by one\n"
        f"  single signals, {SIGNALS_PER_S}/s: p50 {f['sink_p50_ms']:.3f} ms ({f['p50_ratio']:.2f} x plain XADD's "
        f"{f['xadd_p50_ms']:.3f}), p99 {f['sink_p99_ms']:.3f} ms ({f['p99_ratio']:.2f} x {f['xadd_p99_ms']:.3f})\n"
        f"  {CROWD_SIGNALS:,} signals of one offset: {f['crowd_call_ms']:.1f} ms, {f['crowd_in_redis_ms']:.1f} of it "
        f"in Redis\n"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each of sink and XADD runs at 500/s")
    parser.add_argument("--rounds", type=int, default=5, help="turns that sink and XADD take, and crowded offsets")
    options = parser.parse_args()
    with ExitStack() as stack:
        url = os.environ.get("REDIS_URL") or stack.enter_context(EmbeddedRedis()).url
        figures = asyncio.run(measure(url, options.seconds, options.rounds))
    sys.stdout.write(orjson.dumps(figures).decode() + "\n" if options.json else text(figures))


if __name__ == "__main__":
    main()
