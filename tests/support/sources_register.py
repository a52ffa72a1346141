"""The documented payloads of every source, named once: a new source adds its file and its line here."""

from __future__ import annotations

from tests.support.sources import binance, bitstamp, coinbase, coinbase_exchange, kraken
from tests.support.sources_contract import Case

CASES: tuple[Case, ...] = (
    coinbase.CASE,
    coinbase_exchange.CASE,
    kraken.CASE,
    bitstamp.CASE,
    binance.CASE,
)
