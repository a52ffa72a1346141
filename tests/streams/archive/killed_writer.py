"""A process that writes a log to a folder for ever, for a test to kill: its one word is the folder."""

from __future__ import annotations

import importlib
import sys
from itertools import count
from pathlib import Path

from streams.archive import Disk, LogWriter
from tests.support.archives import log


def write_for_ever(folder: Path) -> None:
    """Say where it goes on once it is about to write, then append and flush seven records at a time, saying so."""
    importlib.import_module("pyarrow.parquet")  # takes its time, which is not what the kill should hit
    writing = LogWriter(folder, "raw", Disk(), print)
    sys.stdout.write(f"{writing.next_offset}\n")
    sys.stdout.flush()
    for start in count(writing.next_offset, 7):
        writing.append(log(7, first=start, began=0))
        writing.flush()
        sys.stdout.write("flushed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]))
