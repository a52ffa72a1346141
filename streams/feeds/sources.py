"""Every source, named once. A new source is one new file of this folder and one line here."""

from __future__ import annotations

from streams.feeds import (
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
from streams.feeds.contract import Source

SOURCES: tuple[Source, ...] = (
    coinbase.SOURCE,
    coinbase_exchange.SOURCE,
    kraken.SOURCE,
    bitstamp.SOURCE,
    binance.SOURCE,
    ercot_api.SOURCE,
    ercot_mis.SOURCE,
    caiso.SOURCE,
    nyiso.SOURCE,
    pjm.SOURCE,
    miso.SOURCE,
    spp.SOURCE,
)
