"""Every source, named once. A new source is one new file of this folder and one line here."""

from __future__ import annotations

from streams.feeds import (
    akash,
    binance,
    bitcoind,
    bitstamp,
    braiins,
    coinbase,
    coinbase_exchange,
    http_json,
    kraken,
    lambda_cloud,
    luxor,
    mempool,
    ornn,
    prime_intellect,
    runpod,
    sf_compute,
    vast,
)
from streams.feeds.contract import Source

SOURCES: tuple[Source, ...] = (
    coinbase.SOURCE,
    coinbase_exchange.SOURCE,
    kraken.SOURCE,
    bitstamp.SOURCE,
    binance.SOURCE,
    mempool.SOURCE,
    bitcoind.SOURCE,
    luxor.SOURCE,
    braiins.SOURCE,
    vast.SOURCE,
    runpod.SOURCE,
    lambda_cloud.SOURCE,
    akash.SOURCE,
    prime_intellect.SOURCE,
    sf_compute.SOURCE,
    ornn.SOURCE,
    http_json.SOURCE,
)
