"""Filling a lost stream from a copy, on both sinks: whole or not at all, by one or by several, again after a crash."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.errors import DivergedError, WorldError
from streams.sink import Sink
from streams.wire import Entry, Head
from tests.streams.sink.stories import Computation

pytestmark = pytest.mark.guarantee("G1")

STORY = Computation(
    "mara", tuple((offset, b'{"n":%d}' % n) for n, offset in enumerate((4, 6, 6, 8, 9, 12), start=1)), born=4
)


async def copied(sink: Sink) -> tuple[list[Entry], Head]:
    """What a stream held before it was lost, and a head for it."""
    assert (await sink.write(STORY.batch(0, 12))).status == "OK"
    head = await sink.head("mara")
    assert head is not None
    entries = list(await sink.read("mara"))
    return entries, replace(head, offset=entries[-1].offset - 1, degraded=())


@pytest.fixture
async def lost(sink: Sink) -> tuple[list[Entry], Head]:
    """Entries and head of a computation; the sink itself holds nothing of the miner they are filled into."""
    return await copied(sink)


async def test_a_stream_filled_in_pages_is_the_one_that_was_lost(sink: Sink, lost: tuple[list[Entry], Head]) -> None:
    entries, head = lost
    assert await sink.refill("other", entries[:2])
    assert await sink.head("other") is None
    assert await sink.refill("other", entries[2:], head)
    assert await sink.read("other") == entries
    assert await sink.head("other") == head


async def test_filling_again_after_a_crash_changes_nothing_and_goes_on(
    sink: Sink, lost: tuple[list[Entry], Head]
) -> None:
    entries, head = lost
    assert await sink.refill("other", entries[:4])
    assert await sink.refill("other", entries[:3])
    assert await sink.refill("other", entries, head)
    assert await sink.read("other") == entries
    assert not await sink.refill("other", entries, head)


async def test_another_entry_under_a_number_is_diverged_and_nothing_is_overwritten(
    sink: Sink, lost: tuple[list[Entry], Head]
) -> None:
    entries, head = lost
    await sink.refill("other", entries[:3])
    with pytest.raises(DivergedError, match="entry 2"):
        await sink.refill("other", [entries[0], replace(entries[1], json=b"{}", chain="x")], head)
    assert await sink.head("other") is None
    assert [entry.chain for entry in entries[:3]] == [entry.chain for entry in await sink.read("other")]


async def test_a_copy_with_a_hole_makes_no_head(sink: Sink, lost: tuple[list[Entry], Head]) -> None:
    entries, head = lost
    await sink.refill("other", entries[:2])
    with pytest.raises(WorldError, match="after entry 2 the copy goes on with entry 5"):
        await sink.refill("other", entries[4:], head)
    assert await sink.head("other") is None


async def test_a_stream_that_was_trimmed_is_filled_from_where_the_copy_begins(
    sink: Sink, lost: tuple[list[Entry], Head]
) -> None:
    entries, head = lost
    assert await sink.refill("other", entries[3:], head)
    found = await sink.head("other")
    assert found is not None
    assert (found.oldest_seq, found.seq) == (4, 6)


async def test_a_trim_mark_counts_for_its_generation_alone(sink: Sink) -> None:
    assert await sink.trim_mark("mara", 1) == 0
    await sink.mark_trim("mara", 1, 40)
    assert (await sink.trim_mark("mara", 1), await sink.trim_mark("mara", 2)) == (40, 0)
