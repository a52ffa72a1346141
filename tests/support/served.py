"""Fake servers in a thread of their own, for what has an event loop of its own, such as a command."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager

import orjson
from aiohttp import web

from streams.feeds.contract import Options
from tests.support.faulty_server import HTTP_FAULTS, Handler, Switch, either, faulty_http, serving
from tests.support.restamped import paced
from tests.support.sources_contract import Case
from tests.support.sources_register import CASES


@contextmanager
def served(handlers: Mapping[str, Handler]) -> Iterator[dict[str, str]]:
    """Each handler's base URL, as long as the block lasts."""
    urls: dict[str, str] = {}
    ready, loop, done = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            for name, handler in handlers.items():
                urls[name] = await stack.enter_async_context(serving(handler))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield urls
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()


def case_of(name: str) -> Case:
    """The documented behaviour of a source."""
    return next(case for case in CASES if case.source == name)


def documented(name: str) -> Handler:
    """A source's server that behaves as documented."""
    case, switch = case_of(name), Switch()
    switch.on = False
    serve = case.serve or (lambda _: web.Response(status=404))
    return either(faulty_http(serve, HTTP_FAULTS["500"], switch), paced(case))


async def broken(request: web.Request) -> web.StreamResponse:
    """Answers nothing but 500."""
    await request.read()
    return web.Response(status=500, text="something broke")


async def mute(request: web.Request) -> web.StreamResponse:
    """Opens a websocket and says nothing on it."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for _ in socket:
        pass
    return socket


def table_of(name: str, options: Options) -> str:
    """The table of a settings file that gives a source these options; they are plain, so JSON's spelling is TOML's."""
    given = options.model_dump(exclude_unset=True)
    lines = [f"{key} = {orjson.dumps(value).decode()}" for key, value in given.items()]
    return "\n".join([f"[feeds.{name}]", *lines, ""])
