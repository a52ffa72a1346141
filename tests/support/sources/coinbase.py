"""Coinbase Advanced Trade as its documentation describes it: ticker and heartbeats, numbered over both."""

from __future__ import annotations

import asyncio
import itertools

import orjson
from aiohttp import web

from models.records import BtcPrice
from streams.feeds.coinbase import CoinbaseOptions
from tests.support.sources_contract import Case, Payload
from tests.support.venues import PERIOD_S, iso_now, send, subscription

DOCUMENTED = "docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels"
EMPTY = "github.com/ccxt/ccxt python/ccxt/pro/coinbase.py, a comment of 2024-05-24: the empty ticker"
BEATS = "github.com/hummingbot/hummingbot/pull/6458, a log of 2023-10-23: the form of current_time"
AT = "2026-06-14T05:35:45.435813533Z"
AT_US = 1_781_415_345_435_813
RECEIVED_US = 1_781_415_345_500_000


def message(channel: str, number: int, event: object, at: str = AT) -> bytes:
    """A message of a channel."""
    return orjson.dumps(
        {"channel": channel, "client_id": "", "timestamp": at, "sequence_num": number, "events": [event]}
    )


def row(price: str, product: str = "BTC-USD") -> dict[str, str]:
    """A row of the ticker channel."""
    return {
        "type": "ticker",
        "product_id": product,
        "price": price,
        "volume_24_h": "3974.98800786",
        "low_24_h": "63454",
        "high_24_h": "64727.27",
        "low_52_w": "59073.01",
        "high_52_w": "126296",
        "price_percent_chg_24_h": "1.21471769193719",
        "best_bid": "64281.7",
        "best_ask": "64281.71",
        "best_bid_quantity": "0.21558849",
        "best_ask_quantity": "0.02287045",
    }


def ticks(*rows: dict[str, str], kind: str = "update") -> dict[str, object]:
    """An event of the ticker channel."""
    return {"type": kind, "tickers": list(rows)}


def beat(counter: int | str) -> dict[str, object]:
    """An event of the heartbeats channel."""
    current = "2026-06-14 05:35:45.362521689 +0000 UTC m=+425760.164580852"
    return {"current_time": current, "heartbeat_counter": counter}


SUBSCRIBED = {"subscriptions": {"ticker": ["BTC-USD"], "heartbeats": ["heartbeats"]}}


def gives(usd_per_btc: float) -> BtcPrice:
    """The price at the message's time, cut to microseconds."""
    return BtcPrice(
        series="btc:usd@coinbase",
        source="coinbase",
        event_time_us=AT_US,
        receipt_time_us=RECEIVED_US,
        next_due_us=AT_US + 10_000_000,
        usd_per_btc=usd_per_btc,
    )


def frame(body: bytes, *given: BtcPrice, faults: int = 0, cites: str = DOCUMENTED) -> Payload:
    """A frame of the feed."""
    return Payload(feed="coinbase", body=body, cites=cites, receipt_time_us=RECEIVED_US, gives=given, faults=faults)


async def serve(socket: web.WebSocketResponse) -> None:
    """Acknowledge both subscriptions, then tick and beat."""
    numbers = itertools.count()
    for channel in ("ticker", "heartbeats"):
        asked = await subscription(socket)
        wrong = asked.get("channel") != channel or (channel == "ticker" and asked.get("product_ids") != ["BTC-USD"])
        if wrong or asked.get("type") != "subscribe":
            await send(socket, {"type": "error", "message": "failed to subscribe"})
            return
        await send(socket, message("subscriptions", next(numbers), SUBSCRIBED, iso_now()))
    await send(socket, message("ticker", next(numbers), ticks(row("64281.7"), kind="snapshot"), iso_now()))
    for count in itertools.count(1):
        await send(socket, message("ticker", next(numbers), ticks(row(f"{64281 + count}.5")), iso_now()))
        await send(socket, message("heartbeats", next(numbers), beat(count), iso_now()))
        await asyncio.sleep(PERIOD_S)


CASE = Case(
    source="coinbase",
    options=lambda base_url: CoinbaseOptions(url=base_url.replace("http", "ws")),
    payloads=(
        frame(message("ticker", 16, ticks(row("64281.7"))), gives(64281.7)),
        frame(message("ticker", 17, ticks(row("64281.70"), row("2500.1", "ETH-USD"))), gives(64281.7)),
        frame(message("ticker", 18, ticks(row("64281.71"), row("not a number"))), gives(64281.71), faults=1),
        frame(message("ticker", 19, ticks(row("64.28170"))), faults=1),
    ),
    ignored=(
        frame(message("ticker", 2, ticks(row("64281.7"), kind="snapshot"))),
        frame(message("ticker", 20, ticks(row("", product=""))), cites=EMPTY),
        frame(message("ticker", 21, ticks(row("2500.1", "ETH-USD")))),
        frame(message("heartbeats", 3, beat(14191)), cites=BEATS),
        frame(message("heartbeats", 4, beat("3049"))),
        frame(message("subscriptions", 0, SUBSCRIBED)),
        frame(message("market_trades", 5, {"type": "update", "trades": []})),
    ),
    refused=(
        frame(b'{"type":"error","message":"failed to subscribe"}', cites="github.com/ccxt/ccxt pro/coinbase.py"),
        frame(message("ticker", 22, ticks(row("64281.7")), at="2026-06-14T05:35:45")),
        frame(b'{"channel":"ticker","timestamp":"2026-06-14T05:35:45Z","sequence_num":1}'),
        frame(b"{}"),
    ),
    serve_socket=serve,
)
