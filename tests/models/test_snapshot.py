"""Snapshots: exact to the bit, the same for equal states, and clear about damage."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.carry import log_time_of
from models.engine import Engine, day_of
from models.fleet import Miner, Power
from models.records import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Clock, DecidingConfig, Observation
from models.rows import Catalogue
from tests.support.fleets import (
    BTC,
    NETWORK,
    NODE,
    POWER,
    RATE,
    T0,
    USED,
    Run,
    btc,
    hour,
    miner,
    network,
    pool,
    power,
    printed,
    rate,
    site,
    tick,
    tier,
    used,
)

STAY = {"min_on_minutes": 30.0, "min_off_minutes": 20.0}
LATER = date(2024, 6, 18)


def fleet() -> Miner:
    """Two sites, one under a cap, one on the day-ahead curve; a tier that is replaced at the second midnight."""
    return miner(
        site(
            pool("spot", mw=2.0, utilisation_series=USED, idle_fraction=0.4, **STAY),
            tier("a", 17.5, mw=2.0, failure="off", **STAY),
            tier("b", 30.0, mw=2.0, effective_until=LATER),
            tier("b", 13.5, mw=2.0, effective_from=LATER, **STAY),
            mw_cap=4.0,
        ),
        site(tier("c", 21.5, **STAY), key="hub", power=Power(node=NODE, market="da", adder_usd_per_mwh=0.0)),
    )


def record(kind: str, value: float, at_us: int, source: str) -> Observation | Clock:
    """A record of a random history."""
    if kind == "tick":
        return tick(at_us, source, replayed=False)
    if kind == "replayed":
        return tick(at_us)
    due_us = at_us + round((1.0 + value * 3.0) * HOUR_US)
    if kind == "curve":
        return hour(value * 200.0 - 20.0, at_us // HOUR_US * HOUR_US + HOUR_US, known_us=at_us, source=source)
    if kind == "network":
        return network(60e12 + value * 60e12, at_us, 848_000 + round(value * 3.0), source=source, next_due_us=due_us)
    scale = {"power": 300.0, "btc": 150_000.0, "rate": 4.0, "used": 1.0}[kind]
    low = {"power": -50.0, "btc": 20_000.0, "rate": 0.1, "used": 0.0}[kind]
    return printed(kind, low + value * (scale - low), at_us, source=source, next_due_us=due_us)


KINDS = ("tick", "replayed", "replayed", "curve", "network", "power", "power", "btc", "rate", "used")
moment = st.tuples(
    st.sampled_from(KINDS), st.floats(0.0, 1.0), st.sampled_from((1, SECOND_US, 20 * MINUTE_US)), st.sampled_from("abc")
)


def history(moments: list[tuple[str, float, int, str]]) -> list[Observation | Clock]:
    """Records of a random history, beginning late in a day so that it may pass midnight."""
    at_us, records = T0 + 20 * HOUR_US, list[Observation | Clock]()
    for kind, value, wait_us, source in moments:
        at_us += wait_us
        records.append(record(kind, value, at_us, source))
    return records


def opened() -> Run:
    return Run(fleet(), start_us=T0 + 20 * HOUR_US, policy="band", warm_up_s=3_600)


@settings(deadline=None, max_examples=100)
@given(st.lists(moment, max_size=60), st.data())
def test_a_run_restored_anywhere_goes_on_as_if_nothing_had_been(
    moments: list[tuple[str, float, int, str]], data: st.DataObject
) -> None:
    """Signals, valuations and the next snapshot are the same; the restored engine numbers names in its own order."""
    records = history(moments)
    cut = data.draw(st.integers(0, len(records)))
    whole = opened()
    whole.feed(*records[:cut])
    resumed = whole.copy()
    assert resumed.engine.snapshot() == whole.engine.snapshot()
    assert resumed.feed(*records[cut:]) == whole.feed(*records[cut:])
    assert resumed.engine.snapshot() == whole.engine.snapshot()
    assert resumed.engine.site_values() == whole.engine.site_values()


@settings(deadline=None, max_examples=30)
@given(st.lists(moment, max_size=40), st.permutations((BTC, NETWORK, POWER, RATE, USED)), st.permutations("abcd"))
def test_equal_states_give_equal_bytes_whatever_order_names_were_first_seen_in(
    moments: list[tuple[str, float, int, str]], series: list[str], sources: list[str]
) -> None:
    plain, shuffled = opened(), opened()
    names = Catalogue()
    for name in (*series, "gpu:nobody-reads"):
        names.series(name)
    for name in sources:
        names.source(name)
    shuffled.engine = Engine(names, plain.engine.config)
    shuffled.feed(tick(T0 + 20 * HOUR_US))
    shuffled.fleet(fleet())
    for run in (plain, shuffled):
        run.feed(*history(moments))
    assert shuffled.engine.snapshot() == plain.engine.snapshot()


def test_a_later_print_makes_other_bytes() -> None:
    run = opened()
    run.feed(btc(65_000.0))
    before = run.engine.snapshot()
    run.feed(btc(65_001.0, T0 + 1))
    assert run.engine.snapshot() != before


def test_a_snapshot_names_its_log_time() -> None:
    run = opened()
    run.feed(tick(T0 + DAY_US))
    assert log_time_of(run.engine.snapshot()) == T0 + DAY_US


def test_a_snapshot_after_midnight_is_restored_into_the_loads_of_that_day() -> None:
    run = opened()
    run.feed(btc(65_000.0), network(), power(20.0), tick(T0 + 25 * HOUR_US))
    resumed = run.copy()
    efficiencies = [getattr(document, "joules_per_th", None) for document in resumed.engine.layout.documents]
    assert efficiencies == [None, 17.5, 13.5, 21.5]


def filled() -> bytes:
    run = opened()
    run.feed(btc(65_000.0), network(), power(20.0), hour(20.0, T0 + 20 * HOUR_US), rate(2.0), used(0.5))
    return run.engine.snapshot()


def with_schema(blob: bytes, schema: int) -> bytes:
    """The same snapshot under another schema number."""
    data = zlib.decompress(blob)
    length = int.from_bytes(data[:4], "big")
    header = json.loads(data[4 : 4 + length])
    head = json.dumps({**header, "schema": schema}).encode()
    return zlib.compress(len(head).to_bytes(4, "big") + head + data[4 + length :])


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "0 bytes is damaged"),
    "cut": (lambda blob: blob[:50], "50 bytes is damaged"),
    "a bit turned": (lambda blob: blob[:60] + bytes([blob[60] ^ 1]) + blob[61:], "damaged"),
    "reversed": (lambda blob: blob[::-1], "damaged"),
    "nothing inside": (lambda _: zlib.compress(b""), "damaged"),
    "no object": (lambda _: zlib.compress(b"\0\0\0\2[]"), "damaged"),
    "no schema": (lambda _: zlib.compress(b"\0\0\0\2{}"), "damaged"),
    "arrays cut": (lambda blob: zlib.compress(zlib.decompress(blob)[:-9]), "it ends 9 bytes early"),
    "bytes behind": (lambda blob: zlib.compress(zlib.decompress(blob) + b"zz"), "2 bytes too many"),
    "another schema": (lambda blob: with_schema(blob, 77), "schema 77 is not"),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_snapshot_is_refused_with_what_is_wrong_and_what_to_do(how: str) -> None:
    damage, said = DAMAGED[how]
    engine = Engine(Catalogue(), DecidingConfig())
    engine.adopt(fleet(), engine.config, day_of(T0))
    with pytest.raises(ValueError, match=said) as refusal:
        engine.restore(damage(filled()))
    assert "rebuild from the log" in str(refusal.value)


def test_a_snapshot_of_another_fleet_is_refused() -> None:
    engine = Engine(Catalogue(), DecidingConfig())
    engine.adopt(miner(site(tier("other"))), engine.config, day_of(T0))
    with pytest.raises(ValueError, match="loads are not those of the fleet"):
        engine.restore(filled())


def test_the_market_alone_is_restored_into_the_engine_of_a_miner_born_later() -> None:
    market, born = Run(), Run(start_us=None)
    market.feed(btc(65_000.0), network(), power(500.0))
    born.engine.restore(market.engine.snapshot())
    signals: list[dict[str, Any]] = born.fleet(miner(site(tier())))
    assert [(each["kind"], each.get("to")) for each in signals] == [("epoch", None), ("switch", "off")]
