"""The client through outages: cut, delayed and stalled connections, spoilt hints, killed servers. Nothing is missed."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
import redis.asyncio
from redis.exceptions import RedisError

from streams.client import Options, Signal, Signals, Switch, Unknown
from streams.embedded import EmbeddedRedis
from streams.wire import Names
from tests.support.desk import follow, nothing_comes, take_signals
from tests.support.proxy import Proxy, proxied
from tests.support.publisher import HOUR_US, Publisher

QUICK = Options(poll_s=0.05, answer_timeout_s=0.4, stale_after_s=60.0, merge_wait_s=0.05)
LIVE = Names("live")
LATEST_US = 20_000  # from the judgement to our own look at the clock, on a machine that others use too
PATIENCE_S = 120.0


@dataclass
class Heard:
    """What a desk was told, and how far past its time a live switch was at worst [us]."""

    told: list[Signal] = field(default_factory=list)
    worst_us: int = -HOUR_US

    @property
    def json(self) -> list[bytes]:
        return [each.json for each in self.told]

    async def until(self, signals: Signals, count: int) -> None:
        """Listen until so many signals were told."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told) < count:
                told = await anext(signals)
                now_us = time.time_ns() // 1_000
                if isinstance(told, Switch) and not told.expired:
                    self.worst_us = max(self.worst_us, now_us - told.valid_until_us)
                if isinstance(told, Signal):
                    self.told.append(told)


