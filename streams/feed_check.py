"""Trying each source once: is it there, how fast, what does its first price say, else what is wrong and what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from models.records import SECOND_US, Observation
from streams.errors import ChangeoverError, FeedError
from streams.feed_book import FeedEntry, figure
from streams.feeds.contract import Feed, Source
from streams.feeds.sources import SOURCES
from streams.now import now_us
from streams.register import FeedPlan
from streams.wire import RawRecord


class Check(TypedDict):
    """What came of trying one source. ``state``: ok, silent (nothing to be priced came in time), failed, off."""

    source: str
    state: str
    reachable: bool
    latency_s: float | None
    series: str | None
    value: float | None
    unit: str | None
    age_s: float | None
    received: int
    says: str
    unconfirmed: list[str]


class Trial:
    """An appender that keeps nothing and notes what came."""

    def __init__(self, name: str) -> None:
        self.entry = FeedEntry(name)
        self.began_s = time.monotonic()
        self.latency_s: float | None = None
        self.priced = asyncio.Event()

    async def append(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> None:
        """Note a payload."""
        if self.latency_s is None:
            self.latency_s = time.monotonic() - self.began_s
        self.entry.hear(RawRecord(feed, receipt_time_us, "check", 0, payload, note=note))
        if self.entry.latest:
            self.priced.set()


async def checked(source: Source, make: Callable[[], Feed] | None, why: str, within_s: float) -> Check:
    """Try one source for so long [s]."""
    trial = Trial(source.name)
    says, state = why, "off"
    if make is not None:
        state, says = "silent", f"nothing that holds a price came within {within_s:g} s"
        try:
            error = await first_price(make(), trial, within_s)
        except ChangeoverError as refused:  # what the settings say of it cannot be used
            error = str(refused)
        except Exception as bug:  # noqa: BLE001 a source with a bug must not cost the others their line
            error = f"{type(bug).__name__}: {bug}: a bug of this source, please report it"
        if error:
            state, says = "failed", error
    latest = next((trial.entry.at(series, now_us()) for series in sorted(trial.entry.latest)), None)
    if latest is not None:
        state, says = "ok", trial.entry.why
    elif trial.entry.why and state == "silent":
        says = f"{says}; {trial.entry.why}"
    return line_of(source, trial, state, says, latest)


async def first_price(feed: Feed, trial: Trial, within_s: float) -> str:
    """Run a feed until its first price; what it raised, empty where it did not."""
    running = asyncio.create_task(feed.run(trial))
    priced = asyncio.create_task(trial.priced.wait())
    try:
        await asyncio.wait({running, priced}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if running.done() and not priced.done():
            running.result()
    except FeedError as error:
        return str(error)
    finally:
        running.cancel()
        priced.cancel()
        await asyncio.gather(running, priced, return_exceptions=True)  # what it raises while stopped counts no more
    return ""


def line_of(source: Source, trial: Trial, state: str, says: str, latest: Observation | None) -> Check:
    """One line of the table."""
    value, unit = (None, None) if latest is None else figure(latest)
    if state == "failed" and trial.latency_s is None:
        says = f"{says}; look at this machine's network, its proxy, and url in [feeds.{source.name}]"
    return {
        "source": source.name,
        "state": state,
        "reachable": trial.latency_s is not None,
        "latency_s": trial.latency_s,
        "series": None if latest is None else latest.series,
        "value": value,
        "unit": unit,
        "age_s": None if latest is None else (now_us() - latest.event_time_us) / SECOND_US,
        "received": trial.entry.received,
        "says": says,
        "unconfirmed": list(source.unconfirmed),
    }


async def check_all(plan: FeedPlan, within_s: float, only: Sequence[str] = ()) -> list[Check]:
    """Try all sources at once, or those named."""
    known: Mapping[str, Source] = {source.name: source for source in SOURCES}
    names = only or list(known)
    tries = [
        checked(known[name], plan.running.get(name), plan.off.get(name, "the origin is not live"), within_s)
        for name in names
    ]
    return list(await asyncio.gather(*tries))
