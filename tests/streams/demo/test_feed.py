"""The demo feed: the market's events, in its order, at its pace, none lost and none doubled over a failure."""

from __future__ import annotations

import itertools

import pytest

from models.records import SECOND_US
from streams.demo.feed import DemoFeed
from streams.demo.market import START_US, MarketEvent, events
from streams.errors import FeedError


class Pace:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time_s = 100.0

    def now(self) -> float:
        return self.time_s

    async def sleep(self, seconds: float) -> None:
        self.time_s += seconds


class Log:
    """A log that notes when each payload arrived and refuses one at given counts, as a full or absent broker does."""

    def __init__(self, pace: Pace, room: int, refuses: tuple[int, ...] = ()) -> None:
        self.pace = pace
        self.room = room
        self.refuses = list(refuses)
        self.taken: list[tuple[float, MarketEvent]] = []

    async def append(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> None:
        if self.refuses and len(self.taken) == self.refuses[0]:
            self.refuses.pop(0)
            raise FeedError("the log is away", retriable=True)
        if len(self.taken) == self.room:
            raise EOFError
        assert note == ""
        self.taken.append((self.pace.time_s, MarketEvent(feed, receipt_time_us, payload)))


async def test_events_come_when_their_simulated_time_has_come() -> None:
    pace = Pace()
    log = Log(pace, room=500)
    with pytest.raises(EOFError):
        await DemoFeed(1, 120.0, now=pace.now, sleep=pace.sleep).run(log)
    assert [event for _, event in log.taken] == list(itertools.islice(events(1, 120.0), 500))
    for at_s, event in log.taken:
        assert at_s - 100.0 == pytest.approx((event.receipt_time_us - START_US) / SECOND_US / 120.0)


async def test_a_feed_run_again_after_a_refusal_goes_on_with_the_refused_event() -> None:
    pace = Pace()
    log = Log(pace, room=300, refuses=(40, 41, 200))
    kept: list[MarketEvent] = []
    feed = DemoFeed(2, now=pace.now, sleep=pace.sleep, keep=kept.append)
    for _ in range(3):
        with pytest.raises(FeedError):
            await feed.run(log)
        pace.time_s += 30.0
    with pytest.raises(EOFError):
        await feed.run(log)
    assert [event for _, event in log.taken] == list(itertools.islice(events(2), 300)) == kept


async def test_a_pause_is_not_made_up_for_by_a_burst() -> None:
    pace = Pace()
    log = Log(pace, room=200, refuses=(100,))
    feed = DemoFeed(2, now=pace.now, sleep=pace.sleep)
    with pytest.raises(FeedError):
        await feed.run(log)
    pace.time_s += 600.0
    with pytest.raises(EOFError):
        await feed.run(log)
    after_s = [at_s for at_s, _ in log.taken[100:]]
    assert after_s[-1] - after_s[0] > 5.0


async def test_an_event_the_log_refused_is_not_kept() -> None:
    pace = Pace()
    kept: list[MarketEvent] = []
    feed = DemoFeed(3, now=pace.now, sleep=pace.sleep, keep=kept.append)
    with pytest.raises(EOFError):
        await feed.run(Log(pace, room=7))
    assert len(kept) == 7
