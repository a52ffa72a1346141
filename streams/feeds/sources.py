"""Every source, named once. A new source is one new file of this folder and one line here."""

from __future__ import annotations

from streams.feeds import binance, bitstamp, coinbase, coinbase_exchange, kraken
from streams.feeds.contract import Source

SOURCES: tuple[Source, ...] = (
    coinbase.SOURCE,
    coinbase_exchange.SOURCE,
    kraken.SOURCE,
    bitstamp.SOURCE,
    binance.SOURCE,
)
