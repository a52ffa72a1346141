"""Polling over HTTP: one request at a time, whole bodies only, the source's own limits kept.

A poll is data: what came is appended unchanged (inflated where it came as gzip) before anything is read into it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import aiohttp
import orjson

from streams.errors import FeedError
from streams.feeds.contract import Appender, Parse
from streams.feeds.http_answers import (
    AbsentError,
    Answer,
    Request,
    clean,
    moved,
    refused,
    retry_after_s,
    whole_body,
    words,
)
from streams.feeds.reading import json_of, rows
from streams.fleetfile_errors import shown
from streams.now import now_us
from streams.wire import RawRecord

__all__ = ["Answer", "Client", "PollFeed", "Request", "joined", "parts_of"]

AGENT = "changeover"
MOST_REDIRECTS = 3
NOT_FOUND = 404
REDIRECTS = frozenset((301, 302, 303, 307, 308))
JITTER = 0.1
MOST_FAILURES_OF_A_ROUND = 2
MOST_PLACES = 256
"""Answers remembered to be compared with the next: more than any round asks for, and files of days gone by fall out."""


class Client:
    """Asks one source; an async context manager, which may be entered again after it was left.

    ``pause_s``: least time between the starts of two requests [s], also across a new start of the feed.
    ``timeout_s``: longest time for one answer [s].
    """

    def __init__(self, source: str, *, pause_s: float = 0.0, timeout_s: float = 20.0, agent: str = AGENT) -> None:
        self.source = source
        self._pause_s = pause_s
        self._timeout_s = timeout_s
        self._agent = agent
        self._next_s = 0.0  # by the loop's clock, which no one sets back
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session; nothing is asked yet."""
        self._session = aiohttp.ClientSession(
            auto_decompress=False,  # aiohttp takes a gzip body that was cut off for a whole one
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers={"User-Agent": self._agent, "Accept-Encoding": "gzip"},
        )
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(self, request: Request) -> Answer:
        """Ask once and wait for the whole answer.

        Raises:
            AbsentError: 404 to a request whose file may not be there yet.
            FeedError: no answer, a broken one or any status but 2xx; ``retriable`` unless the request itself is wrong,
                ``retry_after_s`` where the source gave a time. 401 and 403 say that the key must be checked.
        """
        if self._session is None:
            raise TypeError("a Client is used inside `async with`")
        await self._wait_for_turn()
        try:
            return await self._asked(self._session, request)
        except TimeoutError as fault:
            raise FeedError(f"{request.place}: no whole answer within {self._timeout_s:g} s", retriable=True) from fault
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            said = clean(str(fault), request) or "no words"
            raise FeedError(f"{request.place}: {type(fault).__name__}: {said}", retriable=True) from None

    async def _asked(self, session: aiohttp.ClientSession, request: Request) -> Answer:
        """One answer, after redirects."""
        url, query = request.url, request.query
        for _ in range(MOST_REDIRECTS + 1):
            async with session.request(
                request.method, url, params=query, headers=request.headers, data=request.body, allow_redirects=False
            ) as response:
                body = await whole_body(response, request)
                receipt_time_us = now_us()
                if response.status == NOT_FOUND and request.may_be_absent:
                    raise AbsentError(f"{request.place}: not there yet")
                if response.status not in REDIRECTS:
                    if not 200 <= response.status < 300:
                        raise self._refused(request, response, body)
                    return Answer(request=request, status=response.status, body=body, receipt_time_us=receipt_time_us)
                url, query = moved(request, url, response.headers.get("Location", "")), {}
        raise FeedError(f"{request.place}: redirected more than {MOST_REDIRECTS} times")

    async def _wait_for_turn(self) -> None:
        """Wait until the next request may start, and take that turn."""
        loop = asyncio.get_running_loop()
        if self._next_s > loop.time():
            await asyncio.sleep(self._next_s - loop.time())
        self._next_s = loop.time() + self._pause_s

    def _refused(self, request: Request, response: aiohttp.ClientResponse, body: bytes) -> FeedError:
        """The error of an answer that is not 2xx; keeps the source's Retry-After."""
        status = response.status
        wait_s = retry_after_s(response.headers.get("Retry-After", ""), now_us()) if status in {429, 503} else None
        if wait_s is not None:
            self._next_s = max(self._next_s, asyncio.get_running_loop().time() + wait_s)
        return refused(
            f"{request.place}: {status} {response.reason or ''}".rstrip(), status, words(body, request), wait_s
        )


