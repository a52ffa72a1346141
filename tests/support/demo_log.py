"""The log that `changeover demo` fills, made without a broker, and what the real pipeline says to it."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import orjson

from models.fleet import Miner
from models.records import HOUR_US, DecidingConfig
from streams.demo.market import START_US, events
from streams.fleetfile import encode_miner, read_miners
from streams.pipeline import Mode, Pipeline
from streams.wire import RawRecord, SinkBatch

CODE = "demo-test"


@cache
def fleet() -> tuple[Miner, ...]:
    """The demo's miners."""
    with as_file(files("streams.demo") / "fleet") as folder:
        return tuple(read_miners(folder))


def log_of(seed: int, hours: float) -> list[RawRecord]:
    """A tick, an epoch, the fleet, then so many simulated hours of the market."""
    epoch = {"epoch": 1, "config": asdict(DecidingConfig()), "code_hash": CODE}
    tick = {"time_us": START_US, "replayed": True}
    head = [("clock", START_US, orjson.dumps(tick)), ("epoch", START_US, orjson.dumps(epoch))]
    head += [("fleet", START_US, encode_miner(miner)) for miner in fleet()]
    end_us = START_US + round(hours * HOUR_US)
    market = itertools.takewhile(lambda event: event.receipt_time_us < end_us, events(seed))
    return [
        RawRecord(feed, receipt_time_us, "test", number, payload, offset=number)
        for number, (feed, receipt_time_us, payload) in enumerate(itertools.chain(head, market))
    ]


@cache
def batches_of(seed: int, hours: float = 1.0) -> list[SinkBatch]:
    """What the pipeline would write to the sink; nothing of the log may be rejected."""
    step = Pipeline(Mode(origin="demo", code_hash=CODE)).process(log_of(seed, hours))
    assert step.rejected == []
    return step.batches


@cache
def signals_of(seed: int, hours: float = 1.0) -> dict[str, list[dict[str, Any]]]:
    """Signals by miner, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for batch in batches_of(seed, hours):
        found.setdefault(batch.miner, []).extend(orjson.loads(entry.json) for entry in batch.entries)
    return found
