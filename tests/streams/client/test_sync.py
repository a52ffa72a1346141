"""The client without an event loop: the same entries, a wait with an end, a clean close from any thread."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import redis

from streams.client import Options, Signal, SyncSignals, Told
from streams.embedded import EmbeddedRedis
from streams.errors import WorldError
from tests.support.publisher import Publisher

NAME = "changeover-signals"


def opened(url: str, publisher: Publisher, **more: Any) -> SyncSignals:
    return SyncSignals(url, ["mara"], origin=publisher.names.origin, run=publisher.names.run, **more)


def blocking(url: str, publisher: Publisher, count: int) -> list[Told]:
    """What a thread without a loop is told."""
    with opened(url, publisher, start="oldest") as signals:
        return [told for told, _ in zip(signals, range(count), strict=False)]


async def test_the_same_entries_come_and_the_thread_ends(mara: Publisher, redis_url: str) -> None:
    import asyncio  # noqa: PLC0415 only this test has both worlds

    told = await asyncio.to_thread(blocking, redis_url, mara, 3)
    assert [each.json for each in told if isinstance(each, Signal)] == mara.json()
    assert NAME not in {thread.name for thread in threading.enumerate()}


async def test_a_wait_ends_without_a_signal_and_nothing_is_lost(mara: Publisher, redis_url: str) -> None:
    with opened(redis_url, mara, start="oldest") as signals:
        found = [signals.next(5.0) for _ in range(3)]
        assert signals.next(0.2) is None
        assert [each.json for each in found if isinstance(each, Signal)] == mara.json()
        assert signals.position["mara"].seq == 3
        snapshot = signals.snapshot("mara")
        assert snapshot is not None
        assert snapshot.position == signals.position["mara"]
        assert signals.snapshots["mara"].modes == snapshot.modes
        assert signals.heartbeat("mara")[0] == snapshot.log_time_us
        assert signals.expired == {"mara": 0}


async def test_closing_from_another_thread_ends_the_iteration(mara: Publisher, redis_url: str) -> None:
    signals = opened(redis_url, mara, options=Options(stale_after_s=60.0))
    signals.__enter__()
    threading.Timer(0.2, signals.close).start()
    assert list(signals) == []
    signals.close()
    assert signals.next(1.0) is None
    assert NAME not in {thread.name for thread in threading.enumerate()}


async def test_what_cannot_be_opened_leaves_no_thread(mara: Publisher, redis_url: str) -> None:
    with pytest.raises(WorldError, match="no stream of 'iren'"), SyncSignals(redis_url, ["iren"], origin="live"):
        pass
    with pytest.raises(ValueError, match="neither url nor connect"):
        SyncSignals()
    assert mara.entries["mara"]
    assert NAME not in {thread.name for thread in threading.enumerate()}


@pytest.mark.guarantee("G6")
def test_a_live_stream_is_judged_by_the_time_of_redis(own_redis: EmbeddedRedis) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        assert client.ping()
    with pytest.raises(WorldError, match="no stream of 'mara' under changeover:: known are none"):
        SyncSignals(own_redis.url, ["mara"]).__enter__()
