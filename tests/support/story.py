"""A story of prices for tests, as payloads of the log, and what it gives without a broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path

import orjson

from models.records import MINUTE_US, DecidingConfig
from streams.compilation import code_hash
from streams.fleetfile import encode_miner, read_miners
from streams.pipeline import Mode, Pipeline
from streams.sink import MemorySink
from streams.wire import Entry, RawRecord

EXAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "examples"
START_US = 1_718_582_400_000_000
STEP_US = 30 * MINUTE_US
CONFIG = DecidingConfig(policy="breakeven", checkpoint_every_s=1_800, warm_up_s=60)

Payload = tuple[str, int, bytes]
"""Feed, receipt time [us UTC], payload."""


def opening(config: DecidingConfig = CONFIG, code: str | None = None, epoch: int = 1) -> list[Payload]:
    """How every story begins: an epoch, and the fleet of five tiers."""
    (miner,) = read_miners(EXAMPLES / "ladder.toml")
    return [epoch_start(epoch, config, code), ("fleet", START_US, encode_miner(miner))]


def epoch_start(epoch: int, config: DecidingConfig = CONFIG, code: str | None = None) -> Payload:
    """The start of an epoch of this code, or of another."""
    start = {"epoch": epoch, "config": asdict(config), "code_hash": code or code_hash()}
    return "epoch", START_US, orjson.dumps(start)


def step(number: int) -> list[Payload]:
    """One step: log time moves half an hour, and power turns cheap or dear for all tiers."""
    at_us = START_US + number * STEP_US
    price = 4_000.0 if number % 2 else 10.0
    return [tick(at_us), ("observation", at_us, prices(price, at_us))]


def steps(first: int, number_of_steps: int) -> list[Payload]:
    """Several steps."""
    return [payload for number in range(first, first + number_of_steps) for payload in step(number)]


def tick(at_us: int) -> Payload:
    """A replayed tick."""
    return "clock", at_us, orjson.dumps({"time_us": at_us, "replayed": True})


closings = count(1)


def closing_tick() -> Payload:
    """A tick later than any step, and than the one before it."""
    return tick(START_US + 100 * STEP_US + next(closings))


def prices(usd_per_mwh: float, at_us: int) -> bytes:
    """A payload with everything that an ASIC tier needs."""
    common = {"source": "test", "event_time_us": at_us, "next_due_us": at_us + 2 * STEP_US}
    rows = [
        {"kind": "btc_price", "series": "btc:usd", "usd_per_btc": 65_000.0},
        {
            "kind": "network",
            "series": "network:btc",
            "height": 848_000 + (at_us - START_US) // STEP_US,
            "difficulty": 83e12,
            "fees_btc_per_block": 0.1,
            "fee_blocks": 144,
        },
        {
            "kind": "power_price",
            "series": "power:ERCOT:HB_SOUTH:rt",
            "end_time_us": at_us + 5 * MINUTE_US,
            "usd_per_mwh": usd_per_mwh,
        },
    ]
    return orjson.dumps([row | common for row in rows])


def offline(records: Sequence[RawRecord], generation: int = 1) -> dict[str, list[Entry]]:
    """What a log gives without a broker, in one go."""
    mode = Mode(origin="replay", code_hash=code_hash(), any_code=True, marks=False)
    pipeline = Pipeline(mode, {"ladder": generation})
    sink = MemorySink()
    for batch in pipeline.process(records).batches:
        reply = sink.put(batch)
        assert reply.status == "OK", reply.detail
    return {miner: list(sink.record(miner).entries or []) for miner in pipeline.miners}
