"""A small made-up log run through the pipeline once, so that everything is compiled before the first real record."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from models.fleet import AsicTier, GpuPool, Lease, Miner, Power, Site
from models.records import MINUTE_US, DecidingConfig
from streams.fleetfile import encode_miner
from streams.pipeline import Mode, Pipeline, Step
from streams.wire import RawRecord

START_US = 1_718_582_400_000_000


def made_up_site(key: str, mw_cap: float) -> Site:
    """A site with a load of every kind."""
    return Site(
        key=key,
        mw_cap=mw_cap,
        power=Power(node="WARM:UP"),
        asic=(AsicTier(key="a", model="S21", joules_per_th=17.5, mw=1.0),),
        gpu=(GpuPool(key="g", gpu="H100-SXM", gpus=500.0, kw_per_gpu=1.4, bf16_tflops=989.0),),
        lease=(Lease(key="l", usd_per_kw_month=120.0, it_mw=1.0),),
    )


MINER = Miner(key="warm-up", name="made up", site=(made_up_site("free", 100.0), made_up_site("capped", 2.0)))


def observations(price_usd_per_mwh: float, time_us: int) -> bytes:
    """A payload that moves every kind of series at once."""
    common = {"source": "warm-up", "event_time_us": time_us, "next_due_us": time_us + 5 * MINUTE_US}
    rows = [
        {"kind": "btc_price", "series": "btc:usd", "usd_per_btc": 65_000.0},
        {
            "kind": "network",
            "series": "network:btc",
            "height": 848_000,
            "difficulty": 83e12,
            "fees_btc_per_block": 0.1,
            "fee_blocks": 144,
        },
        {
            "kind": "power_price",
            "series": "power:WARM:UP:rt",
            "end_time_us": time_us + 5 * MINUTE_US,
            "usd_per_mwh": price_usd_per_mwh,
        },
        {"kind": "gpu_rate", "series": "gpu:H100-SXM", "usd_per_gpu_hour": 2.5},
    ]
    return orjson.dumps([row | common for row in rows])


def made_up_log(policy: str) -> list[RawRecord]:
    """An epoch, a fleet, then prices low, very high and low again, with ticks between."""
    epoch = orjson.dumps({"epoch": 1, "config": asdict(DecidingConfig(policy=policy)), "code_hash": "warm-up"})
    payloads: list[tuple[str, int, bytes]] = [("epoch", 0, epoch), ("fleet", 0, encode_miner(MINER))]
    for step, price in enumerate((20.0, 5_000.0, 5_000.0, 20.0, 20.0)):
        minute = 60 * step
        time_us = START_US + minute * MINUTE_US
        payloads.append(("clock", minute, orjson.dumps({"time_us": time_us, "replayed": True})))
        payloads.append(("observation", minute, observations(price, time_us)))
    return [
        RawRecord(feed, START_US + minute * MINUTE_US, "warm-up", number, payload, number)
        for number, (feed, minute, payload) in enumerate(payloads)
    ]


def warm_up() -> list[Step]:
    """Run the made-up log under both policies and carry on from a snapshot; what came of it."""
    steps = []
    for policy in ("band", "breakeven"):
        pipeline = Pipeline(Mode(origin="replay", code_hash="warm-up"))
        log = made_up_log(policy)
        steps += [pipeline.process(log[:6]), pipeline.process(log[6:])]
        for miner in pipeline.miners:
            pipeline.checkpoint(miner, pipeline.offset, "")
    return steps
