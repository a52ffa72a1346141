"""Random histories through an engine, as one digest: run as a program, it is the same in a process of another kind.

``python -m tests.support.histories SEED COUNT`` prints the digest of so many histories from a seed on.
"""

from __future__ import annotations

import hashlib
import random
import sys
from datetime import date

import orjson

from models.fleet import Lease, Miner, Power
from models.records import HOUR_US, MINUTE_US, SECOND_US, Clock, Observation
from tests.support.fleets import (
    NODE,
    T0,
    USED,
    Run,
    hour,
    miner,
    network,
    pool,
    printed,
    reference_pool,
    site,
    tick,
    tier,
)

LATER = date(2024, 6, 18)
START_US = T0 + 20 * HOUR_US
KINDS = ("tick", "tick", "replayed", "replayed", "curve", "network", "power", "power", "btc", "rate", "used")
RANGES = {"power": (-50.0, 300.0), "btc": (20_000.0, 150_000.0), "rate": (0.1, 4.0), "used": (0.0, 1.0)}


def fleet(chance: random.Random) -> Miner:
    """Sites of every kind: capped, on a curve, under each contract; every failure direction; loads with dates."""

    def stay() -> dict[str, float]:
        return {"min_on_minutes": chance.choice((0.0, 30.0)), "min_off_minutes": chance.choice((0.0, 20.0))}

    failures = [chance.choice(("hold", "off", "run")) for _ in range(4)]
    capped = site(
        Lease(key="tenant", usd_per_kw_month=150.0, it_mw=0.4, lease_type=chance.choice(("gross", "triple_net"))),
        pool("reserved", mw=0.5, contract="reserved", failure=failures[0]),
        pool("spot", mw=2.0, utilisation_series=USED, idle_fraction=0.35, failure=failures[1], **stay()),
        tier("a", 17.5, mw=2.0, failure=failures[2], **stay()),
        tier("b", 30.0, mw=2.0, effective_until=LATER),
        tier("b", 13.5, mw=2.0, effective_from=LATER, failure=failures[3], **stay()),
        mw_cap=chance.uniform(1.0, 8.0),
    )
    contract = chance.choice(("ppa_resale", "take_or_pay", "requirements", "hedged"))
    bought = Power(node=NODE, market="da", contract=contract, ppa_usd_per_mwh=40.0, committed_mw=1.5)
    curve = site(tier("c", 21.5, **stay()), tier("d", 13.5), key="hub", power=bought, reference=reference_pool())
    return miner(capped, curve)


def record(chance: random.Random, at_us: int) -> Observation | Clock:
    """One record of a random history."""
    kind, source = chance.choice(KINDS), chance.choice("abc")
    due_us = at_us + chance.choice((1, 60, 3_600, 14_400)) * SECOND_US
    if kind == "tick":
        return tick(at_us, source, replayed=False)
    if kind == "replayed":
        return tick(at_us)
    if kind == "curve":
        start_us = at_us // HOUR_US * HOUR_US + chance.randint(-1, 5) * HOUR_US
        length_us = chance.choice((15 * MINUTE_US, HOUR_US))
        return hour(chance.uniform(-20.0, 200.0), start_us, known_us=at_us, end_time_us=start_us + length_us)
    revision = chance.choice((None, None, 0, 1, 2))
    if kind == "network":
        height = 848_000 + chance.randint(0, 3)
        return network(chance.uniform(60e12, 120e12), at_us, height, source=source, next_due_us=due_us)
    at_us -= chance.choice((0, 0, MINUTE_US))
    value = chance.uniform(*RANGES[kind])
    return printed(kind, value, at_us, source=source, next_due_us=due_us, revision=revision)


def history(seed: int, length: int = 120) -> Run:
    """A run over one random history, with a change of fleet and one of configuration in it."""
    chance = random.Random(seed)
    run = Run(fleet(chance), start_us=START_US, policy=chance.choice(("band", "breakeven")), warm_up_s=1_800)
    at_us = START_US
    for number in range(length):
        at_us += chance.choice((1, SECOND_US, MINUTE_US, 10 * MINUTE_US))
        run.feed(record(chance, at_us))
        if number == length // 3:
            run.fleet(fleet(chance))
        if number == length // 2:
            run.epoch(policy=chance.choice(("band", "breakeven")), btc_price_limit_s=3_600)
    return run


def digest(first: int, count: int) -> tuple[str, int]:
    """Digest over signals, valuations and states of so many histories, and how many signals they gave."""
    found, signals = hashlib.sha256(), 0
    for seed in range(first, first + count):
        run = history(seed)
        signals += len(run.signals)
        found.update(orjson.dumps([run.signals, run.engine.site_values()]))
        found.update(run.engine.snapshot())
    return found.hexdigest(), signals


if __name__ == "__main__":
    sys.stdout.write(" ".join(map(str, digest(int(sys.argv[1]), int(sys.argv[2])))) + "\n")
