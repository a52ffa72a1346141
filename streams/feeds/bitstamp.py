"""Bitstamp's websocket v2: every trade of BTC/USD, with its time to the microsecond.

Trades have no sequence number. Their time may lie tens of milliseconds after receipt (a recording of 2022): clocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source, chosen
from streams.feeds.reading import decimal_text, integer, json_of, obj, text
from streams.feeds.venue import Quiet, VenueOptions, frame_object, listening, price
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

NAME = "bitstamp"
CHANNEL = "live_trades_btcusd"
SUBSCRIBE = (b'{"event":"bts:subscribe","data":{"channel":"live_trades_btcusd"}}',)
PING = b'{"event":"bts:heartbeat"}'
"""Answered by the venue with an event of the same name, so that a quiet market is told from a dead connection."""


class BitstampOptions(VenueOptions):
    """Options of Bitstamp."""

    url: Annotated[str, Field(pattern=r"^wss?://\S+$", description="Address of the venue's websocket.")] = (
        "wss://ws.bitstamp.net"
    )
    silent_s: Annotated[
        float, Field(ge=0.1, le=300, description="Longest time without any frame before a new connection [s].")
    ] = 25.0


def parse(raw: RawRecord) -> Parsed:
    """The price of a trade."""
    message = obj(json_of(raw.payload), "the message")
    event = text(message, "event")
    if event == "bts:error":
        raise FeedError(f"bitstamp says: {shown(message.get('data'))}")
    if event != "trade" or text(message, "channel") != CHANNEL:
        return Parsed()
    trade = obj(message.get("data"), "data")
    # price is a JSON number beside it; the text is what was traded at
    usd_per_btc = decimal_text(text(trade, "price_str"), "price_str")
    return Parsed([price(raw, NAME, usd_per_btc, integer(trade, "microtimestamp"))])


class BitstampWatch:
    """Gives the connection up on an error, when the venue asks for a new one, and when heartbeats come alone."""

    def __init__(self) -> None:
        self._quiet = Quiet(NAME, most=30)  # heartbeats come when asked, every 10 s

    def frame(self, payload: bytes) -> None:
        """Look at the event."""
        message = frame_object(payload)
        match message.get("event"):
            case "bts:error":
                raise FeedError(f"bitstamp says: {shown(message.get('data'))}", retriable=True)
            case "bts:request_reconnect":
                raise FeedError("bitstamp asks for a new connection", retriable=True)
            case "trade":
                self._quiet.price()
            case "bts:heartbeat":
                self._quiet.heartbeat()
            case _:
                pass


def build(options: Options, _: Mapping[str, str]) -> Feed:
    """The feed."""
    found = chosen(options, BitstampOptions)
    return listening(NAME, found, subscribe=SUBSCRIBE, watch=BitstampWatch, parse=parse, ping=PING)


SOURCE = Source(
    name=NAME,
    kind="btc",
    options=BitstampOptions,
    parsers={NAME: parse},
    build=build,
    documentation=("https://www.bitstamp.net/websocket/v2/",),
    etiquette="one connection, replaced daily (90 days are allowed); one heartbeat every 10 s",
    unconfirmed=("the payload of bts:request_reconnect; its name is enough for the feed",),
)
