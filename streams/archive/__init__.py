"""The archive: the log as Parquet files that outlive Kafka's retention, each record once, by ranges of offsets.

Files are only ever added whole and removed once a larger one holds the same offsets, so a process that is killed at any
point leaves an archive that reads right. Nothing here knows Kafka: the recorder brings the records.
"""

from __future__ import annotations

from streams.archive.check import Checked, check_archive
from streams.archive.disk import Disk
from streams.archive.layout import FolderLock, LockedError, Span, log_folders, outer, spans_of
from streams.archive.listing import list_archive
from streams.archive.reading import ArchivedLog, Wanted, choose_log, export_log
from streams.archive.segment import DamagedError, is_installed, require_pyarrow
from streams.archive.writer import LogWriter, new_log_folder, tail_of

__all__ = [
    "ArchivedLog",
    "Checked",
    "DamagedError",
    "Disk",
    "FolderLock",
    "LockedError",
    "LogWriter",
    "Span",
    "Wanted",
    "check_archive",
    "choose_log",
    "export_log",
    "is_installed",
    "list_archive",
    "log_folders",
    "new_log_folder",
    "outer",
    "require_pyarrow",
    "spans_of",
    "tail_of",
]
