"""The writer: parts, merges, and a folder that reads right wherever the process was stopped."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams.archive import FolderLock, LockedError, Span, new_log_folder, outer, spans_of, tail_of
from streams.archive.layout import holes_of
from streams.wire import RawRecord
from tests.support.archives import (
    BEGAN_US,
    HOUR_US,
    Heard,
    Stopped,
    StoppingDisk,
    archived,
    faults,
    log,
    read,
    record,
    writer,
)

ROOT = Path(__file__).resolve().parents[3]


def names(folder: Path) -> list[str]:
    """Files of a log's folder, by range."""
    return sorted(str(span.path.relative_to(folder)) for span in spans_of(folder))


def test_parts_become_one_file_when_the_hour_turns(tmp_path: Path) -> None:
    records = log(75)
    folder = archived(tmp_path, records)
    assert names(folder) == [
        "parts/raw-000000000060-000000000069.parquet",
        "parts/raw-000000000070-000000000074.parquet",
        "raw-000000000000-000000000059.parquet",
    ]
    assert read(folder) == records
    assert faults(folder) == []


def test_the_folder_is_named_by_the_first_record(tmp_path: Path) -> None:
    records = log(3)
    assert archived(tmp_path, records).name == f"log-{records[0].hash()[:16]}"
    assert new_log_folder(tmp_path, records[0]).name == f"log-{records[0].hash()[:16]}-2"


def test_a_record_that_comes_late_stays_in_the_running_hour_and_one_far_off_gets_a_file(tmp_path: Path) -> None:
    times = [0, 1, HOUR_US, 2, HOUR_US + 1, 1_000 * HOUR_US, HOUR_US + 2]
    records = [record(offset, BEGAN_US + at_us) for offset, at_us in enumerate(times)]
    folder = archived(tmp_path, records, flush_every=len(records))
    assert [span.text for span in spans_of(folder)] == ["0-1", "2-4", "5-5", "6-6"]
    assert read(folder) == records


def test_a_record_without_a_feed_belongs_to_the_running_hour(tmp_path: Path) -> None:
    records = [record(0, BEGAN_US), RawRecord("", 0, "", 0, b"?", 1), record(2, BEGAN_US + 1)]
    folder = archived(tmp_path, records, flush_every=3)
    assert names(folder) == ["parts/raw-000000000000-000000000002.parquet"]
    assert read(folder) == records


def test_what_is_there_already_is_passed_over(tmp_path: Path) -> None:
    records = log(30)
    folder = archived(tmp_path, records[:20])
    again = writer(folder)
    assert again.next_offset == 20
    again.append(records)
    assert (again.pending, again.flush(), again.pending, again.pending_bytes) == (10, 10, 0, 0)
    assert read(folder) == records


def test_a_hole_begins_a_new_file_and_is_a_fault(tmp_path: Path) -> None:
    records = log(200)
    kept = records[:30] + records[40:]
    folder = archived(tmp_path, kept, flush_every=len(kept))
    assert read(folder) == kept
    (fault,) = faults(folder)
    assert fault.endswith("records 30 to 39 are missing")


def test_a_second_writer_is_kept_out_until_the_first_lets_go(tmp_path: Path) -> None:
    folder = tmp_path / "log-0123456789abcdef"
    first = writer(folder)
    with pytest.raises(LockedError, match="another recorder writes to it"):
        writer(folder)
    first.close()
    first.close()
    writer(folder).close()
    FolderLock(folder).release()


def test_a_folder_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no name of a log's folder"):
        writer(tmp_path / "prices")


@pytest.mark.guarantee("G1")
def test_stopped_before_any_step_the_folder_reads_right_and_goes_on(tmp_path: Path) -> None:
    records = log(130)
    stops = 0
    for steps in range(1_000):
        folder = tmp_path / str(steps) / "log-0123456789abcdef"
        try:
            writing = writer(folder, StoppingDisk(steps))
        except Stopped:
            stops += 1
            continue
        try:
            for start in range(0, 130, 20):
                writing.append(records[start : start + 20])
                writing.flush()
        except Stopped:
            stops += 1
            assert read(folder) == records[: len(read(folder))], steps
        else:
            break
        finally:
            writing.close()
        assert faults(folder) == []
        again = writer(folder)
        assert not list(folder.rglob("*.tmp"))
        assert len(spans_of(folder)) == len(outer(spans_of(folder))[0]), "what lay inside another file is gone"
        again.append(records[again.next_offset :])
        again.flush()
        again.close()
        assert read(folder) == records, steps
        assert faults(folder) == []
        shutil.rmtree(folder)
    assert stops > 30


