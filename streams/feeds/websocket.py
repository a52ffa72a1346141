"""Listening to a websocket: subscribe, append every frame, give the connection up when it is silent or says so.

A planned change of connection happens here; after any other end the service starts the feed again with its own pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from streams.errors import FeedError
from streams.feeds.contract import Appender, Parse
from streams.feeds.http_answers import named, refused, retry_after_s
from streams.fleetfile_errors import shown
from streams.now import now_us
from streams.wire import MAX_MESSAGE_BYTES, RawRecord

OPENING_S = 15.0
"""Longest time for a connection to open [s]."""
CLOSING_S = 1.0
AGENT = "changeover"


class Watch(Protocol):
    """What looks at the frames of one connection, in order, after each was appended."""

    def frame(self, payload: bytes) -> None:
        """Look at a frame. Raise FeedError(retriable=True) when the connection must be given up.

        Reasons: a gap in the source's numbers, its notice of a shutdown, an error frame, heartbeats without prices.
        The frame itself is in the log already, and so is whatever came before.
        """
        ...


class Unwatched:
    """The watch of a source that says nothing about its connection."""

    def frame(self, payload: bytes) -> None:
        """Any frame will do."""


@dataclass(slots=True)
class Connection:
    """One connection: its number, its end by plan [loop s], whether a price came yet."""

    number: int
    until_s: float
    began: bool = False


class SocketFeed:
    """A feed that listens to one websocket.

    ``subscribe``: frames sent first, in order. ``ping``: a frame sent every ``ping_every_s`` [s] where the source
    wants one of its own kind; pings of the protocol are answered anyway. ``silent_s``: longest time without a frame
    [s]. ``rotate_s``: age at which the connection is replaced by a new one [s], without a pause. ``watch`` makes what
    looks at one connection. The note of every record is ``connection=<n>``; the first frame in which ``parse`` finds a
    record (without it the first of all) has ``connection=<n> first``: it may be older than the connection.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        subscribe: Sequence[bytes],
        ping: bytes | None = None,
        ping_every_s: float = 10.0,
        silent_s: float = 10.0,
        rotate_s: float = 23 * 3600,
        watch: Callable[[], Watch] = Unwatched,
        parse: Parse | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._subscribe = tuple(subscribe)
        self._ping = ping
        self._ping_every_s = ping_every_s
        self._silent_s = silent_s
        self._rotate_s = rotate_s
        self._watch = watch
        self._parse = parse
        self._connections = 0

    async def run(self, out: Appender) -> None:
        """Listen until cancelled. FeedError when the connection is lost or given up."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=OPENING_S)
        async with aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": AGENT}) as session:
            while True:
                socket = await self._opened(session)
                try:
                    await self._listen(socket, out)
                finally:
                    await closed(socket)

    async def _opened(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        """A connection that has subscribed."""
        place = named(self._url)
        try:
            async with asyncio.timeout(OPENING_S):
                socket = await session.ws_connect(
                    self._url,
                    max_msg_size=MAX_MESSAGE_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSING_S),
                )
                for frame in self._subscribe:
                    await socket.send_str(frame.decode())
        except aiohttp.WSServerHandshakeError as fault:
            said = f"{place}: {fault.status} instead of a websocket"
            wait_s = retry_after_s(fault.headers.get("Retry-After", "") if fault.headers else "", now_us())
            raise refused(said, fault.status, "", wait_s) from fault
        except TimeoutError as fault:
            raise FeedError(f"{place}: not open within {OPENING_S:g} s", retriable=True) from fault
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise FeedError(f"{place}: {type(fault).__name__}: {fault}", retriable=True) from fault
        self._connections += 1
        return socket

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, out: Appender) -> None:
        """Append what comes until the connection has its age."""
        watch = self._watch()
        connection = Connection(self._connections, asyncio.get_running_loop().time() + self._rotate_s)
        pinging = asyncio.create_task(self._keep_pinging(socket))
        try:
            while (payload := await self._frame(socket, connection)) is not None:
                await self._keep(payload, connection, out)
                watch.frame(payload)
        finally:
            pinging.cancel()

    async def _frame(self, socket: aiohttp.ClientWebSocketResponse, connection: Connection) -> bytes | None:
        """The next frame, None when the connection has its age. FeedError when it is silent, closed or broken."""
        left_s = connection.until_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            return None
        try:
            # A limit of receive() itself would begin again with every ping of the protocol.
            async with asyncio.timeout(min(self._silent_s, left_s)):
                message = await socket.receive()
        except TimeoutError as fault:
            if left_s <= self._silent_s:
                return None
            raise FeedError(f"{named(self._url)}: silent for {self._silent_s:g} s", retriable=True) from fault
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data).encode()
        if message.type is aiohttp.WSMsgType.BINARY:
            return bytes(message.data)
        raise FeedError(f"{named(self._url)}: {ending(message, socket.close_code)}", retriable=True)

    async def _keep(self, payload: bytes, connection: Connection, out: Appender) -> None:
        """Append a frame with its connection."""
        note, receipt_time_us = f"connection={connection.number}", now_us()
        if not connection.began and self._has_record(RawRecord(self.name, receipt_time_us, "", 0, payload)):
            connection.began = True
            note += " first"
        await out.append(self.name, receipt_time_us, payload, note)

    def _has_record(self, raw: RawRecord) -> bool:
        """Whether a frame holds a record, as far as anyone can say."""
        try:
            return self._parse is None or bool(self._parse(raw).records)
        except (FeedError, ValueError):
            return False

    async def _keep_pinging(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Send the source's own ping as long as the connection lasts; its end is noticed by who receives."""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            while self._ping is not None:
                await asyncio.sleep(self._ping_every_s)
                await socket.send_str(self._ping.decode())


async def closed(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Close a connection, politely if the source lets us: its close() waits anew with every frame that still comes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSING_S):
            await socket.close()


def ending(message: aiohttp.WSMessage, code: int | None) -> str:
    """How a connection ended, in words."""
    if message.type is aiohttp.WSMsgType.CLOSE:
        return f"closed by the source, code {message.data} {shown(message.extra) if message.extra else ''}".rstrip()
    if message.type is aiohttp.WSMsgType.ERROR:
        return f"broken: {type(message.data).__name__}: {message.data}"
    return f"ended without a word, code {code}"
