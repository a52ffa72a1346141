"""A hand-over to other code: it takes over once what it goes on from would outlive the loss of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from streams.checkpoint import Checkpoint
from streams.copies import entry_of, handover_headers, handover_key, records_of
from streams.log import RawReader, TopicProducer
from streams.opening import Opening, market_name, open_pipeline
from streams.pipeline import Mode
from streams.sink import Sink
from streams.wire import MARKET, Names


class HandOver:
    """Opens pipelines; lets this code take over from other code only when the checkpoints it takes are durable.

    Otherwise a Redis lost right after it would leave the other code's older checkpoints as the newest there are, which
    this code may not go on from.
    """

    def __init__(self, sink: Sink, reader: RawReader, names: Names, mode: Mode) -> None:
        self._sink, self._reader, self._names, self._mode = sink, reader, names, mode
        self._held: dict[str, tuple[int, int]] = {}
        self._read_from: int | None = None

    async def open(self) -> Opening:
        """An opening as :func:`open_pipeline` makes it; standing by while what it takes over is not durable."""
        opening = await open_pipeline(self._sink, self._reader, self._mode)
        if not opening.taken_over:
            return opening
        missing = await self._missing(opening.taken_over)
        if missing:
            return replace(opening, standby=f"standby: {missing}; changeover agents copies them, is it running?")
        await self._store(opening.taken_over)
        return replace(opening, how=f"{opening.how}, taken over from other code and durable")

    async def _missing(self, checkpoints: Sequence[Checkpoint]) -> str:
        """Which entries that the checkpoints count topic `signals` does not hold yet; empty where it holds all."""
        topic = self._names.topic("signals")
        async for record in records_of(self._reader.connection, topic, self._read_from):
            miner, generation, entry = entry_of(record)
            self._held[miner] = max((generation, entry.seq), self._held.get(miner, (0, 0)))
            self._read_from = record.offset + 1
        lacking = [
            f"{each.miner} {held + 1} to {each.seq}"
            for each in checkpoints
            if each.miner != MARKET and each.seq > (held := self._seq(each))
        ]
        return f"topic {topic} lacks entries {', '.join(lacking)}, which count in the hand-over" if lacking else ""

    def _seq(self, checkpoint: Checkpoint) -> int:
        generation, seq = self._held.get(checkpoint.miner, (0, 0))
        return seq if generation == checkpoint.generation else 0

    async def _store(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Copy the set to topic `checkpoints`, under keys of its own; replicas write the same bytes."""
        market = market_name(self._mode.part)
        named = {market if each.miner == MARKET else each.miner: each for each in checkpoints}
        epoch = named[market].epoch
        producer = TopicProducer(self._reader.connection, self._names.topic("checkpoints"))
        await producer.start()
        try:
            for name, each in named.items():
                headers = handover_headers(market, epoch, list(named))
                await producer.append(each.encode(), key=handover_key(name, epoch), headers=headers)
        finally:
            await producer.stop()