def test_a_disk_that_refuses_is_asked_again_without_loss(tmp_path: Path) -> None:
    records = log(70)
    folder = tmp_path / "log-0123456789abcdef"
    writing = writer(folder)
    writing.append(records[:65])
    parts = folder / "parts"
    parts.rename(folder / "away")
    parts.write_bytes(b"no folder")
    with pytest.raises(NotADirectoryError):
        writing.flush()
    assert writing.pending == 65
    parts.unlink()
    (folder / "away").rename(parts)
    assert writing.flush() == 65
    writing.append(records[65:])
    writing.flush()
    writing.close()
    assert read(folder) == records


def test_what_is_read_and_checked_while_it_is_written_and_merged_is_always_the_log(tmp_path: Path) -> None:
    records = log(1_500)
    folder = tmp_path / "log-0123456789abcdef"
    writing = writer(folder)

    def write() -> None:
        for start in range(0, len(records), 15):
            writing.append(records[start : start + 15])
            writing.flush()

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        seen: list[int] = []
        while not written.done():
            found = read(folder)
            seen.append(len(found))
            assert found == records[: len(found)]
            assert faults(folder) == []
        written.result()
    assert read(folder) == records
    assert seen == sorted(seen)


FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.support.archives import log, record, writer
folder = Path(sys.argv[1])
writing = writer(folder)
writing.append(log(50))
writing.flush()
writing.append([record(50, 1718582400000000, bytes(range(256)) * 9)])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    writing.flush()
except OSError as error:
    print(error.strerror, writing.pending, len(list(folder.rglob("*.tmp"))))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(writing.flush(), writing.pending)
"""


def test_a_full_disk_leaves_no_unfinished_file_and_nothing_is_lost_once_it_has_room(tmp_path: Path) -> None:
    folder = tmp_path / "log-0123456789abcdef"
    run = [sys.executable, "-W", "error", "-c", FULL_DISK, str(folder)]
    said = subprocess.run(run, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == ["File too large 1 0", "1 0"]
    assert [one.offset for one in read(folder)] == list(range(51))
    assert faults(folder) == []


def damage(path: Path) -> None:
    """Spoil a file's data, not its footer."""
    content = path.read_bytes()
    path.write_bytes(content[:30] + bytes(300) + content[330:])


def test_a_part_damaged_before_its_merge_is_set_aside_and_leaves_a_hole(tmp_path: Path) -> None:
    records = log(61)
    folder = archived(tmp_path, records[:60], flush_every=20)
    damage(folder / "parts" / "raw-000000000020-000000000039.parquet")
    said = Heard()
    writing = writer(folder, say=said)
    writing.append(records[60:])
    writing.flush()
    writing.close()
    assert read(folder) == records[:20] + records[40:]
    assert (folder / "parts" / "raw-000000000020-000000000039.parquet.damaged").exists()
    assert "set aside as" in said[0]
    assert [fault.partition(": ")[2] for fault in faults(folder)] == ["records 20 to 39 are missing"]


@pytest.mark.parametrize("spoil", ["truncated", "empty"])
def test_a_last_file_that_cannot_be_read_is_recorded_again(tmp_path: Path, spoil: str) -> None:
    records = log(40)
    folder = archived(tmp_path, records, flush_every=20)
    last = folder / "parts" / "raw-000000000020-000000000039.parquet"
    last.write_bytes(b"" if spoil == "empty" else last.read_bytes()[:-100])
    assert tail_of(folder) == (19, records[19].hash())
    said = Heard()
    again = writer(folder, say=said)
    assert again.next_offset == 20
    again.append(records[20:])
    again.flush()
    again.close()
    assert len(said) == 1
    assert read(folder) == records


def test_parts_stay_where_the_file_around_them_is_damaged(tmp_path: Path) -> None:
    records = log(61)
    folder = archived(tmp_path, records[:60], flush_every=20)
    kept = {path.name: path.read_bytes() for path in (folder / "parts").iterdir()}
    writing = writer(folder)
    writing.append(records[60:])
    writing.flush()
    writing.close()
    for name, content in kept.items():
        (folder / "parts" / name).write_bytes(content)
    damage(folder / "raw-000000000000-000000000059.parquet")
    writer(folder, say=Heard()).close()
    assert read(folder) == records
    assert faults(folder) == []


def test_the_end_of_an_empty_folder_is_before_the_first_record(tmp_path: Path) -> None:
    assert tail_of(tmp_path) == (-1, "")


def test_ranges_overlap_in_every_way() -> None:
    def spans(*ranges: tuple[int, int]) -> list[Span]:
        return [Span(*each, Path()) for each in ranges]

    assert outer(spans((0, 9), (0, 4), (5, 9), (10, 19))) == (spans((0, 9), (10, 19)), spans((0, 4), (5, 9)))
    assert outer(spans((0, 9), (5, 12), (11, 12))) == (spans((0, 9), (5, 12)), spans((11, 12)))
    assert holes_of(spans((0, 9), (5, 12), (20, 21))) == [(13, 19)]
