"""An archived log read from its first record to its last, and exported to one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.archive.disk import Disk
from streams.archive.layout import Span, holes_of, log_folders, log_id, standing
from streams.archive.segment import read_records, require_pyarrow, write_table
from streams.errors import SettingsError
from streams.history import RecordingWriter
from streams.wire import RawRecord

TRIES = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: of a feed, all where it is empty; received in [from, to) [us UTC], open where None."""

    feed: str = ""
    from_us: int | None = None
    to_us: int | None = None

    def takes(self, record: RawRecord) -> bool:
        """Whether a record is wanted.

        >>> Wanted("clock", 5, 6).takes(RawRecord("clock", 5, "a", 0, b"")), Wanted(to_us=5).takes(
        ...     RawRecord("clock", 5, "a", 0, b""))
        (True, False)
        """
        moment = record.receipt_time_us
        return (
            (not self.feed or record.feed == self.feed)
            and (self.from_us is None or self.from_us <= moment)
            and (self.to_us is None or moment < self.to_us)
        )


@dataclass(frozen=True, slots=True)
class ArchivedLog:
    """One log in an archive, by its folder."""

    folder: Path

    @property
    def log_id(self) -> str:
        """Its name, as ``--log`` takes it."""
        return log_id(self.folder)

    @property
    def spans(self) -> list[Span]:
        """The files that count, by offset."""
        return standing(self.folder)

    def records(self) -> Iterator[RawRecord]:
        """Every record once, in order; holes are passed over. A recorder may work on the folder meanwhile.

        Raises:
            DamagedError: a file does not give what was written.
        """
        wanted = 0
        for last_try in [*[False] * TRIES, True]:
            try:
                for span in self.spans:
                    for record in read_records(span) if span.last >= wanted else ():
                        if record.offset >= wanted:
                            yield record
                            wanted = record.offset + 1
            except FileNotFoundError:  # merged since it was listed: the merged file is listed next time
                if last_try:
                    raise
            else:
                return

    def refuse_incomplete(self) -> None:
        """Refuse a log that cannot be replayed.

        Raises:
            SettingsError: its beginning is missing, or records in the middle are.
        """
        spans = self.spans
        if not spans:
            raise SettingsError(f"{self.folder}: holds no record; name another log by --log")
        if spans[0].first > 0:
            raise SettingsError(
                f"{self.folder}: the log's beginning is missing: it begins at offset {spans[0].first}, and state from "
                "before cannot be known; a log can be replayed where its recorder began before Kafka dropped anything"
            )
        holes = holes_of(spans)
        if holes:
            first, last = holes[0]
            raise SettingsError(
                f"{self.folder}: records {first} to {last} are missing, and what was decided after them cannot be "
                "known; `changeover archive verify` tells all"
            )


def choose_log(archive: Path, wanted: str = "") -> ArchivedLog:
    """The log of an archive, or of several the one whose name begins with ``wanted``.

    Raises:
        SettingsError: there is none, or more than one; names them.
    """
    require_pyarrow()
    folders = log_folders(archive)
    if not folders:
        raise SettingsError(f"{archive}: holds no archived log; give the folder that `changeover recorder` writes to")
    fitting = [folder for folder in folders if log_id(folder).startswith(wanted)]
    exact = [folder for folder in fitting if log_id(folder) == wanted]
    fitting = exact or fitting
    if len(fitting) != 1:
        names = ", ".join(f"{log_id(folder)} ({folder.parent.name})" for folder in folders)
        found = "none of its logs" if not fitting else f"{len(fitting)} of its logs"
        asked = f"fits --log {wanted}" if wanted else "is meant"
        raise SettingsError(f"{archive}: {found} {asked}; choose one by --log: {names}")
    return ArchivedLog(fitting[0])


def export_log(log: ArchivedLog, to: Path, wanted: Wanted) -> int:
    """Write the wanted records to a new file: Parquet with the archive's columns, or a recording by lines.

    Gives how many.

    Raises:
        SettingsError: the file exists, cannot be written, or has another ending.
        DamagedError: the archive does not give what was written.
    """
    chosen = (record for record in log.records() if wanted.takes(record))
    if to.suffix == ".jsonl":
        with RecordingWriter(to) as writer:
            for record in chosen:
                writer.append(record)
        return writer.records
    if to.suffix != ".parquet":
        raise SettingsError(f"{to}: is neither .parquet nor .jsonl; name a file with one of these endings")
    if to.exists():
        raise SettingsError(f"{to}: exists already; export to another path or remove the file")
    counted = 0

    def counting() -> Iterator[RawRecord]:
        nonlocal counted
        for record in chosen:
            counted += 1
            yield record

    try:
        Disk().publish(to, lambda file: write_table(file, counting()))
    except OSError as error:
        raise SettingsError(
            f"{to}: cannot be written: {error.strerror or error}; name a file in a folder of yours"
        ) from error
    return counted
