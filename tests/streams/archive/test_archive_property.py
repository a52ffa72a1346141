"""Whatever is appended, flushed, merged and killed in whatever order: the archive gives exactly the log's records."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.archive import Disk, LogWriter, tail_of
from streams.wire import RawRecord
from tests.support.archives import BEGAN_US, HOUR_US, Heard, Stopped, StoppingDisk, faults, read, record

# (records, how far each moves the clock [us], whether to flush behind them, steps of the disk until a kill or None)
ACTS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from((0, 1, HOUR_US // 3, HOUR_US, -HOUR_US // 2, 30 * HOUR_US)),
        st.booleans(),
        st.none() | st.integers(0, 12),
    ),
    max_size=12,
)


def extend(records: list[RawRecord], count: int, step_us: int) -> None:
    """More records of the log."""
    for _ in range(count):
        at_us = (records[-1].receipt_time_us if records else BEGAN_US) + step_us
        records.append(record(len(records), at_us, b"%d" % len(records), note="noted" if len(records) % 3 == 0 else ""))


def recorded(folder: Path, records: list[RawRecord], disk: Disk, *, flush: bool) -> LogWriter | None:
    """A writer that goes on where the folder ends; None where it was killed."""
    try:
        writing = LogWriter(folder, "raw", disk, Heard())
    except Stopped:
        return None
    try:
        writing.append(records)
        if flush:
            writing.flush()
    except Stopped:
        return None
    finally:
        writing.close()
    return writing


@pytest.mark.guarantee("G1")
@settings(max_examples=60, deadline=None)
@given(acts=ACTS)
def test_any_sequence_of_flushes_merges_and_kills_leaves_exactly_the_records(
    acts: list[tuple[int, int, bool, int | None]],
) -> None:
    records: list[RawRecord] = []
    extend(records, 1, 0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "log-0123456789abcdef"
        for count, step_us, flush, kill in acts:
            extend(records, count, step_us)
            disk = Disk() if kill is None else StoppingDisk(kill)
            recorded(folder, records, disk, flush=flush)
            if folder.exists():
                there = read(folder)
                assert there == records[: len(there)]
                assert faults(folder) == []
        recorded(folder, records, Disk(), flush=True)
        assert read(folder) == records
        assert faults(folder) == []
        assert tail_of(folder) == (records[-1].offset, records[-1].hash())
        assert not list(folder.rglob("*.tmp"))
