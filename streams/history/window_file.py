"""The joined window as a file: its columns, its rows, and every rule a row can break (FeedError with file and line)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from models.records import MINUTE_US
from streams.errors import FeedError
from streams.history.files import read_lines

INTERVAL_US = 15 * MINUTE_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = (
    "interval_start_utc",
    "interval_start_ct",
    "btc_usdt_asof_hour",
    "difficulty",
    "hashprice_subsidy_only_usd_ph_day",
    "ercot_hb_south_rtm_spp",
    "ercot_hb_south_dam_spp",
    "gix_h100_usd_hr_asof",
)


class Row(NamedTuple):
    """One interval of 15 minutes. ``line`` is its place in the file; prices in the units the columns name."""

    line: int
    start_us: int
    btc_usdt: float
    difficulty: float
    hashprice_usd_per_ph_day: float
    real_time_usd_per_mwh: float
    day_ahead_usd_per_mwh: float
    h100_usd_per_gpu_hour: float


@cache
def central() -> tzinfo:
    """Central prevailing time by the pinned time zone data: the machine's own may be older or newer."""
    with files("tzdata.zoneinfo.America").joinpath("Chicago").open("rb") as stream:
        return ZoneInfo.from_file(stream, "America/Chicago")


def microseconds(moment: datetime) -> int:
    """A moment in integer microseconds UTC.

    >>> microseconds(datetime(2024, 8, 21, 0, 30, tzinfo=UTC))
    1724200200000000
    """
    return (moment - EPOCH) // timedelta(microseconds=1)


def instant(time_us: int) -> datetime:
    """The moment of a time in microseconds UTC.

    >>> instant(1_724_200_200_000_000).isoformat()
    '2024-08-21T00:30:00+00:00'
    """
    return EPOCH + timedelta(microseconds=time_us)


def utc_text(time_us: int) -> str:
    """A time for people.

    >>> utc_text(1_724_200_200_000_000)
    '2024-08-21T00:30:00Z'
    """
    return instant(time_us).isoformat().replace("+00:00", "Z")


def is_header(line: bytes) -> bool:
    """Whether a line is the window's header."""
    return line.rstrip(b"\r\n") == ",".join(COLUMNS).encode()


def read_rows(path: Path) -> list[Row]:
    """Read every row: consecutive intervals of 15 minutes, finite numbers, Central time as the calendar has it.

    Raises SettingsError for a missing file, FeedError for a broken one, with the line.
    """
    rows: list[Row] = []
    for number, line in enumerate(read_lines(path), start=1):
        if number == 1:
            if not is_header(line):
                raise FeedError(f"{path}:1: the header is not the window's; it must be {','.join(COLUMNS)}")
            continue
        row = _row(path, number, line)
        if rows and row.start_us != rows[-1].start_us + INTERVAL_US:
            raise FeedError(f"{path}:{number}: {_step(rows[-1].start_us, row.start_us)}")
        rows.append(row)
    if not rows:
        raise FeedError(f"{path}: holds no rows")
    return rows


def _step(before_us: int, now_us: int) -> str:
    if now_us <= before_us:
        return f"{utc_text(now_us)} does not come after {utc_text(before_us)}: rows must be in the order of time"
    missing = f"{utc_text(before_us + INTERVAL_US)} is missing before {utc_text(now_us)}"
    return f"{missing}: every interval of 15 minutes must be there, a gap is not filled"


def _row(path: Path, number: int, line: bytes) -> Row:
    try:
        cells = line.decode("ascii").rstrip("\r\n").split(",")
    except UnicodeDecodeError as error:
        raise FeedError(f"{path}:{number}: the line is not plain text") from error
    if len(cells) != len(COLUMNS):
        raise FeedError(f"{path}:{number}: has {len(cells)} columns, the window has {len(COLUMNS)}")
    numbers = [_number(path, number, name, text) for name, text in zip(COLUMNS[2:], cells[2:], strict=True)]
    return Row(number, _start_us(path, number, cells), *numbers)


def _start_us(path: Path, number: int, cells: Sequence[str]) -> int:
    try:
        start = datetime.fromisoformat(cells[0]).astimezone(UTC)
    except ValueError:
        start = EPOCH
    start_us = microseconds(start)
    if utc_text(start_us) != cells[0] or start == EPOCH:
        raise FeedError(f"{path}:{number}: {COLUMNS[0]} {cells[0]!r} is not like 2024-06-17T00:15:00Z")
    if start_us % INTERVAL_US:
        raise FeedError(f"{path}:{number}: {COLUMNS[0]} {cells[0]} is not the start of a quarter of an hour")
    local = start.astimezone(central()).strftime("%Y-%m-%dT%H:%M:%S")
    if local != cells[1]:
        raise FeedError(f"{path}:{number}: {COLUMNS[1]} is {cells[1]!r}, but {cells[0]} is {local} Central")
    return start_us


def _number(path: Path, number: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        raise FeedError(f"{path}:{number}: {name} is {text!r}, not a finite number")
    return value
