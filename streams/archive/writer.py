"""One log's folder as its one recorder writes it: parts every few seconds, merged when the hour turns.

Nothing here is undone by stopping: every step leaves the folder readable, and the same call made again, or a new writer
on the folder, goes on from there. Calls that touch the disk raise OSError where it refuses, and may simply be repeated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from streams.archive.disk import UNFINISHED, Disk
from streams.archive.layout import DAMAGED, LOG, PARTS, FolderLock, Span, file_name, files_of, log_id, outer, spans_of
from streams.archive.segment import DamagedError, hour_of, read_about, read_records, write_table
from streams.wire import NO_OFFSET, RawRecord

Say = Callable[[str], None]
LOG_ID_DIGITS = 16
FAR_OFF_HOURS = 24
"""How far behind the running hour a record may be and still go into its file: an outage lets old ones come late."""


@dataclass(slots=True)
class Group:
    """Records that follow one another, of one hour, that are not on the disk yet."""

    hour: int
    records: list[RawRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the hour that still runs."""

    span: Span
    hour: int


def new_log_folder(scope: Path, first: RawRecord) -> Path:
    """The folder for a log that begins with this record; a number follows where another log's files have the name."""
    name = f"log-{first.hash()[:LOG_ID_DIGITS]}"
    folder, number = scope / name, 2
    while spans_of(folder):
        folder, number = scope / f"{name}-{number}", number + 1
    return folder


def tail_of(folder: Path) -> tuple[int, str]:
    """Offset and hash of the last record that can be read; ``NO_OFFSET`` and nothing where none can."""
    for span in reversed(outer(spans_of(folder))[0]):
        try:
            return span.last, read_about(span).last_hash
        except (DamagedError, FileNotFoundError):
            continue
    return NO_OFFSET, ""


