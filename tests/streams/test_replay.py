"""History through the pipeline: the spike, and one answer however it is computed; never from what lies ahead."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from models.records import MINUTE_US, SECOND_US, PowerPrice
from streams.checkpoint import Checkpoint
from streams.history import History, open_history
from streams.history.rows import history_rows
from streams.history.ticks import opens_at_us
from streams.part import Part
from streams.pipeline import Step
from streams.replay import OPENING, Answer, replay
from streams.resume import resume
from streams.settings import ENVIRONMENT
from streams.wire import MARKET, Entry, RawRecord
from tests.support.logs import EXAMPLES, contents, entries_of, example, log_of, pipeline, question, sample, write_slice

SPIKE_US = 1_724_200_200 * SECOND_US  # 2024-08-20 19:30 Central
QUARTER_US = 15 * MINUTE_US
POLICIES = ("breakeven", "band")


@cache
def whole(policy: str) -> Answer:
    """The whole sample with every example fleet."""
    return replay(question(sample(), policy))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Ten days of the sample around the spike."""
    return open_history(write_slice(tmp_path_factory.mktemp("slice")))


def switches(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [entry for entry in contents(entries) if entry["kind"] == "switch"]


def modes_at(found: Sequence[dict[str, Any]], time_us: int) -> dict[str, str]:
    """Mode of each load as signalled by a log time."""
    return {each["load"]: each["to"] for each in found if each["log_time_us"] <= time_us}


@pytest.mark.listed
def test_every_asic_load_is_off_during_the_spike_and_on_again_after_its_dwell() -> None:
    """2024-08-20 19:30 Central, 4,857.82 $/MWh, the ladder of five tiers, policy breakeven."""
    assert datetime.fromisoformat("2024-08-20T19:30:00-05:00").timestamp() * SECOND_US == SPIKE_US
    prices = {
        row.event_time_us: row.usd_per_mwh
        for source in sample().sources
        for group in source.groups or ()
        for row in group
        if isinstance(row, PowerPrice) and row.series == "power:ERCOT:HB_SOUTH:rt"
    }
    assert prices[SPIKE_US] == 4_857.82 == max(prices.values())
    found = switches(whole("breakeven").entries["ladder"])
    tiers = {load.key for load in example("ladder").site[0].loads}
    for minute in range(15):
        assert modes_at(found, SPIKE_US + minute * MINUTE_US) == dict.fromkeys(tiers, "off")
    back = {each["load"]: each for each in reversed(found) if each["to"] == "hash" and each["log_time_us"] > SPIKE_US}
    assert set(back) == tiers
    order = sorted(tiers, key=lambda key: (back[key]["log_time_us"], key))
    assert order == sorted(tiers), "the most efficient comes back first"
    for key in tiers:
        off_us = max(each["log_time_us"] for each in found if each["load"] == key and each["log_time_us"] <= SPIKE_US)
        assert back[key]["log_time_us"] - off_us >= QUARTER_US
        assert back[key]["margins"]["hash"] > 0.0


@pytest.mark.listed
@pytest.mark.parametrize("policy", POLICIES)
def test_in_the_sample_every_why_sums_and_every_flip_lies_on_the_other_side(policy: str) -> None:
    count = 0
    for entries in whole(policy).entries.values():
        for each in switches(entries):
            count += 1
            assert sum(each["why"]["groups"].values()) == pytest.approx(each["why"]["total"], abs=1e-9)
            for flip in each["flip"]:
                assert (flip["value"] is None) == (flip["reason"] is not None)
                assert flip["value"] is None or flip["value"] != flip["now"]
            assert each["log_time_us"] <= each["act_by_us"] <= max(each["valid_until_us"], each["log_time_us"])
    assert count > 1_000


@pytest.mark.guarantee("G2")
@pytest.mark.listed
def test_the_rows_of_an_importer_and_the_codec_give_the_same_answer() -> None:
    """The whole sample, in portions of 4,096."""
    coded = replay(question(sample()), codec=True)
    assert coded.entries == whole("breakeven").entries
    assert coded.digest == whole("breakeven").digest
    assert (coded.observations, coded.ticks, coded.rejected) == (18_472, whole("breakeven").ticks, 0)


@pytest.mark.guarantee("G2")
@pytest.mark.listed
@pytest.mark.parametrize("policy", POLICIES)
def test_four_parts_give_the_same_digest_as_one(policy: str) -> None:
    """The whole sample; the parts carry different miners."""
    apart = replay(question(sample(), policy), 4)
    assert apart.digest == whole(policy).digest
    assert apart.entries == whole(policy).entries
    assert len({part.index for miner in apart.entries for part in Part.all(4) if part.carries(miner)}) > 1


@pytest.mark.guarantee("G2")
@pytest.mark.listed
def test_batches_of_1_of_7_and_of_4096_records_give_the_same_digest(days: History) -> None:
    """Ten days of the sample, 2024-08-12 to 2024-08-21."""
    asked = question(days)
    answers = [replay(asked, chunk=chunk, codec=True) for chunk in (1, 7, 4_096)]
    answers.append(replay(asked, chunk=7))
    assert len({answer.digest for answer in answers}) == 1
    assert all(answer.entries == answers[0].entries for answer in answers)
    assert answers[0].signals > 200


def program(history: Path | str, *, python_hash_seed: int = 0, **environment: str) -> dict[str, Any]:
    """What ``changeover replay --json`` prints in a process of its own."""
    command = [sys.executable, "-m", "streams.cli", "replay", str(history), "--miners", str(EXAMPLES)]
    ours = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    base = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME") if name in os.environ}
    done = subprocess.run(
        [*command, "--policy", "breakeven", "--json"],
        cwd=EXAMPLES.parents[1],
        env={**base, **ours, "PYTHONHASHSEED": str(python_hash_seed), **environment},
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


@pytest.mark.guarantee("G2")
@pytest.mark.listed
@pytest.mark.parametrize("seed", [0, 1, 4_242])
def test_processes_with_other_hash_seeds_print_the_same_digest(seed: int) -> None:
    """The whole sample."""
    printed = program("sample", python_hash_seed=seed)
    assert printed["digest"] == whole("breakeven").digest
    assert printed["signals"] == whole("breakeven").signals


@pytest.mark.guarantee("G2")
@pytest.mark.listed
def test_compiled_and_uncompiled_code_print_the_same_digest(tmp_path: Path) -> None:
    """Three days of the sample, 2024-08-19 to 2024-08-21: uncompiled the whole of it takes minutes."""
    file = write_slice(tmp_path, "2024-08-19T00:00:00Z", "2024-08-22T00:00:00Z")
    compiled, plain = program(file, CHANGEOVER_COMPILED="true"), program(file, CHANGEOVER_COMPILED="false")
    assert plain["digest"] == compiled["digest"]
    assert plain["signals"] == compiled["signals"] > 60


def played(records: Sequence[RawRecord], size: int) -> tuple[list[Step], dict[int, list[bytes]]]:
    """Steps of a run in portions, and its checkpoints encoded, by offset."""
    run = pipeline(any_code=True)
    steps = [run.process(records[at : at + size]) for at in range(0, len(records), size)]
    kept: dict[int, list[bytes]] = {}
    for step in steps:
        for each in step.checkpoints:
            kept.setdefault(each.offset, []).append(each.encode())
    return steps, kept


@pytest.mark.guarantee("G2")
@pytest.mark.listed
@pytest.mark.parametrize("policy", POLICIES)
def test_a_restart_at_any_mark_gives_the_same_stream_to_the_byte(days: History, policy: str) -> None:
    """Checkpoint, encode, decode, resume in a fresh pipeline, in portions of another size; chain included."""
    records = log_of(question(days, policy), checkpoint_every_s=900)
    steps, kept = played(records, 40)
    entries = entries_of(steps)
    assert len(kept) > 300
    chance = random.Random(3)
    for offset in chance.sample(sorted(kept), 6):
        run = pipeline(any_code=True)
        resume(run, [Checkpoint.decode(blob) for blob in kept[offset]])
        after = [run.process(records[at : at + 611]) for at in range(0, len(records), 611)]
        for miner in run.miners:
            found = [
                entry for step in after for batch in step.batches if batch.miner == miner for entry in batch.entries
            ]
            assert found == [entry for entry in entries[miner] if entry.offset > offset]


@pytest.mark.guarantee("G2")
def test_miners_restored_beyond_their_market_give_the_same_stream(days: History) -> None:
    """As after a crash between storing a miner's checkpoint and its market's."""
    records = log_of(question(days), checkpoint_every_s=900)
    steps, kept = played(records, 40)
    entries = entries_of(steps)
    early, late = sorted(kept)[100], sorted(kept)[137]
    decoded = {at: {each.miner: each for each in map(Checkpoint.decode, kept[at])} for at in (early, late)}
    run = pipeline(any_code=True)
    resume(run, [decoded[early][MARKET], decoded[early]["capped"], decoded[late]["ladder"], decoded[early]["worked"]])
    step = run.process(records)
    for miner, stood in (("capped", early), ("ladder", late), ("worked", early)):
        found = [entry for batch in step.batches if batch.miner == miner for entry in batch.entries]
        assert found == [entry for entry in entries[miner] if entry.offset > stood]


@pytest.mark.guarantee("G3")
@pytest.mark.listed
def test_no_prefix_of_the_sample_has_a_signal_that_the_whole_does_not() -> None:
    """Twelve random prefixes of the whole sample's log: not one signal is rewritten by what came later."""
    asked, chance = question(sample()), random.Random(2024)
    begun = len(asked.fleet) + OPENING
    opening = [record for record, _ in zip(asked.log(), range(begun), strict=False)]
    complete = whole("breakeven").entries
    for _ in range(12):
        run = pipeline(any_code=True, marks=False, sites=False)
        steps = [run.process(opening)]
        after_us = opens_at_us(asked.history)
        rows = history_rows(asked.history, run.names, first_position=begun, after_us=after_us)
        assert rows is not None
        last = chance.randrange(begun, int(rows["position"][-1]))
        prefix = rows[rows["position"] <= last]
        steps.append(run.process_rows(prefix, last))
        for miner, entries in entries_of(steps).items():
            assert entries == [entry for entry in complete[miner] if entry.offset <= last]


def otherwise(record: RawRecord) -> RawRecord:
    """The record with other prices of power."""
    if record.feed != "observation":
        return record
    rows = orjson.loads(record.payload)
    for row in rows:
        if "usd_per_mwh" in row:
            row["usd_per_mwh"] = 200.0 - row["usd_per_mwh"]
    return replace(record, payload=orjson.dumps(rows))


@pytest.mark.guarantee("G3")
def test_another_future_changes_no_signal_of_the_past(days: History) -> None:
    records = log_of(question(days))
    entries = entries_of([pipeline(any_code=True).process(records)])
    chance = random.Random(5)
    for _ in range(6):
        cut = chance.randrange(len(records) // 4, len(records) * 3 // 4)
        other = [*records[:cut], *map(otherwise, records[cut:])]
        found = entries_of([pipeline(any_code=True).process(other)])
        for miner in entries:
            past = [entry for entry in entries[miner] if entry.offset < cut]
            assert [entry for entry in found[miner] if entry.offset < cut] == past
        assert found["ladder"] != entries["ladder"]
