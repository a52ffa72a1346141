"""Logs to archive, a disk that stops in the middle, and what an archive gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from streams.archive import ArchivedLog, Disk, LogWriter, check_archive, new_log_folder
from streams.wire import RawRecord

HOUR_US = 3_600_000_000
BEGAN_US = 1_718_582_400_000_000 // HOUR_US * HOUR_US


def record(offset: int, at_us: int, payload: bytes = b"{}", feed: str = "venue", note: str = "") -> RawRecord:
    """One record of a log."""
    return RawRecord(feed, at_us, f"ingest-{offset % 2}", offset // 2, payload, offset, note)


def log(count: int, step_us: int = 60_000_000, first: int = 0, began: int | None = None) -> list[RawRecord]:
    """Records a minute apart, each with a payload of its own, some with a note, one not of UTF-8.

    ``began``: the offset at which time began, ``first`` where not given.
    """
    began = first if began is None else began
    return [
        record(
            offset,
            BEGAN_US + (offset - began) * step_us,
            b"\xff\x00" if offset == 3 else b'{"n":%d}' % offset,
            "clock" if offset % 5 == 0 else "venue",
            f"page {offset}" if offset % 7 == 0 else "",
        )
        for offset in range(first, first + count)
    ]


class Heard(list[str]):
    """Lines that a writer said."""

    def __call__(self, line: str) -> None:
        self.append(line)


def writer(folder: Path, disk: Disk | None = None, say: Callable[[str], None] | None = None) -> LogWriter:
    """A writer on a log's folder."""
    return LogWriter(folder, "raw", disk or Disk(), Heard() if say is None else say)


def archived(scope: Path, records: Sequence[RawRecord], flush_every: int = 10) -> Path:
    """The folder of these records, flushed every so many of them."""
    folder = new_log_folder(scope, records[0])
    writing = writer(folder)
    for start in range(0, len(records), flush_every):
        writing.append(records[start : start + flush_every])
        writing.flush()
    writing.close()
    return folder


def read(folder: Path) -> list[RawRecord]:
    """Every record that a log's folder gives."""
    return list(ArchivedLog(folder).records())


def faults(folder: Path) -> list[str]:
    """What a check finds."""
    return check_archive(folder).faults


class Stopped(BaseException):
    """The process was killed here."""


class StoppingDisk(Disk):
    """A disk whose process is killed before step number ``steps``; a file under the pen is left half written."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def _step(self) -> None:
        if self.left == 0:
            raise Stopped
        self.left -= 1

    def write(self, path: Path, produce: Callable[[BinaryIO], object]) -> None:
        """Write, or write half."""
        super().write(path, produce)
        if self.left == 0:
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
        self._step()

    def rename(self, old: Path, new: Path) -> None:
        """Rename, or not."""
        self._step()
        super().rename(old, new)

    def sync(self, folder: Path) -> None:
        """Sync, or not."""
        self._step()
        super().sync(folder)

    def remove(self, path: Path) -> None:
        """Remove, or not."""
        self._step()
        super().remove(path)
