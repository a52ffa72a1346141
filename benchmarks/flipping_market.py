"""A market in which every price turns the one load of the one miner on or off: what bench_latency.py appends."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from models.fleet import AsicTier, Miner, Power, Site
from models.records import DAY_US, MINUTE_US, DecidingConfig
from streams.compilation import code_hash
from streams.fleetfile import encode_miner
from streams.log import RawProducer
from streams.now import now_us

TIER = AsicTier(key="s21", model="S21", joules_per_th=17.5, mw=1.0, min_on_minutes=0.0, min_off_minutes=0.0)
SITE = Site(key="yard", mw_cap=2.0, power=Power(node="BENCH:YARD"), asic=(TIER,))
MINER = Miner(key="flipper", name="One tier that follows every price", site=(SITE,))

CHEAP, DEAR = 10.0, 4_000.0
"""Prices of power [USD/MWh] far to either side of what the tier earns."""


def price(usd_per_mwh: float, at_us: int) -> bytes:
    """A payload of one power price, due again in a day: nothing turns stale while it is measured."""
    row = {
        "kind": "power_price",
        "series": "power:BENCH:YARD:rt",
        "source": "bench",
        "event_time_us": at_us,
        "end_time_us": at_us + 5 * MINUTE_US,
        "next_due_us": at_us + DAY_US,
        "usd_per_mwh": usd_per_mwh,
    }
    return orjson.dumps([row])


def rest_of_the_market(at_us: int) -> bytes:
    """A payload with what an ASIC tier needs beside its power price."""
    common = {"source": "bench", "event_time_us": at_us, "next_due_us": at_us + DAY_US}
    network = {"height": 900_000, "difficulty": 120e12, "fees_btc_per_block": 0.05, "fee_blocks": 144}
    return orjson.dumps(
        [
            {"kind": "btc_price", "series": "btc:usd", "usd_per_btc": 100_000.0, **common},
            {"kind": "network", "series": "network:btc", **network, **common},
        ]
    )


async def open_stream(producer: RawProducer) -> int:
    """Append the beginning: an epoch, the fleet, a market in which the tier stands still; the last record's offset."""
    config = DecidingConfig(policy="breakeven")
    epoch = {"epoch": 1, "config": asdict(config), "code_hash": code_hash()}
    await producer.append("epoch", now_us(), orjson.dumps(epoch))
    await producer.append("fleet", now_us(), encode_miner(MINER))
    at_us = now_us()
    await producer.append("observation", at_us, rest_of_the_market(at_us))
    return await producer.append("observation", at_us, price(DEAR, at_us))
