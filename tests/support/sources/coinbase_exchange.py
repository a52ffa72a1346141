"""Coinbase Exchange as its documentation describes it: ticker with the time of the trade, and heartbeat."""

from __future__ import annotations

import asyncio
import itertools

import orjson
from aiohttp import web

from models.records import BtcPrice
from streams.feeds.coinbase_exchange import CoinbaseExchangeOptions
from tests.support.sources_contract import Case, Payload
from tests.support.venues import PERIOD_S, iso_now, send, subscription

DOCUMENTED = "docs.cdp.coinbase.com/exchange/websocket-feed/channels"
RECORDED = "the recording of 2021-04-17 that cryptofeed keeps (sample_data/COINBASE.ws.28.0)"
AT = "2026-06-14T05:35:45.435813Z"
AT_US = 1_781_415_345_435_813
RECEIVED_US = 1_781_415_345_500_000


def ticker(price: str, trade: int, product: str = "BTC-USD", at: str = AT) -> dict[str, object]:
    """A ticker."""
    return {
        "type": "ticker",
        "sequence": 33_393_879_800 + trade,
        "product_id": product,
        "price": price,
        "open_24h": "64000.01",
        "volume_24h": "9438.12800000",
        "low_24h": "63454",
        "high_24h": "64727.27",
        "volume_30d": "229557.95700000",
        "best_bid": "64281.70",
        "best_ask": "64281.71",
        "side": "buy",
        "time": at,
        "trade_id": trade,
        "last_size": "0.04",
    }


def heartbeat(last_trade: int, at: str = AT) -> dict[str, object]:
    """A heartbeat."""
    sequence = 33_393_879_800 + last_trade
    return {
        "type": "heartbeat",
        "sequence": sequence,
        "last_trade_id": last_trade,
        "product_id": "BTC-USD",
        "time": at,
    }


SUBSCRIBED = {
    "type": "subscriptions",
    "channels": [{"name": "ticker", "product_ids": ["BTC-USD"]}, {"name": "heartbeat", "product_ids": ["BTC-USD"]}],
}


def gives(usd_per_btc: float, at_us: int = AT_US) -> BtcPrice:
    """The price at its trade's time."""
    return BtcPrice(
        series="btc:usd@coinbase-exchange",
        source="coinbase-exchange",
        event_time_us=at_us,
        receipt_time_us=RECEIVED_US,
        next_due_us=at_us + 10_000_000,
        usd_per_btc=usd_per_btc,
    )


def frame(body: object, *given: BtcPrice, cites: str = DOCUMENTED) -> Payload:
    """A frame of the feed."""
    written = body if isinstance(body, bytes) else orjson.dumps(body)
    return Payload(feed="coinbase-exchange", body=written, cites=cites, receipt_time_us=RECEIVED_US, gives=given)


async def serve(socket: web.WebSocketResponse) -> None:
    """Acknowledge the subscription, then tick and beat; the first ticker is the last known one, 18.6 s old."""
    asked = await subscription(socket)
    if asked.get("product_ids") != ["BTC-USD"] or asked.get("channels") != ["ticker", "heartbeat"]:
        await send(socket, {"type": "error", "message": "Failed to subscribe", "reason": "no such channel"})
        return
    await send(socket, SUBSCRIBED)
    for count in itertools.count(1):
        await send(socket, ticker(f"{64281 + count}.50", count, at=iso_now()))
        await send(socket, heartbeat(count, at=iso_now()))
        await asyncio.sleep(PERIOD_S)


OLD = "2026-06-14T05:35:26.9Z"

CASE = Case(
    source="coinbase-exchange",
    options=lambda base_url: CoinbaseExchangeOptions(url=base_url.replace("http", "ws")),
    payloads=(
        frame(ticker("64281.70", 881_613), gives(64281.7)),
        frame(ticker("64281.7", 881_614, at=OLD), gives(64281.7, 1_781_415_326_900_000), cites=RECORDED),
    ),
    ignored=(
        frame(ticker("14.7775", 881_613, product="BAND-GBP"), cites=RECORDED),
        frame(heartbeat(881_613)),
        frame(heartbeat(0), cites="github.com/preichenberger/go-coinbasepro/issues/89: last_trade_id was long 0"),
        frame(SUBSCRIBED),
        frame({"type": "last_match", "trade_id": 1, "product_id": "BTC-USD", "price": "1", "time": AT}),
        frame({"type": "a type of next year"}, cites=f"{DOCUMENTED}: clients ignore types they do not support"),
    ),
    refused=(
        frame({"type": "error", "message": "Failed to subscribe", "reason": "unknown is not a valid channel"}),
        frame(ticker("", 1)),
        frame(ticker("64.28170", 1)),
        frame(ticker("64281.70", 1, at="")),
        frame({"price": "64281.70", "product_id": "BTC-USD"}),
        frame(b"<html>502</html>"),
    ),
    serve_socket=serve,
)
