"""Logs for the pipeline: raw records with offsets, made one by one or taken from the shipped sample."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from models.fleet import Miner
from models.records import DecidingConfig, Observation
from streams.fleetfile import encode_miner, read_miners
from streams.history import History, open_history
from streams.history.contract import observation_object
from streams.history.sample import sample_path
from streams.pipeline import Mode, Pipeline, Step
from streams.replay import Question
from streams.sink import MemorySink
from streams.wire import Entry, RawRecord
from tests.support.fleets import T0

EXAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "examples"
CODE = "code-of-the-test"
SLICE = ("2024-08-12T00:00:00Z", "2024-08-22T00:00:00Z")
"""Ten days of the sample: a Monday, so that a weekly GPU rate becomes known, to the day after the spike."""


class Log:
    """A log under construction. Every method appends one record and gives it back."""

    def __init__(self) -> None:
        self.records: list[RawRecord] = []

    def raw(self, feed: str, payload: bytes, at_us: int = T0, instance: str = "test") -> RawRecord:
        """Any payload under any feed."""
        number = len(self.records)
        self.records.append(RawRecord(feed, at_us, instance, number, payload, number))
        return self.records[-1]

    def epoch(self, number: int = 1, code: str = CODE, **config: Any) -> RawRecord:
        """The start of an epoch; policy breakeven unless given."""
        deciding = asdict(DecidingConfig(**{"policy": "breakeven", **config}))
        start = {"epoch": number, "config": deciding, "code_hash": code}
        return self.raw("epoch", orjson.dumps(start))

    def tick(self, at_us: int = T0) -> RawRecord:
        """A replayed tick."""
        return self.raw("clock", orjson.dumps({"time_us": at_us, "replayed": True}), at_us)

    def fleet(self, miner: Miner) -> RawRecord:
        """A fleet change."""
        return self.raw("fleet", encode_miner(miner))

    def observe(self, *observations: Observation) -> RawRecord:
        """Observations that became known together."""
        payload = orjson.dumps([observation_object(each) for each in observations])
        return self.raw("observation", payload, observations[0].receipt_time_us)

    def since(self, offset: int) -> list[RawRecord]:
        """The records from an offset on."""
        return self.records[offset:]


def pipeline(**mode: Any) -> Pipeline:
    """A pipeline before the first record."""
    return Pipeline(Mode(**{"origin": "replay", "code_hash": CODE, **mode}))


def entries_of(steps: Iterable[Step]) -> dict[str, list[Entry]]:
    """Entries by miner, once the sink has taken every batch in order."""
    sink = MemorySink()
    for step in steps:
        for batch in step.batches:
            reply = sink.put(batch)
            assert reply.status == "OK", reply.detail
    return {miner: list(record.entries or ()) for miner, record in sink.records.items()}


def contents(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The JSON of entries."""
    return [orjson.loads(entry.json) for entry in entries]


@cache
def sample() -> History:
    """The shipped history, read once."""
    return open_history("sample")


def example(name: str) -> Miner:
    """A shipped example fleet."""
    (miner,) = read_miners(EXAMPLES / f"{name}.toml")
    return miner


def examples() -> tuple[Miner, ...]:
    """All shipped example fleets."""
    return tuple(read_miners(EXAMPLES))


def write_slice(folder: Path, first: str = SLICE[0], end: str = SLICE[1]) -> Path:
    """The sample's rows from a time up to another, as a window file of its own."""
    with sample_path() as path, gzip.open(path, "rt") as stream:
        header, *rows = stream.read().splitlines()
    kept = [row for row in rows if first <= row.partition(",")[0] < end]
    file = folder / "slice.csv"
    file.write_text("\n".join([header, *kept]) + "\n")
    return file


def question(history: History, policy: str = "breakeven", fleet: Sequence[Miner] = ()) -> Question:
    """What a replay is asked: by default of all example fleets."""
    return Question(history, tuple(fleet) or examples(), DecidingConfig(policy=policy), CODE)


def log_of(asked: Question, **config: Any) -> list[RawRecord]:
    """The whole log of a replay, with offsets."""
    return list(replace(asked, config=replace(asked.config, **config)).log())
