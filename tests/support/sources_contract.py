"""What a source's file of documented payloads says: what each payload gives, and how its server behaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from models.commands import Record
from streams.feeds.contract import Options
from streams.wire import RawRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One payload as documented or recorded, when it came, and exactly what it gives.

    ``cites``: the page or the recording that its shape is from. ``faults``: rows of it that must be refused.
    """

    feed: str
    body: bytes
    cites: str
    receipt_time_us: int
    note: str = ""
    gives: tuple[Record, ...] = ()
    faults: int = 0

    def raw(self, body: bytes | None = None) -> RawRecord:
        """The payload, or another body in its place, as the log holds it."""
        return RawRecord(
            self.feed, self.receipt_time_us, "test", 1, self.body if body is None else body, 0, note=self.note
        )


Serve = Callable[[web.Request], web.Response]
"""Answers one HTTP request as the documented server does: what is wrong with it gets the documented error."""
ServeSocket = Callable[[web.WebSocketResponse], Awaitable[None]]
"""Speaks the documented protocol on an open websocket: waits for the subscriptions, acknowledges, sends, and goes on
sending (heartbeats, ticks) until the client closes; returning closes the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A source's documented behaviour, whole.

    ``payloads`` give what they say; ``ignored`` give nothing and no fault; ``refused`` are refused whole. ``options``
    makes the source's options from the base URL of a local server (``http://127.0.0.1:<port>``: a source of websockets
    replaces ``http`` by ``ws``), with polls as short as its bounds allow. ``keys``: what ``build`` gets, by name.
    A source that speaks both has both ``serve`` and ``serve_socket``. ``aggregates``: a number of it is made of several
    rows (a median), so that a payload with a row less gives another number.
    """

    source: str
    payloads: tuple[Payload, ...]
    options: Callable[[str], Options]
    ignored: tuple[Payload, ...] = ()
    refused: tuple[Payload, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    serve: Serve | None = None
    serve_socket: ServeSocket | None = None
    aggregates: bool = False
