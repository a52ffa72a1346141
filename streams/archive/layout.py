"""Where things lie in an archive, and which offsets each file says it holds.

``<archive>/<scope or live>/log-<16 hex>/raw-<first>-<last>.parquet`` holds an hour, ``parts/`` beside it the hour that
still runs. A range inside another is left from a crash between a merge and its cleaning up, and counts for nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from streams.errors import WorldError
from streams.wire import Names

PARTS = "parts"
DAMAGED = ".damaged"
LOCK = ".recorder.lock"
DIGITS = 12
FILE = re.compile(r"raw-(\d{12,})-(\d{12,})\.parquet")
LOG = re.compile(r"log-([0-9a-f]{16})(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Span:
    """A file and the offsets from ``first`` to ``last``, both included, that its name says it holds."""

    first: int
    last: int
    path: Path

    @property
    def is_part(self) -> bool:
        """Whether it belongs to an hour that was not merged yet."""
        return self.path.parent.name == PARTS

    @property
    def text(self) -> str:
        """The range as people read it."""
        return f"{self.first}-{self.last}"


def file_name(first: int, last: int) -> str:
    """The name of the file that holds a range of offsets.

    >>> file_name(0, 41)
    'raw-000000000000-000000000041.parquet'
    """
    return f"raw-{first:0{DIGITS}d}-{last:0{DIGITS}d}.parquet"


def span_at(path: Path) -> Span | None:
    """The range that a file's name says, None where it is no file of an archive.

    >>> span_at(Path("raw-000000000007-000000000041.parquet")).text, span_at(Path("notes.txt"))
    ('7-41', None)
    """
    found = FILE.fullmatch(path.name)
    return Span(int(found[1]), int(found[2]), path) if found and int(found[1]) <= int(found[2]) else None


def files_of(folder: Path) -> list[Path]:
    """Everything that lies in a log's folder and among its parts, by path.

    Parts are listed first: those that a merge removes meanwhile are then in the merged file, which is listed next.
    """
    return sorted(path for where in (folder / PARTS, folder) if where.is_dir() for path in where.iterdir())


def spans_of(folder: Path) -> list[Span]:
    """The ranges in a log's folder by first offset, of equal ones the longer and then the merged one first."""
    found = [span for path in files_of(folder) if (span := span_at(path))]
    return sorted(found, key=lambda span: (span.first, -span.last, span.is_part))


def outer(spans: Iterable[Span]) -> tuple[list[Span], list[Span]]:
    """Sorted ranges that say something new, and those inside what came before them.

    >>> a, b, c = (Span(first, last, Path()) for first, last in ((0, 9), (3, 9), (8, 12)))
    >>> outer([a, b, c]) == ([a, c], [b])
    True
    """
    kept: list[Span] = []
    inside: list[Span] = []
    for span in spans:
        (inside if kept and span.last <= kept[-1].last else kept).append(span)
    return kept, inside


def holes_of(kept: Sequence[Span]) -> list[tuple[int, int]]:
    """Offsets from and to, both included, that lie between ranges and in none of them.

    >>> holes_of([Span(0, 9, Path()), Span(12, 14, Path())])
    [(10, 11)]
    """
    return [(before.last + 1, after.first - 1) for before, after in pairwise(kept) if after.first > before.last + 1]


def standing(folder: Path) -> list[Span]:
    """The ranges that count in a log's folder. A hole is believed when two listings show it.

    A listing made while files come may hold a new one and lack the one before it.
    """
    kept = outer(spans_of(folder))[0]
    holes = holes_of(kept)
    while holes:
        kept = outer(spans_of(folder))[0]
        before, holes = holes, holes_of(kept)
        if holes == before:
            break
    return kept


def scope_folder(archive: Path, names: Names) -> Path:
    """The folder of a run's logs."""
    return archive / (names.scope or "live")


def log_folders(place: Path) -> list[Path]:
    """Every log below an archive, a scope's folder, or a log's own folder."""
    if LOG.fullmatch(place.name):
        return [place] if place.is_dir() else []
    found = [*place.glob("log-*"), *place.glob("*/log-*")]
    return sorted(folder for folder in found if LOG.fullmatch(folder.name) and folder.is_dir())


def log_id(folder: Path) -> str:
    """The log's name: the hash of its first record archived, with a number where that was not enough.

    >>> log_id(Path("live/log-480a561dbfc513f2-2"))
    '480a561dbfc513f2-2'
    """
    return folder.name.removeprefix("log-")


class LockedError(WorldError):
    """Another recorder writes to this log's folder."""


class FolderLock:
    """Held by the one recorder that writes to a log's folder; the system lets go of it when the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take it.

        Raises:
            LockedError: another process has it.
            OSError: the folder cannot be written to.
        """
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise LockedError(f"{folder}: another recorder writes to it; one is enough") from error

    def release(self) -> None:
        """Let go of it; called twice it does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
