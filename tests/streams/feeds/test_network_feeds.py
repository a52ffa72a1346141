"""The network's state: recorded messages give the hashprice that was, and each feed asks what its parser needs."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from models.hashprice import retarget, subsidy_btc, usd_per_ph_day
from models.records import Network
from streams.errors import FeedError
from streams.feeds import bitcoin_rules as rules
from streams.feeds import bitcoind, mempool
from streams.feeds.contract import Feed
from streams.feeds.http import parts_of
from streams.wire import RawRecord
from tests.support.appended import Appended, fails, run_until
from tests.support.faulty_server import serving
from tests.support.sources import bitcoind as node
from tests.support.sources import mempool as documented

AT = documented.AT
DATA = Path(os.environ.get("CHANGEOVER_DATA", "../shared/data"))


def recorded(name: str) -> bytes:
    """A recorded websocket message; the folder of recorded data is not part of the project."""
    file = DATA / "wire" / "mempool" / name
    if not file.is_file():
        pytest.skip(f"recorded messages: {file} is not there; CHANGEOVER_DATA names the folder of recorded data")
    return file.read_bytes()


def state_of(payload: bytes, feed: str = "mempool:ws") -> Network:
    """The one state a payload gives."""
    parsed = (mempool.parse_poll if feed == "mempool:poll" else mempool.parse_message)(
        RawRecord(feed, AT, "test", 1, payload)
    )
    (found,) = parsed.records
    assert parsed.faults == []
    assert isinstance(found, Network)
    return found


def hashprice(state: Network, usd_per_btc: float) -> float:
    """Dollars per PH/s and day."""
    return usd_per_ph_day(state.difficulty, subsidy_btc(state.height), state.fees_btc_per_block, usd_per_btc)


def test_eight_blocks_with_a_mean_reward_of_6_386_btc_were_worth_107_99_usd_per_ph_and_day() -> None:
    fees = (9, 18, 12, 15, 14, 13, 17, 10.8)
    blocks = [documented.block(837_043 + place, round(each * 1e6)) for place, each in enumerate(fees)]
    state = state_of(orjson.dumps(documented.INIT | {"blocks": blocks}))
    assert (state.height, state.fee_blocks) == (837_050, 8)
    assert subsidy_btc(state.height) + state.fees_btc_per_block == pytest.approx(6.386)
    assert round(hashprice(state, 69_880.0), 2) == 107.99


def test_the_recorded_first_message_of_2024_03_31_gives_the_hashprice_of_that_day() -> None:
    payload = recorded("mainnet_mempoolInfo.json")
    state, usd = state_of(payload), orjson.loads(payload)["conversions"]["USD"]
    assert (state.height, state.fee_blocks, state.difficulty, usd) == (837_050, 8, 83_126_997_340_024.61, 69_880)
    assert round(hashprice(state, usd), 2) == 107.99


def test_recorded_lists_and_single_blocks_are_read() -> None:
    listed, one = state_of(recorded("tx01_ws_blocks_01.json")), state_of(recorded("tx02_ws_block.json"))
    assert (listed.height, listed.fee_blocks, listed.difficulty) == (890_447, 8, 113_757_508_810_854.0)
    assert 0.019 < listed.fees_btc_per_block < 0.073
    assert (one.height, one.fee_blocks, one.fees_btc_per_block) == (890_448, 1, 0.02998786)


@pytest.mark.parametrize("name", ["tx01_ws_mempool_blocks_01.json", "mainnet_live2hchart.json"])
def test_recorded_messages_without_a_block_say_nothing(name: str) -> None:
    parsed = mempool.parse_message(RawRecord("mempool:ws", AT, "test", 1, recorded(name)))
    assert (parsed.records, parsed.faults) == ([], [])


def test_times_of_the_retarget_may_be_in_seconds_as_in_the_documented_sample() -> None:
    seconds = documented.RETARGET | {"estimatedRetargetDate": 1_712_766_704, "remainingTime": 911_596, "timeAvg": 574}
    assert state_of(documented.poll(retarget=seconds).body, "mempool:poll").fee_blocks == 100


@pytest.mark.parametrize(
    ("bits", "first_s", "last_s", "expected"),
    [
        (0x1D00FFFF, 1_261_130_161, 1_262_152_739, 0x1D00D86A),
        (0x1D00FFFF, 1_231_006_505, 1_233_061_996, 0x1D00FFFF),
        (0x1C05A3F4, 1_279_008_237, 1_279_297_671, 0x1C0168FD),
        (0x1C387F6F, 1_263_163_443, 1_269_211_443, 0x1D00E1FD),
    ],
)
def test_the_retarget_is_that_of_bitcoin_core_to_the_bit(bits: int, first_s: int, last_s: int, expected: int) -> None:
    """Vectors: Bitcoin Core, src/test/pow_tests.cpp."""
    assert rules.next_bits(bits, first_s, last_s) == expected
    if bits != expected:  # the float rule of the core knows no limit of difficulty 1 and cuts no digits off
        float_rule = retarget(rules.difficulty_of(bits), float(first_s), float(last_s))
        assert rules.difficulty_of(expected) == pytest.approx(float_rule, rel=1e-4)


def test_difficulty_of_known_blocks() -> None:
    known = {0x1D00FFFF: 1.0, 0x1701FCA1: 141_668_107_417_558.2, 386_097_875: 83_126_997_340_024.61}
    for bits, difficulty in known.items():
        rules.require_difficulty(difficulty, bits)
        assert rules.bits_of(rules.target_of(bits)) == bits


@pytest.mark.parametrize("bits", [0, -1, 1 << 32, 0x1D80FFFF, 0x1D000000, 0x1E00FFFF, 0x01000001, 0xFF7FFFFF])
def test_bits_that_mean_no_target_are_refused(bits: int) -> None:
    with pytest.raises(FeedError):
        rules.target_of(bits)


def test_the_subsidy_in_satoshi_is_that_of_the_core() -> None:
    for height in (0, 209_999, 210_000, 839_999, 840_000, 1_050_000, 6_930_000, 13_440_000, 20_000_000):
        assert rules.subsidy_satoshi(height) == round(subsidy_btc(height) * 1e8)


class MempoolServer:
    """The documented server, which also counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path != "/api/v1/ws":
            return documented.serve(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await documented.serve_socket(socket)
        return socket


async def test_the_mempool_feed_listens_and_polls_again_after_a_block() -> None:
    server = MempoolServer()
    async with serving(server.handle) as url:
        feed = mempool.build(documented.options(url), {})
        out = await run_until(feed, lambda out: [each.feed for each in out.records].count("mempool:poll") >= 2)
    heard = [each for each in out.records if each.feed == "mempool:ws"]
    polled = [each for each in out.records if each.feed == "mempool:poll"]
    assert heard[0].payload == orjson.dumps(documented.INIT)
    assert heard[0].note == "connection=1 first"
    assert [name for name, _ in parts_of(polled[0].payload)] == ["blocks", "rewards", "retarget"]
    assert len(mempool.parse_message(heard[0]).records) == len(mempool.parse_poll(polled[0]).records) == 1


async def test_a_poll_that_fails_ends_the_feed_with_the_sources_words() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/ws":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await documented.serve_socket(socket)
            return socket
        return web.Response(status=429, text="Too Many Requests")

    async with serving(handler) as url:
        _, fault = await fails(mempool.build(documented.options(url), {}))
    assert isinstance(fault, FeedError)
    assert "asked too often" in str(fault)


class Node:
    """A node whose tip moves, and which notes what each batch asked for."""

    def __init__(self) -> None:
        self.height = node.HEIGHT
        self.batches: list[list[int]] = []
        self.starting = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = orjson.loads(await request.read())
        if self.starting:
            return web.Response(body=node.dumped(node.STARTING), content_type="application/json")
        if isinstance(asked, list):
            heights = [call["params"][0] for call in asked]
            self.batches.append(heights)
            answers = [node.stats(height, 2_000_000 + height - node.HEIGHT) for height in heights]
            return web.Response(body=node.dumped(answers), content_type="application/json")
        answer = node.answer(node.info(blocks=self.height), asked["id"])
        return web.Response(body=node.dumped(answer), content_type="application/json")


def node_feed(url: str) -> Feed:
    """A feed of a local node, asking much more often than the settings allow."""
    options = bitcoind.BitcoindOptions.model_construct(url=url, every_s=0.02)
    return bitcoind.build(options, dict(node.CASE.keys))


def holds(least: int, out: Appended) -> bool:
    """Whether so many records were appended."""
    return len(out.records) >= least


async def test_a_node_is_asked_for_144_heights_once_and_then_for_the_newest_few() -> None:
    server = Node()
    async with serving(server.handle) as url:
        feed, out = node_feed(url), Appended()
        running = asyncio.create_task(feed.run(out))
        for blocks in range(3):
            await asyncio.wait_for(out.until(partial(holds, blocks + 1)), 10)
            server.height += 1
        running.cancel()
    first, second, third = server.batches[:3]
    assert first == list(range(node.HEIGHT - 143, node.HEIGHT + 1))
    assert (second, third) == (
        [node.HEIGHT - 1, node.HEIGHT, node.HEIGHT + 1],
        [node.HEIGHT, node.HEIGHT + 1, node.HEIGHT + 2],
    )
    for place, record in enumerate(out.records[:3]):
        (state,) = bitcoind.parse(record).records
        assert isinstance(state, Network)
        assert (state.height, state.fee_blocks) == (node.HEIGHT + place, 144)
        assert state.fees_btc_per_block == pytest.approx((2_000_000 + place - 71.5) / 1e8)


async def test_a_node_that_starts_is_appended_refused_and_asked_again_later() -> None:
    server = Node()
    server.starting = True
    async with serving(server.handle) as url:
        out, fault = await fails(node_feed(url))
    assert isinstance(fault, FeedError)
    assert fault.retriable
    assert "Loading block index" in str(fault)
    (record,) = out.records
    with pytest.raises(FeedError, match="Loading block index"):
        bitcoind.parse(record)


async def test_after_many_blocks_a_record_still_rests_on_few_answers() -> None:
    feed = bitcoind.BitcoindFeed(bitcoind.BitcoindOptions(), "user", "password")
    out, tip = Appended(), node.HEIGHT
    for height in range(tip, tip + 200):
        answers = [node.stats(call["params"][0], 1) for call in feed.calls(height)]  # type: ignore[index]  # our own
        info = node.dumped(node.answer(node.info(blocks=height), 1))
        await feed.keep(out, height, info, node.dumped(answers))
    states = [bitcoind.parse(record).records[0] for record in out.records]
    assert all(isinstance(state, Network) and state.fee_blocks == 144 for state in states)
    assert max(len(parts_of(record.payload)) for record in out.records) <= 2 + bitcoind.MOST_BATCHES
    assert max(len(record.payload) for record in out.records) < 60_000
