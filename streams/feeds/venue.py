"""What sources of the bitcoin price share: options, the record of a price, the count of heartbeats without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from models.records import SECOND_US, BtcPrice
from streams.errors import FeedError
from streams.feeds.contract import Options, Parse
from streams.feeds.reading import json_of
from streams.feeds.websocket import SocketFeed, Watch
from streams.wire import RawRecord

DUE_US = 10 * SECOND_US
"""A venue whose price is older than this [us] has a quiet market or a silent connection."""
MOST_HEARTBEATS = 60
"""Heartbeats without a price after which a connection is given up: sockets have stayed open and silent for hours
(github.com/ccxt/ccxt/issues/21731, issues/17081)."""


class VenueOptions(Options):
    """What may be set of every venue; each gives its own defaults."""

    url: Annotated[str, Field(pattern=r"^wss?://\S+$", description="Address of the venue's websocket.")]
    silent_s: Annotated[
        float, Field(ge=0.1, le=300, description="Longest time without any frame before a new connection [s].")
    ] = 10.0
    rotate_s: Annotated[
        float, Field(ge=0.1, le=86_100, description="Age at which a connection is replaced by a new one [s].")
    ] = 82_800.0


def listening(
    name: str,
    options: VenueOptions,
    *,
    subscribe: Sequence[bytes],
    watch: Callable[[], Watch],
    parse: Parse,
    ping: bytes | None = None,
) -> SocketFeed:
    """The feed of a venue."""
    return SocketFeed(
        name,
        options.url,
        subscribe=subscribe,
        ping=ping,
        silent_s=options.silent_s,
        rotate_s=options.rotate_s,
        watch=watch,
        parse=parse,
    )


def price(
    raw: RawRecord,
    venue: str,
    usd_per_btc: float,
    event_time_us: int,
    *,
    quote: str = "usd",
    publish_time_us: int | None = None,
) -> BtcPrice:
    """A venue's price [USD, or the stablecoin ``quote``] as the record of its series. ValueError where impossible."""
    return BtcPrice(
        series=f"btc:{quote}@{venue}",
        source=venue,
        event_time_us=event_time_us,
        receipt_time_us=raw.receipt_time_us,
        next_due_us=event_time_us + DUE_US,
        publish_time_us=publish_time_us,
        usd_per_btc=usd_per_btc,
    )


def frame_object(payload: bytes) -> Mapping[str, object]:
    """A frame's JSON object for a watch; empty for what cannot be read, which the parser refuses in words."""
    try:
        found = json_of(payload)
    except FeedError:
        return {}
    return found if isinstance(found, dict) else {}


class Quiet:
    """Counts heartbeats that come without a price between them.

    >>> quiet = Quiet("kraken", most=1)
    >>> quiet.heartbeat()
    >>> quiet.heartbeat()
    Traceback (most recent call last):
    streams.errors.FeedError: kraken: 2 heartbeats and no price: the connection is of no use
    """

    def __init__(self, venue: str, most: int = MOST_HEARTBEATS) -> None:
        self._venue = venue
        self._most = most
        self._beats = 0

    def price(self) -> None:
        """A price came."""
        self._beats = 0

    def heartbeat(self) -> None:
        """A heartbeat came. FeedError when too many came in a row."""
        self._beats += 1
        if self._beats > self._most:
            said = f"{self._venue}: {self._beats} heartbeats and no price: the connection is of no use"
            raise FeedError(said, retriable=True)
