"""The replayer's clock and the opening of its log: where ticks stand, where none are added, what a log begins with."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from models.fleet import AsicTier, Miner, Power, Site
from models.records import MINUTE_US, DecidingConfig
from streams.fleetfile import decode_miner
from streams.history import History, RecordingWriter, open_history, opening, replay_log, ticked
from streams.wire import RawRecord

NOON = 1_718_625_600_000_000  # 2024-06-17T12:00Z
SITE = Site(
    key="south",
    mw_cap=1.0,
    power=Power(node="ERCOT:HB_SOUTH"),
    asic=(AsicTier(key="s21", model="S21", joules_per_th=17.5, mw=1.0),),
)
FLEET = [Miner(key="one", name="One", site=(SITE,)), Miner(key="two", name="Two", site=(SITE,))]


def record(time_us: int, feed: str = "observation") -> RawRecord:
    return RawRecord(feed, time_us, "history-x", 0, b"[]")


def minutes(records: Iterator[RawRecord]) -> list[tuple[str, float]]:
    """Feed and minutes after noon of each record."""
    return [(one.feed, (one.receipt_time_us - NOON) / MINUTE_US) for one in records]


def test_ticks_begin_at_the_minute_of_the_first_record_and_end_after_the_last() -> None:
    times = [NOON + 5_000_000, NOON + 60_000_000, NOON + 60_000_000, NOON + 150_000_000]
    assert minutes(ticked([record(time) for time in times])) == [
        ("clock", 0.0),
        ("observation", 5 / 60),
        ("clock", 1.0),
        ("observation", 1.0),
        ("observation", 1.0),
        ("clock", 2.0),
        ("observation", 2.5),
        ("clock", 3.0),
    ]


def test_a_record_on_a_whole_minute_has_its_tick_before_it_and_the_last_tick_a_minute_on() -> None:
    assert minutes(ticked([record(NOON)])) == [("clock", 0.0), ("observation", 0.0), ("clock", 1.0)]


def test_after_the_opening_the_ticks_go_on_with_the_next_minute() -> None:
    found = ticked([record(NOON + 1), record(NOON + 61_000_000)], after_us=NOON, counter=4)
    records = list(found)
    assert minutes(iter(records)) == [
        ("observation", 1 / MINUTE_US),
        ("clock", 1.0),
        ("observation", 61 / 60),
        ("clock", 2.0),
    ]
    assert [one.counter for one in records if one.feed == "clock"] == [4, 5]


def test_no_records_need_no_ticks() -> None:
    assert list(ticked([])) == []


@given(st.lists(st.integers(0, 30 * MINUTE_US), min_size=1, max_size=30).map(sorted))
def test_every_minute_is_ticked_once_before_what_was_received_in_it_and_nothing_else_moves(gaps: Sequence[int]) -> None:
    records = [RawRecord("observation", NOON + gap, "h", number, b"[]") for number, gap in enumerate(gaps)]
    log = list(ticked(records))
    assert [one for one in log if one.feed != "clock"] == records
    ticks = [one for one in log if one.feed == "clock"]
    assert [later.receipt_time_us - one.receipt_time_us for one, later in pairwise(ticks)] == [MINUTE_US] * (
        len(ticks) - 1
    )
    assert [one.counter for one in ticks] == list(range(len(ticks)))
    assert 0 <= records[0].receipt_time_us - ticks[0].receipt_time_us < MINUTE_US
    assert 0 < ticks[-1].receipt_time_us - records[-1].receipt_time_us <= MINUTE_US
    last_tick = 0
    for one in log:
        if one.feed == "clock":
            last_tick = one.receipt_time_us
        else:
            assert 0 <= one.receipt_time_us - last_tick < MINUTE_US


def test_a_tick_says_its_time_and_that_it_is_replayed() -> None:
    tick = next(iter(ticked([record(NOON)])))
    assert (tick.feed, tick.instance, tick.counter) == ("clock", "replayer", 0)
    assert orjson.loads(tick.payload) == {"time_us": NOON, "replayed": True}


def test_a_log_opens_with_its_epoch_a_tick_and_each_fleet() -> None:
    config = DecidingConfig(policy="breakeven", skip_offsets=(7,))
    records = opening(FLEET, config, "abc", NOON)
    assert [one.feed for one in records] == ["epoch", "clock", "fleet", "fleet"]
    assert [one.counter for one in records] == [0, 1, 2, 3]
    assert {one.receipt_time_us for one in records} == {NOON}
    assert {one.instance for one in records} == {"replayer"}
    start = orjson.loads(records[0].payload)
    assert (start["epoch"], start["code_hash"]) == (1, "abc")
    assert DecidingConfig(**{**start["config"], "skip_offsets": tuple(start["config"]["skip_offsets"])}) == config
    assert [decode_miner(one.payload) for one in records[2:]] == FLEET


def test_the_log_of_a_replay_is_the_opening_then_history_with_one_count_of_the_replayers_records(
    sample: History,
) -> None:
    log = list(replay_log(sample, FLEET, DecidingConfig(), "abc"))
    assert [one.feed for one in log[:5]] == ["epoch", "clock", "fleet", "fleet", "observation"]
    assert [one.counter for one in log if one.instance == "replayer"] == list(range(4 + 185_042))
    ticks = sum(one.feed == "clock" for one in log)
    assert ticks == 185_043
    assert len(log) == 3 + ticks + sample.counts.records


def recorded(path: Path) -> History:
    with RecordingWriter(path) as writer:
        for feed, seconds in [
            ("epoch", 0),
            ("fleet", 0),
            ("venue", 1),
            ("clock", 7),
            ("clock", 8),
            ("venue", 8),
            ("clock", 9),
            ("clock", 190),
        ]:
            writer.append(record(NOON + seconds * 1_000_000, feed))
    return open_history(path)


def test_a_recording_keeps_its_own_clock_and_gets_no_ticks_beside_the_opening(tmp_path: Path) -> None:
    log = list(replay_log(recorded(tmp_path / "run.jsonl"), FLEET[:1], DecidingConfig(), "abc"))
    assert [(one.feed, (one.receipt_time_us - NOON) // 1_000_000) for one in log] == [
        ("epoch", 7),
        ("clock", 7),
        ("fleet", 7),
        ("venue", 1),
        ("clock", 7),
        ("clock", 8),
        ("venue", 8),
        ("clock", 9),
        ("clock", 190),
    ]


def test_the_epoch_and_fleet_of_a_recording_give_way_to_those_of_the_replay(tmp_path: Path) -> None:
    log = list(replay_log(recorded(tmp_path / "run.jsonl"), FLEET[:1], DecidingConfig(), "abc"))
    assert [one.instance for one in log if one.feed in {"epoch", "fleet"}] == ["replayer", "replayer"]
