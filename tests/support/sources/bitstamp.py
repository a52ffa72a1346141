"""Bitstamp's websocket v2 as its documentation describes it: live trades of one pair."""

from __future__ import annotations

import asyncio
import itertools

import orjson
from aiohttp import web

from models.records import BtcPrice
from streams.feeds.bitstamp import BitstampOptions
from tests.support.sources_contract import Case, Payload
from tests.support.venues import PERIOD_S, now_us, send, subscription

DOCUMENTED = "www.bitstamp.net/websocket/v2"
RECORDED = "the recording of 2022-01-05 that cryptofeed keeps (sample_data/BITSTAMP)"
AT_US = 1_781_415_345_435_813
RECEIVED_US = 1_781_415_345_400_000  # before the trade: clocks differ by tens of milliseconds


def trade(written: str, at_us: int = AT_US, pair: str = "btcusd", **changes: object) -> dict[str, object]:
    """A trade; a field of it changed to ... is left out."""
    found: dict[str, object] = {
        "id": 216_000_477,
        "timestamp": str(at_us // 1_000_000),
        "amount": 0.0792,
        "amount_str": "0.07920000",
        "price": 64281.7,
        "price_str": written,
        "type": 0,
        "microtimestamp": str(at_us),
        "buy_order_id": 1_443_875_737_346_049,
        "sell_order_id": 1_443_875_731_320_832,
    }
    data = {key: value for key, value in (found | changes).items() if value is not ...}
    return {"data": data, "channel": f"live_trades_{pair}", "event": "trade"}


def event(name: str, channel: str = "", data: object | None = None) -> dict[str, object]:
    """An event of the connection."""
    return {"event": name, "channel": channel, "data": {} if data is None else data}


def gives(usd_per_btc: float) -> BtcPrice:
    """The price at its trade's time."""
    return BtcPrice(
        series="btc:usd@bitstamp",
        source="bitstamp",
        event_time_us=AT_US,
        receipt_time_us=RECEIVED_US,
        next_due_us=AT_US + 10_000_000,
        usd_per_btc=usd_per_btc,
    )


def frame(body: object, *given: BtcPrice, cites: str = DOCUMENTED) -> Payload:
    """A frame of the feed."""
    return Payload(feed="bitstamp", body=orjson.dumps(body), cites=cites, receipt_time_us=RECEIVED_US, gives=given)


UNAUTHORISED = event("bts:error", data={"code": 4009, "message": "Connection is unauthorized."})


async def serve(socket: web.WebSocketResponse) -> None:
    """Acknowledge the subscription, then trade."""
    asked = await subscription(socket)
    if asked != {"event": "bts:subscribe", "data": {"channel": "live_trades_btcusd"}}:
        await send(socket, event("bts:error", data={"code": None, "message": "Incorrect JSON format."}))
        return
    await send(socket, event("bts:subscription_succeeded", "live_trades_btcusd"))
    for count in itertools.count(1):
        await send(socket, trade(f"{64281 + count}.5", now_us(), id=count))
        await asyncio.sleep(PERIOD_S)


CASE = Case(
    source="bitstamp",
    options=lambda base_url: BitstampOptions(url=base_url.replace("http", "ws")),
    payloads=(
        frame(trade("64281.70"), gives(64281.7)),
        frame(trade("64281", price=64281, type=1), gives(64281.0), cites=RECORDED),
    ),
    ignored=(
        frame(trade("3805.44", pair="ethusd"), cites=RECORDED),
        frame(event("bts:subscription_succeeded", "live_trades_btcusd")),
        frame(event("bts:heartbeat", data={"status": "success"})),
        frame(event("bts:request_reconnect")),
    ),
    refused=(
        frame(UNAUTHORISED),
        frame(trade("")),
        frame(trade("64.28")),
        frame(trade("64281.70", price_str=...)),
        frame(trade("64281.70", microtimestamp="1781415345")),
        frame(trade("64281.70", microtimestamp=None)),
        frame({"channel": "live_trades_btcusd"}),
    ),
    serve_socket=serve,
)
