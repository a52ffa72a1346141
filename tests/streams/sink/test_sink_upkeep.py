"""What every sink keeps beside its entries: trimming, sites, checkpoints, generations, who publishes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.errors import WorldError
from streams.sink import Sink
from streams.wire import MARKET, NO_OFFSET, Head, genesis_chain
from tests.streams.sink.stories import Computation, Store, rechained

pytestmark = pytest.mark.guarantee("G1")

STORY = Computation(
    "mara",
    tuple((offset, b'{"n":%d}' % n) for n, offset in enumerate((4, 6, 6, 8, 9, 9, 9, 10, 12), start=1)),
    born=4,
)


async def written(sink: Sink, *ranges: tuple[int, int]) -> None:
    """Write these ranges of offsets, each of which must be new."""
    for first, last in ranges:
        assert (await sink.write(STORY.batch(first, last))).status == "OK"


async def test_entries_below_the_named_one_are_trimmed_but_never_the_newest(sink: Sink) -> None:
    await written(sink, (0, 6))
    assert (await sink.write(STORY.batch(7, 8, trim_below=3))).status == "OK"
    assert [entry.seq for entry in await sink.read("mara")] == [3, 4]
    head = await sink.head("mara")
    assert head is not None
    assert (head.oldest_seq, head.seq) == (3, 4)
    assert (await sink.write(STORY.batch(9, 9, trim_below=2))).status == "OK"  # a replica that knows less
    assert [entry.seq for entry in await sink.read("mara")] == [3, 4, 5, 6, 7]
    assert (await sink.write(STORY.batch(10, 10, trim_below=1_000))).status == "OK"
    assert [entry.seq for entry in await sink.read("mara")] == [8]


async def test_what_was_trimmed_counts_as_the_same(sink: Sink) -> None:
    await written(sink, (0, 8))
    await sink.write(STORY.batch(9, 9, trim_below=5))
    for first, last in ((0, 4), (0, 6), (5, 8), (5, 9), (9, 9)):
        assert (await sink.write(STORY.batch(first, last))).status == "DUPLICATE"
    beyond = rechained(STORY.batch(5, 9), [(6, b"a"), (6, b"b")])
    reply = await sink.write(beyond)
    assert reply.status == "DIVERGED"
    assert "up to offset 9 the batch counts 3 entries, the stream has entry 5 at offset 9" in reply.detail


async def test_sites_are_written_when_the_head_moves(sink: Sink) -> None:
    await sink.write(STORY.batch(0, 6, sites={"wolf": {"json": '{"mw":1}', "offset": "6"}, "ox": {"json": "{}"}}))
    await sink.write(STORY.batch(7, 8, sites={"wolf": {"json": '{"mw":2}'}}))
    assert await sink.site("mara", "wolf") == {"json": '{"mw":2}', "offset": "6"}
    assert await sink.site("mara", "ox") == {"json": "{}"}
    assert await sink.site("mara", "none") == {}
    assert await sink.sites("mara") == ["ox", "wolf"]
    assert await sink.sites("nobody") == []


async def test_reading_begins_after_a_number_and_stops_at_a_count(sink: Sink) -> None:
    await written(sink, (0, 9))
    assert [entry.seq for entry in await sink.read("mara", 5)] == [6, 7]
    assert [entry.seq for entry in await sink.read("mara", 2, 3)] == [3, 4, 5]
    assert await sink.read("mara", 7) == []
    assert await sink.read("mara", count=0) == []
    assert await sink.read("nobody") == []


async def test_publishing_miners_are_registered_once(sink: Sink) -> None:
    for miner in ("mara", "cifr", "mara"):
        await sink.register(miner)
    assert await sink.miners() == ["cifr", "mara"]


async def test_the_newest_checkpoint_is_kept(sink: Sink) -> None:
    await written(sink, (0, 9))
    assert await sink.load_checkpoint("mara") is None
    assert await sink.store_checkpoint("mara", 6, b"six:\x00\xff")
    assert await sink.load_checkpoint("mara") == (6, b"six:\x00\xff")
    assert await sink.store_checkpoint("mara", 9, b"nine")
    assert not await sink.store_checkpoint("mara", 8, b"older")
    assert await sink.store_checkpoint("mara", 9, b"the same mark by a replica")
    assert await sink.load_checkpoint("mara") == (9, b"nine")


async def test_a_checkpoint_beyond_the_head_is_not_taken(sink: Sink) -> None:
    """A restart from it could only make gaps, and the one it replaces would be gone."""
    assert not await sink.store_checkpoint("mara", 0, b"no head at all")
    await written(sink, (0, 6))
    assert not await sink.store_checkpoint("mara", 7, b"beyond")
    assert await sink.load_checkpoint("mara") is None
    assert await sink.store_checkpoint("mara", 6, b"")
    assert await sink.load_checkpoint("mara") == (6, b"")


async def test_a_checkpoint_of_another_generation_is_not_taken(sink: Sink) -> None:
    await written(sink, (0, 6))
    assert not await sink.store_checkpoint("mara", 5, b"x", generation=2)
    assert await sink.store_checkpoint("mara", 5, b"x", generation=1)


async def test_the_market_has_a_checkpoint_without_a_head(sink: Sink) -> None:
    assert await sink.store_checkpoint(MARKET, 5, b"market")
    assert await sink.load_checkpoint(MARKET) == (5, b"market")
    with pytest.raises(ValueError, match="offsets count from 0"):
        await sink.store_checkpoint(MARKET, NO_OFFSET, b"")


async def test_a_new_generation_numbers_from_one_and_keeps_the_old_stream(store: Store) -> None:
    sink = store.sink
    await written(sink, (0, 9))
    await sink.store_checkpoint("mara", 9, b"old state")
    assert await sink.new_generation("mara") == 2
    assert await sink.head("mara") == Head(2, 0, NO_OFFSET, "", 0, genesis_chain("mara", 2), 1, 0, "", ())
    assert await sink.read("mara") == []
    assert await sink.load_checkpoint("mara") is None
    assert await store.set_aside("mara", 1) == [STORY.entry(seq) for seq in range(1, 8)]
    assert (await sink.write(STORY.batch(10, 12))).status == "REFUSED"  # a worker that has not heard of it
    again = replace(STORY, generation=2)
    assert (await sink.write(again.batch(5, 6))).status == "GAP"
    reply = await sink.write(again.batch(4, 6))
    assert (reply.status, reply.appended, reply.head_seq) == ("OK", 3, 3)
    assert await sink.read("mara") == [again.entry(seq) for seq in (1, 2, 3)]


async def test_a_fresh_generation_may_begin_at_any_offset_and_in_any_epoch(sink: Sink) -> None:
    assert await sink.new_generation("mara") == 1
    late = replace(STORY, born=50, entries=((50, b"x"),), epochs={0: 7})
    assert (await sink.write(late.batch(45, 49))).status == "REFUSED"
    assert (await sink.write(replace(late, epochs={}).batch(45, 49))).status == "GAP"
    assert (await sink.write(late.batch(45, 50))).status == "OK"


async def test_generations_follow_each_other(sink: Sink) -> None:
    assert [await sink.new_generation("mara") for _ in range(3)] == [1, 2, 3]


async def test_an_orphaned_stream_is_set_aside_as_generation_zero(store: Store) -> None:
    await written(store.sink, (0, 6))
    await store.restore("mara", {}, ["head"])
    assert await store.sink.new_generation("mara") == 1
    assert await store.set_aside("mara", 0) == [STORY.entry(seq) for seq in (1, 2, 3)]
    await written(store.sink, (0, 6))


async def test_a_stream_set_aside_is_never_overwritten(store: Store) -> None:
    await written(store.sink, (0, 6))
    await store.restore("mara", {}, ["head"])
    await store.sink.new_generation("mara")
    await store.restore("mara", {})
    await written(store.sink, (0, 9))
    await store.restore("mara", {}, ["head"])
    with pytest.raises(WorldError, match="is there already; rename or delete"):
        await store.sink.new_generation("mara")
    assert await store.sink.head("mara") is None
    assert len(await store.sink.read("mara")) == 7
    assert len(await store.set_aside("mara", 0)) == 3
