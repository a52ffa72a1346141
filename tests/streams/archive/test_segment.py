"""One file: any record comes back to the bit, and a file that was changed anywhere gives no other record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.archive import Disk, Span
from streams.archive.layout import file_name
from streams.archive.segment import DamagedError, read_about, read_records, write_table
from streams.wire import LARGEST_NUMBER, RawRecord
from tests.support.archives import log

RECORDS = st.lists(
    st.builds(
        RawRecord,
        feed=st.text(max_size=20),
        receipt_time_us=st.integers(-LARGEST_NUMBER, LARGEST_NUMBER),
        instance=st.text(max_size=20),
        counter=st.integers(-LARGEST_NUMBER, LARGEST_NUMBER),
        payload=st.binary(max_size=200),
        note=st.text(max_size=20),
    ),
    min_size=1,
    max_size=20,
)


def written(folder: Path, records: list[RawRecord], topic: str = "raw") -> Span:
    """A file of these records."""
    first, last = records[0].offset, records[-1].offset
    span = Span(first, last, folder / file_name(first, last))
    Disk().publish(span.path, lambda file: write_table(file, records, (topic, "0123456789abcdef", 7)))
    return span


@settings(max_examples=60, deadline=None)
@given(records=RECORDS, first=st.integers(0, 2**40))
def test_any_records_come_back_with_what_a_feed_noted(
    tmp_path_factory: pytest.TempPathFactory, records: list[RawRecord], first: int
) -> None:
    numbered = [replace(record, offset=first + place) for place, record in enumerate(records)]
    span = written(tmp_path_factory.mktemp("segment"), numbered)
    assert list(read_records(span)) == numbered
    about = read_about(span)
    assert (about.first, about.last, about.count) == (first, first + len(records) - 1, len(records))
    assert about.last_hash == numbered[-1].hash()
    assert about.bytes == sum(len(record.payload) for record in records)
    assert (about.topic, about.log, about.hour) == ("raw", "0123456789abcdef", 7)


def fault(span: Span, records: list[RawRecord]) -> str:
    """What reading a file says, empty where it gives these records."""
    try:
        assert list(read_records(span)) == records
    except DamagedError as damaged:
        return str(damaged)
    return ""


def test_a_changed_byte_anywhere_gives_the_same_records_or_a_fault(tmp_path: Path) -> None:
    records = log(30)
    span = written(tmp_path, records)
    whole = span.path.read_bytes()
    faults = []
    for place in range(0, len(whole), 7):
        span.path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        faults.append(fault(span, records))
    found = [line for line in faults if line]
    assert len(found) > 100
    assert all(line.startswith(f"{span.path}: damaged: ") and "restore it from a copy" in line for line in found)


@pytest.mark.parametrize("left", [0, 1, 100, -1, -9])
def test_a_truncated_file_is_a_fault(tmp_path: Path, left: int) -> None:
    span = written(tmp_path, log(30))
    span.path.write_bytes(span.path.read_bytes()[:left])
    with pytest.raises(DamagedError, match="damaged"):
        list(read_records(span))


def test_a_file_under_the_name_of_another_range_is_a_fault(tmp_path: Path) -> None:
    span = written(tmp_path, log(30))
    other = tmp_path / file_name(0, 30)
    span.path.rename(other)
    with pytest.raises(DamagedError, match="it holds 30 records from 0 to 29"):
        read_about(Span(0, 30, other))


def test_a_parquet_file_of_others_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / file_name(0, 2)
    Disk().publish(path, lambda file: write_table(file, log(3)))
    with pytest.raises(DamagedError, match="damaged"):
        read_about(Span(0, 2, path))


def test_a_file_that_is_gone_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_about(Span(0, 2, tmp_path / file_name(0, 2)))


def test_offsets_that_do_not_follow_one_another_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="offset 5 follows 3"):
        written(tmp_path, [*log(4), log(1, first=5)[0]])
