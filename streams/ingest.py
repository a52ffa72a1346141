"""The ingest service: runs every feed by itself and appends what they say, with a clock tick a second, to the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mode import Service

from models.records import SECOND_US
from streams.backoff import Backoff
from streams.clock import append_ticks
from streams.connect import kafka_connection, wait_for_topics
from streams.errors import FeedError
from streams.feed_book import FeedBook
from streams.feeds.contract import Appender, Feed
from streams.log import RawProducer, RecordTooLargeError
from streams.now import now_us
from streams.process import Built, Ending, Guarded, Process, quiet_app, supervise
from streams.settings import Settings
from streams.wire import RawRecord

logger = logging.getLogger("changeover")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
WELL_S = 60.0
"""A feed that ran this long [s] is well: the pause after its next failure is short again."""

FeedRegister = Mapping[str, Callable[[], Feed]]


@dataclass(frozen=True, slots=True)
class Watchdog:
    """How a feed that says nothing is found.

    ``look_s``: how often its series are looked at [s]. ``silence_us``: how long it may run before it is stopped for
    being silent [us].
    """

    look_s: float = 5.0
    silence_us: int = 60 * SECOND_US


class Log(Protocol):
    """What ingest appends to."""

    async def append(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> object:
        """Append one payload; return once the log has it."""
        ...


class FeedAppender:
    """Where one feed puts what it received: counted, measured, then in the log."""

    def __init__(self, name: str, producer: Log, process: IngestProcess) -> None:
        self.name = name
        self._producer = producer
        self._process = process

    async def append(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> None:
        """Append one payload; waits while the log is full or away."""
        try:
            await self._producer.append(feed, receipt_time_us, payload, note)
        except RecordTooLargeError as error:
            raise FeedError(str(error)) from error
        self._process.heard(self.name, RawRecord(feed, receipt_time_us, "", 0, payload, note=note))


class IngestProcess(Process):
    """The process of the ingest service, with what is known of each feed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "ingest")
        self.book = FeedBook(settings.deciding, now_us)
        self.health.live["feeds"] = self.book.lines
        health = self.health
        self._records = health.counter("records", "Records appended to the log, by feed.", "feed")
        self._parsed = health.counter("parsed", "Observations that the records of a feed hold.", "feed")
        self._rejected = health.counter("rejected", "Payloads or rows of a feed that cannot be read.", "feed")
        self._last = health.gauge("last_record_seconds", "Unix time of a feed's last record.", "feed")
        self._failures = health.counter("failures", "Times a feed failed and was started again.", "feed")
        self._running = health.gauge("feed_running", "Whether a feed runs (1) or waits or ended (0).", "feed")
        self._stale = health.gauge("stale_series", "Series of a feed that are later than their limit.", "feed")

    def heard(self, feed: str, raw: RawRecord) -> None:
        """Note a record of a feed."""
        entry = self.book.entry(feed)
        parsed, rejected = entry.parsed, entry.rejected
        entry.hear(raw)
        self._records.labels(feed).inc()
        self._parsed.labels(feed).inc(entry.parsed - parsed)
        self._rejected.labels(feed).inc(entry.rejected - rejected)
        self._last.labels(feed).set(raw.receipt_time_us / 1e6)

    def failed(self, feed: str, reason: str) -> None:
        """Note that a feed failed."""
        entry = self.book.entry(feed)
        entry.failures += 1
        entry.state, entry.why, entry.ailing = "waiting", reason, True
        self._running.labels(feed).set(0)
        self._failures.labels(feed).inc()

    def began(self, feed: str) -> None:
        """Note that a feed was started."""
        entry = self.book.entry(feed)
        entry.state, entry.began_us = "on", now_us()
        self._running.labels(feed).set(1)

    def finished(self, feed: str) -> None:
        """Note that a feed has nothing more to say."""
        self.book.entry(feed).state = "done"
        self._running.labels(feed).set(0)

    def stale(self, feed: str, series: int) -> None:
        """Note how many series of a feed are late."""
        self._stale.labels(feed).set(series)


