"""What is asked over HTTP and how an answer is taken: whole, of bounded size, refused in words without secrets."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp

from streams.errors import FeedError
from streams.feeds.reading import looks_like
from streams.fleetfile_errors import shown
from streams.wire import MAX_MESSAGE_BYTES

LONGEST_WAIT_S = 3_600.0
"""A Retry-After beyond this [s] is cut: the source is asked again after an hour whatever it said."""
SHOWN_WORDS = 160
SHORTEST_SECRET = 6
GZIP = 16 + zlib.MAX_WBITS


class AbsentError(FeedError):
    """What was asked for is not there yet, and the request said that this may be so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request and the parser its answer is for. ``headers``, ``query`` and ``body`` may hold secrets.

    ``may_be_absent``: it asks for a file that is published at a time not known exactly, and 404 says that it is not
    there yet.
    """

    feed: str
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    note: str = ""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    may_be_absent: bool = False

    @property
    def place(self) -> str:
        """The request as messages name it: method, host and path, no query."""
        return f"{self.method} {named(self.url)}"

    def secrets(self) -> set[str]:
        """Whatever a message must not repeat."""
        form = dict(parse_qsl((self.body or b"").decode("utf-8", "replace")))
        values = [*self.headers.values(), *self.query.values(), *form.values()]
        values += dict(parse_qsl(urlsplit(self.url).query)).values()
        parts = {part for value in values for part in (value, *value.split())}
        return {part for part in parts if len(part) >= SHORTEST_SECRET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole 2xx answer. ``receipt_time_us`` [us UTC] is when its last byte came."""

    request: Request
    status: int
    body: bytes
    receipt_time_us: int


def named(url: str) -> str:
    """A URL without query, user and password.

    >>> named("https://me:secret@api.example.com:8443/v1/prices?key=secret")
    'https://api.example.com:8443/v1/prices'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def refused(place: str, status: int, said: str, wait_s: float | None = None) -> FeedError:
    """The error of a status that is not 2xx, in words that say what to do."""
    todo = {
        401: "; check the key of this source",
        403: "; check the key of this source, or it refuses this address",
        404: "; check the address among this source's settings",
        429: "; asked too often",
        451: "; not offered where this machine stands",
    }.get(status, "")
    waits = f"; asks to wait {wait_s:g} s" if wait_s is not None else ""
    retriable = status >= 500 or status in {408, 425, 429}
    return FeedError(f"{place}{todo}{waits}{f': {said}' if said else ''}", retriable=retriable, retry_after_s=wait_s)


def retry_after_s(value: str, at_us: int) -> float | None:
    """A Retry-After header [s from ``at_us``], whether seconds or a date; None where it is neither.

    >>> retry_after_s("120", 0), retry_after_s("Thu, 01 Jan 1970 00:02:00 GMT", 0), retry_after_s("soon", 0)
    (120.0, 120.0, None)
    """
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(float(value), LONGEST_WAIT_S)
    try:
        wait_s = parsedate_to_datetime(value).timestamp() - at_us / 1e6
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)


def moved(request: Request, url: str, location: str) -> str:
    """Where a redirect leads. A request that may hold a key stays on its host; none goes from https to http."""
    target = urljoin(url, location)
    elsewhere = urlsplit(target)[:2] != urlsplit(url)[:2]
    if not location or request.method != "GET" or (elsewhere and (request.headers or request.query)):
        raise FeedError(f"{request.place}: moved to {named(target)}, which is not followed; set the new address")
    if url.startswith("https:") and not target.startswith("https:"):
        raise FeedError(f"{request.place}: moved to {named(target)}, which is not encrypted")
    return target


async def whole_body(response: aiohttp.ClientResponse, request: Request) -> bytes:
    """The body, inflated. FeedError where it is larger than the log takes or its gzip is broken or cut off."""
    received = bytearray()
    async for piece in response.content.iter_any():
        received += piece
        if len(received) > MAX_MESSAGE_BYTES:
            raise FeedError(f"{request.place}: the answer is over {MAX_MESSAGE_BYTES} bytes")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        return bytes(received)
    if encoding not in {"gzip", "x-gzip"}:
        raise FeedError(f"{request.place}: the answer is packed as {shown(encoding)}, which was not asked for")
    try:
        return inflated(bytes(received))
    except (zlib.error, ValueError) as fault:
        raise FeedError(f"{request.place}: the answer's gzip is broken: {fault}", retriable=True) from fault


def inflated(body: bytes, most_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """What a gzip body holds. zlib.error or ValueError where it is broken, cut off or larger than ``most_bytes``."""
    found = bytearray()
    rest = body
    while rest:
        stream = zlib.decompressobj(GZIP)
        found += stream.decompress(rest, most_bytes - len(found) + 1)
        if len(found) > most_bytes:
            raise ValueError(f"it holds more than {most_bytes} bytes")
        if not stream.eof:
            raise ValueError("it is cut off")
        rest = stream.unused_data
    return bytes(found)


def words(body: bytes, request: Request) -> str:
    """The first words of an error's body in one line, without what the request holds of secrets."""
    kind = looks_like(body)
    if kind != "cut off or another format":
        return kind
    return clean(body[: 8 * SHOWN_WORDS].decode("utf-8", "replace"), request)


def clean(said: str, request: Request) -> str:
    """One line of what a source or a library said, without the request's secrets."""
    for secret in sorted(request.secrets(), key=len, reverse=True):
        said = said.replace(secret, "***")
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
    return line if len(line) <= SHOWN_WORDS else f"{line[:SHOWN_WORDS]}..."
