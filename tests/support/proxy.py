"""A TCP proxy on loopback that stands before Redis or Kafka: it cuts, delays, stalls, spoils hints, traps requests."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

CHUNK = 65_536
LENGTH = re.compile(rb"\$(\d+)\r\n")
HINT = re.compile(rb"[*>]3\r\n\$7\r\nmessage\r\n\$(\d+)\r\n")


@dataclass(eq=False)
class Trap:
    """Springs at a request: before it reaches the server, before its answer comes back, or behind the answer."""

    at: Callable[[bytes], bool]
    moment: Literal["before", "between", "after"]
    spring: Callable[[], None]
    sprung: threading.Event = field(default_factory=threading.Event)

    def snap(self) -> None:
        """Spring."""
        self.spring()
        self.sprung.set()


@dataclass(eq=False)
class Link:
    """One connection through the proxy. ``subscribed``: it carries hints."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    subscribed: bool = False
    held: bytes = b""
    trapped: Trap | None = None

    def cut(self) -> None:
        """End it without a word, as a lost network would."""
        for writer in self.writers:
            writer.transport.abort()


@dataclass
class Proxy:
    """Forwards to a port of this machine. ``shut``: whether new connections are turned away."""

    target: int
    port: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    delay_s: float = 0.0
    spoil_hints: bool = False
    drop_hints: bool = False
    shut: bool = False
    trap: Trap | None = None
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    links: set[Link] = field(default_factory=set)
    cuts: int = 0
    hints: int = 0

    @property
    def url(self) -> str:
        """Redis behind the proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Cut every connection."""
        for link in list(self.links):
            link.cut()
            self.cuts += 1

    def cut_one(self) -> None:
        """Cut one connection by chance."""
        if self.links:
            self.chance.choice(sorted(self.links, key=id)).cut()
            self.cuts += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.shut:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        link = Link((writer, server_writer))
        self.links.add(link)
        ways = [
            asyncio.create_task(self._up(link, reader, server_writer)),
            asyncio.create_task(self._down(link, server_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.links.discard(link)
            link.cut()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _up(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await self._read(reader):
            link.subscribed = link.subscribed or b"SUBSCRIBE" in data
            if self.trap is not None and self.trap.at(data):
                link.trapped, self.trap = self.trap, None
                if link.trapped.moment == "before":
                    link.trapped.snap()
                    return
            writer.write(data)
            await writer.drain()

    async def _down(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await self._read(reader):
            if link.trapped is not None and link.trapped.moment == "between":
                link.trapped.snap()
                return
            writer.write(self._spoilt(link, data) if link.subscribed else data)
            await writer.drain()
            if link.trapped is not None:
                link.trapped.snap()
                return

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        with suppress(OSError):
            data = await reader.read(CHUNK)
            if self.delay_s:
                await asyncio.sleep(self.chance.uniform(0, self.delay_s))
            while self.stalled.is_set():  # noqa: ASYNC110 a stall ends when the test says so
                await asyncio.sleep(0.01)
            return data
        return b""

    def _spoilt(self, link: Link, data: bytes) -> bytes:
        """Hints dropped, doubled, delayed behind later ones, and old ones again; other answers pass as they are."""
        if not (self.spoil_hints or self.drop_hints):
            return data
        rest, hints, link.held = split_hints(link.held + data)
        self.hints += len(hints)
        if self.drop_hints:
            return rest
        told = [hint for hint in hints for _ in range(self.chance.choice((0, 1, 1, 3)))]
        self.chance.shuffle(told)
        return rest + b"".join(told)


def split_hints(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    r"""What is no hint, every whole hint, and the beginning of one that is not whole yet.

    >>> split_hints(b"+OK\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n:1\r\n")
    (b'+OK\r\n:1\r\n', [b'*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n'], b'')
    """
    rest, hints = b"", list[bytes]()
    while match := HINT.search(data):
        rest += data[: match.start()]
        header = LENGTH.match(data, match.end() + int(match[1]) + 2)
        end = header.end() + int(header[1]) + 2 if header else len(data) + 1
        if end > len(data):
            return rest, hints, data[match.start() :]
        hints.append(data[match.start() : end])
        data = data[end:]
    return rest + data, hints, b""


@asynccontextmanager
async def proxied(target: int, seed: int = 0) -> AsyncIterator[Proxy]:
    """A proxy before a port of this machine for the time of the block."""
    proxy = Proxy(target, chance=random.Random(seed))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.stalled.clear()
        server.close()
        proxy.cut()
        for _ in range(200):
            if not proxy.links:
                break
            await asyncio.sleep(0.01)
