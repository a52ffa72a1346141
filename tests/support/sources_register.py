"""The documented payloads of every source, named once: a new source adds its file and its line here."""

from __future__ import annotations

from tests.support.sources import (
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
from tests.support.sources_contract import Case

CASES: tuple[Case, ...] = (
    coinbase.CASE,
    coinbase_exchange.CASE,
    kraken.CASE,
    bitstamp.CASE,
    binance.CASE,
    mempool.CASE,
    bitcoind.CASE,
    luxor.CASE,
    braiins.CASE,
    vast.CASE,
    runpod.CASE,
    lambda_cloud.CASE,
    akash.CASE,
    prime_intellect.CASE,
    sf_compute.CASE,
    ornn.CASE,
    http_json.CASE,
)
