"""What an archive holds, as `changeover archive ls` tells it: from names and footers, no record is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streams.archive.layout import DAMAGED, Span, files_of, holes_of, log_folders, log_id, standing
from streams.archive.segment import DamagedError, read_about


@dataclass(frozen=True, slots=True)
class Hour:
    """One file. ``from_us``, ``to_us`` [us UTC]: earliest and latest receipt time, None where it cannot be read."""

    file: str
    first: int
    last: int
    bytes: int
    from_us: int | None
    to_us: int | None


@dataclass(frozen=True, slots=True)
class Listed:
    """One log. ``bytes`` lie on the disk; ``hours`` are merged files, ``parts`` those of the hour that runs."""

    scope: str
    log: str
    folder: str
    first: int
    last: int
    records: int
    bytes: int
    hours: tuple[Hour, ...]
    parts: tuple[Hour, ...]
    holes: tuple[tuple[int, int], ...]
    damaged: tuple[str, ...]


def list_archive(place: Path) -> list[Listed]:
    """Every log below a place, by folder."""
    return [listed(folder) for folder in log_folders(place)]


def listed(folder: Path) -> Listed:
    """What one log's folder holds."""
    spans = standing(folder)
    files = [(span, hour) for span in spans if (hour := hour_at(folder, span))]
    held, reached = 0, -1
    for span, _ in files:
        held += span.last - max(span.first - 1, reached)
        reached = span.last
    aside = tuple(path.name for path in files_of(folder) if path.name.endswith(DAMAGED))
    return Listed(
        scope=folder.parent.name,
        log=log_id(folder),
        folder=str(folder),
        first=files[0][0].first if files else -1,
        last=reached,
        records=held,
        bytes=sum(hour.bytes for _, hour in files),
        hours=tuple(hour for span, hour in files if not span.is_part),
        parts=tuple(hour for span, hour in files if span.is_part),
        holes=tuple(holes_of([span for span, _ in files])),
        damaged=aside,
    )


def hour_at(folder: Path, span: Span) -> Hour | None:
    """What is told of one file; None where it has been merged since it was listed."""
    name = str(span.path.relative_to(folder))
    try:
        size = span.path.stat().st_size
    except FileNotFoundError:
        return None
    try:
        about = read_about(span)
    except FileNotFoundError:
        return None
    except DamagedError:
        return Hour(name, span.first, span.last, size, None, None)
    return Hour(name, span.first, span.last, size, about.from_us, about.to_us)
