"""Binance spot: every trade of BTC against the stablecoin USDT. It is no price in dollars and its series says so.

USDT has stood up to 0.96 % away from the dollar at the hour (2022); whoever uses the series needs room for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source, chosen
from streams.feeds.reading import integer, json_of, number, obj, text
from streams.feeds.venue import VenueOptions, frame_object, listening, price
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

NAME = "binance"
SYMBOL = "BTCUSDT"
SUBSCRIBE = (b'{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}',)
FIRST_MICROSECONDS = 100_000_000_000_000
"""From here on a time is in microseconds (1973 on), below in milliseconds (until the year 5138)."""
BOOK_TICKER = frozenset("usbBaA")
"""The fields of the one event of the spot streams that names itself nowhere."""


class BinanceOptions(VenueOptions):
    """Options of Binance."""

    url: Annotated[str, Field(pattern=r"^wss?://\S+$", description="Address of the venue's websocket.")] = (
        "wss://data-stream.binance.vision/ws"
    )
    silent_s: Annotated[
        float, Field(ge=0.1, le=300, description="Longest time without any frame before a new connection [s].")
    ] = 30.0


def error_of(message: Mapping[str, object]) -> str | None:
    """What an error message says, None where it is none."""
    found = message.get("error", message)
    if isinstance(found, dict) and "code" in found and "msg" in found:
        return f"binance says: {shown(found['code'])} {shown(found['msg'])}"
    return None


def parse(raw: RawRecord) -> Parsed:
    """The price of a trade, alone or wrapped as streams combined in one connection are."""
    message = obj(json_of(raw.payload), "the message")
    said = error_of(message)
    if said is not None:
        raise FeedError(said)
    event = obj(message["data"], "data") if "stream" in message and "data" in message else message
    if "result" in event or event.keys() == BOOK_TICKER:
        return Parsed()
    if text(event, "e") != "trade" or text(event, "s") != SYMBOL:
        return Parsed()
    usdt_per_btc = number(event, "p")
    event_time_us, publish_time_us = moment_us(integer(event, "T")), moment_us(integer(event, "E"))
    return Parsed([price(raw, NAME, usdt_per_btc, event_time_us, quote="usdt", publish_time_us=publish_time_us)])


def moment_us(value: int) -> int:
    """A time of Binance [us UTC], given in milliseconds or microseconds.

    >>> moment_us(1672515782136), moment_us(1672515782136000)
    (1672515782136000, 1672515782136000)
    """
    return value if value >= FIRST_MICROSECONDS else value * 1_000


class BinanceWatch:
    """Gives the connection up on an error and on the notice of a shutdown."""

    def frame(self, payload: bytes) -> None:
        """Trades have no heartbeats between them: silence is the transport's to notice."""
        message = frame_object(payload)
        said = error_of(message)
        if said is not None:
            raise FeedError(said, retriable=True)
        if message.get("e") == "serverShutdown":
            raise FeedError("binance: the server shuts down", retriable=True)


def build(options: Options, _: Mapping[str, str]) -> Feed:
    """The feed."""
    found = chosen(options, BinanceOptions)
    return listening(NAME, found, subscribe=SUBSCRIBE, watch=BinanceWatch, parse=parse)


SOURCE = Source(
    name=NAME,
    kind="btc",
    options=BinanceOptions,
    parsers={NAME: parse},
    build=build,
    documentation=("https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams",),
    etiquette="one connection, replaced before the 24 h it may live; one message sent, 5 a second are allowed",
    unconfirmed=("whether an address in the United States is refused (451)",),
)
