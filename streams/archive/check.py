"""Whether an archive gives what was recorded: every file read to its last record, every range beside its neighbour."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from streams.archive.layout import DAMAGED, Span, files_of, holes_of, log_folders, log_id, standing
from streams.archive.segment import DamagedError, read_about, read_records, require_pyarrow
from streams.errors import SettingsError


@dataclass(slots=True)
class Checked:
    """What a check found. ``faults`` and ``notes`` are lines; notes are true of a sound archive too."""

    logs: int = 0
    files: int = 0
    records: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_archive(place: Path) -> Checked:
    """Check every log below a place.

    Raises:
        SettingsError: there is none, or pyarrow is not installed.
    """
    require_pyarrow()
    folders = log_folders(place)
    if not folders:
        raise SettingsError(f"{place}: holds no archived log; give the folder that `changeover recorder` writes to")
    checked = Checked()
    for folder in folders:
        check_log(folder, checked)
    return checked


def check_log(folder: Path, checked: Checked) -> None:
    """Check one log; a recorder may work on it meanwhile."""
    results: dict[Path, str] = {}
    while True:
        kept = standing(folder)
        new = [span for span in kept if span.path not in results]
        if not new:
            break
        for span in new:
            try:
                results[span.path] = fault_of(span, log_id(folder))
            except FileNotFoundError:  # merged since it was listed: the merged file is listed next time
                continue
    checked.logs += 1
    checked.files += len(kept)
    checked.records += sum(span.last - span.first + 1 for span in kept if not results[span.path])
    checked.faults += [fault for span in kept if (fault := results[span.path])]
    name = f"log {log_id(folder)} ({folder.parent.name})"
    checked.faults += [f"{name}: records {first} to {last} are missing" for first, last in holes_of(kept)]
    checked.faults += [
        f"{name}: records {after.first} to {before.last} are in two files: {before.path.name}, {after.path.name}"
        for before, after in pairwise(kept)
        if after.first <= before.last
    ]
    aside = [path for path in files_of(folder) if path.name.endswith(DAMAGED)]
    checked.notes += [f"{name}: {path.name} was set aside as damaged" for path in aside]
    if not kept:
        checked.notes.append(f"{name}: holds no record yet")
    elif kept[0].first > 0:
        checked.notes.append(f"{name}: begins at offset {kept[0].first}; what came before was never recorded")


def fault_of(span: Span, log: str) -> str:
    """What is wrong with one file, empty where nothing is. Raises FileNotFoundError where it is gone."""
    try:
        about = read_about(span)
        deque(read_records(span), maxlen=0)
    except DamagedError as damaged:
        return str(damaged)
    if about.log != log:
        return f"{span.path}: belongs to log {about.log}; move it back there"
    return ""
