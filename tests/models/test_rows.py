"""Records as rows: nothing of a record is lost that decides, and names are numbers of no consequence."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine import Engine
from models.records import Clock, DecidingConfig, Hashprice, Observation
from models.rows import (
    CLOCK,
    CURVE,
    MAX_NAMES,
    NETWORK,
    ROW,
    VALUE,
    Catalogue,
    NamesFullError,
    clock_row,
    observation_row,
    rows_of,
)
from tests.support.fleets import (
    FEES,
    HEIGHT,
    LONG_US,
    T0,
    Run,
    btc,
    hour,
    miner,
    network,
    pool,
    power,
    rate,
    site,
    tick,
    tier,
    used,
)

CROSS_CHECK = Hashprice(
    series="hashprice:index", source="test", event_time_us=T0, receipt_time_us=T0, next_due_us=T0, usd_per_ph_day=50.0
)


def row_of(record: Observation) -> dict[str, Any]:
    """The row of an observation by field."""
    names = tuple(ROW.names or ())
    return dict(zip(names, observation_row(record, 7, Catalogue()), strict=True))


@pytest.mark.parametrize(
    ("record", "kind", "value"),
    [
        (btc(65_000.0), VALUE, 65_000.0),
        (power(20.0), VALUE, 20.0),
        (rate(2.5), VALUE, 2.5),
        (used(0.25), VALUE, 0.25),
        (CROSS_CHECK, VALUE, 50.0),
        (hour(30.0, T0), CURVE, 30.0),
        (network(80e12), NETWORK, 80e12),
    ],
    ids=lambda case: getattr(case, "series", None),
)
def test_each_kind_of_observation_has_its_row(record: Observation, kind: int, value: float) -> None:
    row = row_of(record)
    assert (row["kind"], row["value"], row["position"], row["revision"]) == (kind, value, 7, -1)
    assert (row["event_us"], row["receipt_us"], row["due_us"]) == (T0, T0, record.next_due_us)


def test_a_network_row_carries_fees_and_is_ordered_by_height() -> None:
    row = row_of(network(80e12, T0 + 5))
    assert (row["second"], row["order"], row["event_us"]) == (FEES, HEIGHT, T0 + 5)


def test_a_price_row_carries_the_end_of_its_interval_and_its_revision() -> None:
    row = row_of(power(20.0, T0, end_time_us=T0 + 9, revision=4))
    assert (row["end_us"], row["order"], row["revision"]) == (T0 + 9, T0, 4)


def test_a_tick_row_carries_its_instance_and_whether_it_is_exempt() -> None:
    names = Catalogue()
    first, second = (
        dict(zip(ROW.names or (), clock_row(tick(T0, instance, replayed=replayed), T0 + 1, 3, names), strict=True))
        for instance, replayed in (("a", True), ("b", False))
    )
    assert [(row["kind"], row["source"], row["exempt"]) for row in (first, second)] == [(CLOCK, 0, 1), (CLOCK, 1, 0)]
    assert (first["event_us"], first["receipt_us"], first["position"]) == (T0, T0 + 1, 3)


def test_rows_keep_every_figure_to_the_bit() -> None:
    tuples = [observation_row(record, 7, Catalogue()) for record in (network(0.1 + 0.2 + 1e12), power(-0.1))]
    assert [tuple(row.item()) for row in rows_of(tuples)] == tuples


def test_an_observation_of_no_known_kind_has_no_row() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Wind(Observation):
        prefix = "wind:"
        kind = "wind"

        def check(self) -> None:
            """Any wind will do."""

    wind = Wind(series="wind:west", source="x", event_time_us=T0, receipt_time_us=T0, next_due_us=T0)
    with pytest.raises(TypeError, match="no row for Wind"):
        observation_row(wind, 0, Catalogue())


def test_a_name_beyond_the_room_for_names_is_refused_and_those_known_go_on() -> None:
    names = Catalogue()
    for number in range(MAX_NAMES):
        names.series(f"gpu:{number}")
    with pytest.raises(NamesFullError, match="'gpu:one-more' would be name number 100001"):
        names.series("gpu:one-more")
    assert names.series("gpu:5") == 5
    assert names.source("a") == 0


RECORDS: list[Observation | Clock] = [
    btc(65_000.0),
    network(),
    rate(2.0),
    power(20.0),
    tick(T0 + 1),
    power(300.0, T0 + 1),
    btc(30_000.0, T0 + 2),
    rate(0.2, T0 + 3),
    tick(T0 + LONG_US * 2),
    power(10.0, T0 + LONG_US * 2),
]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(RECORDS)), max_size=4), st.permutations(range(6)))
def test_rows_in_any_portions_under_any_numbers_of_names_give_the_same_signals(
    cuts: list[int], order: list[int]
) -> None:
    fleet = miner(site(tier(), pool(), mw_cap=1.5))
    one_by_one = Run(fleet)
    one_by_one.feed(*RECORDS)
    names = Catalogue()
    for place in order:  # names seen before, in another order
        names.series(("gpu:other", "btc:usd", "power:ERCOT:HB_SOUTH:rt", "network:btc", "gpu:H100-SXM", "gpu:a")[place])
    engine = Engine(names, DecidingConfig(policy="breakeven"))
    signals = [*engine.apply(tick(T0), 0), *engine.change_fleet(fleet, 1, T0)]
    tuples = [
        observation_row(record, place + 2, names)
        if isinstance(record, Observation)
        else clock_row(record, record.time_us, place + 2, names)
        for place, record in enumerate(RECORDS)
    ]
    bounds = sorted({0, *cuts, len(RECORDS)})
    for start, end in pairwise(bounds):
        signals += engine.apply_rows(rows_of(tuples[start:end]))
    assert [signal.content for signal in signals] == one_by_one.signals
    assert one_by_one.switches()
