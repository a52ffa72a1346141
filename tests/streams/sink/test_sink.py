"""What every sink does with batches, told once and asked of both: the one in memory and the one on a real Redis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from streams.sink import Sink
from streams.wire import NO_OFFSET, Entry, Head, SinkBatch, genesis_chain
from tests.streams.sink.stories import Computation, Store, rechained

pytestmark = pytest.mark.guarantee("G1")

# Offsets 4 to 12 with two signals at 6 and three at 9; epoch 1 until offset 10, where epoch 2 opens.
STORY = Computation(
    "mara",
    tuple((offset, b'{"n":%d}' % n) for n, offset in enumerate((4, 6, 6, 8, 9, 9, 9, 10, 12), start=1)),
    born=4,
    epochs={0: 1, 10: 2},
)


async def written(sink: Sink, *ranges: tuple[int, int]) -> None:
    """Write these ranges of offsets, each of which must be new."""
    for first, last in ranges:
        assert (await sink.write(STORY.batch(first, last))).status == "OK"


async def test_a_newborn_miner_may_begin_at_any_offset(sink: Sink) -> None:
    reply = await sink.write(STORY.batch(3, 6))
    assert (reply.status, reply.appended, reply.head_offset, reply.head_seq, reply.detail) == ("OK", 3, 6, 3, "")
    assert await sink.read("mara") == [STORY.entry(1), STORY.entry(2), STORY.entry(3)]


async def test_the_head_says_where_the_stream_stands(sink: Sink) -> None:
    batch = STORY.batch(0, 6, degraded=("power:ercot:HB_SOUTH:rt", "gpu, spot"), model_version="m 2")
    await sink.write(batch)
    assert await sink.head("mara") == Head(
        1, 1, 6, "log:6", 3, STORY.chains[3], 1, batch.log_time_us, "m 2", ("power:ercot:HB_SOUTH:rt", "gpu, spot")
    )


async def test_without_a_head_only_the_start_of_a_generation_is_taken(sink: Sink) -> None:
    reply = await sink.write(STORY.batch(5, 6))
    assert (reply.status, reply.head_offset, reply.head_seq) == ("EMPTY", NO_OFFSET, 0)
    assert "starts no generation" in reply.detail
    assert await sink.head("mara") is None


async def test_a_quiet_miner_moves_its_head_and_nothing_else(sink: Sink) -> None:
    await written(sink, (0, 4))
    reply = await sink.write(STORY.batch(5, 5))
    assert (reply.status, reply.appended, reply.head_offset, reply.head_seq) == ("OK", 0, 5, 1)
    head = await sink.head("mara")
    assert head is not None
    assert (head.offset, head.raw_hash, head.seq, head.chain) == (5, "log:5", 1, STORY.chains[1])


async def test_a_birth_without_signals_is_a_head_without_a_stream(sink: Sink) -> None:
    quiet = Computation("cifr", ((7, b"late"),), born=2)
    assert (await sink.write(quiet.batch(0, 3))).status == "OK"
    assert (await sink.write(quiet.batch(4, 5))).status == "OK"
    assert (await sink.write(quiet.batch(4, 6))).status == "OK"
    assert (await sink.write(quiet.batch(0, 3))).status == "DUPLICATE"
    reply = await sink.write(quiet.batch(5, 8))
    assert (reply.status, reply.appended) == ("OK", 1)


async def test_what_was_written_already_is_a_duplicate_and_changes_nothing(sink: Sink) -> None:
    await written(sink, (0, 6), (7, 9))
    head = await sink.head("mara")
    for first, last in ((0, 6), (7, 9), (0, 4), (5, 6), (5, 5), (8, 8), (6, 9)):
        batch = STORY.batch(first, last, sites={"wolf": {"json": "{}"}})
        reply = await sink.write(batch)
        assert (reply.status, reply.appended, reply.head_offset, reply.detail) == ("DUPLICATE", 0, 9, "")
    assert await sink.head("mara") == head
    assert await sink.site("mara", "wolf") == {}


async def test_two_replicas_that_cut_differently_make_one_stream(sink: Sink) -> None:
    await written(sink, (0, 6))
    reply = await sink.write(STORY.batch(5, 9))
    assert (reply.status, reply.appended, reply.head_seq) == ("OK", 4, 7)
    assert (await sink.write(STORY.batch(7, 8))).status == "DUPLICATE"
    assert (await sink.write(STORY.batch(10, 12))).appended == 2
    assert await sink.read("mara") == [STORY.entry(seq) for seq in range(1, 10)]


async def test_a_batch_beyond_the_next_offset_is_a_gap(sink: Sink) -> None:
    await written(sink, (0, 6))
    reply = await sink.write(STORY.batch(8, 9))
    assert (reply.status, reply.head_offset) == ("GAP", 6)
    assert reply.detail == "mara: the batch begins at offset 8, the head stands at 6"


async def test_another_generation_is_refused_and_named(sink: Sink) -> None:
    await written(sink, (0, 6))
    for generation in (2, 3):
        for first, last in ((0, 6), (7, 8)):
            reply = await sink.write(replace(STORY, generation=generation).batch(first, last))
            assert reply.status == "REFUSED"
            assert f"generation {generation}, the head of generation 1" in reply.detail


async def test_an_epoch_opens_with_its_entry_and_not_otherwise(sink: Sink) -> None:
    await written(sink, (0, 9))
    unannounced = await sink.write(STORY.batch(10, 10, opens_epoch=False))
    assert unannounced.status == "REFUSED"
    assert "epoch 2, the head of 1" in unannounced.detail
    empty = await sink.write(STORY.batch(10, 10, entries=()))
    assert empty.status == "REFUSED"
    assert (await sink.write(STORY.batch(10, 11))).status == "OK"
    head = await sink.head("mara")
    assert head is not None
    assert head.epoch == 2


async def test_a_batch_that_spans_the_start_of_its_epoch_is_refused(sink: Sink) -> None:
    await written(sink, (0, 8))
    later = rechained(STORY.batch(9, 10, epoch=2, opens_epoch=True), [(10, b"epoch 2")])
    reply = await sink.write(later)
    assert reply.status == "REFUSED"
    assert "begins at offset 9, its epoch entry has offset 10" in reply.detail


async def test_an_older_epoch_may_repeat_itself_but_not_go_on(sink: Sink) -> None:
    await written(sink, (0, 9), (10, 10))
    assert (await sink.write(STORY.batch(7, 9))).status == "DUPLICATE"
    straggler = replace(STORY, epochs={0: 1}, entries=STORY.entries[:7])
    gone_on = await sink.write(straggler.batch(9, 11))
    assert gone_on.status == "REFUSED"
    assert "epoch 1 reaches to offset 11, past the head at 10, which is of epoch 2" in gone_on.detail
    assert (await sink.write(straggler.batch(9, 10))).status == "DIVERGED"  # it passed epoch 2 without its entry


async def test_an_epoch_that_the_old_worker_ran_past_cannot_open(sink: Sink) -> None:
    straggler = replace(STORY, epochs={0: 1}, entries=STORY.entries[:7])
    assert (await sink.write(straggler.batch(0, 11))).status == "OK"
    late = await sink.write(STORY.batch(10, 12))
    assert late.status == "DIVERGED"
    assert "opens epoch 2 at offset 10, but epoch 1 has moved the head to 11" in late.detail


Change = Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]
MUTATIONS: dict[str, Change] = {
    "other bytes in its last entry": lambda entries: [*entries[:-1], (entries[-1][0], b"{}")],
    "other bytes in its first entry": lambda entries: [(entries[0][0], b"{}"), *entries[1:]],
    "its last entry dropped": lambda entries: entries[:-1],
    "its first entry dropped": lambda entries: entries[1:],
    "all entries dropped": lambda _: [],
    "an entry more at the end": lambda entries: [*entries, (9, b"more")],
    "an entry more at the front": lambda entries: [(5, b"more"), *entries],
    "an entry twice": lambda entries: [*entries[:2], *entries[1:]],
    "two entries exchanged": lambda entries: [(6, entries[1][1]), (6, entries[0][1]), *entries[2:]],
    "one offset earlier": lambda entries: [(5, entries[0][1]), *entries[1:]],
    "one offset later": lambda entries: [*entries[:2], (9, entries[2][1]), *entries[3:]],
}


BEYOND_THE_HEAD = ("other bytes in its last entry", "its last entry dropped", "an entry more at the end")


def mutated(name: str) -> SinkBatch:
    """The honest batch of offsets 5 to 9, changed in one way and chained anew."""
    honest = STORY.batch(5, 9)
    return rechained(honest, MUTATIONS[name]([(entry.offset, entry.json) for entry in honest.entries]))


@pytest.mark.parametrize(
    ("name", "reached"),
    [(name, 9) for name in MUTATIONS] + [(name, 8) for name in MUTATIONS if name not in BEYOND_THE_HEAD],
)
async def test_a_batch_changed_in_what_is_stored_diverges(sink: Sink, name: str, reached: int) -> None:
    await written(sink, (0, reached))
    kept, head = await sink.read("mara"), await sink.head("mara")
    reply = await sink.write(mutated(name))
    assert (reply.status, reply.appended) == ("DIVERGED", 0)
    assert reply.detail.startswith("mara: ")
    assert (await sink.read("mara"), await sink.head("mara")) == (kept, head)


@pytest.mark.parametrize("name", BEYOND_THE_HEAD)
async def test_a_batch_changed_beyond_the_head_shuts_every_other_version_out(sink: Sink, name: str) -> None:
    await written(sink, (0, 8))
    assert (await sink.write(mutated(name))).status == "OK"  # nothing stored speaks against it
    for first, last in ((5, 9), (9, 9), (10, 12)):
        assert (await sink.write(STORY.batch(first, last))).status == "DIVERGED"


async def test_a_batch_that_counts_other_entries_before_it_diverges(sink: Sink) -> None:
    await written(sink, (0, 9))
    more = replace(STORY, entries=((4, b"more"), *STORY.entries))
    fewer = replace(STORY, entries=STORY.entries[1:])
    for other in (more, fewer):
        for first, last in ((7, 9), (9, 9)):
            assert (await sink.write(other.batch(first, last))).status == "DIVERGED"
    for other in (more, replace(STORY, entries=STORY.entries[:6])):
        assert (await sink.write(other.batch(10, 10, epoch=1, opens_epoch=False, entries=()))).status == "DIVERGED"


async def test_a_batch_that_hides_its_first_entries_behind_a_later_start_diverges(sink: Sink) -> None:
    await written(sink, (0, 9))
    honest = STORY.batch(9, 9)
    hidden = replace(honest, seq_before=5, chain_before=STORY.chains[5], entries=honest.entries[1:])
    reply = await sink.write(hidden)
    assert reply.status == "DIVERGED"
    assert "begins at offset 9 after entry 5, which the stream has at offset 9" in reply.detail


async def test_an_empty_batch_carries_its_chain_all_the_same(sink: Sink) -> None:
    await written(sink, (0, 4))
    reply = await sink.write(STORY.batch(5, 5, chain_before=STORY.chains[2]))
    assert reply.status == "DIVERGED"
    assert f"after entry 1 the batch has chain {STORY.chains[2]}, the stream {STORY.chains[1]}" in reply.detail


async def test_the_same_offset_of_another_log_diverges(sink: Sink) -> None:
    await written(sink, (0, 6))
    reply = await sink.write(replace(STORY, log="another").batch(0, 6))
    assert reply.status == "DIVERGED"
    assert "hash another:6 in the batch, log:6 in the head: two logs" in reply.detail


MALFORMED: dict[str, Callable[[SinkBatch], SinkBatch]] = {
    "from beyond to": lambda batch: replace(batch, from_offset=10),
    "an offset below zero": lambda batch: replace(batch, from_offset=-1),
    "an offset no double can hold": lambda batch: replace(batch, to_offset=2**53),
    "generation 0": lambda batch: replace(batch, generation=0),
    "an epoch below zero": lambda batch: replace(batch, epoch=-1),
    "a seq that jumps": lambda batch: replace(
        batch, entries=[batch.entries[0], replace(batch.entries[1], seq=9), *batch.entries[2:]]
    ),
    "a seq before that does not fit": lambda batch: replace(batch, seq_before=2),
    "an entry before from": lambda batch: replace(
        batch, entries=[replace(batch.entries[0], offset=4), *batch.entries[1:]]
    ),
    "an entry beyond to": lambda batch: replace(
        batch, entries=[*batch.entries[:-1], replace(batch.entries[-1], offset=10)]
    ),
    "offsets that fall": lambda batch: replace(
        batch, entries=[replace(batch.entries[0], offset=9), *batch.entries[1:]]
    ),
    "no chain": lambda batch: replace(batch, chain_before="", entries=()),
    "an entry without bytes": lambda batch: rechained(batch, [(5, b"")]),
    "a start with entries before it": lambda batch: replace(batch, starts_generation=True),
    "a start from another chain": lambda batch: replace(
        batch, starts_generation=True, seq_before=0, chain_before="00", entries=()
    ),
    "a site without fields": lambda batch: replace(batch, sites={"wolf": {}}),
    "a log time of no number": lambda batch: replace(batch, log_time_us=1.5),  # type: ignore[arg-type]  # what a careless caller does
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=list(MALFORMED))
async def test_a_malformed_batch_is_refused_before_anything_is_read(
    sink: Sink, change: Callable[..., SinkBatch]
) -> None:
    await written(sink, (0, 4))
    kept = await sink.head("mara")
    reply = await sink.write(change(STORY.batch(5, 9)))
    assert (reply.status, reply.appended) == ("REFUSED", 0)
    assert reply.detail.startswith("mara: the batch is malformed: ")
    assert await sink.head("mara") == kept
    assert await sink.read("mara") == [STORY.entry(1)]


async def test_bytes_that_do_not_give_their_chain_are_refused(sink: Sink) -> None:
    honest = STORY.batch(0, 6)
    reply = await sink.write(replace(honest, entries=[replace(honest.entries[0], json=b"{}"), *honest.entries[1:]]))
    assert reply.status == "REFUSED"
    assert "its bytes give" in reply.detail


@pytest.mark.parametrize("miner", ["", "_market", "ma{ra", "ma}ra"])
async def test_a_name_that_no_miner_can_have_is_refused(sink: Sink, miner: str) -> None:
    reply = await sink.write(Computation(miner, ()).batch(0, 4))
    assert reply.status == "REFUSED"
    with pytest.raises(ValueError, match="no miner's name"):
        await sink.new_generation(miner)


async def test_a_stream_without_a_head_diverges_even_at_a_start(store: Store) -> None:
    await written(store.sink, (0, 6))
    await store.restore("mara", {}, ["head"])
    for batch in (STORY.batch(0, 6), STORY.batch(7, 8)):
        reply = await store.sink.write(batch)
        assert reply.status == "DIVERGED"
        assert reply.detail == "mara: a stream of 3 entries has no head"


@pytest.mark.parametrize("part", ["head", "signals"])
async def test_head_and_stream_of_different_moments_diverge(store: Store, part: str) -> None:
    await written(store.sink, (0, 6))
    older = await store.snapshot("mara")
    await written(store.sink, (7, 8))
    await store.restore("mara", older, [part])
    for first, last in ((0, 6), (7, 8), (9, 9)):
        reply = await store.sink.write(STORY.batch(first, last))
        assert reply.status == "DIVERGED"
        assert "head says entries 1 to" in reply.detail


async def test_a_lost_stream_diverges(store: Store) -> None:
    await written(store.sink, (0, 6))
    await store.restore("mara", {}, ["signals"])
    reply = await store.sink.write(STORY.batch(7, 8))
    assert reply.status == "DIVERGED"
    assert reply.detail == "mara: head says entries 1 to 3, the stream holds 0: none to none"


async def test_a_stream_of_another_computation_under_the_head_diverges(store: Store) -> None:
    await written(store.sink, (0, 6))
    ours = await store.snapshot("mara")
    await store.restore("mara", {})
    other = replace(STORY, entries=((4, b"other"), *STORY.entries[1:]))
    await store.sink.write(other.batch(0, 6))
    await store.restore("mara", ours, ["head"])
    reply = await store.sink.write(STORY.batch(7, 8))
    assert reply.status == "DIVERGED"
    assert "at entry 3, the stream has" in reply.detail


async def test_a_store_that_came_back_older_is_a_gap_and_heals_by_resending(store: Store) -> None:
    await written(store.sink, (0, 6))
    older = await store.snapshot("mara")
    await written(store.sink, (7, 8), (9, 9))
    await store.restore("mara", older)
    assert (await store.sink.write(STORY.batch(10, 10))).status == "GAP"
    for first, last in ((7, 8), (9, 9), (10, 12)):
        assert (await store.sink.write(STORY.batch(first, last))).status == "OK"
    assert await store.sink.read("mara") == [STORY.entry(seq) for seq in range(1, 10)]


async def test_a_refilled_head_one_offset_before_its_last_entry_goes_on(store: Store) -> None:
    """A refill cannot know whether the last entry's offset has more entries, so its head stands before that offset."""
    await written(store.sink, (0, 8))
    assert (await store.sink.write(replace(STORY, entries=STORY.entries[:5]).batch(9, 9))).status == "OK"
    await store.move_head("mara", 8)
    assert (await store.sink.write(STORY.batch(5, 7))).status == "DUPLICATE"
    hiding = STORY.batch(9, 9, seq_before=5, chain_before=STORY.chains[5], entries=[STORY.entry(6), STORY.entry(7)])
    assert (await store.sink.write(hiding)).status == "DIVERGED"
    reply = await store.sink.write(STORY.batch(9, 9))
    assert (reply.status, reply.appended, reply.head_offset, reply.head_seq) == ("OK", 2, 9, 7)
    assert await store.sink.read("mara") == [STORY.entry(seq) for seq in range(1, 8)]


