"""Kraken's websocket v2 as its documentation describes it: ticker, status, heartbeat."""

from __future__ import annotations

import asyncio
import itertools

import orjson
from aiohttp import web

from models.records import BtcPrice
from streams.feeds.kraken import KrakenOptions
from tests.support.sources_contract import Case, Payload
from tests.support.venues import PERIOD_S, iso_now, send, subscription

DOCUMENTED = "docs.kraken.com/exchange/api-reference/spot-websocket-v2/ticker"
STATUS = "docs.kraken.com/exchange/api-reference/spot-websocket-v2/status"
WITHOUT_TIME = "github.com/ccxt/ccxt pro/kraken.py, a sample of May 2025: no timestamp"
V1 = "the recording of 2021-04-17 that cryptofeed keeps (sample_data/KRAKEN.ws.48.0): the API before v2"
AT = "2026-06-14T05:35:45.435813Z"
AT_US = 1_781_415_345_435_813
RECEIVED_US = 1_781_415_345_500_000


def row(last: object, symbol: str = "BTC/USD", **changes: object) -> dict[str, object]:
    """A row of the ticker; a field changed to ... is left out."""
    found: dict[str, object] = {
        "symbol": symbol,
        "bid": 64281.6,
        "bid_qty": 2.5,
        "ask": 64281.7,
        "ask_qty": 3.2,
        "last": last,
        "volume": 163.28908096,
        "vwap": 64104.39279,
        "low": 63454.0,
        "high": 64727.2,
        "change": 250.0,
        "change_pct": 0.24,
        "timestamp": AT,
    }
    return {key: value for key, value in (found | changes).items() if value is not ...}


def ticker(*rows: dict[str, object], kind: str = "update") -> dict[str, object]:
    """A ticker message."""
    return {"channel": "ticker", "type": kind, "data": list(rows)}


def status(system: str) -> dict[str, object]:
    """A status message; its connection_id lies beyond 2^53."""
    return {
        "channel": "status",
        "type": "update",
        "data": [
            {"version": "2.0.10", "system": system, "api_version": "v2", "connection_id": 6_447_481_662_169_813_001}
        ],
    }


REFUSED = {
    "error": "Currency pair not supported BTC/USX",
    "method": "subscribe",
    "req_id": 1,
    "success": False,
    "symbol": "BTC/USX",
    "time_in": AT,
    "time_out": AT,
}
ACCEPTED = {
    "method": "subscribe",
    "req_id": 1,
    "result": {"channel": "ticker", "event_trigger": "trades", "snapshot": True, "symbol": "BTC/USD"},
    "success": True,
    "time_in": AT,
    "time_out": AT,
}
HEARTBEAT = {"channel": "heartbeat"}


def gives(usd_per_btc: float, at_us: int = AT_US) -> BtcPrice:
    """The last price at its time."""
    return BtcPrice(
        series="btc:usd@kraken",
        source="kraken",
        event_time_us=at_us,
        receipt_time_us=RECEIVED_US,
        next_due_us=at_us + 10_000_000,
        usd_per_btc=usd_per_btc,
    )


def frame(body: object, *given: BtcPrice, faults: int = 0, cites: str = DOCUMENTED) -> Payload:
    """A frame of the feed."""
    written = body if isinstance(body, bytes) else orjson.dumps(body)
    return Payload(feed="kraken", body=written, cites=cites, receipt_time_us=RECEIVED_US, gives=given, faults=faults)


async def serve(socket: web.WebSocketResponse) -> None:
    """Say the status, acknowledge the subscription, send the snapshot, then tick and beat."""
    await send(socket, status("online"))
    asked = await subscription(socket)
    params = asked.get("params")
    if not isinstance(params, dict) or params.get("symbol") != ["BTC/USD"] or params.get("channel") != "ticker":
        await send(socket, REFUSED)
        return
    await send(socket, ACCEPTED)
    await send(socket, ticker(row(64281.7, timestamp=iso_now()), kind="snapshot"))
    for count in itertools.count(1):
        await send(socket, ticker(row(64281.5 + count, timestamp=iso_now())))
        await send(socket, HEARTBEAT)
        await asyncio.sleep(PERIOD_S)


CASE = Case(
    source="kraken",
    options=lambda base_url: KrakenOptions(url=base_url.replace("http", "ws")),
    payloads=(
        frame(ticker(row(64281.7)), gives(64281.7)),
        frame(ticker(row(64282), kind="snapshot"), gives(64282.0)),
        frame(ticker(row(64281.7), row(2500.1, "ETH/USD")), gives(64281.7)),
        frame(ticker(row(64281.7, timestamp=...)), gives(64281.7, RECEIVED_US), cites=WITHOUT_TIME),
        frame(ticker(row(64281.7, timestamp=...), kind="snapshot"), faults=1, cites=WITHOUT_TIME),
        frame(ticker(row(64281.7), row(None), row(64.2817)), gives(64281.7), faults=2),
    ),
    ignored=(
        frame(ticker(row(2500.1, "ETH/USD"))),
        frame(HEARTBEAT),
        frame(status("online"), cites=STATUS),
        frame(status("maintenance"), cites=STATUS),
        frame(ACCEPTED),
        frame({"method": "pong", "req_id": 42, "time_in": AT, "time_out": AT}),
        frame({"channel": "trade", "type": "update", "data": []}),
    ),
    refused=(
        frame(REFUSED),
        frame({"channel": "ticker", "type": "update"}),
        frame({"channel": "ticker", "type": "rumour", "data": []}),
        frame({"event": "heartbeat"}, cites=V1),
        frame([1665, [["5698.40000", "0.1", "1542057299.545897", "b", "l", ""]], "trade", "XBT/USD"], cites=V1),
    ),
    serve_socket=serve,
)
