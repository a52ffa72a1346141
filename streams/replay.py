"""History through the one pipeline without a broker: the same records, engines, numbering and sink rules as live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import orjson

from models.fleet import Miner
from models.hypothetical import as_of, mapped, needed_series
from models.records import DecidingConfig
from models.rows import Rows
from models.signals import digest_of
from streams.errors import HaltedError, SettingsError
from streams.fleetfile import read_miners
from streams.history import History, replay_log
from streams.history.rows import history_rows
from streams.history.ticks import opens_at_us
from streams.part import Part
from streams.pipeline import Mode, Pipeline, Step
from streams.sink import MemorySink
from streams.wire import Entry, RawRecord, SinkBatch, content_of

CHUNK = 4_096
OPENING = 2  # an epoch and a tick, before the fleets


@dataclass(frozen=True, slots=True)
class Question:
    """What a replay is asked: a history, the fleets that meet it, and the configuration that decides."""

    history: History
    fleet: tuple[Miner, ...]
    config: DecidingConfig
    code_hash: str

    @property
    def missing(self) -> dict[str, list[str]]:
        """Series each miner needs that the history does not have: their loads are degraded, never guessed."""
        return missing_series(self.history, self.fleet)

    def log(self) -> Iterator[RawRecord]:
        """The log a replay reads, with its offsets."""
        records = replay_log(self.history, self.fleet, self.config, self.code_hash)
        return (replace(record, offset=offset) for offset, record in enumerate(records))


@dataclass(slots=True)
class Answer:
    """What a replay gave. ``entries`` holds every miner's numbered stream."""

    observations: int = 0
    ticks: int = 0
    rejected: int = 0
    seconds: float = 0.0
    entries: dict[str, list[Entry]] = field(default_factory=dict)

    @property
    def signals(self) -> int:
        """Numbered entries of all miners."""
        return sum(len(entries) for entries in self.entries.values())

    @property
    def digest(self) -> str:
        """Digest of the run: content of every signal in the order (log position, miner, site, load)."""
        return digest_of(in_digest_order(self.entries))


def missing_series(history: History, fleet: Sequence[Miner]) -> dict[str, list[str]]:
    """Series that each miner needs and a history does not have, of those miners that lack any."""
    there = history.counts.series
    gaps = {miner.key: [name for name in needed_series(miner) if name not in there] for miner in fleet}
    return {miner: names for miner, names in gaps.items() if names}


def fleet_for_replay(path: Path, mapping: Mapping[str, str], day: date | None) -> tuple[Miner, ...]:
    """Fleets as a replay uses them: on other series, or as of a day; each change noted as hypothetical.

    Raises :class:`SettingsError` where a mapping names nothing that any fleet reads.
    """
    unused = set(mapping)
    fleet = []
    for miner in read_miners(path):
        try:
            changed, unread = mapped(miner, mapping)
            fleet.append(changed if day is None else as_of(changed, day))
        except ValueError as fault:
            raise SettingsError(f"{path}: {fault}") from fault
        unused &= set(unread)
    if unused:
        raise SettingsError(f"--map: no fleet in {path} reads {', '.join(sorted(unused))}")
    return tuple(fleet)


def in_digest_order(streams: Mapping[str, Sequence[Entry]]) -> Iterator[bytes]:
    """Contents of all entries in the order (log position, miner, site, load)."""
    flat = [(entry.offset, miner, entry.seq, entry.json) for miner, entries in streams.items() for entry in entries]
    flat.sort()
    for _, group in groupby(flat, key=lambda item: item[:2]):
        together = [content_of(json) for *_, json in group]
        if len(together) > 1:
            together.sort(key=_place)
        yield from together


def _place(content: bytes) -> tuple[str, str]:
    found = orjson.loads(content)
    return found["site"], found["load"]


def replay(question: Question, parts: int = 1, *, chunk: int = CHUNK, codec: bool = False) -> Answer:
    """Run a replay in this process.

    ``chunk`` is how many records are taken at a time. ``codec`` reads the raw records' bytes even where the importer
    offers rows. Neither changes a bit of the answer.
    """
    return run_parts(
        lambda pipeline: _by_codec(question, pipeline, chunk) if codec else _by_rows(question, pipeline, chunk),
        question.code_hash,
        parts,
    )


def run_parts(steps: Callable[[Pipeline], Iterable[Step]], code_hash: str, parts: int) -> Answer:
    """Run the steps that a log gives a pipeline, once for each part, into sinks in memory."""
    began = time.perf_counter()
    answer = Answer()
    for part in Part.all(parts):
        pipeline = Pipeline(
            Mode(origin="replay", code_hash=code_hash, part=part, any_code=True, marks=False, sites=False)
        )
        one = asyncio.run(_delivered(pipeline, steps(pipeline)))
        answer.observations, answer.ticks, answer.rejected = one.observations, one.ticks, one.rejected
        answer.entries.update(one.entries)
    answer.seconds = time.perf_counter() - began
    return answer


def _by_codec(question: Question, pipeline: Pipeline, chunk: int) -> Iterator[Step]:
    """The log as bytes, a chunk at a time."""
    return in_chunks(question.log(), pipeline, chunk)


def in_chunks(records: Iterable[RawRecord], pipeline: Pipeline, chunk: int = CHUNK) -> Iterator[Step]:
    """What a pipeline makes of records of a log, a chunk at a time."""
    waiting = iter(records)
    while taken := list(islice(waiting, chunk)):
        yield pipeline.process(taken)


def _by_rows(question: Question, pipeline: Pipeline, chunk: int) -> Iterator[Step]:
    """The opening as bytes, then rows straight from the importer; the codec where it has none."""
    begun = len(question.fleet) + OPENING
    at_us = opens_at_us(question.history)
    opened = pipeline.process(list(islice(question.log(), begun)))
    rows = history_rows(question.history, pipeline.names, first_position=begun, after_us=at_us)
    if rows is None:
        yield opened
        yield from in_chunks(islice(question.log(), begun, None), pipeline, chunk)
        return
    yield opened
    yield from rows_in_chunks(rows, pipeline, chunk)


def rows_in_chunks(rows: Rows, pipeline: Pipeline, chunk: int = CHUNK) -> Iterator[Step]:
    """What a pipeline makes of rows of a log that follow its last record, a chunk of records at a time."""
    positions = rows["position"]
    first = pipeline.offset + 1
    while len(rows) and first <= int(positions[-1]):
        start, end = np.searchsorted(positions, (first, first + chunk))
        yield pipeline.process_rows(rows[start:end], int(positions[end - 1]))
        first += chunk


async def _delivered(pipeline: Pipeline, steps: Iterable[Step]) -> Answer:
    """Write what each step gave to a sink in memory; the streams as it holds them."""
    answer, sink = Answer(), MemorySink()
    for step in steps:
        answer.observations += step.observations
        answer.ticks += step.ticks
        answer.rejected += len(step.rejected)
        await deliver(sink, step.batches)
    for miner in pipeline.miners:
        answer.entries[miner] = await sink.read(miner)
    return answer


async def deliver(sink: MemorySink, batches: Sequence[SinkBatch]) -> None:
    """Write batches where nothing can interfere: any reply but OK is our bug."""
    for batch, reply in zip(batches, await sink.write_many(batches), strict=True):
        if reply.status != "OK":
            span = f"{batch.from_offset}..{batch.to_offset}"
            raise HaltedError(f"the sink answered {reply.status} to {batch.miner} {span}: {reply.detail}")
