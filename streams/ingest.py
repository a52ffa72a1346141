"""The ingest service: runs every feed by itself and appends what they say, with a clock tick a second, to the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from mode import Service

from streams.backoff import Backoff
from streams.clock import append_ticks
from streams.connect import kafka_connection, wait_for_topics
from streams.errors import FeedError
from streams.feeds.contract import Feed
from streams.log import RawProducer, RecordTooLargeError
from streams.now import now_us
from streams.process import Built, Ending, Guarded, Process, quiet_app, supervise
from streams.settings import Settings

logger = logging.getLogger("changeover")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
WELL_S = 60.0
"""A feed that ran this long [s] is well: the pause after its next failure is short again."""

FeedRegister = Mapping[str, Callable[[], Feed]]


class FeedAppender:
    """Where one feed puts what it received: counted, measured, then in the log."""

    def __init__(self, name: str, producer: RawProducer, process: IngestProcess) -> None:
        self.name = name
        self._producer = producer
        self._process = process

    async def append(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> None:
        """Append one payload; waits while the log is full or away."""
        try:
            await self._producer.append(feed, receipt_time_us, payload, note)
        except RecordTooLargeError as error:
            raise FeedError(str(error)) from error
        self._process.heard(self.name)


class IngestProcess(Process):
    """The process of the ingest service, with what is measured of each feed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "ingest")
        self._records = self.health.counter("records", "Records appended to the log, by feed.", "feed")
        self._last = self.health.gauge("last_record_seconds", "Unix time of a feed's last record.", "feed")
        self._failures = self.health.counter("failures", "Times a feed failed and was started again.", "feed")
        self._running = self.health.gauge("feed_running", "Whether a feed runs (1) or waits or ended (0).", "feed")

    def heard(self, feed: str) -> None:
        """Note a record of a feed."""
        self._records.labels(feed).inc()
        self._last.labels(feed).set(now_us() / 1e6)

    def failed(self, feed: str) -> None:
        """Note that a feed failed."""
        self._failures.labels(feed).inc()

    def running(self, feed: str, *, yes: bool) -> None:
        """Note whether a feed runs."""
        self._running.labels(feed).set(yes)


async def keep_running(process: IngestProcess, feed: Feed, producer: RawProducer) -> None:
    """Run a feed, and again whenever it fails; whatever it raises stays here."""
    out = FeedAppender(feed.name, producer, process)
    pauses = Backoff(first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        process.running(feed.name, yes=True)
        try:
            await feed.run(out)
        except FeedError as error:
            reason = str(error)
        except Exception as error:  # a feed with a bug must not stop the others
            logger.error("ingest: feed %s has a bug", feed.name, exc_info=error)  # noqa: TRY400 one line and its traceback
            reason = f"{type(error).__name__}: {error}"
        else:
            process.running(feed.name, yes=False)
            process.say(f"feed {feed.name} has nothing more to say")
            return
        process.running(feed.name, yes=False)
        process.failed(feed.name)
        if loop.time() - began > WELL_S:
            pauses.reset()
        pause_s = pauses.next_s()
        process.say(f"feed {feed.name}: {reason}; again in {pause_s:.1f} s", loud=True)
        await asyncio.sleep(pause_s)


class Ingest:
    """Opens the log and keeps the feeds running."""

    def __init__(self, process: IngestProcess, register: FeedRegister) -> None:
        self._process = process
        self._register = register

    async def run(self) -> None:
        """Run every feed and the clock until stopped."""
        process = self._process
        await wait_for_topics(process)
        settings = process.settings
        producer = RawProducer(kafka_connection(settings), settings.names, process.instance)
        await producer.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                for make in self._register.values():
                    tasks.create_task(keep_running(process, make(), producer))
                if settings.ticks:
                    tasks.create_task(append_ticks(producer))
                names = ", ".join(self._register) or "none"
                process.say(f"appending to {settings.names.topic('raw')}; feeds: {names}")
                process.health.set("appending", ready=True)
                await asyncio.Event().wait()
        finally:
            await producer.stop()


async def run_ingest(settings: Settings, register: FeedRegister) -> Ending:
    """Run the ingest service until it is stopped."""
    process = IngestProcess(settings)
    ingest = Ingest(process, register)

    async def build() -> Built:
        services: list[Service] = [Guarded(process, "feeds", ingest.run)]
        return quiet_app(process), services

    return await supervise(process, build)