@asynccontextmanager
async def publishing(server: EmbeddedRedis, names: Names = LIVE, *miners: str) -> AsyncIterator[Publisher]:
    """A publisher that speaks to the server itself."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        publisher = Publisher(client, names, miners or ("mara",))
        await publisher.tick()
        yield publisher


async def trouble(proxy: Proxy, chance: Random, done: asyncio.Event) -> None:
    """Cut, delay and stall by chance until done."""
    while not done.is_set():
        await asyncio.sleep(chance.uniform(0, 0.06))
        match chance.randrange(5):
            case 0:
                proxy.cut()
            case 1 | 2:
                proxy.cut_one()
            case 3:
                proxy.delay_s = chance.choice((0.0, 0.0, 0.02, 0.1))
            case _:
                proxy.stalled.set()
                await asyncio.sleep(chance.uniform(0, 0.15))
                proxy.stalled.clear()
    proxy.delay_s = 0.0


async def story(publisher: Publisher, chance: Random, count: int) -> None:
    """Switches at random moments, many of which hold for a few milliseconds only."""
    for _ in range(count):
        valid_for_us = chance.choice((-1, 3_000, 20_000, 80_000, HOUR_US))
        await publisher.publish(chance.choice(publisher.miners), valid_for_us=valid_for_us)
        if chance.random() < 0.3:
            await publisher.tick()
        await asyncio.sleep(chance.choice((0, 0, 0.002, 0.02)))
    await publisher.tick()


async def check_trouble(server: EmbeddedRedis, seed: int) -> int:
    """A story of 150 switches through trouble; how far past its time a live one was at worst [us], negative before."""
    chance, done = Random(seed), asyncio.Event()
    async with publishing(server) as mara, proxied(int(server.port or 0), seed) as proxy:
        proxy.spoil_hints = True
        async with (
            follow(proxy.url, LIVE, options=QUICK, include_expired=True) as historian,
            follow(proxy.url, LIVE, options=QUICK) as desk,
        ):
            whole, acted = Heard(), Heard()
            troubled = asyncio.create_task(trouble(proxy, chance, done))
            told = asyncio.create_task(story(mara, Random(seed + 100), 150))
            acting = asyncio.create_task(acted.until(desk, 10_000))
            await told
            done.set()
            await troubled
            await whole.until(historian, 150)
            while desk.position["mara"].seq < 150:  # noqa: ASYNC110 the desk is told nothing of what had expired
                await asyncio.sleep(0.01)
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
            expired = desk.expired["mara"]
    assert whole.json == mara.json()
    assert max(whole.worst_us, acted.worst_us) <= LATEST_US
    seqs = [each.seq for each in acted.told if isinstance(each, (Switch, Unknown))]
    assert seqs == sorted(set(seqs))
    assert len(seqs) + expired == 150
    assert proxy.cuts > 0
    return max(whole.worst_us, acted.worst_us)


@pytest.mark.guarantee("G1")
@pytest.mark.guarantee("G6")
@pytest.mark.parametrize("seed", range(6))
async def test_through_any_trouble_the_whole_sequence_comes_and_nothing_expired_as_live(
    own_redis: EmbeddedRedis, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    say(capsys, f"seed {seed}: the latest live switch came {-await check_trouble(own_redis, seed)} us before its end")


@pytest.mark.slow
@pytest.mark.guarantee("G1")
@pytest.mark.guarantee("G6")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(6, 106))
async def test_the_same_through_a_hundred_other_troubles(own_redis: EmbeddedRedis, seed: int) -> None:
    await check_trouble(own_redis, seed)


async def check_restarts(server: EmbeddedRedis, restarts: int) -> float:
    """Kill and start Redis so often while switches are published; seconds it took."""
    chance, began_s = Random(restarts), time.monotonic()
    async with publishing(server) as mara, follow(server.url, LIVE, options=QUICK) as signals:
        heard = Heard()
        count = 5 * restarts
        listening = asyncio.create_task(heard.until(signals, count))
        for _ in range(restarts):
            telling = asyncio.create_task(mara.publish(count=5))
            await asyncio.sleep(chance.uniform(0, 0.03))
            server.kill()
            server.start()
            await telling
        await listening
    assert heard.json == mara.json()
    return time.monotonic() - began_s


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("binary", [None, "redis-server"], ids=["embedded", "redis"])
async def test_it_survives_ten_restarts(tmp_path: Path, binary: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    found = binary and shutil.which(binary)
    if binary and not found:
        pytest.skip(f"redis: no {binary} on PATH")
    with EmbeddedRedis(binary=found, appendonly=True, folder=tmp_path) as server:
        say(capsys, f"10 restarts of {binary or 'the embedded server'}: {await check_restarts(server, 10):.1f} s")


@pytest.mark.slow
@pytest.mark.guarantee("G1")
@pytest.mark.timeout(600)
async def test_it_survives_a_hundred_restarts_of_redis(
    own_redis: EmbeddedRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    say(capsys, f"100 restarts: {await check_restarts(own_redis, 100):.1f} s")


async def check_disconnections(server: EmbeddedRedis, cuts: int) -> tuple[int, float]:
    """Cut random connections so often while switches are published; how often it reconnected, and the seconds."""
    began_s = time.monotonic()
    async with (
        publishing(server) as mara,
        proxied(int(server.port or 0), cuts) as proxy,
        follow(proxy.url, LIVE, options=QUICK) as signals,
    ):
        heard = Heard()
        listening = asyncio.create_task(heard.until(signals, 2 * cuts))
        told = 0
        while proxy.cuts < cuts:
            proxy.cut_one()
            if told < 2 * cuts:
                await mara.publish(count=2)
                told += 2
            await asyncio.sleep(proxy.chance.uniform(0, 0.02))
        if told < 2 * cuts:
            await mara.publish(count=2 * cuts - told)
        await listening
        reconnects = signals.reconnects
    assert heard.json == mara.json()
    assert reconnects > 0
    return reconnects, time.monotonic() - began_s


@pytest.mark.guarantee("G1")
async def test_it_survives_a_hundred_random_disconnections(
    own_redis: EmbeddedRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    reconnects, seconds = await check_disconnections(own_redis, 100)
    say(capsys, f"100 disconnections: {reconnects} of the reading connection, {seconds:.1f} s")


@pytest.mark.slow
@pytest.mark.guarantee("G1")
@pytest.mark.timeout(600)
async def test_it_survives_a_thousand_random_disconnections(
    own_redis: EmbeddedRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    reconnects, seconds = await check_disconnections(own_redis, 1_000)
    say(capsys, f"1000 disconnections: {reconnects} of the reading connection, {seconds:.1f} s")


def say(capsys: pytest.CaptureFixture[str], figure: str) -> None:
    """Show a measured figure in the run's own output."""
    with capsys.disabled():
        sys.stdout.write(f"\n{figure}\n")


