"""The engine loop: reads the log, runs the pipeline, delivers to the sink, and answers what the sink says.

It never reads on before everything up to its place is delivered: while Redis is away the batch is held. Nothing here
decides; what goes wrong either waits, goes back to a checkpoint, or ends the process with one line.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from models.records import EpochStart
from streams.backoff import Backoff
from streams.catch_up import catch_up
from streams.checkpoint import Checkpoint
from streams.connect import REDIS_AWAY, text_of
from streams.epochs import announce_first
from streams.errors import DivergedError, HaltedError, WorldError
from streams.handover import HandOver
from streams.log import RawProducer, RawReader, TopicProducer
from streams.metrics import EngineMetrics
from streams.opening import Opening, carried_heads, market_name, verify_heads
from streams.pipeline import Mode, Pipeline, Rejected, Step
from streams.process import Process
from streams.recent import Recent
from streams.refill import Refilled, refill
from streams.rejected import messages_of
from streams.sink import Sink
from streams.wire import MARKET, RawRecord, SinkBatch

T = TypeVar("T")

STANDBY_S = 2.0
"""How often a worker on standby looks whether its turn has come [s]."""

MAX_FRUITLESS = 3
"""Times in a row that going back may end in the same refusal before the worker gives up."""

FETCH_TURNS = 4
"""Turns of the event loop in which the client asks the broker for what comes next (it takes three)."""


async def _let_fetch() -> None:
    """Let the client send its next fetch before this record is worked on, not after: a record waits 1.4 ms less."""
    for _ in range(FETCH_TURNS):
        await asyncio.sleep(0)


class Rewind(Exception):  # noqa: N818 not an error: the loop goes back to a checkpoint
    """The sink lacks what lies before a batch; the work goes on from the checkpoint."""


class EngineLoop:
    """One part's loop over the log. All it works with is given, opened, from outside."""

    def __init__(
        self,
        process: Process,
        mode: Mode,
        sink: Sink,
        reader: RawReader,
        raw: RawProducer,
        rejected: TopicProducer,
    ) -> None:
        self._process = process
        self._mode = mode
        self._sink = sink
        self._reader = reader
        self._raw = raw
        self._rejected = rejected
        self._metrics = EngineMetrics(process.health)
        self._registered: set[str] = set()
        self._hand_over = HandOver(sink, reader, process.settings.names, mode)
        self._may_lack = True  # whether Redis may have come back older than a hand-over
        self._fruitless = 0
        self._last: RawRecord | None = None
        self._recent = Recent()
        self.opened = asyncio.Event()

    async def run(self) -> None:
        """Work until the process stops.

        Raises:
            LogChangedError, DivergedError, HaltedError, WorldError: what ends the process, each with one line.
        """
        while not self._process.stopping.is_set():
            await self._held(partial(self._fill, refill))
            opening = await self._held(self._hand_over.open)
            if opening.standby:
                self._may_lack = self._may_lack and await self._held(partial(self._fill, catch_up))
                if not self._may_lack:
                    await self._wait(opening.standby)
                continue
            self._begin(opening)
            self._may_lack = True
            try:
                await self._work(opening.pipeline)
            except Rewind as rewind:
                self._go_back(rewind)

    async def _fill(self, way: Callable[..., Awaitable[Refilled | None]]) -> bool:
        """Fill again what Redis lost, from the copies in Kafka; whether it had lost something."""
        part, market = self._mode.part, market_name(self._mode.part)
        began = asyncio.get_running_loop().time()
        filled = await way(self._sink, self._reader, self._process.settings.names, part, market)
        if filled is not None:
            seconds = asyncio.get_running_loop().time() - began
            self._process.say(f"{filled} in {seconds:.1f} s", loud=True)
            self._process.health.facts["refilled"] = str(filled)
        return filled is not None

    def _go_back(self, rewind: Rewind) -> None:
        """Say why the work goes on from the checkpoint; give up where that has not helped."""
        self._metrics.rewinds.inc()
        self._fruitless += 1
        if self._fruitless > MAX_FRUITLESS:
            raise WorldError(
                f"went back {MAX_FRUITLESS} times and the sink still says {rewind}: its head cannot be reached from "
                "any checkpoint; run changeover rebuild --new-generation"
            )
        self._process.say(f"going back to the checkpoint: the sink says {rewind}", loud=True)

    def _begin(self, opening: Opening) -> None:
        pipeline = opening.pipeline
        self._recent = Recent()
        self._reader.seek(pipeline.offset + 1)
        self._registered = set(opening.heads)
        self._metrics.place(pipeline)
        self._process.say(opening.how)
        self._process.health.facts["opened"] = opening.how
        self._serving(pipeline)
        self.opened.set()

    async def _work(self, pipeline: Pipeline) -> None:
        """Read, process, deliver, until the process stops, or other code has had its turn."""
        worker = self._process.settings.worker
        first_end = await self._reader.end_offset() if pipeline.epoch == 0 else 0
        while not self._process.stopping.is_set():
            raws = await self._reader.read(worker.max_batch, worker.poll_ms)
            self._note_kafka(heard=bool(raws))
            if raws:
                await _let_fetch()
                with self._metrics.batch_seconds.time():
                    step = await self._advance(pipeline, raws)
                if step.superseded is not None:
                    await self._stand_by(pipeline, step.superseded)
                    return
            elif pipeline.epoch == 0 and pipeline.offset >= first_end - 1:
                first_end = await announce_first(self._process, self._raw, pipeline.offset) + 1

    def _note_kafka(self, *, heard: bool) -> None:
        """Say in health that Kafka is away, as far as our own ticks show it, and when records come again."""
        away = "" if heard else self._raw.producer.stats.outage
        if away and self._process.health.ready:
            self._process.health.set(f"Kafka is away: {away}", ready=False)
        elif heard and not self._process.health.ready:
            self._process.health.set("serving", ready=True)

    async def _advance(self, pipeline: Pipeline, raws: Sequence[RawRecord]) -> Step:
        """Process records and deliver all that came of them."""
        step = pipeline.process(raws)
        self._last = next((raw for raw in reversed(raws) if raw.offset == pipeline.offset), self._last)
        if step.rejected:
            await self._reject(step.rejected)
        await self._register(step.batches)
        await self._deliver(step.batches)
        await self._keep(step.checkpoints)
        await self._trim(pipeline, step.checkpoints)
        self._metrics.advanced(pipeline, step, raws)
        return step

    async def _reject(self, rejected: Sequence[Rejected]) -> None:
        """Tell topic `rejected`, and wait until it is stored."""
        messages = messages_of(self._reader.topic, rejected)
        await asyncio.gather(*(self._rejected.append(value, key=key) for key, value in messages))

    async def _register(self, batches: Sequence[SinkBatch]) -> None:
        for miner in sorted({batch.miner for batch in batches} - self._registered):
            await self._held(partial(self._sink.register, miner))
            self._registered.add(miner)

    async def _deliver(self, batches: Sequence[SinkBatch]) -> None:
        """Write batches; returns once the sink holds all of them."""
        if not batches:
            return
        replies = await self._held(lambda: self._sink.write_many(batches))
        for batch, reply in zip(batches, replies, strict=True):
            self._metrics.replies.labels(reply.status).inc()
            if reply.status == "DIVERGED":
                stored = await self._sink.head(batch.miner)
                version = "unknown" if stored is None else stored.model_version
                raise DivergedError(
                    f"DIVERGED: {reply.detail}; this worker is version {batch.model_version}, the stream was written "
                    f"by version {version}; nothing was overwritten"
                )
            if reply.status == "REFUSED" and await self._stands_before(batch):
                raise Rewind(f"{reply.status}: {reply.detail}")
            if reply.status == "REFUSED" and "malformed" in reply.detail:
                raise HaltedError(f"HALTED: {reply.detail}: this worker made a batch no worker may make")
            if reply.status == "REFUSED":
                raise WorldError(f"REFUSED: {reply.detail}; another worker or a rebuild is ahead: start again")
        for batch, reply in zip(batches, replies, strict=True):
            if reply.status == "EMPTY" or (reply.status == "GAP" and not await self._resend(batch, reply.head_offset)):
                raise Rewind(f"{reply.status}: {reply.detail}")
        self._recent.keep(batches)
        self._fruitless = 0

    async def _stands_before(self, batch: SinkBatch) -> bool:
        """Whether Redis came back from before the start of the batch's epoch."""
        head = await self._held(partial(self._sink.head, batch.miner))
        return head is not None and head.generation == batch.generation and head.epoch < batch.epoch

    async def _resend(self, batch: SinkBatch, head_offset: int) -> bool:
        """Write again what a Redis that came back older lacks before a batch, if it is still at hand, and the batch."""
        if not (again := self._recent.since(batch.miner, head_offset)):
            return False
        replies = await self._held(lambda: self._sink.write_many([*again, batch]))
        resent = all(reply.status in ("OK", "DUPLICATE") for reply in replies)
        if resent:
            self._metrics.resent.inc(len(again))
            self._process.say(f"{batch.miner}: Redis came back at offset {head_offset}, {len(again)} batches resent")
        return resent

    async def _keep(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Store checkpoints, after all that lies before them is delivered; the market's last (see ``market_name``)."""
        for each in sorted(checkpoints, key=lambda one: one.miner == MARKET):
            store = partial(self._sink.store_checkpoint, each.miner, each.offset, each.encode(), each.generation)
            if each.miner == MARKET:
                name = market_name(self._mode.part)
                store = partial(self._sink.store_checkpoint, name, each.offset, each.encode())
            await self._held(store)
            self._metrics.checkpoint_offset.set(each.offset)

    async def _trim(self, pipeline: Pipeline, checkpoints: Sequence[Checkpoint]) -> None:
        """At a checkpoint mark, hear up to where streams may be trimmed: what lies below is held by topic `signals`."""
        for each in checkpoints:
            if each.miner != MARKET:
                stream = pipeline.streams[each.miner]
                below = await self._held(partial(self._sink.trim_mark, each.miner, stream.generation))
                stream.trim_below = max(stream.trim_below, below)

    async def _stand_by(self, pipeline: Pipeline, epoch: EpochStart) -> None:
        """Another code's epoch begins: leave checkpoints before it, and wait until that code has gone beyond them."""
        if self._last is not None and self._last.offset == pipeline.offset:
            names = (MARKET, *pipeline.miners)
            raw_hash = self._last.hash()
            await self._keep([pipeline.checkpoint(name, pipeline.offset, raw_hash) for name in names])
        load = partial(self._sink.load_checkpoint, market_name(self._mode.part))
        kept = left = await self._held(load)
        line = f"standby: epoch {epoch.epoch} is for code {epoch.code_hash}, this is {self._mode.code_hash}"
        while not self._process.stopping.is_set() and kept == left and (kept is None or kept[0] <= pipeline.offset):
            await self._wait(line)
            kept = await self._held(load)  # another than was left: that code went on, or Redis lost it

    async def _wait(self, line: str) -> None:
        """Say what this code waits for, and wait a while."""
        if self._process.health.state != line:
            self._process.say(line, loud=True)
            self._process.health.set(line, ready=False)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.stopping.wait(), STANDBY_S)

    async def _held(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call the sink; while Redis is away hold on and call again, and know the log again before going on."""
        pauses = Backoff(first_s=0.1, longest_s=3.0)
        away = False
        while True:
            try:
                if away:
                    await verify_heads(self._reader, await carried_heads(self._sink, self._mode))
                result = await call()
            except REDIS_AWAY as error:
                if not away:
                    self._process.say(f"Redis is away, the batch is held: {text_of(error)}", loud=True)
                    self._process.health.set("Redis is away, the batch is held", ready=False)
                    self._metrics.redis_up.set(0)
                away = True
                await asyncio.sleep(pauses.next_s())
                if self._process.stopping.is_set():
                    raise WorldError(
                        "stopped while Redis was away; what was held is computed again at start"
                    ) from error
                continue
            if away:
                self._process.say("Redis is back", loud=True)
                self._process.health.set("serving", ready=True)
            self._metrics.redis_up.set(1)
            return result

    def _serving(self, pipeline: Pipeline) -> None:
        self._process.health.facts.update(
            origin=self._mode.origin,
            part=f"{self._mode.part.index}/{self._mode.part.count}",
            code_hash=self._mode.code_hash,
            offset=pipeline.offset,
        )
        self._process.health.set("serving", ready=True)
