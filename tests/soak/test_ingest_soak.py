"""Ingest with every source for a long time, its servers failing at random: nothing it holds grows, every feed lives.

Twenty seconds in the normal run, half an hour by ``make soak``. CHANGEOVER_TEST_SOAK_JSON names a file for the figures.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import pytest

from streams.embedded import EmbeddedBroker
from streams.feeds.contract import Feed, Options
from streams.ingest import Ingest, IngestProcess, Watchdog
from streams.wire import Names
from tests.support.feed_faults import made, source_of
from tests.support.sources_contract import Case
from tests.support.sources_register import CASES
from tests.support.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
SEED = 20_260_101
MIB = 1024 * 1024
GROWTH_MIB = 8.0
"""What the process may hold more at the end than after its warm-up, medians of a fifth of the time each [MiB]."""
TASKS_OF_A_FEED = 8
"""Its keeper, its run, what they wait for, a ping, a second connection while one closes."""
MORE_FILES = 24
"""Open files may differ by so many between two looks: each feed may be between two connections."""
QUICK = {"every_s": 2.0, "pause_s": 0.05, "silent_s": 2.0, "rotate_s": 45.0}
"""Rhythms [s] far below what the options allow: half an hour then holds as many polls as a day."""


def open_files() -> int:
    """How many files, sockets and pipes this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@dataclass
class Figures:
    """What a soak measured."""

    seconds: float
    feeds: int
    records: int = 0
    priced: int = 0
    refused: int = 0
    failures: int = 0
    faults: int = 0
    cpu_share: float = 0.0
    rss_mib_after_warm_up: float = 0.0
    rss_mib_at_end: float = 0.0
    files: list[int] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    thrown: dict[str, int] = field(default_factory=dict)
    silent_feeds: list[str] = field(default_factory=list)

    def look(self) -> None:
        """Note what the process holds now."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.rss_mib.append(round(pages * os.sysconf("SC_PAGE_SIZE") / MIB, 2))
        self.files.append(open_files())
        self.tasks.append(len(asyncio.all_tasks()))

    def tell(self) -> str:
        """The figures as a few lines."""
        return (
            f"soak: {self.seconds:.0f} s, {self.feeds} feeds, {self.records} records, {self.priced} observations, "
            f"{self.refused} refused, {self.faults} faults thrown, {self.failures} failures and new starts\n"
            f"soak: CPU {100 * self.cpu_share:.1f} % of one core, memory {self.rss_mib_after_warm_up:.1f} MiB after "
            f"the warm-up and {self.rss_mib_at_end:.1f} MiB at the end, {min(self.files)} to {max(self.files)} open "
            f"files, {min(self.tasks)} to {max(self.tasks)} tasks\n"
        )


@contextmanager
def restless_servers(seed: int) -> Iterator[tuple[Mapping[str, str], Callable[[], dict[str, int]]]]:
    """Each source's base URL, and what ends the servers and tells what they threw."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.restless", str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
    )

    def finish() -> dict[str, int]:
        said, _ = process.communicate(timeout=60)
        found: dict[str, int] = json.loads(said)
        return found

    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), finish
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def quick(options: Options) -> Options:
    """The same options with short rhythms."""
    return options.model_copy(update={key: value for key, value in QUICK.items() if hasattr(options, key)})


def register_of(urls: Mapping[str, str]) -> dict[str, Callable[[], Feed]]:
    """What makes every source's feed, each asking its own server."""

    def maker(case: Case) -> Callable[[], Feed]:
        return lambda: made(source_of(case), quick(case.options(urls[case.source])), case.keys)

    return {case.source: maker(case) for case in CASES}


async def soak(stage: Stage, seconds: float, urls: Mapping[str, str], figures: Figures) -> None:
    """Run ingest so long and look at it, a hundred times."""
    process = IngestProcess(stage.settings)
    ingest = Ingest(process, register_of(urls), watchdog=Watchdog(look_s=1.0))
    running = asyncio.create_task(ingest.run())
    warm_s = seconds / 5
    try:
        await asyncio.sleep(warm_s)
        gc.collect()
        cpu_s = time.process_time()
        for _ in range(100):
            figures.look()
            await asyncio.sleep((seconds - warm_s) / 100)
            assert not running.done(), running
        figures.cpu_share = (time.process_time() - cpu_s) / (seconds - warm_s)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    for line in process.book.lines():
        figures.records += line["received"]
        figures.priced += line["parsed"]
        figures.refused += line["rejected"]
        figures.failures += line["failures"]
        if not line["parsed"]:
            figures.silent_feeds.append(line["feed"])
    figures.rss_mib_after_warm_up = median(figures.rss_mib[:25])
    figures.rss_mib_at_end = median(figures.rss_mib[-25:])


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(20.0, id="short"),
        pytest.param(60.0, id="a minute", marks=pytest.mark.slow),
        pytest.param(1_800.0, id="half an hour", marks=[pytest.mark.slow, pytest.mark.timeout(2_400)]),
    ],
)
async def test_ingest_under_restless_sources_grows_in_nothing(
    seconds: float, own_broker: EmbeddedBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    random.seed(SEED)  # jitter
    stage = Stage(own_broker.bootstrap, "redis://127.0.0.1:9", Names("replay", "soak"), tmp_path)
    await stage.make_topics()
    figures = Figures(seconds=seconds, feeds=len(CASES))
    tasks_before = len(asyncio.all_tasks())
    with restless_servers(SEED) as (urls, finish), caplog.at_level(logging.ERROR, "changeover"):
        files_before = open_files()
        await soak(stage, seconds, urls, figures)
        await asyncio.sleep(0.5)  # transports close a turn of the loop after their sessions
        files_after, tasks_after = open_files(), len(asyncio.all_tasks())
        figures.thrown = await asyncio.to_thread(finish)
    figures.faults = sum(figures.thrown.values())
    sys.stdout.write(figures.tell())
    if os.environ.get("CHANGEOVER_TEST_SOAK_JSON"):
        Path(os.environ["CHANGEOVER_TEST_SOAK_JSON"]).write_text(json.dumps(asdict(figures), indent=1))  # noqa: ASYNC240 the soak is over
    assert [record.getMessage() for record in caplog.records if "bug" in record.getMessage()] == []
    assert figures.silent_feeds == []
    assert figures.faults > seconds / 3
    assert figures.rss_mib_at_end - figures.rss_mib_after_warm_up < GROWTH_MIB
    assert max(figures.tasks) <= tasks_before + TASKS_OF_A_FEED * len(CASES)
    assert median(figures.tasks[-25:]) <= median(figures.tasks[:25]) + len(CASES)
    assert tasks_after == tasks_before
    assert max(figures.files) - min(figures.files) <= 2 * MORE_FILES
    assert median(figures.files[-25:]) <= median(figures.files[:25]) + MORE_FILES
    assert files_after <= files_before + 2
