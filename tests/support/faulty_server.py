"""Real servers on loopback that behave as documented until they fail in one way."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import WSCloseCode, web

from tests.support.sources_contract import Serve, ServeSocket

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HttpFault = Callable[[web.Request, web.Response], Awaitable[web.StreamResponse]]
IsData = Callable[[bytes], bool]
AT_DATA_FRAME = 3
"""The frame with a price at which a websocket fails."""


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """The base URL of a server that answers every request with this handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port: int = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


class Switch:
    """Whether a server still fails, and how often it did."""

    def __init__(self) -> None:
        self.on = True
        self.thrown = 0


def faulty_http(serve: Serve, fault: HttpFault, switch: Switch) -> Handler:
    """Answers as documented, with a fault while the switch is on."""

    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        answer = serve(request)
        if not switch.on:
            return answer
        switch.thrown += 1
        return await fault(request, answer)

    return handler


def body_of(answer: web.Response) -> bytes:
    """The whole body of an answer not yet sent."""
    return answer.body if isinstance(answer.body, bytes) else (answer.text or "").encode()


def aborted(request: web.BaseRequest) -> None:
    """End a connection without a word."""
    if request.transport is not None:
        request.transport.abort()


async def _too_many(_: web.Request, __: web.Response) -> web.StreamResponse:
    return web.Response(status=429, text="slow down", headers={"Retry-After": "7"})


async def _server_error(_: web.Request, __: web.Response) -> web.StreamResponse:
    return web.Response(status=500, text="something broke")


async def _forbidden(_: web.Request, __: web.Response) -> web.StreamResponse:
    return web.Response(status=403, text="no")


async def _xml(_: web.Request, __: web.Response) -> web.StreamResponse:
    return web.Response(text='<?xml version="1.0"?><error>too busy</error>', content_type="application/xml")


async def _page(_: web.Request, __: web.Response) -> web.StreamResponse:
    return web.Response(text="<!DOCTYPE html><html>Checking your browser</html>", content_type="text/html")


async def _nothing(_: web.Request, __: web.Response) -> web.StreamResponse:
    return web.Response()


async def _gzip(_: web.Request, answer: web.Response) -> web.StreamResponse:
    return web.Response(body=gzip.compress(body_of(answer)), headers={"Content-Encoding": "gzip"})


async def _gzip_cut(_: web.Request, answer: web.Response) -> web.StreamResponse:
    packed = gzip.compress(body_of(answer))
    return web.Response(body=packed[: len(packed) * 2 // 3], headers={"Content-Encoding": "gzip"})


async def _cut(request: web.Request, answer: web.Response) -> web.StreamResponse:
    body = body_of(answer)
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    aborted(request)
    return response


async def _stall(_: web.Request, answer: web.Response) -> web.StreamResponse:
    await asyncio.sleep(60)  # the client gives up before; the server's end cancels it
    return answer


async def _reset(request: web.Request, answer: web.Response) -> web.StreamResponse:
    aborted(request)
    return answer


async def _elsewhere(_: web.Request, __: web.Response) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"})


HTTP_FAULTS: dict[str, HttpFault] = {
    "429, Retry-After 7": _too_many,
    "403": _forbidden,
    "500": _server_error,
    "XML with 200": _xml,
    "a page with 200": _page,
    "empty with 200": _nothing,
    "gzip": _gzip,
    "gzip cut off": _gzip_cut,
    "body cut off": _cut,
    "no answer": _stall,
    "reset": _reset,
    "moved elsewhere": _elsewhere,
}


class FaultySocket(web.WebSocketResponse):
    """The server's end of a websocket; fails once, at its ``at``-th frame with a price."""

    def __init__(
        self, fault: SocketFault | None, is_data: IsData, error: bytes, switch: Switch, at: int = AT_DATA_FRAME
    ) -> None:
        super().__init__()
        self._at = at
        self._fault = fault
        self._is_data = is_data
        self._switch = switch
        self._data = 0
        self._held: list[str] = []
        self.error = error
        self.mute = False

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a frame, or what the fault makes of it."""
        if self.mute:
            return
        if self._switch.on and self._fault is not None and self._is_data(data.encode()):
            self._data += 1
            if self._data == self._at:
                self._switch.thrown += 1
                await self._fault(self, data)
                return
        await self.send_truly(data, compress)
        while self._held:
            await self.send_truly(self._held.pop())

    async def send_truly(self, data: str, compress: int | None = None) -> None:
        """Send a frame as it is."""
        await super().send_str(data, compress)

    def hold(self, data: str) -> None:
        """Keep a frame back until the next was sent."""
        self._held.append(data)

    def abort(self) -> None:
        """End the connection without a word."""
        if self._req is not None:
            aborted(self._req)


SocketFault = Callable[[FaultySocket, str], Awaitable[None]]


def _closing(code: int) -> SocketFault:
    async def fault(socket: FaultySocket, _: str) -> None:
        socket.mute = True
        await socket.close(code=code, message=b"closing")

    return fault


async def _abort(socket: FaultySocket, _: str) -> None:
    socket.mute = True
    socket.abort()


async def _silent(socket: FaultySocket, _: str) -> None:
    socket.mute = True


async def _garbage(socket: FaultySocket, data: str) -> None:
    await socket.send_truly(GARBAGE.decode())
    await socket.send_truly(data)


async def _binary(socket: FaultySocket, data: str) -> None:
    await socket.send_bytes(BINARY)
    await socket.send_truly(data)


async def _late(socket: FaultySocket, data: str) -> None:
    socket.hold(data)


async def _twice(socket: FaultySocket, data: str) -> None:
    await socket.send_truly(data)
    await socket.send_truly(data)


async def _lost(_: FaultySocket, __: str) -> None:
    """The frame never comes."""


async def _error(socket: FaultySocket, data: str) -> None:
    await socket.send_truly(socket.error.decode())
    await socket.send_truly(data)


GARBAGE = b"<html>502 Bad Gateway</html>"
BINARY = b"\x00\xff\xfe\x01"
SOCKET_FAULTS: dict[str, SocketFault] = {
    "closed 1000": _closing(WSCloseCode.OK),
    "closed 1012": _closing(WSCloseCode.SERVICE_RESTART),
    "reset (1006)": _abort,
    "silent": _silent,
    "garbage": _garbage,
    "binary": _binary,
    "out of order": _late,
    "duplicate": _twice,
    "lost frame": _lost,
    "error frame": _error,
}


def faulty_socket(
    serve: ServeSocket, fault: SocketFault | None, is_data: IsData, error: bytes, switch: Switch
) -> Handler:
    """Speaks as documented on each websocket, with a fault once in each while the switch is on."""

    async def handler(request: web.Request) -> web.StreamResponse:
        socket = FaultySocket(fault, is_data, error, switch)
        await socket.prepare(request)
        with suppress(ConnectionError, RuntimeError, TypeError):  # the client, or the fault, has closed it
            await serve(socket)
        await socket.close()
        return socket

    return handler


def either(poll: Handler, socket: Handler) -> Handler:
    """A server of both: websockets where the client asks for one, answers elsewhere."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await (socket if "Upgrade" in request.headers else poll)(request)

    return handler


def refusing(status: int, well: Handler, switch: Switch) -> Handler:
    """Refuses every handshake with a status while the switch is on."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if not switch.on:
            return await well(request)
        switch.thrown += 1
        return web.Response(status=status, headers={"Retry-After": "7"})

    return handler