async def plain_subscriber(url: str, heard: list[bytes]) -> None:
    """What most would write: subscribe, and subscribe again when the connection is lost."""
    while True:
        with suppress(RedisError, OSError):
            async with redis.asyncio.Redis.from_url(url) as client, client.pubsub() as hints:
                await hints.subscribe(LIVE.key("mara", "live"))
                async for message in hints.listen():
                    if message["type"] == "message":
                        heard.append(message["data"])  # noqa: PERF401 a lost connection must keep what came before it
        await asyncio.sleep(0.01)


@pytest.mark.guarantee("G1")
async def test_the_same_outages_make_plain_pub_sub_lose_what_the_client_does_not(
    own_redis: EmbeddedRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    async with publishing(own_redis) as mara, proxied(int(own_redis.port or 0)) as proxy:
        plain: list[bytes] = []
        subscriber = asyncio.create_task(plain_subscriber(proxy.url, plain))
        async with follow(proxy.url, LIVE, options=QUICK) as signals:
            await asyncio.sleep(0.3)
            heard = Heard()
            listening = asyncio.create_task(heard.until(signals, 200))
            for number in range(100):
                if number % 20 == 10:
                    proxy.cut()
                await mara.publish(count=2)
                await asyncio.sleep(0.002)
            await listening
            await asyncio.sleep(0.2)
        subscriber.cancel()
        await asyncio.gather(subscriber, return_exceptions=True)
    lost = len(set(mara.json()) - set(plain))
    say(capsys, f"of 200 signals through 5 cuts: plain Pub/Sub lost {lost}, the client 0")
    assert heard.json == mara.json()
    assert lost > 0


@pytest.mark.guarantee("G1")
async def test_two_miners_keep_the_order_of_the_log_through_trouble(own_redis: EmbeddedRedis) -> None:
    chance, done = Random(7), asyncio.Event()
    strict = Options(poll_s=0.05, answer_timeout_s=0.4, stale_after_s=60.0, merge_wait_s=float("inf"))
    async with (
        publishing(own_redis, LIVE, "iren", "mara") as both,
        proxied(int(own_redis.port or 0), 7) as proxy,
        follow(proxy.url, LIVE, ["mara", "iren"], options=strict, include_expired=True) as signals,
    ):
        troubled = asyncio.create_task(trouble(proxy, chance, done))
        telling = asyncio.create_task(story(both, chance, 100))
        await telling
        done.set()
        await troubled
        told = await take_signals(signals, 100)
    entries = [entry for miner in both.miners for entry in both.entries[miner]]
    assert [each.json for each in told] == [entry.json for entry in sorted(entries, key=lambda each: each.offset)]
    assert not any(each.late for each in told)


@pytest.mark.guarantee("G6")
async def test_while_the_time_of_redis_cannot_be_bounded_no_switch_is_handed_over(own_redis: EmbeddedRedis) -> None:
    options = Options(poll_s=0.05, max_skew_s=0.05, stale_after_s=60.0)
    async with (
        publishing(own_redis) as mara,
        proxied(int(own_redis.port or 0)) as proxy,
        follow(proxy.url, LIVE, options=options) as signals,
    ):
        await mara.publish()
        await take_signals(signals, 1)
        proxy.delay_s = 0.4  # up to so long each way: no answer is young enough any more
        proxy.chance = Slow()
        await asyncio.sleep(0.9)
        await mara.publish(valid_for_us=1_500_000)
        await mara.publish()
        assert await nothing_comes(signals, 1.8)
        proxy.delay_s = 0.0
        (signal,) = await take_signals(signals, 1)
        assert (signal.seq, signals.expired) == (3, {"mara": 1})


class Slow(Random):
    """Chance that always takes the longest."""

    def uniform(self, a: float, b: float) -> float:
        """The longest."""
        return max(a, b)
