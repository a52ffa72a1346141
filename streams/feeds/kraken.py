"""Kraken's websocket v2: the ticker of BTC/USD on every trade.

``timestamp`` is optional (a sample of 2025 lacks it). An update without it is new, so its receipt stands for its time;
a snapshot without it may be of any age and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from models.records import BtcPrice
from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source, chosen
from streams.feeds.reading import each, iso_us, json_of, number, obj, rows, text
from streams.feeds.venue import Quiet, VenueOptions, frame_object, listening, price
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

NAME = "kraken"
SYMBOL = "BTC/USD"
PARAMS = b'{"channel":"ticker","symbol":["BTC/USD"],"event_trigger":"trades","snapshot":true}'
SUBSCRIBE = (b'{"method":"subscribe","params":%b,"req_id":1}' % PARAMS,)
TRADES = frozenset(("online", "post_only"))
"""The states of its system in which trades may happen."""


class KrakenOptions(VenueOptions):
    """Options of Kraken."""

    url: Annotated[str, Field(pattern=r"^wss?://\S+$", description="Address of the venue's websocket.")] = (
        "wss://ws.kraken.com/v2"
    )


def parse(raw: RawRecord) -> Parsed:
    """Prices of a ticker message."""
    message = obj(json_of(raw.payload), "the message")
    if message.get("success") is False or ("error" in message and "channel" not in message):
        raise FeedError(f"kraken says: {shown(message.get('error'))}")
    parsed = Parsed()
    if "method" in message or text(message, "channel") != "ticker":
        return parsed
    kind = text(message, "type")
    if kind not in {"snapshot", "update"}:
        raise FeedError(f"type is {shown(kind)}, neither snapshot nor update")
    for place, row in enumerate(rows(message.get("data"), "data")):
        with each(parsed, f"row {place}"):
            parsed.records += tick(raw, obj(row, "it"), is_new=kind == "update")
    return parsed


def tick(raw: RawRecord, row: Mapping[str, object], *, is_new: bool) -> list[BtcPrice]:
    """The price of a row; none where it is another pair's."""
    if text(row, "symbol") != SYMBOL:
        return []
    if is_new and "timestamp" not in row:
        return [price(raw, NAME, number(row, "last"), raw.receipt_time_us)]
    return [price(raw, NAME, number(row, "last"), iso_us(text(row, "timestamp")))]


class KrakenWatch:
    """Gives the connection up on an error, while Kraken does not trade, and when heartbeats come alone."""

    def __init__(self) -> None:
        self._quiet = Quiet(NAME)

    def frame(self, payload: bytes) -> None:
        """The ticker has no sequence number: what is lost between two updates cannot be seen."""
        message = frame_object(payload)
        if message.get("success") is False:
            raise FeedError(f"kraken says: {shown(message.get('error'))}", retriable=True)
        match message:
            case {"channel": "ticker"}:
                self._quiet.price()
            case {"channel": "heartbeat"}:
                self._quiet.heartbeat()
            case {"channel": "status", "data": [{"system": str(system)}, *_]} if system not in TRADES:
                raise FeedError(f"kraken: its system is in state {shown(system)}", retriable=True)
            case _:
                pass


def build(options: Options, _: Mapping[str, str]) -> Feed:
    """The feed."""
    found = chosen(options, KrakenOptions)
    return listening(NAME, found, subscribe=SUBSCRIBE, watch=KrakenWatch, parse=parse)


SOURCE = Source(
    name=NAME,
    kind="btc",
    options=KrakenOptions,
    parsers={NAME: parse},
    build=build,
    documentation=(
        "https://docs.kraken.com/exchange/api-reference/spot-websocket-v2/ticker",
        "https://docs.kraken.com/exchange/api-reference/spot-websocket-v2/status",
        "https://docs.kraken.com/exchange/guides/websockets/introduction",
    ),
    etiquette="one connection, one message sent; about 150 connections in 10 minutes for an address are allowed",
    unconfirmed=("the limit of connections: 150 in 10 minutes, then a ban of 10 minutes",),
)
