"""Offline replay, whole: rows in, signals explained, numbered, chained and kept, at 10 and 100 sites; and the sample.

Beside it the engine alone on the same rows in the same run. ``python benchmarks/bench_replay.py [--json]``
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import orjson

from streams.compilation import code_hash, prepare
from streams.settings import load

prepare(load())

from benchmarks.market import START_US, ladders, market_rows, opening_tick  # noqa: E402
from models.engine import Engine  # noqa: E402
from models.records import DecidingConfig  # noqa: E402
from models.rows import CLOCK, Catalogue  # noqa: E402
from streams.fleetfile import encode_miner  # noqa: E402
from streams.history import open_history  # noqa: E402
from streams.pipeline import Mode, Pipeline  # noqa: E402
from streams.replay import Question, fleet_for_replay, replay  # noqa: E402
from streams.shipped import shipped  # noqa: E402
from streams.wire import RawRecord  # noqa: E402

SITES = (10, 100)
OBSERVATIONS = 200_000
CONFIG = DecidingConfig(policy="band")


def whole(sites: int) -> dict[str, float]:
    """A replay of a made market at so many sites, each at a node of its own."""
    intervals = OBSERVATIONS // (sites + 1)
    pipeline = Pipeline(Mode(origin="replay", code_hash="bench", marks=False, sites=False))
    epoch = orjson.dumps({"epoch": 1, "config": CONFIG, "code_hash": "bench"})
    tick = b'{"time_us":%d,"replayed":true}' % (START_US - 1_000_000)
    opening = [("epoch", epoch), ("clock", tick), ("fleet", encode_miner(ladders(sites)))]
    pipeline.process([RawRecord(feed, START_US, "bench", at, what, at) for at, (feed, what) in enumerate(opening)])
    rows = market_rows(pipeline.names, sites, intervals)
    rows["position"] += len(opening)
    observations = int((rows["kind"] != CLOCK).sum())
    signals, began = 0, time.perf_counter()
    for start in range(0, len(rows), 4_096):
        some = rows[start : start + 4_096]
        step = pipeline.process_rows(some, int(some["position"][-1]))
        signals += sum(len(batch.entries) for batch in step.batches)
    seconds = time.perf_counter() - began
    alone = engine_alone(sites, intervals)
    return {
        "sites": sites,
        "observations": observations,
        "signals": signals,
        "seconds": seconds,
        "observations_per_s": observations / seconds,
        "signals_per_s": signals / seconds,
        "against_engine_alone": seconds / alone,
    }


def engine_alone(sites: int, intervals: int) -> float:
    """The same rows through the engine with its explanations, without numbering [s]."""
    names = Catalogue()
    engine = Engine(names, CONFIG)
    engine.apply_rows(opening_tick(names))
    engine.change_fleet(ladders(sites), 0, START_US)
    rows = market_rows(names, sites, intervals)
    began = time.perf_counter()
    engine.apply_rows(rows)
    return time.perf_counter() - began


def sample() -> dict[str, float]:
    """The packaged sample with the packaged examples, by rows and by the codec."""
    fleet = fleet_for_replay(shipped("examples"), {}, None)
    question = Question(open_history("sample"), fleet, CONFIG, code_hash())
    rows, codec = replay(question), replay(question, codec=True)
    if rows.digest != codec.digest:
        raise SystemExit(f"rows and codec differ: {rows.digest} and {codec.digest}")
    return {
        "observations": rows.observations,
        "ticks": rows.ticks,
        "signals": rows.signals,
        "seconds": rows.seconds,
        "records_per_s": (rows.observations + rows.ticks) / rows.seconds,
        "codec_against_rows": codec.seconds / rows.seconds,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    whole(2)  # compiles, or loads what was compiled
    figures, packaged = [whole(sites) for sites in SITES], sample()
    if arguments.json:
        print(orjson.dumps({"replay": figures, "sample": packaged, "load_average": os.getloadavg()[0]}).decode())
        return
    print(f"replay, load average {os.getloadavg()[0]:.1f}")
    for row in figures:
        print(
            f"{row['sites']:>4.0f} sites: {row['observations_per_s']:>10,.0f} observations/s with "
            f"{row['signals']:,.0f} signals ({row['signals_per_s']:,.0f}/s), "
            f"{row['against_engine_alone']:.2f} x engine alone"
        )
    print(
        f"sample: {packaged['observations']:,.0f} observations and {packaged['ticks']:,.0f} ticks in "
        f"{packaged['seconds']:.2f} s ({packaged['records_per_s']:,.0f} records/s); through the codec "
        f"{packaged['codec_against_rows']:.1f} x as long"
    )


if __name__ == "__main__":
    main()
