"""The client against a real server: where it begins, what it hands over, what it says when a stream is not whole."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
import redis.asyncio

from streams.client import Alive, Epoch, Gap, Notice, Options, Position, Reset, Rewound, Stale, Switch, Unknown
from streams.client.records import Quality
from streams.errors import DivergedError, WorldError
from streams.wire import Names, genesis_chain
from tests.support.desk import follow, nothing_comes, saved, take, take_signals
from tests.support.publisher import Publisher


async def test_a_snapshot_of_the_modes_comes_first_then_the_stream(mara: Publisher, redis_url: str) -> None:
    await mara.publish(count=2)  # after the tick: newer than the site's valuation
    async with follow(redis_url, mara.names) as signals:
        snapshot = signals.snapshots["mara"]
        assert snapshot.modes == {
            ("north", f"tier-{number % 3}"): "hash" if number % 2 else "off" for number in (1, 5, 6)
        }
        assert snapshot.position.seq == 5
        await mara.publish()
        (signal,) = await take(signals, 1)
        assert isinstance(signal, Switch)
        assert (signal.seq, signal.json) == (6, mara.json()[-1])
        assert signal.position == signals.position["mara"]
        assert (signal.from_mode, signal.to_mode, signal.switch_class) == ("off", "hash", "economic")


async def test_what_redis_keeps_comes_byte_for_byte_from_the_oldest_on(mara: Publisher, redis_url: str) -> None:
    async with follow(redis_url, mara.names, start="oldest") as signals:
        assert [each.json for each in await take_signals(signals, 3)] == mara.json()


@pytest.mark.guarantee("G1")
async def test_a_saved_position_goes_on_with_the_next_entry(mara: Publisher, redis_url: str) -> None:
    async with follow(redis_url, mara.names, start="oldest") as signals:
        await take_signals(signals, 2)
        position = saved(signals)
    await mara.publish(count=2)
    async with follow(redis_url, mara.names, resume=position) as signals:
        assert [each.json for each in await take_signals(signals, 3)] == mara.json()[2:]


async def test_a_position_of_another_stream_is_refused(mara: Publisher, redis_url: str) -> None:
    async with follow(redis_url, mara.names, resume={"mara": Position(1, 3, "another")}) as signals:
        with pytest.raises(DivergedError, match="entry 3 of generation 1 was read with chain another"):
            await take(signals, 1)
    async with follow(redis_url, mara.names, resume={"mara": Position(1, 2, "another")}) as signals:
        with pytest.raises(DivergedError, match="entry 3 does not carry on the chain of entry 2"):
            await take(signals, 1)


async def test_a_miner_that_does_not_publish_is_refused_with_those_that_do(mara: Publisher, redis_url: str) -> None:
    with pytest.raises(WorldError, match=r"no stream of 'iren' under .*: known are mara"):
        async with follow(redis_url, mara.names, ["iren"]):
            pass


async def test_a_redis_that_is_not_there_is_named_after_the_time_allowed() -> None:
    with pytest.raises(WorldError, match=r"Redis was not reached for 0\.3 s"):
        async with follow("redis://127.0.0.1:1/0", Names("live"), options=Options(connect_s=0.3)):
            pass


async def test_kinds_that_are_not_known_and_keys_that_are_not_known_are_passed_on(
    mara: Publisher, redis_url: str
) -> None:
    quality: dict[str, Any] = {
        "series": "power",
        "state": "stale",
        "reason": None,
        "was": "ok",
        "direction": {},
        "expected_cost_usd_per_hour": None,
    }
    async with follow(redis_url, mara.names) as signals:
        await mara.publish(kind="flare", colour="red")
        await mara.publish(colour="red")
        await mara.publish(kind="quality", **quality)
        await mara.publish(kind="epoch", reason="epoch begins")
        flare, switch, degraded, epoch = await take(signals, 4)
    assert isinstance(flare, Unknown)
    assert (flare.kind, flare.content["colour"]) == ("flare", "red")
    assert isinstance(switch, Switch)
    assert switch.more == {"colour": "red"}
    assert isinstance(degraded, Quality)
    assert degraded.state == "stale"
    assert isinstance(epoch, Epoch)
    assert epoch.reason == "epoch begins"


@pytest.mark.guarantee("G1")
async def test_a_new_generation_is_a_reset_and_then_its_entries(mara: Publisher, redis_url: str) -> None:
    async with follow(redis_url, mara.names, start="oldest") as signals:
        await take_signals(signals, 3)
        before = signals.position["mara"]
        await mara.sink.new_generation("mara")
        mara.begin(2)
        await mara.publish(count=2)
        reset, *new = await take(signals, 3)
        assert reset == Reset("mara", 2, before)
        assert [each.json for each in new if isinstance(each, Switch)] == mara.json()
    async with follow(redis_url, mara.names, resume={"mara": before}) as signals:
        (reset,) = await take(signals, 1)
        assert reset == Reset("mara", 2, before)
        assert signals.position["mara"] == Position(2, 0, genesis_chain("mara", 2))


@pytest.mark.guarantee("G1")
async def test_entries_that_were_trimmed_are_a_gap_that_names_them(mara: Publisher, redis_url: str) -> None:
    async with follow(redis_url, mara.names, start="oldest") as signals:
        await take_signals(signals, 1)
        position = saved(signals)
    await mara.publish(count=5)
    batch = replace(mara.batches["mara"][-1], from_offset=mara.offset + 1, to_offset=mara.offset + 1)
    batch = replace(batch, entries=(), seq_before=8, chain_before=mara.entries["mara"][-1].chain, trim_below=6)
    assert (await mara.sink.write(batch)).status == "OK"
    async with follow(redis_url, mara.names, resume=position) as signals:
        gap, *rest = await take(signals, 4)
        assert gap == Gap("mara", 1, 2, 5)
        assert gap.count == 4
        assert [each.json for each in rest if isinstance(each, Switch)] == mara.json()[5:]
        assert signals.position["mara"].chain == mara.entries["mara"][-1].chain


async def test_an_entry_that_another_hand_removed_or_changed_is_refused(
    mara: Publisher, redis_url: str, redis_client: redis.asyncio.Redis
) -> None:
    key = mara.names.key("mara", "signals")
    await redis_client.xdel(key, "2-0")
    async with follow(redis_url, mara.names, start="oldest") as signals:
        with pytest.raises(WorldError, match="after entry 1 came entry 3"):
            await take(signals, 2)


@pytest.mark.guarantee("G1")
async def test_a_redis_restored_older_is_awaited_and_nothing_comes_twice(
    mara: Publisher, redis_url: str, redis_client: redis.asyncio.Redis
) -> None:
    head, stream = mara.names.key("mara", "head"), mara.names.key("mara", "signals")
    older = [await redis_client.dump(key) or b"" for key in (head, stream)]
    async with follow(redis_url, mara.names, options=Options(poll_s=0.05)) as signals:
        await mara.publish(count=4)
        await take_signals(signals, 4)
        for key, dumped in zip((head, stream), older, strict=True):
            await redis_client.restore(key, 0, dumped, replace=True)
        assert await take(signals, 1) == [Rewound("mara", 1, 3, 7)]
        await mara.publish()  # a GAP at first: the publisher writes again what Redis lost
        (signal,) = await take_signals(signals, 1)
        assert (signal.seq, signal.json) == (8, mara.json()[-1])


async def test_a_redis_that_comes_back_with_other_entries_is_refused(
    mara: Publisher, redis_url: str, redis_client: redis.asyncio.Redis
) -> None:
    head, stream = mara.names.key("mara", "head"), mara.names.key("mara", "signals")
    older = [await redis_client.dump(key) or b"" for key in (head, stream)]
    other = Publisher(redis_client, mara.names)
    other.streams, other.offset = {"mara": replace(mara.streams["mara"], entries=[])}, mara.offset
    async with follow(redis_url, mara.names, options=Options(poll_s=0.05)) as signals:
        await mara.publish(count=2)
        await take_signals(signals, 2)
        for key, dumped in zip((head, stream), older, strict=True):
            await redis_client.restore(key, 0, dumped, replace=True)
        await take(signals, 1)
        await other.publish(count=3, text="another story")
        with pytest.raises(DivergedError, match="mara: entry"):
            await take(signals, 1)


@pytest.mark.guarantee("G6")
async def test_an_expired_switch_is_counted_and_handed_over_only_where_asked_for(
    mara: Publisher, redis_url: str
) -> None:
    async with (
        follow(redis_url, mara.names) as signals,
        follow(redis_url, mara.names, include_expired=True) as historian,
    ):
        await mara.publish(valid_for_us=-1)
        await mara.publish(valid_for_us=60_000_000)
        await mara.tick()
        (live,) = await take(signals, 1)
        assert isinstance(live, Switch)
        assert (live.seq, live.expired, signals.expired) == (5, False, {"mara": 1})
        past, live = await take(historian, 2)
        assert isinstance(past, Switch)
        assert isinstance(live, Switch)
        assert (past.expired, live.expired) == (True, False)


async def test_staleness_is_said_by_our_own_clock_in_band_and_at_once(mara: Publisher, redis_url: str) -> None:
    noticed: list[Notice] = []
    options = Options(stale_after_s=0.3, poll_s=0.05)
    async with follow(redis_url, mara.names, options=options, on_notice=noticed.append) as signals:
        (stale,) = await take(signals, 1)
        assert isinstance(stale, Stale)
        assert (stale.reason, stale.silent_s > 0.3) == ("worker", True)
        await mara.tick()
        (alive,) = await take(signals, 1)
        assert isinstance(alive, Alive)
        assert noticed[:2] == [stale, alive]
        assert signals.heartbeat("mara")[0] == alive.log_time_us


async def test_two_miners_come_in_the_order_of_the_log(
    redis_client: redis.asyncio.Redis, run_names: Names, redis_url: str
) -> None:
    both = Publisher(redis_client, run_names, ("iren", "mara"))
    for miner in ("mara", "iren", "mara", "mara", "iren", "iren", "mara"):
        await both.publish(miner)
    await both.tick()
    options = Options(merge_wait_s=math.inf)
    async with follow(redis_url, run_names, ["iren", "mara"], start="oldest", options=options) as signals:
        told = await take_signals(signals, 7)
        assert [each.offset for each in told] == list(range(1, 8))
        await both.publish("mara")
        assert await nothing_comes(signals)  # iren may still have something before it
        await both.tick()
        assert [each.miner for each in await take_signals(signals, 1)] == ["mara"]


async def test_a_miner_is_waited_for_only_so_long_and_then_told_as_late(
    redis_client: redis.asyncio.Redis, run_names: Names, redis_url: str
) -> None:
    both = Publisher(redis_client, run_names, ("iren", "mara"))
    await both.tick()
    options = Options(merge_wait_s=0.2, poll_s=0.05)
    async with follow(redis_url, run_names, ["iren", "mara"], options=options) as signals:
        key = run_names.key("iren", "head")
        both.offset += 1
        await both.publish("mara")
        mara, *_ = await take_signals(signals, 1)
        both.offset -= 2
        await both.publish("iren")
        iren, *_ = await take_signals(signals, 1)
        assert await redis_client.exists(key)
    assert [(each.miner, each.late) for each in (mara, iren)] == [("mara", False), ("iren", True)]


async def test_a_stalled_consumer_reads_ahead_no_more_than_its_buffer_and_misses_nothing(
    mara: Publisher, redis_url: str
) -> None:
    options = Options(buffer=10, poll_s=0.05)
    async with follow(redis_url, mara.names, options=options) as signals:
        await mara.publish(count=200)
        await asyncio.sleep(0.3)
        assert len(signals._fetch.merge) <= 10
        assert [each.json for each in await take_signals(signals, 200)] == mara.json()[3:]


async def test_a_cancelled_wait_takes_nothing(mara: Publisher, redis_url: str) -> None:
    async with follow(redis_url, mara.names) as signals:
        found = []
        for _ in range(20):
            await mara.publish()
            waiting = asyncio.create_task(anext(signals))
            await asyncio.sleep(0.001)
            waiting.cancel()
            told = (await asyncio.gather(waiting, return_exceptions=True))[0]
            if not isinstance(told, BaseException):
                found.append(told)
        found += await take(signals, 20 - len(found))
    assert [each.json for each in found if isinstance(each, Switch)] == mara.json()[3:]


async def test_closing_ends_the_iteration_of_whoever_waits(mara: Publisher, redis_url: str) -> None:
    async with follow(redis_url, mara.names) as signals:
        waiting = asyncio.create_task(anext(signals, None))
        await asyncio.sleep(0.05)
    assert await waiting is None


async def test_a_client_of_another_making_is_taken_and_one_that_decodes_is_refused(
    mara: Publisher, redis_url: str
) -> None:
    def decoding() -> redis.asyncio.Redis:
        return redis.asyncio.Redis.from_url(redis_url, decode_responses=True)

    made: Callable[[], redis.asyncio.Redis] = lambda: redis.asyncio.Redis.from_url(redis_url)  # noqa: E731 as users write it
    async with follow("", mara.names, start="oldest", connect=made) as signals:
        assert len(await take_signals(signals, 3)) == 3
    with pytest.raises(ValueError, match="decode_responses=False"):
        async with follow("", mara.names, connect=decoding):
            pass


async def test_hints_alone_wake_it_between_two_looks(mara: Publisher, redis_url: str) -> None:
    async with follow(redis_url, mara.names, options=Options(poll_s=30.0, stale_after_s=60.0)) as signals:
        await asyncio.sleep(0.3)
        async with asyncio.timeout(5):
            await mara.publish()
            (signal,) = await take_signals(signals, 1)
    assert orjson.loads(signal.json)["seq"] == 4
