"""Recordings: what was written is read back to the bit, and a kill costs at most the record under the pen."""

import gzip
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import FeedError, SettingsError
from streams.history import RecordingWriter, open_history
from streams.history.recording import Recording, decode_line, encode_line
from streams.wire import RawRecord

RECORDS = st.builds(
    RawRecord,
    feed=st.text(max_size=20),
    receipt_time_us=st.integers(0, 2**62),
    instance=st.text(max_size=20),
    counter=st.integers(0, 2**62),
    payload=st.binary(max_size=200) | st.text(max_size=50).map(str.encode),
    offset=st.just(-1),
    note=st.just("") | st.text(max_size=20),
)

SAMPLES = [
    RawRecord("clock", 1_718_582_400_000_000, "ingest-1", 0, b'{"time_us":1718582400000000,"replayed":false}', 0),
    RawRecord("venue", 1_718_582_400_100_000, "ingest-1", 1, b'{"price": "66,676', 1),
    RawRecord("venue", 1_718_582_400_050_000, "ingest-2", 0, b"\xff\x00 torn \n bytes", 2),
    RawRecord("observation", 1_718_582_401_000_000, "ingest-1", 2, b"[]", 3),
    RawRecord("empty", 1_718_582_402_000_000, "ingest-1", 3, b"", 4),
]


def unnumbered(records: list[RawRecord]) -> list[RawRecord]:
    """As they are before a log numbers them."""
    return [replace(record, offset=-1) for record in records]


def written(path: Path) -> Path:
    with RecordingWriter(path) as writer:
        for record in SAMPLES:
            writer.append(record)
    return path


def test_a_recording_gives_back_every_record_in_its_order_clock_ticks_included(tmp_path: Path) -> None:
    history = open_history(written(tmp_path / "run.jsonl"))
    assert list(history) == unnumbered(SAMPLES)
    assert list(history) == unnumbered(SAMPLES), "a history can be iterated again"
    assert [record.hash() for record in history] == [record.hash() for record in SAMPLES]
    assert history.carries_clock
    assert history.counts.feeds == {"clock": 1, "venue": 2, "observation": 1, "empty": 1}


@settings(max_examples=300)
@given(RECORDS)
def test_any_record_comes_back_from_its_line(record: RawRecord) -> None:
    line = encode_line(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_line(line) == record


@settings(max_examples=100)
@given(RECORDS, st.data())
def test_a_line_with_a_changed_byte_never_gives_another_record(record: RawRecord, data: st.DataObject) -> None:
    line = bytearray(encode_line(record))
    place = data.draw(st.integers(0, len(line) - 2))
    line[place] ^= data.draw(st.integers(1, 255))
    with suppress(ValueError):
        assert decode_line(bytes(line)) == record


def test_a_recording_cut_at_any_byte_gives_the_whole_records_before_the_cut(tmp_path: Path) -> None:
    data = written(tmp_path / "run.jsonl").read_bytes()
    header = data.index(b"\n") + 1
    cut = tmp_path / "cut.jsonl"
    for size in range(header, len(data)):
        cut.write_bytes(data[:size])
        whole = data[header:size].count(b"\n")
        assert list(Recording(cut)) == unnumbered(SAMPLES)[:whole]


def test_the_record_torn_by_a_kill_is_left_out_and_said_so(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl")
    path.write_bytes(path.read_bytes()[:-10])
    history = open_history(path)
    assert list(history) == unnumbered(SAMPLES)[:-1]
    assert any("the last record was cut off when the recording was killed" in note for note in history.notes)


def test_a_process_killed_while_recording_leaves_every_record_it_had_appended(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from streams.history import RecordingWriter\n"
        "from streams.wire import RawRecord\n"
        "writer = RecordingWriter(Path(sys.argv[1]))\n"
        "number = 0\n"
        "while True:\n"
        "    writer.append(RawRecord('clock', 1718582400000000 + number, 'x', number, b'%d' % number * 100))\n"
        "    number += 1\n"
        "    print(number, flush=True)\n"
    )
    path = tmp_path / "killed.jsonl"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        appended = 0
        while appended < 500:
            appended = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        rest = [line for line in process.stdout.read().splitlines(keepends=True) if line.strip()]
    appended = max([appended, *(int(line) for line in rest[:-1])])
    records = list(open_history(path))
    assert len(records) >= appended
    assert [record.counter for record in records] == list(range(len(records)))


def test_a_full_disk_ends_the_recording_with_one_clear_error_and_keeps_whole_records(tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from streams.errors import WorldError\n"
        "from streams.history import RecordingWriter\n"
        "from streams.wire import RawRecord\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "writer = RecordingWriter(Path(sys.argv[1]))\n"
        "try:\n"
        "    while True:\n"
        "        writer.append(RawRecord('clock', 1718582400000000, 'x', writer.records, b'7' * 300))\n"
        "except WorldError as error:\n"
        "    print(writer.records, error)\n"
    )
    path = tmp_path / "full.jsonl"
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    count, _, message = run.stdout.partition(" ")
    assert "cannot be written on" in message
    assert "stay readable" in message
    assert [record.counter for record in open_history(path)] == list(range(int(count)))
    assert int(count) > 5


def test_a_line_damaged_in_the_middle_is_refused_with_its_number(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl")
    path.write_bytes(path.read_bytes().replace(b"66,676", b"67,676"))
    with pytest.raises(
        FeedError, match=r"run\.jsonl:3: not a record as it was written \(the record does not fit its hash"
    ):
        open_history(path)
    path.write_bytes(path.read_bytes().replace(b'{"feed":"clock"', b'{"feed":"clock'))
    with pytest.raises(FeedError, match=r"run\.jsonl:2: not a record as it was written"):
        open_history(path)


def test_a_recording_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"changeover_recording":1', b'"changeover_recording":2'))
    with pytest.raises(FeedError, match=r"run\.jsonl:1: not a recording of schema 1"):
        open_history(path)


def test_a_recording_without_a_record_is_refused(tmp_path: Path) -> None:
    RecordingWriter(tmp_path / "empty.jsonl").close()
    with pytest.raises(FeedError, match=r"empty\.jsonl: holds no records"):
        open_history(tmp_path / "empty.jsonl")


def test_a_recording_may_be_packed_afterwards(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl")
    (tmp_path / "run.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert list(open_history(tmp_path / "run.jsonl.gz")) == unnumbered(SAMPLES)


def test_a_writer_never_overwrites(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl")
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=r"run\.jsonl: exists already; record to another path"):
        RecordingWriter(path)
    assert path.read_bytes() == before


def test_a_writer_names_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written: No such file or directory"):
        RecordingWriter(tmp_path / "absent" / "run.jsonl")


def test_a_closed_writer_refuses_records(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "run.jsonl")
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="the recording is closed"):
        writer.append(SAMPLES[0])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECORDS, min_size=1, max_size=20))
def test_any_log_comes_back_in_its_own_order_even_where_receipt_times_step_back(
    tmp_path: Path, records: list[RawRecord]
) -> None:
    path = tmp_path / "any.jsonl"
    path.unlink(missing_ok=True)
    with RecordingWriter(path) as writer:
        for record in records:
            writer.append(record)
    assert list(open_history(path)) == records