class PollFeed:
    """A feed that asks the same things again and again.

    ``requests`` gives the requests of a round that begins at a time [us UTC]; they are asked and appended in order.
    A round begins ``every_s`` [s] after the last began, give or take a tenth so that many machines do not ask at the
    same moment. ``only_changes``: an answer equal to the round before is not appended. ``check`` is the parser: an
    answer that it refuses whole is appended and then reported, so that the service's growing pause applies.
    """

    def __init__(
        self,
        name: str,
        requests: Callable[[int], Sequence[Request]],
        *,
        every_s: float,
        pause_s: float = 0.0,
        timeout_s: float = 20.0,
        only_changes: bool = False,
        check: Parse | None = None,
    ) -> None:
        self.name = name
        self._requests = requests
        self._every_s = every_s
        self._client = Client(name, pause_s=pause_s, timeout_s=timeout_s)
        self._only_changes = only_changes
        self._check = check
        self._seen: dict[bytes, bytes] = {}

    async def run(self, out: Appender) -> None:
        """Poll until cancelled. FeedError at the end of a round in which something failed."""
        loop = asyncio.get_running_loop()
        async with self._client as client:
            while True:
                began = loop.time()
                await self._round(client, out)
                period_s = self._every_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 jitter guards no secret
                await asyncio.sleep(max(0.0, began + period_s - loop.time()))

    async def _round(self, client: Client, out: Appender) -> None:
        """Ask everything once. One failure costs the others nothing; two, or a source that asks for peace, end it."""
        failures: list[FeedError] = []
        asked = [(place_of(request), request) for request in self._requests(now_us())]
        for place, request in asked:
            try:
                await self._keep(place, await client.fetch(request), out)
            except AbsentError:
                continue
            except FeedError as fault:
                failures.append(fault)
                if not fault.retriable or fault.retry_after_s is not None or len(failures) >= MOST_FAILURES_OF_A_ROUND:
                    break
        if failures:
            raise failures[0]

    async def _keep(self, place: bytes, answer: Answer, out: Appender) -> None:
        """Append an answer, then let the parser look at it."""
        request = answer.request
        digest = hashlib.blake2b(answer.body).digest()
        if self._only_changes and self._seen.get(place) == digest:
            return
        await out.append(request.feed, answer.receipt_time_us, answer.body, request.note)
        if self._check is not None:
            raw = RawRecord(request.feed, answer.receipt_time_us, "", 0, answer.body, note=request.note)
            try:
                self._check(raw)
            except (FeedError, ValueError) as fault:
                raise FeedError(f"{request.place}: {fault}", retriable=True) from fault
        self._seen.pop(place, None)
        self._seen[place] = digest
        for oldest in list(self._seen)[:-MOST_PLACES]:
            del self._seen[oldest]


def place_of(request: Request) -> bytes:
    """What tells requests of a round apart."""
    asked = (request.feed, request.url, sorted(request.query.items()), str(request.body), request.note)
    return hashlib.blake2b(repr(asked).encode()).digest()


def joined(parts: Sequence[tuple[str, bytes]]) -> bytes:
    """Several answers that only mean something together, as one payload: a JSON list of [label, coding, text].

    >>> joined([("fees", b"{}"), ("zip", bytes([255]))])
    b'[["fees","utf-8","{}"],["zip","base64","/w=="]]'
    """
    packed: list[tuple[str, str, str]] = []
    for label, body in parts:
        try:
            packed.append((label, "utf-8", body.decode()))
        except UnicodeDecodeError:
            packed.append((label, "base64", base64.b64encode(body).decode()))
    return orjson.dumps(packed)


def parts_of(payload: bytes) -> list[tuple[str, bytes]]:
    r"""What :func:`joined` put together. FeedError where the payload is something else.

    >>> parts_of(joined([("fees", b"{}"), ("zip", bytes([255]))]))
    [('fees', b'{}'), ('zip', b'\xff')]
    """
    found: list[tuple[str, bytes]] = []
    for row in rows(json_of(payload), "the payload", 1_000):
        match row:
            case [str(label), "utf-8", str(body)]:
                found.append((label, body.encode()))
            case [str(label), "base64", str(body)]:
                try:
                    found.append((label, base64.b64decode(body.encode(), validate=True)))
                except ValueError as fault:
                    raise FeedError(f"part {shown(label)} is not base64: {fault}") from fault
            case _:
                raise FeedError(f"a part of the payload is {shown(row)}, not [label, coding, text]")
    return found