class SilentError(FeedError):
    """A feed that runs and says nothing that could be used."""


async def watched(process: IngestProcess, feed: Feed, out: Appender, watchdog: Watchdog) -> None:
    """Run a feed under the watchdog: when every series of it is late it is stopped and started again.

    A socket may stay open and say nothing for hours, and a poll may be told the same old page for ever.
    """
    running = asyncio.create_task(feed.run(out), name=f"feed {feed.name}")
    again_us = now_us() + watchdog.silence_us
    try:
        while not running.done():
            await asyncio.wait({running}, timeout=watchdog.look_s)
            late = process.book.entry(feed.name).stale(now_us(), process.settings.deciding)
            process.stale(feed.name, len(late))
            silent = process.book.silent(feed.name)
            if silent and now_us() > again_us and not running.done():
                raise SilentError(f"{', '.join(silent[:3])} later than the limit: started anew", retriable=True)
        if running.cancelled():  # from within: whoever stops us from outside cancels the wait above
            raise FeedError("its run was cancelled from within", retriable=True)
        running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)  # what a feed raises while it is stopped counts no more


async def keep_running(process: IngestProcess, feed: Feed, producer: Log, watchdog: Watchdog) -> None:
    """Run a feed, and again whenever it fails; whatever it raises stays here."""
    out = FeedAppender(feed.name, producer, process)
    pauses = Backoff(first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)
    loop = asyncio.get_running_loop()
    while True:
        began, asked_s = loop.time(), 0.0
        process.began(feed.name)
        try:
            await watched(process, feed, out, watchdog)
        except FeedError as error:
            reason, asked_s = str(error), error.retry_after_s or 0.0
        except Exception as error:  # a feed with a bug must not stop the others
            logger.error("ingest: feed %s has a bug", feed.name, exc_info=error)  # noqa: TRY400 one line and its traceback
            reason = f"{type(error).__name__}: {error}"
        else:
            process.finished(feed.name)
            process.say(f"feed {feed.name} has nothing more to say")
            return
        process.failed(feed.name, reason)
        if loop.time() - began > WELL_S:
            pauses.reset()
        pause_s = max(pauses.next_s(), asked_s)
        process.say(f"feed {feed.name}: {reason}; again in {pause_s:.1f} s", loud=True)
        await asyncio.sleep(pause_s)


class Ingest:
    """Opens the log and keeps the feeds running."""

    def __init__(
        self,
        process: IngestProcess,
        register: FeedRegister,
        off: Mapping[str, str] | None = None,
        watchdog: Watchdog = Watchdog(),
    ) -> None:
        self._process = process
        self._register = register
        self._off = dict(off or {})
        self._watchdog = watchdog

    async def run(self) -> None:
        """Run every feed and the clock until stopped."""
        process = self._process
        for source, why in self._off.items():
            process.book.off(source, why)
            process.say(f"source {source} is off: {why}")
        await wait_for_topics(process)
        settings = process.settings
        producer = RawProducer(kafka_connection(settings), settings.names, process.instance)
        await producer.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                for make in self._register.values():
                    tasks.create_task(keep_running(process, make(), producer, self._watchdog))
                if settings.ticks:
                    tasks.create_task(append_ticks(producer))
                names = ", ".join(self._register) or "none"
                process.say(f"appending to {settings.names.topic('raw')}; feeds: {names}")
                process.health.set("appending", ready=True)
                await asyncio.Event().wait()
        finally:
            await producer.stop()


async def run_ingest(settings: Settings, register: FeedRegister, off: Mapping[str, str] | None = None) -> Ending:
    """Run the ingest service until it is stopped."""
    process = IngestProcess(settings)
    ingest = Ingest(process, register, off)

    async def build() -> Built:
        services: list[Service] = [Guarded(process, "feeds", ingest.run)]
        return quiet_app(process), services

    return await supervise(process, build)
