"""The watchdog of ingest: a feed that goes silent is started anew and counted, and stopping one leaves nothing behind.

What is said here is old when they come, so that a series is late at once and no test waits for a limit to pass.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import orjson
import pytest

from models.records import HOUR_US
from streams.errors import FeedError
from streams.feeds.contract import Appender
from streams.ingest import FeedAppender, IngestProcess, SilentError, Watchdog, keep_running, watched
from streams.now import now_us
from streams.settings import Settings
from streams.wire import RawRecord
from tests.support.appended import Appended
from tests.support.sources.http_json import curve

QUICK = Watchdog(look_s=0.01, silence_us=50_000)
PATIENCE_S = 10.0


def share(name: str, old_us: int = 0) -> RawRecord:
    """A pool's share in use, as a curve of one's own gives it, of some time ago."""
    note = curve(name, kind="utilisation", unit="fraction", interval_s=None, time_pointer="/at").note
    payload = orjson.dumps({"price": 0.5, "at": now_us() - old_us})
    return RawRecord("http-json", now_us(), "", 0, payload, note=note)


LATE_US = 2 * HOUR_US
"""Older than a share may be: it is due after two minutes and may be an hour late."""


class Scripted:
    """A feed that says some things and then does as it is told; it counts its runs and its ends."""

    def __init__(self, name: str, then: Callable[[], Awaitable[None]], *said: RawRecord) -> None:
        self.name = name
        self.runs = 0
        self.ends = 0
        self.began_s: list[float] = []
        self._then = then
        self._said = said

    async def run(self, out: Appender) -> None:
        self.runs += 1
        self.began_s.append(asyncio.get_running_loop().time())
        try:
            for raw in self._said:
                await out.append(raw.feed, raw.receipt_time_us, raw.payload, raw.note)
            await self._then()
        finally:
            self.ends += 1


async def hang() -> None:
    """Say nothing for ever."""
    await asyncio.Event().wait()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 what is waited for has no event of its own
            await asyncio.sleep(0.005)


def ingest_process() -> IngestProcess:
    return IngestProcess(Settings())


async def watch(process: IngestProcess, feed: Scripted, watchdog: Watchdog = QUICK) -> None:
    await watched(process, feed, FeedAppender(feed.name, Appended(), process), watchdog)


@asynccontextmanager
async def kept(process: IngestProcess, *feeds: Scripted) -> AsyncIterator[None]:
    """Feeds kept running within the block; after it no task is left that was not there before."""
    before = asyncio.all_tasks()
    keepers = [asyncio.create_task(keep_running(process, feed, Appended(), QUICK)) for feed in feeds]
    try:
        yield
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
    assert asyncio.all_tasks() == before
    assert [(feed.name, feed.runs - feed.ends) for feed in feeds] == [(feed.name, 0) for feed in feeds]


async def test_a_feed_whose_every_series_is_late_is_stopped_and_the_error_names_them() -> None:
    feed = Scripted("quiet", hang, share("a", LATE_US), share("b", LATE_US))
    process = ingest_process()
    with pytest.raises(SilentError, match=r"http-json\.a, utilisation:http-json\.b later than the limit") as silent:
        await watch(process, feed)
    assert silent.value.retriable
    assert (feed.runs, feed.ends) == (1, 1)
    late = process.book.entry("quiet").stale(now_us(), process.settings.deciding)
    assert late == ["utilisation:http-json.a", "utilisation:http-json.b"]


async def test_one_late_series_of_several_is_the_markets_affair() -> None:
    feed = Scripted("partly", hang, share("a", LATE_US), share("b"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await watch(ingest_process(), feed)
    assert (feed.runs, feed.ends) == (1, 1)


async def test_a_feed_has_the_time_of_silence_to_begin_with() -> None:
    """A series late from before the feed was started anew is no reason to stop it at once."""
    feed = Scripted("slow", hang, share("a", LATE_US))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await watch(ingest_process(), feed, Watchdog(look_s=0.01, silence_us=HOUR_US))
    assert (feed.runs, feed.ends) == (1, 1)


async def test_a_silent_feed_is_started_again_and_counted_and_those_beside_it_go_on() -> None:
    process = ingest_process()
    silent = Scripted("silent", hang, share("a", LATE_US))
    well = Scripted("well", hang, share("b"))
    async with kept(process, silent, well):
        await until(lambda: process.book.entry("silent").failures >= 1)
        lines = {line["feed"]: line for line in process.book.lines()}
        await until(lambda: silent.runs >= 2)
    assert (lines["silent"]["failures"], lines["silent"]["state"]) == (1, "waiting")
    assert "later than the limit: started anew" in lines["silent"]["why"]
    assert (lines["well"]["failures"], lines["well"]["state"], well.runs) == (0, "on", 1)


async def test_a_failing_feed_touches_no_other() -> None:
    async def fail() -> None:
        raise ValueError("a bug")

    process = ingest_process()
    failing = Scripted("failing", fail)
    others = [Scripted(f"well-{number}", hang, share(f"well-{number}")) for number in range(3)]
    async with kept(process, failing, *others):
        await until(lambda: failing.runs >= 2)
    assert [other.runs for other in others] == [1, 1, 1]
    assert process.book.entry("failing").failures >= 1
    assert process.book.entry("failing").why == "ValueError: a bug"


async def test_the_pause_a_source_asked_for_is_kept() -> None:
    async def refuse() -> None:
        raise FeedError("429", retriable=True, retry_after_s=1.6)

    feed = Scripted("limited", refuse)
    async with kept(ingest_process(), feed):
        await until(lambda: feed.runs >= 2)
    first, second = feed.began_s[:2]
    assert second - first >= 1.6


async def test_a_feed_with_nothing_more_to_say_is_left_alone() -> None:
    async def end() -> None:
        """Nothing more to say."""

    process = ingest_process()
    feed = Scripted("recording", end, share("a", LATE_US))
    async with kept(process, feed):
        await until(lambda: process.book.entry("recording").state == "done")
        await asyncio.sleep(0.1)
    assert feed.runs == 1


async def test_what_a_feed_raises_while_it_is_stopped_is_not_lost_on_the_loop() -> None:
    """An exception that nobody takes is reported when its task is collected: such a report fails this suite."""

    async def cling() -> None:
        try:
            await hang()
        except asyncio.CancelledError:
            raise FeedError("the connection did not close") from None

    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    feed = Scripted("clinging", cling, share("a", LATE_US))
    with pytest.raises(SilentError):
        await watch(ingest_process(), feed)
    watching = asyncio.create_task(watch(ingest_process(), Scripted("other", cling)))
    await asyncio.sleep(0.02)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    del watching
    await asyncio.sleep(0)
    assert reports == []


async def test_a_feed_that_cancels_itself_is_run_again() -> None:
    """A task group takes a task that was cancelled for one that is done: such a feed would be gone without a word."""

    async def cancel_itself() -> None:
        raise asyncio.CancelledError

    process = ingest_process()
    feed = Scripted("cancelling", cancel_itself)
    async with kept(process, feed):
        await until(lambda: feed.runs >= 2)
    assert process.book.entry("cancelling").why == "its run was cancelled from within"


async def test_the_reason_of_a_failure_is_told_until_the_feed_has_a_price_again() -> None:
    process = ingest_process()
    process.failed("pool", "closed by the source, code 1012")
    process.began("pool")
    entry = process.book.entry("pool")
    assert entry.why == "closed by the source, code 1012"
    process.heard("pool", share("pool"))
    assert (entry.why, entry.failures) == ("", 1)
    process.heard("pool", RawRecord("http-json", now_us(), "", 0, b"busy", note=share("pool").note))
    process.heard("pool", share("pool"))
    assert (entry.why != "", entry.rejected) == (True, 1)