class LogWriter:
    """Appends to one log's folder. ``next_offset`` is the one it wants next, ``recorded`` the last one on the disk.

    ``pending`` records with ``pending_bytes`` of payload are not on the disk yet.
    """

    def __init__(self, folder: Path, topic: str, disk: Disk, say: Say) -> None:
        """Take the folder, making it if need be, and clean up what a crash left.

        Raises:
            LockedError: another recorder has it.
            OSError: the disk refuses; nothing is held then.
        """
        if not LOG.fullmatch(folder.name):
            raise ValueError(f"{folder.name} is no name of a log's folder")
        self.folder, self.topic, self._disk, self._say = folder, topic, disk, say
        self._id = log_id(folder)
        self._pending: deque[Group] = deque()
        self._parts: list[Part] = []
        self.merged: list[Span] = []
        self.pending = self.pending_bytes = 0
        self.recorded = NO_OFFSET
        self.next_offset = 0
        disk.make(folder / PARTS)
        self._lock = FolderLock(folder)
        try:
            self._recover()
        except BaseException:  # also a cancelled start must leave the folder to the next recorder
            self._lock.release()
            raise

    def close(self) -> None:
        """Let go of the folder. What was not flushed is forgotten: the log still has it."""
        self._lock.release()

    @property
    def files(self) -> int:
        """Files that count."""
        return len(self.merged) + len(self._parts)

    def append(self, records: Iterable[RawRecord]) -> None:
        """Take records of the log in order, those it has already are passed over. Nothing is written yet."""
        for record in records:
            if record.offset < self.next_offset:
                continue
            last = self._pending[-1] if self._pending else None
            hour = self._hour(record)
            if last is None or last.hour != hour or record.offset != self.next_offset:
                last = Group(hour)
                self._pending.append(last)
            last.records.append(record)
            self.pending += 1
            self.pending_bytes += len(record.payload)
            self.next_offset = record.offset + 1

    def _hour(self, record: RawRecord) -> int:
        """The hour a record belongs to: the running one, unless its own is later, or the running one was far off."""
        own = hour_of(record.receipt_time_us)
        running = self._pending[-1].hour if self._pending else self._parts[-1].hour if self._parts else own
        is_late = running - FAR_OFF_HOURS <= own < running
        return running if is_late or not record.feed else own

    def flush(self) -> int:
        """Bring onto the disk what was appended; merges the parts of an hour that is over. Gives how many records."""
        flushed = 0
        while self._pending:
            group = self._pending[0]
            if self._parts and self._parts[0].hour != group.hour:
                self.merge()
            part = self._publish(self.folder / PARTS, _span_of(group.records), group.records, group.hour)
            self._parts.append(Part(part, group.hour))
            self.recorded = part.last
            self._pending.popleft()
            self.pending -= len(group.records)
            self.pending_bytes -= sum(len(record.payload) for record in group.records)
            flushed += len(group.records)
        return flushed

    def merge(self) -> None:
        """Make one file of the parts, one for each stretch without a hole, and remove them once it is on the disk."""
        while self._parts:
            run = self._first_run()
            try:
                whole = (run[0].span.first, run[-1].span.last)
                records = chain.from_iterable(read_records(part.span) for part in run)
                done = self._publish(self.folder, whole, records, run[0].hour)
            except DamagedError as damaged:
                self._set_aside(damaged)
                self._parts = [part for part in self._parts if part.span.path != damaged.path]
                continue
            self.merged.append(done)
            self._parts = self._parts[len(run) :]
            for part in run:
                self._disk.remove(part.span.path)
            self._disk.sync(self.folder / PARTS)

    def _first_run(self) -> list[Part]:
        run = [self._parts[0]]
        for part in self._parts[1:]:
            if part.span.first != run[-1].span.last + 1 or part.hour != run[0].hour:
                break
            run.append(part)
        return run

    def _publish(self, folder: Path, held: tuple[int, int], records: Iterable[RawRecord], hour: int) -> Span:
        """Write one file of these records, from the first to the last offset held."""
        span = Span(*held, folder / file_name(*held))
        about = (self.topic, self._id, hour)
        self._disk.publish(span.path, lambda file: write_table(file, records, about))
        return span

    def _set_aside(self, damaged: DamagedError) -> None:
        """Take a damaged file out of the way, never away: what it held may be mended by hand."""
        path = damaged.path
        self._disk.rename(path, path.with_name(path.name + DAMAGED))
        self._disk.sync(path.parent)
        self._say(f"{path.name} is damaged ({damaged.reason}): set aside as {path.name}{DAMAGED}")

    def _recover(self) -> None:
        """What a crash left is finished or removed, and where to go on is found."""
        for path in files_of(self.folder):
            if path.name.endswith(UNFINISHED):
                self._disk.remove(path)
        kept = self._settled()
        self.merged = [span for span in kept if not span.is_part]
        self._parts = list(self._known_parts([span for span in kept if span.is_part]))
        self.recorded = kept[-1].last if kept else NO_OFFSET
        self.next_offset = self.recorded + 1
        running = [part for part in self._parts if part.hour == self._parts[-1].hour]
        self._parts = self._parts[: len(self._parts) - len(running)]
        self.merge()  # hours that were over when the crash came
        self._parts = running

    def _settled(self) -> list[Span]:
        """The ranges that count, once those inside another are removed.

        What lies inside is removed only when the file around it gives every record. A damaged file at the end is set
        aside too: the log may still have what it held.
        """
        while True:
            kept, inside = outer(spans_of(self.folder))
            try:
                for span in kept:
                    if any(span.first <= each.first and each.last <= span.last for each in inside):
                        deque(read_records(span), maxlen=0)
                if kept:
                    read_about(kept[-1])
            except DamagedError as damaged:
                self._set_aside(damaged)
                continue
            for span in inside:
                self._disk.remove(span.path)
            return kept

    def _known_parts(self, spans: Sequence[Span]) -> Iterator[Part]:
        for span in spans:
            try:
                yield Part(span, read_about(span).hour)
            except DamagedError as damaged:
                self._set_aside(damaged)


def _span_of(records: Sequence[RawRecord]) -> tuple[int, int]:
    return records[0].offset, records[-1].offset
