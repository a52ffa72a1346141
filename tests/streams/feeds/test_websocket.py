"""Listening against a real server: every frame is appended, and a connection that is of no use is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import WSMsgType, web

from models.records import BtcPrice
from streams.errors import FeedError
from streams.feeds.contract import Parsed
from streams.feeds.websocket import SocketFeed
from streams.wire import RawRecord
from tests.support.appended import fails, run_until
from tests.support.faulty_server import Handler, serving

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


def talking(talk: Talk) -> Handler:
    """A server that speaks on each websocket and closes it where the speech ends."""

    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await talk(socket)
        await socket.close()
        return socket

    return handler


async def two_frames(socket: web.WebSocketResponse) -> None:
    assert await socket.receive_str() == "subscribe"
    await socket.send_str("ack")
    await socket.send_bytes(b"\xff\x00")


class GivesUp:
    """A watch that gives up at a frame of its kind."""

    def __init__(self) -> None:
        self.seen = 0

    def frame(self, payload: bytes) -> None:
        self.seen += 1
        if payload == b"goodbye":
            raise FeedError(f"the source says goodbye at frame {self.seen}", retriable=True)


async def test_every_frame_is_appended_as_it_came_and_the_end_is_named() -> None:
    async with serving(talking(two_frames)) as url:
        out, fault = await fails(SocketFeed("test", url.replace("http", "ws") + "/ws?key=1", subscribe=[b"subscribe"]))
    assert out.payloads == [b"ack", b"\xff\x00"]
    assert out.notes == ["connection=1 first", "connection=1"]
    assert isinstance(fault, FeedError)
    assert fault.retriable
    assert str(fault).endswith("/ws: closed by the source, code 1000")


async def test_the_first_frame_with_a_price_is_marked() -> None:
    def parse(raw: RawRecord) -> Parsed:
        if raw.payload == b"ack":
            return Parsed()
        if raw.payload == b"broken":
            raise FeedError("broken")
        at_us = 1_718_582_400_000_000
        price = BtcPrice(
            series="btc:usd", source="t", event_time_us=at_us, receipt_time_us=at_us, next_due_us=at_us, usd_per_btc=1e4
        )
        return Parsed([price])

    async def talk(socket: web.WebSocketResponse) -> None:
        for frame in ("ack", "broken", "tick", "tick"):
            await socket.send_str(frame)

    async with serving(talking(talk)) as url:
        out, _ = await fails(SocketFeed("test", url, subscribe=[], parse=parse))
    assert out.notes == ["connection=1", "connection=1", "connection=1 first", "connection=1"]


async def test_a_frame_that_ends_the_connection_is_appended_before_and_the_next_start_is_a_new_connection() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        for frame in ("tick", "goodbye", "never"):
            await socket.send_str(frame)
        await socket.receive()

    async with serving(talking(talk)) as url:
        feed = SocketFeed("test", url, subscribe=[], watch=GivesUp)
        out, fault = await fails(feed)
        again, _ = await fails(feed)
    assert out.payloads == [b"tick", b"goodbye"]
    assert str(fault) == "the source says goodbye at frame 2"
    assert again.notes == ["connection=2 first", "connection=2"]


async def test_silence_ends_a_connection_although_pings_of_the_protocol_go_on() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str("tick")
        while not socket.closed:
            await socket.ping()
            await asyncio.sleep(0.05)

    async with serving(talking(talk)) as url:
        out, fault = await fails(SocketFeed("test", url, subscribe=[], silent_s=0.3))
    assert out.payloads == [b"tick"]
    assert str(fault).endswith("silent for 0.3 s")


async def test_a_source_that_goes_on_sending_and_never_answers_a_close_does_not_hold_the_feed() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str("goodbye")
        while not socket.closed:
            await socket.send_str("tick")
            await asyncio.sleep(0.01)

    async with serving(talking(talk)) as url:
        out, fault = await fails(SocketFeed("test", url, subscribe=[], watch=GivesUp))
    assert out.payloads == [b"goodbye"]
    assert "goodbye" in str(fault)


async def test_pings_of_the_source_are_sent_and_its_answers_appended() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(f"pong to {message.data}")

    async with serving(talking(talk)) as url:
        feed = SocketFeed("test", url, subscribe=[], ping=b"ping", ping_every_s=0.05, silent_s=5.0)
        out = await run_until(feed, lambda out: len(out.records) >= 2)
    assert out.payloads[:2] == [b"pong to ping"] * 2


async def test_a_connection_is_replaced_at_its_age_without_a_failure() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        assert await socket.receive_str() == "subscribe"
        await socket.send_str("tick")
        await socket.receive()

    async with serving(talking(talk)) as url:
        feed = SocketFeed("test", url, subscribe=[b"subscribe"], rotate_s=0.2, silent_s=5.0)
        out = await run_until(feed, lambda out: len(out.records) >= 3)
    assert out.notes == ["connection=1 first", "connection=2 first", "connection=3 first"]


@pytest.mark.parametrize(
    ("status", "said", "retriable"), [(429, "asked too often", True), (451, "not offered", False), (503, "503", True)]
)
async def test_a_refused_handshake_says_why(status: int, said: str, retriable: bool) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    async with serving(handler) as url:
        out, fault = await fails(SocketFeed("test", url, subscribe=[]))
    assert out.records == []
    assert isinstance(fault, FeedError)
    assert said in str(fault)
    assert fault.retriable is retriable


async def test_a_source_that_is_not_there_is_one_line() -> None:
    _, fault = await fails(SocketFeed("test", "ws://127.0.0.1:9/ws?key=secret", subscribe=[]))
    assert isinstance(fault, FeedError)
    assert fault.retriable
    assert "secret" not in str(fault)


async def test_a_reset_connection_is_a_retriable_failure() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("tick")
        assert request.transport is not None
        request.transport.abort()
        return socket

    async with serving(handler) as url:
        out, fault = await fails(SocketFeed("test", url, subscribe=[]))
    assert out.payloads == [b"tick"]
    assert isinstance(fault, FeedError)
    assert fault.retriable
