"""The one path: raw records in, numbered batches for the sink out. Used by worker, replay and backtest alike.

Here records meet engines and signals get their numbers; nothing is decided and nothing is sent. Records that are rows
are gathered and run through the compiled step together; every other kind first closes what was gathered, so that the
order is the log's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import orjson

from models.commands import Ack, Command
from models.engine import Engine
from models.layout import note_series
from models.records import SECOND_US, Clock, DecidingConfig, EpochStart, FleetChange
from models.rows import CLOCK, Catalogue, NamesFullError, Rows, RowTuple, clock_row, observation_row, rows_of
from streams.checkpoint import Checkpoint
from streams.errors import HaltedError
from streams.feeds.contract import Parsed
from streams.fleetfile import encode_miner
from streams.parse import parse
from streams.step import Mode, Rejected, Step
from streams.stream import Stream
from streams.wire import MARKET, NO_OFFSET, RawRecord, SinkBatch

TURNS = FleetChange | EpochStart | Command | Ack
"""Records that are no rows of the compiled step: each closes what was gathered before it."""


class Pipeline:
    """Engines of the miners a part carries, fed in log order. ``offset`` is the last record processed.

    ``passed``: miners that a checkpoint brought beyond ``offset``; they pass over the records up to theirs.
    """

    def __init__(self, mode: Mode, generations: Mapping[str, int] | None = None) -> None:
        """A pipeline before the log's first record; ``generations`` names those already begun (default 1)."""
        self.mode, self.generations = mode, dict(generations or {})
        self.offset, self.epoch, self.config = NO_OFFSET, 0, DecidingConfig()
        self.names = Catalogue()
        self.market = Engine(self.names, self.config)
        self.engines: dict[str, Engine] = {}
        self.streams: dict[str, Stream] = {}
        self.passed: dict[str, int] = {}
        self._raws: dict[int, RawRecord] = {}
        self._valued_us = 0

    @property
    def miners(self) -> list[str]:
        """Miners carried so far, sorted."""
        return sorted(self.engines)

    def process(self, raws: Sequence[RawRecord]) -> Step:
        """Apply raw records in log order; those at or before ``offset`` are passed over."""
        step, rows = Step(), list[RowTuple]()
        began_us = self.market.log_time_us
        self._raws = {offset: raw for offset, raw in self._raws.items() if offset == self.offset}  # a cut may need it
        for raw in raws:
            if raw.offset <= self.offset:
                continue
            parsed = self._parse(raw, step)
            if any(isinstance(record, TURNS) for record in parsed.records):
                self._run(rows_of(rows), step)
                rows = []
                if not self._turn(parsed, raw, step):
                    break
            else:
                self._gather(parsed, raw, rows, step)
            self._raws[raw.offset] = raw
            self.offset = raw.offset
        self._run(rows_of(rows), step)
        self._close(step, moved=self.market.log_time_us != began_us)
        return step

    def process_rows(self, rows: Rows, last_offset: int) -> Step:
        """The shortcut past the codec for imported history: rows of the log up to ``last_offset``."""
        step = Step()
        self._raws = {}
        step.ticks = int((rows["kind"] == CLOCK).sum())
        step.observations = len(rows) - step.ticks
        self._run(rows, step)
        self.offset = last_offset
        self._close(step, moved=True)
        return step

    def _parse(self, raw: RawRecord, step: Step) -> Parsed:
        if raw.offset in self.config.skip_offsets:
            step.rejected.append(Rejected(raw, "skipped by the epoch's skip_offsets"))
            return Parsed([], [])
        parsed = parse(raw)
        if parsed.faults:
            step.rejected.append(Rejected(raw, parsed.reason))
        return parsed

    def _gather(self, parsed: Parsed, raw: RawRecord, rows: list[RowTuple], step: Step) -> None:
        """Records that are rows. Names there is no more room for are refused."""
        refused = ""
        for record in parsed.records:
            try:
                if isinstance(record, Clock):
                    rows.append(clock_row(record, raw.receipt_time_us, raw.offset, self.names))
                    step.ticks += 1
                elif not isinstance(record, TURNS):
                    rows.append(observation_row(record, raw.offset, self.names))
                    step.observations += 1
            except NamesFullError as full:
                refused = str(full)
        if refused:
            step.rejected.append(Rejected(raw, refused))

    def _run(self, rows: Rows, step: Step) -> None:
        """Apply rows to every engine, each in log order."""
        if len(rows) == 0:
            return
        mark = self._last_mark(rows) if self.mode.marks and step.ticks else len(rows)
        for miner, engine in ((MARKET, self.market), *((miner, self.engines[miner]) for miner in self.miners)):
            self._run_engine(miner, engine, rows, mark, step)

    def _last_mark(self, rows: Rows) -> int:
        """The row from which on checkpoint marks are looked for: of the marks in these rows only the last is used."""
        ticks = np.flatnonzero(rows["kind"] == CLOCK)
        if len(ticks) == 0:
            return len(rows)
        every_us = self.config.checkpoint_every_s * SECOND_US
        mark_us = rows["event_us"][ticks].max() // every_us * every_us
        return int(ticks[np.argmax(rows["event_us"][ticks] >= mark_us)])

    def _run_engine(self, miner: str, engine: Engine, rows: Rows, mark: int, step: Step) -> None:
        start, end = 0, len(rows)
        if miner in self.passed:
            start = int(np.searchsorted(rows["position"], self.passed[miner], side="right"))
        checkpoint = None
        while start < end:
            with _halting(miner, int(rows[start]["position"]), int(rows[-1]["position"])):
                start, signals, marked = engine.step(rows, start, mark if start < mark else end, marks=start >= mark)
            if signals:
                step.batches += self.streams[miner].add(signals, engine.log_time_us, self._hash_of)
            if marked:
                offset = int(rows[start - 1]["position"])
                checkpoint = self.checkpoint(miner, offset, self._hash_of(offset))
        if checkpoint is not None:
            step.checkpoints.append(checkpoint)

    def _turn(self, parsed: Parsed, raw: RawRecord, step: Step) -> bool:
        """Apply what is no row: fleets, epochs, commands. False where this code must stop before an epoch."""
        for record in parsed.records:
            if isinstance(record, FleetChange):
                self._change_fleet(record, raw, step)
            elif isinstance(record, Command | Ack):
                self._answer(record, raw, step)
            elif isinstance(record, EpochStart) and not self._start_epoch(record, raw, step):
                return False
        return True

    def _change_fleet(self, record: FleetChange, raw: RawRecord, step: Step) -> None:
        miner = record.miner.key
        if not self.mode.part.carries(miner) or raw.offset <= self._passed(miner):
            return
        if self.epoch == 0:
            step.rejected.append(Rejected(raw, f"fleet of {miner}: no epoch has begun; append an epoch first"))
            return
        try:
            note_series(record.miner, self.names)
        except NamesFullError as full:
            step.rejected.append(Rejected(raw, f"fleet of {miner}: {full}"))
            return
        if miner not in self.engines:
            born = Engine(self.names, self.config)
            born.restore(self.market.snapshot())
            self.engines[miner] = born
            self.streams[miner] = Stream(
                self.mode.origin,
                miner,
                self.generations.get(miner, 1),
                self.epoch,
                self.mode.code_hash,
                raw.offset,
            )
        engine = self.engines[miner]
        with _halting(miner, raw.offset, raw.offset):
            signals = engine.change_fleet(record.miner, raw.offset, raw.receipt_time_us)
        self._raws[raw.offset] = raw
        step.batches += self.streams[miner].add(signals, engine.log_time_us, self._hash_of)

    def _answer(self, record: Command | Ack, raw: RawRecord, step: Step) -> None:
        miner = record.miner
        if not self.mode.part.carries(miner) or raw.offset <= self._passed(miner):
            return
        engine = self.engines.get(miner)
        if engine is None:
            step.rejected.append(Rejected(raw, f"{raw.feed} {record.id}: no miner {miner!r} has a fleet in this log"))
            return
        answer = engine.command if isinstance(record, Command) else engine.acknowledge
        with _halting(miner, raw.offset, raw.offset):
            signals = answer(record, raw.offset, raw.receipt_time_us)  # type: ignore[arg-type]  # chosen by the record
        self._raws[raw.offset] = raw
        step.batches += self.streams[miner].add(signals, engine.log_time_us, self._hash_of)

    def _start_epoch(self, record: EpochStart, raw: RawRecord, step: Step) -> bool:
        if record.epoch <= self.epoch:
            other = record.code_hash != self.mode.code_hash and not self.mode.any_code
            if record.epoch < self.epoch or record.config != self.config or other:
                reason = f"epoch {record.epoch} does not follow epoch {self.epoch}, or differs from it"
                step.rejected.append(Rejected(raw, reason))
            return True
        self._cut_before(raw.offset, step)
        if record.code_hash != self.mode.code_hash and not self.mode.any_code:
            step.superseded = record
            return False
        self.epoch, self.config = record.epoch, record.config
        self._raws[raw.offset] = raw
        self.market.start_epoch(record.config, raw.offset, raw.receipt_time_us)
        for miner in self.miners:
            if raw.offset <= self._passed(miner):
                continue
            engine, stream = self.engines[miner], self.streams[miner]
            with _halting(miner, raw.offset, raw.offset):
                signals = engine.start_epoch(record.config, raw.offset, raw.receipt_time_us)
            stream.open_epoch(record.epoch)
            step.batches += stream.add(signals, engine.log_time_us, self._hash_of)
        return True

    def _cut_before(self, offset: int, step: Step) -> None:
        """Close every stream's batch before an offset: no batch spans an epoch's start."""
        for miner in self.miners:
            stream, engine = self.streams[miner], self.engines[miner]
            if stream.from_offset < offset:
                step.batches.append(self._cut(stream, engine, offset - 1))

    def _close(self, step: Step, *, moved: bool) -> None:
        """Close every stream's batch where it has entries or log time moved, so that quiet miners' heads move too."""
        value = self.mode.sites and self.market.log_time_us - self._valued_us >= self.config.site_every_s * SECOND_US
        for miner in self.miners:
            stream, engine = self.streams[miner], self.engines[miner]
            if stream.from_offset <= self.offset and (moved or stream.entries):
                sites = _site_fields(engine, self.offset) if value else None
                step.batches.append(self._cut(stream, engine, self.offset, sites))
        if value:
            self._valued_us = self.market.log_time_us

    def _cut(
        self, stream: Stream, engine: Engine, offset: int, sites: dict[str, dict[str, str]] | None = None
    ) -> SinkBatch:
        raw_hash, degraded = self._hash_of(offset), engine.degraded()
        return stream.cut(offset, raw_hash, engine.log_time_us, degraded, engine.unconfirmed(), sites)

    def _hash_of(self, offset: int) -> str:
        raw = self._raws.get(offset)
        return raw.hash() if raw is not None else ""

    def checkpoint(self, miner: str, offset: int, raw_hash: str) -> Checkpoint:
        """Checkpoint of a miner, or of MARKET, as of now."""
        engine = self.market if miner == MARKET else self.engines[miner]
        stream = self.streams.get(miner)
        return Checkpoint(
            miner=miner,
            offset=offset,
            raw_hash=raw_hash,
            generation=stream.generation if stream else 0,
            epoch=self.epoch,
            code_hash=self.mode.code_hash,
            seq=stream.seq if stream else 0,
            chain=stream.chain if stream else "",
            config=orjson.dumps(self.config),
            miner_json=encode_miner(engine.miner) if engine.miner else b"",
            state=engine.snapshot(),
            miners=tuple(self.miners) if miner == MARKET else (),
        )

    def _passed(self, miner: str) -> int:
        return self.passed.get(miner, NO_OFFSET)


__all__ = ["Mode", "Pipeline", "Rejected", "Step"]


@contextmanager
def _halting(miner: str, first: int, last: int) -> Iterator[None]:
    """Whatever the engine raises is our bug: the part halts at the offset, it never goes past it."""
    try:
        yield
    except Exception as bug:  # of any kind: what is wrong in the engine must stop the part, named
        raise HaltedError(f"HALTED: engine of {miner} failed between offsets {first} and {last}: {bug}") from bug


def _site_fields(engine: Engine, offset: int) -> dict[str, dict[str, str]]:
    """Each site's latest valuation as hash fields."""
    return {
        value["site"]: {
            "json": orjson.dumps(value).decode(),
            "log_time_us": str(value["log_time_us"]),
            "offset": str(offset),
        }
        for value in engine.site_values()
    }
