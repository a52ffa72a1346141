"""Coinbase Advanced Trade: the public ticker of BTC-USD, watched by the numbers of its messages.

The ticker has no time of its trade, only the message's (when Coinbase sent it): that is the event time. A snapshot,
sent after a subscription, may state a price of any age at that time; it gives no record, the next update does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from models.records import BtcPrice
from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source, chosen
from streams.feeds.reading import each, integer, iso_us, json_of, number, obj, rows, text
from streams.feeds.venue import Quiet, VenueOptions, frame_object, listening, price
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

NAME = "coinbase"
PRODUCT = "BTC-USD"
SUBSCRIBE = (
    b'{"type":"subscribe","product_ids":["BTC-USD"],"channel":"ticker"}',
    b'{"type":"subscribe","channel":"heartbeats"}',
)
TICKERS = frozenset(("ticker", "ticker_batch"))


class CoinbaseOptions(VenueOptions):
    """Options of Coinbase Advanced Trade."""

    url: Annotated[str, Field(pattern=r"^wss?://\S+$", description="Address of the venue's websocket.")] = (
        "wss://advanced-trade-ws.coinbase.com"
    )


def parse(raw: RawRecord) -> Parsed:
    """Prices of the updates of a ticker message."""
    message = obj(json_of(raw.payload), "the message")
    if message.get("type") == "error":
        raise FeedError(f"coinbase says: {shown(message.get('message'))}")
    parsed = Parsed()
    if text(message, "channel") not in TICKERS:
        return parsed
    event_time_us = iso_us(text(message, "timestamp"))
    for place, event in enumerate(rows(message.get("events"), "events")):
        with each(parsed, f"event {place}"):
            found = obj(event, "it")
            if text(found, "type") == "snapshot":
                continue
            for line, row in enumerate(rows(found.get("tickers"), "tickers")):
                with each(parsed, f"ticker {line}"):
                    parsed.records += tick(raw, obj(row, "it"), event_time_us)
    return parsed


def tick(raw: RawRecord, row: Mapping[str, object], event_time_us: int) -> list[BtcPrice]:
    """The price of a row; none where it is another product's or the empty row of 2024-05-24."""
    if row.get("product_id") != PRODUCT:
        return []
    return [price(raw, NAME, number(row, "price"), event_time_us)]


class CoinbaseWatch:
    """Gives the connection up when a message was lost, on an error, and when heartbeats come alone."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._beat: int | None = None
        self._quiet = Quiet(NAME)

    def frame(self, payload: bytes) -> None:
        """``sequence_num`` counts over all channels of a connection, ``heartbeat_counter`` over heartbeats."""
        message = frame_object(payload)
        if message.get("type") == "error":
            raise FeedError(f"coinbase says: {shown(message.get('message'))}", retriable=True)
        self._number = stepped(self._number, message, "sequence_num")
        if message.get("channel") in TICKERS:
            self._quiet.price()
        if message.get("channel") == "heartbeats":
            self._quiet.heartbeat()
            events = message.get("events")
            for event in events if isinstance(events, list) else []:
                self._beat = stepped(self._beat, event if isinstance(event, dict) else {}, "heartbeat_counter")


def stepped(last: int | None, found: Mapping[str, object], key: str) -> int | None:
    """The highest number so far. FeedError where one or more were left out; repeated and late ones are let pass."""
    try:
        given = integer(found, key)
    except FeedError:
        return last
    if last is not None and given > last + 1:
        raise FeedError(f"coinbase: {key} {given} after {last}: messages were lost", retriable=True)
    return given if last is None else max(last, given)


def build(options: Options, _: Mapping[str, str]) -> Feed:
    """The feed."""
    found = chosen(options, CoinbaseOptions)
    return listening(NAME, found, subscribe=SUBSCRIBE, watch=CoinbaseWatch, parse=parse)


SOURCE = Source(
    name=NAME,
    kind="btc",
    options=CoinbaseOptions,
    parsers={NAME: parse},
    build=build,
    documentation=(
        "https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-overview",
        "https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels",
    ),
    etiquette="one connection, two messages sent; subscribed within 5 s; at most 8 messages a second are allowed",
    unconfirmed=("which limit of connections holds: 750 a second for an address, or one every 4 s",),
)
