"""Copies of a stream in topic `signals`, sets of checkpoints, and the ring of batches at hand."""

from __future__ import annotations

from dataclasses import replace

from streams.checkpoint import Checkpoint
from streams.copies import CheckpointSet, Copy, set_headers, set_key, sets_of, usable_set
from streams.log import Connection, TopicProducer, create_topics
from streams.recent import MOST_BATCHES, Recent
from streams.wire import Entry, Names, SinkBatch

ENTRIES = [Entry(10 + 2 * seq, seq, f"c{seq}", b"{}") for seq in range(1, 6)]


def copy_of(*entries: Entry, generation: int = 1) -> Copy:
    copy = Copy(generation)
    for entry in entries:
        copy.take(entry)
    return copy


def checkpoint(miner: str, offset: int, seq: int = 0, generation: int = 1) -> Checkpoint:
    return Checkpoint(
        miner=miner,
        offset=offset,
        raw_hash=f"h{offset}",
        generation=generation,
        epoch=1,
        code_hash="code",
        seq=seq,
        chain=f"c{seq}" if seq else "genesis",
        config=b"{}",
        miner_json=b"{}",
        state=b"",
    )


def set_of(number: int, *checkpoints: Checkpoint) -> CheckpointSet:
    kept = {each.miner: each for each in checkpoints}
    return CheckpointSet(number, list(kept), kept)


def test_a_copy_written_twice_counts_once_and_a_hole_is_named() -> None:
    assert copy_of(*ENTRIES[:3], ENTRIES[1], *ENTRIES[3:]).entries == ENTRIES
    broken = copy_of(ENTRIES[0], ENTRIES[2])
    assert (broken.seq, broken.broken) == (1, "after entry 1 comes entry 3")


def test_entries_that_come_behind_later_ones_mend_the_hole() -> None:
    assert copy_of(*ENTRIES[3:], *ENTRIES).entries == ENTRIES
    mended = copy_of(*ENTRIES[:2], *ENTRIES[3:], *ENTRIES[2:])
    assert (mended.entries, mended.broken) == (ENTRIES, "")


def test_the_newest_set_that_counts_no_more_than_the_copies_is_taken() -> None:
    older = set_of(1, checkpoint("_market", 12), checkpoint("mara", 12, 1))
    newer = set_of(2, checkpoint("_market", 20), checkpoint("mara", 20, 5))
    ahead = set_of(3, checkpoint("_market", 30), checkpoint("mara", 30, 9))
    copies = {"mara": copy_of(*ENTRIES)}
    assert usable_set([ahead, newer, older], copies, "_market", copies) is newer
    assert usable_set([ahead], copies, "_market", copies) is None


def test_a_set_of_another_chain_generation_or_without_a_market_is_passed_over() -> None:
    copies = {"mara": copy_of(*ENTRIES)}
    other_chain = set_of(4, checkpoint("_market", 20), replace(checkpoint("mara", 20, 5), chain="x"))
    other_generation = set_of(3, checkpoint("_market", 20), checkpoint("mara", 20, 5, generation=2))
    no_market = set_of(2, checkpoint("mara", 20, 5))
    behind = set_of(1, checkpoint("_market", 20), checkpoint("mara", 18, 4))
    assert usable_set([other_chain, other_generation, no_market, behind], copies, "_market", copies) is None


def test_a_miner_that_a_set_lacks_must_have_been_born_after_it() -> None:
    copies = {"mara": copy_of(*ENTRIES)}
    assert usable_set([set_of(1, checkpoint("_market", 11))], copies, "_market", copies) is not None
    assert usable_set([set_of(1, checkpoint("_market", 12))], copies, "_market", copies) is None


async def test_checkpoints_of_another_version_are_passed_over(kafka: str, run_names: Names) -> None:
    await create_topics(kafka, run_names)
    producer = TopicProducer(kafka, run_names.topic("checkpoints"))
    await producer.start()
    for number, blob in ((1, checkpoint("_market", 12).encode()), (2, b'{"schema":1}\nold'), (3, b"garbage")):
        await producer.append(blob, key=set_key("_market", number), headers=set_headers(number, ["_market"]))
    await producer.stop()
    found = await sets_of(Connection(bootstrap=kafka), run_names)
    assert [(each.number, each.checkpoints["_market"].offset) for each in found] == [(1, 12)]


def batch(miner: str, first: int, last: int) -> SinkBatch:
    return SinkBatch(
        miner=miner,
        generation=1,
        epoch=1,
        opens_epoch=False,
        starts_generation=False,
        from_offset=first,
        to_offset=last,
        seq_before=0,
        chain_before="c",
        entries=(),
        raw_hash="",
        log_time_us=0,
        model_version="",
    )


def test_the_ring_gives_what_carries_on_from_a_head_and_nothing_where_it_does_not_reach_back() -> None:
    recent = Recent()
    recent.keep([batch("mara", 0, 4), batch("iren", 0, 4), batch("mara", 5, 9), batch("mara", 10, 12)])
    assert [each.from_offset for each in recent.since("mara", 6)] == [5, 10]
    assert [each.from_offset for each in recent.since("mara", 4)] == [5, 10]
    assert recent.since("mara", 12) == []
    assert recent.since("wulf", 4) == []
    recent.keep([batch("mara", at, at) for at in range(13, 13 + MOST_BATCHES)])
    assert recent.since("mara", 6) == []
