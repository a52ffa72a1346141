"""Binance's spot streams as their documentation describes them: trades of BTCUSDT."""

from __future__ import annotations

import asyncio
import itertools

import orjson
from aiohttp import web

from models.records import BtcPrice
from streams.feeds.binance import BinanceOptions
from tests.support.sources_contract import Case, Payload
from tests.support.venues import PERIOD_S, now_us, send, subscription

DOCUMENTED = "developers.binance.com/docs/binance-spot-api-docs/web-socket-streams"
RECORDED = "the recording of 2021-10-12 that cryptofeed keeps (sample_data/BINANCE.ws.1.0)"
AT_MS = 1_781_415_345_435
RECEIVED_US = 1_781_415_345_500_000


def trade(price: str, at: int = AT_MS, symbol: str = "BTCUSDT", number: int = 12345) -> dict[str, object]:
    """A trade; times in milliseconds, or in microseconds where the address asks for them."""
    return {"e": "trade", "E": at, "s": symbol, "t": number, "p": price, "q": "0.01", "T": at, "m": True, "M": True}


def gives(usdt_per_btc: float, at_us: int = AT_MS * 1_000) -> BtcPrice:
    """The price at its trade's time."""
    return BtcPrice(
        series="btc:usdt@binance",
        source="binance",
        event_time_us=at_us,
        receipt_time_us=RECEIVED_US,
        next_due_us=at_us + 10_000_000,
        publish_time_us=at_us,
        usd_per_btc=usdt_per_btc,
    )


def frame(body: object, *given: BtcPrice, cites: str = DOCUMENTED) -> Payload:
    """A frame of the feed."""
    return Payload(feed="binance", body=orjson.dumps(body), cites=cites, receipt_time_us=RECEIVED_US, gives=given)


INVALID = {"error": {"code": 2, "msg": "Invalid request: unknown variant"}, "id": 1}


async def serve(socket: web.WebSocketResponse) -> None:
    """Acknowledge the subscription, then trade; pings of the protocol go with it."""
    asked = await subscription(socket)
    if asked != {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}:
        await send(socket, INVALID)
        return
    await send(socket, {"result": None, "id": 1})
    for count in itertools.count(1):
        await send(socket, trade(f"{64281 + count}.50000000", now_us() // 1_000, number=count))
        await socket.ping()
        await asyncio.sleep(PERIOD_S)


CASE = Case(
    source="binance",
    options=lambda base_url: BinanceOptions(url=f"{base_url.replace('http', 'ws')}/ws"),
    payloads=(
        frame(trade("64281.70000000"), gives(64281.7)),
        frame(trade("64281.70000000", at=AT_MS * 1_000 + 813), gives(64281.7, AT_MS * 1_000 + 813)),
        frame({"stream": "btcusdt@trade", "data": trade("64281.7")}, gives(64281.7)),
        frame(trade("64281.7") | {"b": 88, "a": 50}, gives(64281.7)),
    ),
    ignored=(
        frame(trade("0.001", symbol="BNBBTC")),
        frame({"result": None, "id": 1}),
        frame({"u": 400900217, "s": "BNBUSDT", "b": "25.3519", "B": "31.21", "a": "25.3652", "A": "40.66"}),
        frame({"stream": "nknusdt@aggTrade", "data": {"e": "aggTrade", "s": "NKNUSDT", "p": "0.35"}}, cites=RECORDED),
        frame({"e": "serverShutdown", "E": AT_MS}),
    ),
    refused=(
        frame(INVALID),
        frame({"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}),
        frame(trade("")),
        frame(trade("6.42817")),
        frame(trade("64281.7", at=1_781_415_345)),
        frame(trade("64281.7") | {"T": None}),
        frame({"price": "64281.7"}),
    ),
    serve_socket=serve,
)
