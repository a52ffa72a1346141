"""The documented payloads of every source, named once: a new source adds its file and its line here."""

from __future__ import annotations

from tests.support.sources import (
    binance,
    bitstamp,
    caiso,
    coinbase,
    coinbase_exchange,
    ercot_api,
    ercot_mis,
    kraken,
    miso,
    nyiso,
    pjm,
    spp,
)
from tests.support.sources_contract import Case

CASES: tuple[Case, ...] = (
    coinbase.CASE,
    coinbase_exchange.CASE,
    kraken.CASE,
    bitstamp.CASE,
    binance.CASE,
    ercot_api.CASE,
    ercot_mis.CASE,
    caiso.CASE,
    nyiso.CASE,
    pjm.CASE,
    miso.CASE,
    spp.CASE,
)
