"""The one path from raw records to numbered batches: where batches are cut, what is refused, when it halts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fleet import Miner
from models.records import SECOND_US
from models.rows import MAX_NAMES
from streams.errors import HaltedError
from streams.part import Part
from streams.pipeline import Step
from streams.wire import MAX_BATCH_SIGNALS, SinkBatch, genesis_chain, next_chain
from tests.support.fleets import T0, btc, hashprice_usd_per_ph_day, miner, network, pool, power, rate, site, tier
from tests.support.logs import Log, contents, entries_of, example, pipeline

FLEET = miner(site(tier()))
MANY = 550


def begun(fleet: Miner = FLEET, **config: Any) -> Log:
    """A log with an epoch, a tick and a fleet."""
    log = Log()
    log.epoch(**config)
    log.tick()
    log.fleet(fleet)
    return log


def priced(log: Log, usd_per_mwh: float, number: int) -> None:
    """A price, newer than those before it."""
    log.observe(power(usd_per_mwh, T0 + number))


def batches(steps: list[Step], key: str = "acme") -> list[SinkBatch]:
    return [batch for step in steps for batch in step.batches if batch.miner == key]


def crowd() -> Miner:
    """So many tiers that one price switches hundreds of loads."""
    return miner(site(*(tier(f"t{number}", mw=0.001) for number in range(MANY)), mw_cap=100.0))


def check_chain(found: list[SinkBatch]) -> None:
    """Batches follow each other without hole or overlap, and so do their entries."""
    chain, seq = genesis_chain(found[0].miner, found[0].generation), 0
    for before, after in pairwise(found):
        assert after.from_offset == before.to_offset + 1
    for batch in found:
        assert (batch.chain_before, batch.seq_before) == (chain, seq)
        for entry in batch.entries:
            seq, chain = seq + 1, next_chain(chain, entry.json)
            assert (entry.seq, entry.chain) == (seq, chain)
            assert batch.from_offset <= entry.offset <= batch.to_offset


def test_the_first_batch_of_a_miner_begins_at_its_birth_and_opens_with_the_epochs_entry() -> None:
    log = begun()
    (batch,) = pipeline().process(log.records).batches
    assert (batch.from_offset, batch.to_offset, batch.opens_epoch, batch.starts_generation) == (2, 2, True, True)
    (entry,) = contents(batch.entries)
    assert {name: entry[name] for name in ("kind", "reason", "miner", "seq", "id", "epoch", "generation", "chain")} == {
        "kind": "epoch",
        "reason": "stream begins",
        "miner": "acme",
        "seq": 1,
        "id": "acme:1:1",
        "epoch": 1,
        "generation": 1,
        "chain": genesis_chain("acme", 1),
    }


def test_an_epoch_cuts_the_batch_before_it_and_opens_the_next() -> None:
    log = begun()
    log.observe(btc(65_000.0), network(), power(500.0))
    log.epoch(2, policy="band")
    priced(log, 10.0, 1)
    found = batches([pipeline().process(log.records)])
    assert [(batch.from_offset, batch.to_offset, batch.epoch, batch.opens_epoch) for batch in found] == [
        (2, 3, 1, True),
        (4, 5, 2, True),
    ]
    assert [entry["kind"] for entry in contents(found[1].entries)] == ["epoch", "switch"]
    assert found[0].raw_hash == log.records[3].hash()
    check_chain(found)


def test_a_batch_cut_by_an_epoch_knows_the_record_it_ends_with_though_that_came_long_before() -> None:
    """Nothing closed the batch when the record came: no tick, no signal."""
    log, run = begun(), pipeline()
    run.process(log.records)
    run.process([log.observe(power(20.0))])
    log.epoch(2)
    (cut, _) = run.process(log.since(4)).batches
    assert (cut.to_offset, cut.raw_hash) == (3, log.records[3].hash())


def test_batches_are_cut_at_a_thousand_signals_but_never_inside_one_offset() -> None:
    log = begun(crowd())
    log.observe(btc(65_000.0), network(), rate(2.0))
    for number in range(5):
        priced(log, 500.0 if number % 2 == 0 else 10.0, number)
    found = batches([pipeline().process(log.records)])
    assert [len(batch.entries) for batch in found] == [1 + 2 * MANY, 2 * MANY, MANY]
    assert [batch.to_offset for batch in found] == [5, 7, 8]
    assert all(len(batch.entries) >= MAX_BATCH_SIGNALS for batch in found[:-1])
    assert all(batch.raw_hash == log.records[batch.to_offset].hash() for batch in found)
    check_chain(found)


def test_one_offset_with_more_than_a_thousand_signals_stays_whole() -> None:
    log = begun(crowd())
    log.observe(btc(65_000.0), network(), power(500.0), power(10.0, T0 + 1), power(500.0, T0 + 2))
    (batch,) = batches([pipeline().process(log.records)])
    assert len(batch.entries) == 1 + 3 * MANY


def test_the_heads_of_quiet_miners_move_at_ticks() -> None:
    log, run = begun(), pipeline()
    run.process(log.records)
    log.observe(btc(65_000.0))
    assert run.process(log.since(3)).batches == []
    log.tick(T0 + SECOND_US)
    (batch,) = run.process(log.since(4)).batches
    assert (batch.from_offset, batch.to_offset, batch.entries) == (3, 4, ())
    assert batch.log_time_us == T0 + SECOND_US
    assert batch.raw_hash == log.records[4].hash()


def test_a_tick_writes_the_valuation_of_every_site_and_what_is_degraded() -> None:
    log = begun(warm_up_s=1)
    log.observe(btc(65_000.0), network())
    log.tick(T0 + SECOND_US)
    (batch,) = batches([pipeline().process(log.records)])
    value = orjson.loads(batch.sites["south"]["json"])
    assert value["log_time_us"] == T0 + SECOND_US
    assert value["hashprice_usd_per_ph_day"] == pytest.approx(hashprice_usd_per_ph_day(65_000.0))
    assert batch.degraded == ("power:ERCOT:HB_SOUTH:rt",)


def test_a_fleet_before_any_epoch_is_refused() -> None:
    log = Log()
    log.tick()
    log.fleet(FLEET)
    step = pipeline().process(log.records)
    assert step.batches == []
    assert [(each.record.offset, each.reason) for each in step.rejected] == [
        (1, "fleet of acme: no epoch has begun; append an epoch first")
    ]


def test_a_bad_record_is_named_and_what_stands_around_it_counts() -> None:
    log = begun()
    log.observe(btc(65_000.0), network())
    log.raw("observation", b"[{}")
    log.raw("weather", b"[]")
    log.raw("fleet", b'{"key":"acme"}')
    log.raw("epoch", b'{"epoch":2,"code_hash":"x","config":{"policy":"coin"}}')
    log.observe(power(500.0))
    step = pipeline().process(log.records)
    assert [each.record.offset for each in step.rejected] == [4, 5, 6, 7]
    assert [entry["kind"] for entry in contents(entries_of([step])["acme"])] == ["epoch", "switch"]


def test_epochs_follow_by_number_and_one_that_does_not_is_refused() -> None:
    log = begun()
    log.epoch(1)
    log.epoch(1, policy="band")
    log.epoch(1, code="other")
    log.epoch(3)
    log.epoch(2)
    step = pipeline().process(log.records)
    assert [each.record.offset for each in step.rejected] == [4, 5, 7]
    assert [entry["epoch"] for entry in contents(entries_of([step])["acme"])] == [1, 3]


def test_another_codes_epoch_ends_the_work_before_it_with_everything_delivered() -> None:
    log = begun()
    log.observe(btc(65_000.0), network(), power(500.0))
    log.epoch(2, code="newer")
    log.observe(power(10.0, T0 + 1))
    run = pipeline()
    step = run.process(log.records)
    assert step.superseded is not None
    assert (step.superseded.epoch, run.offset, run.epoch) == (2, 3, 1)
    (batch,) = step.batches
    assert batch.to_offset == 3
    assert run.process(log.since(4)).superseded == step.superseded
    assert pipeline(any_code=True).process(log.records).superseded is None


def test_offsets_an_epoch_names_are_passed_over_and_named() -> None:
    log = begun(skip_offsets=(4,))
    log.observe(btc(65_000.0), network())
    priced(log, 500.0, 0)
    priced(log, 10.0, 1)
    step = pipeline().process(log.records)
    assert [(each.record.offset, each.reason) for each in step.rejected] == [(4, "skipped by the epoch's skip_offsets")]
    assert [entry["kind"] for entry in contents(entries_of([step])["acme"])] == ["epoch"]


def test_records_at_or_before_its_place_are_passed_over() -> None:
    log, run = begun(), pipeline()
    log.observe(btc(65_000.0), network(), power(500.0))
    first = run.process(log.records)
    again = run.process(log.records)
    assert (len(first.batches), again.batches, again.observations) == (1, [], 0)


def test_a_part_carries_its_miners_alone() -> None:
    log = begun()
    log.fleet(miner(site(tier()), key="other"))
    log.observe(btc(65_000.0), network(), power(500.0))
    everything = entries_of([pipeline().process(log.records)])
    apart = [entries_of([pipeline(part=part).process(log.records)]) for part in Part.all(3)]
    assert sorted(key for found in apart for key in found) == ["acme", "other"]
    assert {key: entries for found in apart for key, entries in found.items()} == everything


def test_a_name_beyond_the_room_for_names_is_refused_and_nothing_else_is() -> None:
    log, run = begun(), pipeline()
    run.process(log.records)
    known = len(run.names.series_names)
    run.names.series_names += ["taken"] * (MAX_NAMES - known)
    bad = log.observe(rate(2.0), btc(65_000.0))
    fleet = log.fleet(miner(site(pool(utilisation_series="utilisation:new")), key="other"))
    step = run.process([bad, fleet])
    assert [(each.record.offset, "too many series" in each.reason) for each in step.rejected] == [(3, True), (4, True)]
    assert step.observations == 1
    assert run.miners == ["acme"]


@pytest.mark.parametrize("what", ["a price", "a fleet"])
def test_a_bug_of_the_engine_halts_at_the_record_and_is_not_passed(what: str) -> None:
    """Its state is corrupted from outside: what it knows of its loads is gone."""
    log, run = begun(), pipeline()
    log.observe(btc(65_000.0), network())
    run.process(log.records)
    layout = run.engines["acme"].layout
    layout.documents.clear()
    layout.loads = layout.loads[:0]
    if what == "a price":
        log.observe(power(500.0))
    else:
        log.fleet(FLEET)
    with pytest.raises(HaltedError, match=r"HALTED: engine of acme failed between offsets 4 and 4: .*index"):
        run.process(log.since(4))


@pytest.mark.listed
def test_the_worked_example_comes_out_of_the_whole_pipeline_to_three_decimals() -> None:
    """docs/reference/economics.md, section 8: BTC 65,000, difficulty 146.6833 T, hashprice 28.0253, H100 at 2.35."""
    log = begun(example("worked"))
    log.observe(btc(65_000.0), network(146.6833e12, fees_btc_per_block=0.0188632), rate(2.35), power(31.0))
    log.tick(T0 + SECOND_US)
    (batch,) = batches([pipeline().process(log.records)], "worked")
    sites = {name: orjson.loads(fields["json"]) for name, fields in batch.sites.items()}
    margins = {load["load"]: load["margin_usd_per_mwh"] for site in sites.values() for load in site["loads"]}
    assert {load: round(margin, 3) for load, margin in margins.items()} == {
        "s21-xp": 30.885,
        "h100": 857.857,
        "tenant": 143.607,
    }
    assert round(sites["hash"]["hashprice_usd_per_ph_day"], 4) == 28.0253
    relative = {name: site["relative_return"] for name, site in sites.items()}
    assert {found["basis"] for found in relative.values()} == {"reference"}
    assert relative["hash"]["usd_per_mwh"] == pytest.approx(30.885 - 857.857, abs=1e-3)
    assert relative["hash"]["usd_per_hour"] == pytest.approx(100.0 * (30.885 - 857.857), abs=0.1)
    assert relative["cloud"]["usd_per_mwh"] == pytest.approx(30.885 - 857.857, abs=1e-3)
    assert relative["lease"]["usd_per_mwh"] == pytest.approx(30.885 - 143.607, abs=1e-3)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_streams_are_the_same_to_the_byte_however_the_log_is_portioned(portions: list[int]) -> None:
    log = begun(miner(site(tier(), tier("s19", 30.0), pool(), mw_cap=2.0), site(tier(), key="other")))
    log.observe(btc(65_000.0), network(), rate(2.0))
    for number in range(20):
        log.tick(T0 + number * 300 * SECOND_US)
        priced(log, (20.0, 90.0, 500.0)[number % 3], number)
        if number == 11:
            log.epoch(2, policy="band")
    whole = entries_of([pipeline().process(log.records)])
    run, steps, at = pipeline(), list[Step](), 0
    while at < len(log.records):
        size = portions[len(steps) % len(portions)]
        steps.append(run.process(log.records[at : at + size]))
        at += size
    assert entries_of(steps) == whole
    check_chain(batches(steps))
    assert len(whole["acme"]) > 20