async def test_many_batches_are_answered_one_by_one_in_order(sink: Sink) -> None:
    other = Computation("cifr", ((2, b"a"), (3, b"b")), born=1)
    replies = await sink.write_many(
        [STORY.batch(0, 6), other.batch(0, 2), STORY.batch(9, 9), STORY.batch(7, 8), other.batch(3, 3),
         replace(other.batch(4, 4), seq_before=-1), STORY.batch(9, 9), other.batch(0, 3)]
    )  # fmt: skip
    assert [reply.status for reply in replies] == ["OK", "OK", "GAP", "OK", "OK", "REFUSED", "OK", "DUPLICATE"]
    assert await sink.read("mara") == [STORY.entry(seq) for seq in range(1, 8)]
    assert await sink.read("cifr") == [other.entry(1), other.entry(2)]
    assert await sink.write_many([]) == []


async def test_ten_thousand_signals_of_one_offset_are_one_batch(sink: Sink) -> None:
    crowd = Computation("iren", tuple((3, b'{"n":%d}' % n) for n in range(10_000)))
    assert (await sink.write(crowd.batch(0, 2))).status == "OK"
    assert (await sink.write(crowd.batch(3, 3))).appended == 10_000
    assert (await sink.write(crowd.batch(1, 3))).status == "DUPLICATE"
    assert await sink.read("iren") == [crowd.entry(seq) for seq in range(1, 10_001)]
    changed = [*crowd.entries[:5_000], (3, b"other"), *crowd.entries[5_001:]]
    assert (await sink.write(rechained(crowd.batch(3, 3), changed))).status == "DIVERGED"


async def test_numbers_keep_every_digit_up_to_the_largest(sink: Sink) -> None:
    largest = 2**53 - 1
    far = Computation("wulf", ((largest - 1, b"a"), (largest, b"b")), born=largest - 2)
    assert (await sink.write(far.batch(largest - 2, largest - 1, log_time_us=largest))).status == "OK"
    assert (await sink.write(far.batch(largest - 1, largest, log_time_us=largest))).appended == 1
    head = await sink.head("wulf")
    assert head is not None
    assert (head.offset, head.log_time_us, head.seq) == (largest, largest, 2)
    assert await sink.read("wulf") == [
        Entry(largest - 1, 1, far.chains[1], b"a"),
        Entry(largest, 2, far.chains[2], b"b"),
    ]


async def test_a_genesis_belongs_to_its_generation(sink: Sink) -> None:
    await written(sink, (0, 4))
    reply = await sink.write(STORY.batch(0, 3, starts_generation=False, chain_before=genesis_chain("mara", 2)))
    assert reply.status == "DIVERGED"
