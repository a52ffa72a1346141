"""Coinbase Exchange: the public ticker of BTC-USD with its trades' times, watched by the heartbeat's last trade.

The first ticker after a subscription is the last known one (18.6 s old in a recording): its own time says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source, chosen
from streams.feeds.reading import integer, iso_us, json_of, number, obj, text
from streams.feeds.venue import Quiet, VenueOptions, frame_object, listening, price
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

NAME = "coinbase-exchange"
PRODUCT = "BTC-USD"
SUBSCRIBE = (b'{"type":"subscribe","product_ids":["BTC-USD"],"channels":["ticker","heartbeat"]}',)
MOST_BEHIND = 3
"""Heartbeats in a row that name a trade which the ticker has not shown, after which the ticker is taken as stalled."""


class CoinbaseExchangeOptions(VenueOptions):
    """Options of Coinbase Exchange."""

    url: Annotated[str, Field(pattern=r"^wss?://\S+$", description="Address of the venue's websocket.")] = (
        "wss://ws-feed.exchange.coinbase.com"
    )


def error_of(message: Mapping[str, object]) -> str:
    """What an error message says."""
    return f"coinbase-exchange says: {shown(message.get('message'))} ({shown(message.get('reason'))})"


def parse(raw: RawRecord) -> Parsed:
    """The price of a ticker message."""
    message = obj(json_of(raw.payload), "the message")
    kind = text(message, "type")
    if kind == "error":
        raise FeedError(error_of(message))
    if kind != "ticker" or text(message, "product_id") != PRODUCT:
        return Parsed()
    return Parsed([price(raw, NAME, number(message, "price"), iso_us(text(message, "time")))])


class ExchangeWatch:
    """Gives the connection up on an error, when the ticker lags behind the heartbeats, and when they come alone.

    The ticker does not carry every ``sequence``, so a gap in it says nothing; ``last_trade_id`` does, unless it is 0.
    """

    def __init__(self) -> None:
        self._trade = 0
        self._behind = 0
        self._quiet = Quiet(NAME)

    def frame(self, payload: bytes) -> None:
        """Compare trades shown with trades named."""
        message = frame_object(payload)
        kind = message.get("type")
        if kind == "error":
            raise FeedError(error_of(message), retriable=True)
        if kind == "ticker" and message.get("product_id") == PRODUCT:
            self._quiet.price()
            self._trade = max(self._trade, known(message, "trade_id"))
            self._behind = 0
        elif kind == "heartbeat":
            self._quiet.heartbeat()
            named = known(message, "last_trade_id")
            self._behind = self._behind + 1 if named > self._trade else 0
            if self._behind > MOST_BEHIND:
                said = f"coinbase-exchange: trade {named} in {self._behind} heartbeats, not in the ticker"
                raise FeedError(said, retriable=True)


def known(message: Mapping[str, object], key: str) -> int:
    """A number, 0 where there is none."""
    try:
        return integer(message, key)
    except FeedError:
        return 0


def build(options: Options, _: Mapping[str, str]) -> Feed:
    """The feed."""
    found = chosen(options, CoinbaseExchangeOptions)
    return listening(NAME, found, subscribe=SUBSCRIBE, watch=ExchangeWatch, parse=parse)


SOURCE = Source(
    name=NAME,
    kind="btc",
    options=CoinbaseExchangeOptions,
    parsers={NAME: parse},
    build=build,
    documentation=(
        "https://docs.cdp.coinbase.com/exchange/websocket-feed/overview",
        "https://docs.cdp.coinbase.com/exchange/websocket-feed/channels",
        "https://docs.cdp.coinbase.com/exchange/websocket-feed/rate-limits",
    ),
    etiquette="one connection, one message sent; 8 connections a second for an address are allowed",
)
