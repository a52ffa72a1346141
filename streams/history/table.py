"""Tables of numbers as files of history: a header that must be the one expected, refusals with the line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from streams.errors import FeedError
from streams.history.files import read_lines
from streams.history.window_file import microseconds


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table, by the names of its columns."""

    path: Path
    number: int
    cells: Sequence[str]
    columns: Sequence[str]

    def text(self, column: str) -> str:
        """A cell as it stands."""
        return self.cells[self.columns.index(column)]

    def refused(self, reason: object) -> FeedError:
        """The error of a line that breaks a rule."""
        return FeedError(f"{self.path}:{self.number}: {reason}")

    @contextmanager
    def faults(self) -> Iterator[None]:
        """What a reader or a record refuses is the fault of the file at this line."""
        try:
            yield
        except FeedError as error:
            raise self.refused(error) from error
        except ValueError as error:
            raise self.refused(error) from error

    def value(self, column: str) -> float:
        """A cell as a finite number."""
        text = self.text(column)
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if not math.isfinite(found) or "_" in text:
            raise self.refused(f"{column} is {text!r}, not a finite number")
        return found

    def utc_us(self, column: str, form: str) -> int:
        """A cell as a time [us UTC] in one form of :func:`datetime.strptime`, and no other."""
        text = self.text(column)
        try:
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError as error:
            raise self.refused(f"{column} {text!r} is not a time like {form}") from error
        if found.strftime(form) != text:
            raise self.refused(f"{column} {text!r} is not a time like {form}")
        return microseconds(found)


def is_header(line: bytes, columns: Sequence[str]) -> bool:
    """Whether a line is the header of these columns, all of it."""
    return line.rstrip(b"\r\n") == ",".join(columns).encode()


def read_table(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    """The lines of a table.

    Raises SettingsError where the file is missing, FeedError where its header is another or a line has other cells.
    """
    number = 0
    for number, line in enumerate(read_lines(path), start=1):
        if number == 1:
            if not is_header(line, columns):
                raise FeedError(f"{path}:1: the header must be {','.join(columns)}")
            continue
        try:
            cells = line.decode("ascii").rstrip("\r\n").split(",")
        except UnicodeDecodeError as error:
            raise FeedError(f"{path}:{number}: the line is not plain text") from error
        if len(cells) != len(columns):
            raise FeedError(f"{path}:{number}: has {len(cells)} columns, not {len(columns)}")
        yield Line(path, number, cells, columns)
    if number < 2:
        raise FeedError(f"{path}: holds no rows")


def day_us(day: date) -> int:
    """Midnight UTC of a day [us UTC].

    >>> day_us(date(2022, 1, 1))
    1640995200000000
    """
    return microseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def is_within(time_us: int, first: date | None, last: date | None) -> bool:
    """Whether a time lies in the days from ``first`` to ``last`` (UTC, both in), where they are given.

    >>> is_within(1640995200000000, date(2022, 1, 1), date(2022, 1, 1))
    True
    """
    after = first is None or time_us >= day_us(first)
    return after and (last is None or time_us < day_us(last + timedelta(days=1)))
