"""When a venue's connection is given up: messages lost, an error, a notice, heartbeats alone. Not otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson
import pytest

from streams.errors import FeedError
from streams.feeds.binance import BinanceWatch
from streams.feeds.bitstamp import BitstampWatch
from streams.feeds.coinbase import CoinbaseWatch
from streams.feeds.coinbase_exchange import ExchangeWatch
from streams.feeds.kraken import KrakenWatch
from streams.feeds.websocket import Watch
from tests.support.sources import binance, bitstamp, coinbase, coinbase_exchange, kraken
from tests.support.sources_register import CASES

TICK = coinbase.ticks(coinbase.row("64281.7"))


def numbered(*numbers: int) -> list[bytes]:
    """Tickers of Coinbase with these numbers."""
    return [coinbase.message("ticker", number, TICK) for number in numbers]


def beats(*counters: int | str) -> list[bytes]:
    """Heartbeats of Coinbase, numbered on, with these counters."""
    return [coinbase.message("heartbeats", number, coinbase.beat(counter)) for number, counter in enumerate(counters)]


GIVEN_UP: dict[str, tuple[Callable[[], Watch], Sequence[bytes | object], str]] = {
    "a number left out": (CoinbaseWatch, numbered(0, 1, 3), "sequence_num 3 after 1: messages were lost"),
    "a number left out after repeats": (CoinbaseWatch, numbered(5, 6, 6, 5, 8), "sequence_num 8 after 6"),
    "a heartbeat left out": (CoinbaseWatch, beats(7, 8, 10), "heartbeat_counter 10 after 8"),
    "a heartbeat in text left out": (CoinbaseWatch, beats("7", "9"), "heartbeat_counter 9 after 7"),
    "an error of Coinbase": (CoinbaseWatch, [{"type": "error", "message": "no"}], "coinbase says: 'no'"),
    "heartbeats alone": (CoinbaseWatch, beats(*range(61)), "61 heartbeats and no price"),
    "an error of the Exchange": (ExchangeWatch, [{"type": "error", "message": "a", "reason": "b"}], "'a' ('b')"),
    "a ticker behind its heartbeats": (
        ExchangeWatch,
        [coinbase_exchange.ticker("64281.7", 20), *[coinbase_exchange.heartbeat(21)] * 4],
        "trade 21 in 4 heartbeats, not in the ticker",
    ),
    "heartbeats of the Exchange alone": (ExchangeWatch, [coinbase_exchange.heartbeat(0)] * 61, "61 heartbeats"),
    "a refused subscription": (KrakenWatch, [kraken.REFUSED], "kraken says: 'Currency pair not supported"),
    "maintenance": (KrakenWatch, [kraken.status("online"), kraken.status("maintenance")], "state 'maintenance'"),
    "orders cancelled only": (KrakenWatch, [kraken.status("cancel_only")], "state 'cancel_only'"),
    "heartbeats of Kraken alone": (KrakenWatch, [kraken.HEARTBEAT] * 61, "61 heartbeats"),
    "an error of Bitstamp": (BitstampWatch, [bitstamp.UNAUTHORISED], "'code': 4009"),
    "a request of Bitstamp": (BitstampWatch, [bitstamp.event("bts:request_reconnect")], "asks for a new connection"),
    "heartbeats of Bitstamp alone": (BitstampWatch, [bitstamp.event("bts:heartbeat")] * 31, "31 heartbeats"),
    "an error of Binance": (BinanceWatch, [binance.INVALID], "binance says: 2"),
    "a shutdown of Binance": (BinanceWatch, [{"e": "serverShutdown", "E": binance.AT_MS}], "shuts down"),
}
KEPT: dict[str, tuple[Callable[[], Watch], Sequence[bytes | object]]] = {
    "numbers in order, from anywhere": (CoinbaseWatch, numbered(12, 13, 14)),
    "a number repeated or late": (CoinbaseWatch, numbered(12, 13, 13, 12, 14)),
    "a heartbeat repeated": (CoinbaseWatch, beats(14191, 14191, "14192")),
    "what has no number": (CoinbaseWatch, [b"<html>", b"[]", b"\xff", {"channel": "status"}, *numbered(1)]),
    "events that are none": (CoinbaseWatch, [{"channel": "heartbeats", "events": 7}, {"channel": "heartbeats"}]),
    "a price now and then": (ExchangeWatch, [coinbase_exchange.heartbeat(0), coinbase_exchange.ticker("1", 2)] * 70),
    "a ticker that catches up": (
        ExchangeWatch,
        [
            *[coinbase_exchange.heartbeat(9)] * 3,
            coinbase_exchange.ticker("1", 9),
            *[coinbase_exchange.heartbeat(9)] * 9,
        ],
    ),
    "post only": (KrakenWatch, [kraken.status("post_only"), {"channel": "status", "data": []}, kraken.ACCEPTED]),
    "another event of Bitstamp": (BitstampWatch, [{"event": "bts:subscription_succeeded"}, {"event": 7}, b"null"]),
    "another event of Binance": (BinanceWatch, [{"result": None, "id": 1}, {"e": "trade", "s": "BNBBTC"}, b"7"]),
}


def show(watch: Watch, frames: Sequence[bytes | object]) -> None:
    """Let a watch look at frames."""
    for frame in frames:
        watch.frame(frame if isinstance(frame, bytes) else orjson.dumps(frame))


@pytest.mark.parametrize("case", GIVEN_UP)
def test_a_connection_of_no_use_is_given_up_at_its_last_frame_and_not_before(case: str) -> None:
    make, frames, said = GIVEN_UP[case]
    show(watch := make(), frames[:-1])
    with pytest.raises(FeedError) as caught:
        show(watch, frames[-1:])
    assert said in str(caught.value)
    assert caught.value.retriable


@pytest.mark.parametrize("case", KEPT)
def test_a_connection_of_use_is_kept(case: str) -> None:
    make, frames = KEPT[case]
    show(make(), frames)


@pytest.mark.parametrize("make", [CoinbaseWatch, ExchangeWatch, KrakenWatch, BitstampWatch, BinanceWatch])
def test_a_watch_raises_nothing_but_its_own_error_whatever_a_venue_sends(make: Callable[[], Watch]) -> None:
    bodies = [payload.body for case in CASES for payload in (*case.payloads, *case.ignored, *case.refused)]
    for body in bodies:
        watch = make()
        for frame in (body, body[: len(body) // 2], b'{"data":' * 900 + b"1" + b"}" * 900, b"\x00"):
            try:
                watch.frame(frame)
            except FeedError as fault:
                assert fault.retriable  # noqa: PT017 an error is one of two ways on, not what is expected
