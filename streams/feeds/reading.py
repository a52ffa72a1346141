"""How parsers read what a source said: JSON, CSV, zip, numbers, times. Pure; whatever the bytes, only FeedError comes.

Two things no reader can see and none here pretends to: of a key that JSON gives twice the last counts, and a text file
cut off inside its last number still reads as a number. Transports refuse a body that is shorter than announced.
"""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Literal, cast

import orjson

from streams.errors import FeedError
from streams.feeds.contract import Parsed
from streams.fleetfile_errors import shown

DECIMAL = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)\Z")
DIGITS = re.compile(r"-?[0-9]{1,30}\Z")
LONGEST_NUMBER = 64  # characters
MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,]([0-9]{1,9}))?"
    r"(?: ?([Zz])| ?([+-])([0-9]{2})(?::?([0-9]{2}))?)?\Z"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MIB = 1024 * 1024
INFLATES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENTRY = b"PK\x01\x02"  # begins each entry of a zip's directory
MOST_ENTRIES = 4_096


class each:  # noqa: N801 it reads as a clause: with each(parsed, "row 3")
    """One row among many: what is wrong with it becomes a fault, the rows beside it live.

    >>> parsed = Parsed()
    >>> with each(parsed, "row 3"):
    ...     raise FeedError("price has no value")
    >>> parsed.faults
    ['row 3: price has no value']
    """

    __slots__ = ("_parsed", "_what")

    def __init__(self, parsed: Parsed, what: str) -> None:
        self._parsed = parsed
        self._what = what

    def __enter__(self) -> None:
        """Begin the row."""

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> bool:
        """Keep what was wrong; what is not the source's fault goes on."""
        if isinstance(fault, FeedError | ValueError):
            self._parsed.faults.append(f"{self._what}: {fault}")
            return True
        return False


def looks_like(payload: bytes) -> str:
    """What bytes that are not what was expected seem to be.

    >>> looks_like(b"<!DOCTYPE html><html>"), looks_like(b"<?xml version='1.0'?>"), looks_like(b" ")
    ('an HTML page', 'an XML document', 'empty')
    """
    start = payload[:512].lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if not start:
        return "empty"
    if start.startswith(b"pk\x03\x04"):
        return "a zip file"
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if start.startswith(b"<"):
        return "an XML document"
    return "cut off or another format"


def json_of(payload: bytes) -> object:
    """The JSON value of a payload. FeedError on anything else, NaN, Infinity and what nests too deeply.

    >>> json_of(b'{"price": 65000.5}')
    {'price': 65000.5}
    >>> json_of(b"<html>busy</html>")
    Traceback (most recent call last):
    streams.errors.FeedError: the payload is not JSON but an HTML page
    """
    try:
        return cast("object", orjson.loads(payload))
    except orjson.JSONDecodeError as fault:
        kind = looks_like(payload)
        said = f" but {kind}" if kind != "cut off or another format" else f": {str(fault)[:120]}"
        raise FeedError(f"the payload is not JSON{said}") from fault


def obj(value: object, what: str) -> dict[str, object]:
    """A JSON object, else FeedError naming ``what``."""
    if not isinstance(value, dict):
        raise FeedError(f"{what} is {shown(value)}, not an object")
    return cast("dict[str, object]", value)


def rows(value: object, what: str, most: int = 100_000) -> list[object]:
    """A JSON list of ``most`` values at most, else FeedError naming ``what``."""
    if not isinstance(value, list):
        raise FeedError(f"{what} is {shown(value)}, not a list")
    if len(value) > most:
        raise FeedError(f"{what} has {len(value)} rows, over {most}")
    return cast("list[object]", value)


def given(found: Mapping[str, object], key: str) -> object:
    """The value of a key. FeedError where it is missing, null or empty text."""
    if key not in found:
        raise FeedError(str(found.get(RAGGED) or f"{key} is missing"))
    value = found[key]
    if value is None or value == "":
        raise FeedError(f"{key} has no value")
    return value


def text(found: Mapping[str, object], key: str) -> str:
    """Text that is not empty, else FeedError.

    >>> text({"symbol": "BTC/USD"}, "symbol")
    'BTC/USD'
    """
    value = given(found, key)
    if not isinstance(value, str):
        raise FeedError(f"{key} is {shown(value)}, not text")
    return value


def decimal_text(value: str, what: str) -> float:
    """A number written as plain decimal text: digits, one point, a minus. Nothing else is a number.

    >>> decimal_text("-20.50", "price")
    -20.5
    >>> decimal_text("1,000.00", "price")
    Traceback (most recent call last):
    streams.errors.FeedError: price is '1,000.00', not a plain decimal number
    """
    if len(value) > LONGEST_NUMBER or not DECIMAL.match(value):
        raise FeedError(f"{what} is {shown(value)}, not a plain decimal number")
    return float(value)


def number(found: Mapping[str, object], key: str) -> float:
    """A finite number: a JSON number (true and false are none) or plain decimal text, else FeedError.

    >>> number({"price": "65000.10"}, "price"), number({"price": 65000}, "price")
    (65000.1, 65000.0)
    >>> number({"price": ""}, "price")
    Traceback (most recent call last):
    streams.errors.FeedError: price has no value
    """
    value = given(found, key)
    if isinstance(value, str):
        return decimal_text(value, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FeedError(f"{key} is {shown(value)}, not a number")
    return float(value)


def integer(found: Mapping[str, object], key: str) -> int:
    """A whole number: a JSON integer or text of digits, read exactly, else FeedError.

    >>> integer({"connection_id": 6447481662169813000}, "connection_id")
    6447481662169813000
    >>> integer({"height": 1.0}, "height")
    Traceback (most recent call last):
    streams.errors.FeedError: height is 1.0, not a whole number
    """
    value = given(found, key)
    if isinstance(value, str) and DIGITS.match(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FeedError(f"{key} is {shown(value)}, not a whole number")
    return value


def iso_us(value: str, *, assume_utc: bool = False) -> int:
    """An ISO 8601 moment with its offset [us UTC]; digits finer than a microsecond are cut off, never rounded up.

    Without an offset it is refused, unless the source documents UTC (``assume_utc``).

    >>> iso_us("2023-02-09T20:30:37.167359596Z")
    1675974637167359
    >>> iso_us("2026-04-07 14:30:10.000000000+00:00") == iso_us("2026-04-07T09:30:10-05:00")
    True
    >>> iso_us("2026-04-07T14:30:10")
    Traceback (most recent call last):
    streams.errors.FeedError: '2026-04-07T14:30:10' names no offset from UTC
    """
    match = MOMENT.match(value)
    if match is None:
        raise FeedError(f"{shown(value)} is not a moment in ISO 8601")
    day, clock, fraction, utc, sign, hours, minutes = match.groups()
    if not utc and not sign and not assume_utc:
        raise FeedError(f"{shown(value)} names no offset from UTC")
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
    except ValueError as fault:
        raise FeedError(f"{shown(value)} is not a moment in ISO 8601: {fault}") from fault
    offset_min = (int(hours) * 60 + int(minutes or 0)) * (-1 if sign == "-" else 1) if sign else 0
    if abs(offset_min) > 18 * 60 or int(minutes or 0) > 59:
        raise FeedError(f"{shown(value)} lies at an impossible offset from UTC")
    seconds_us = (whole - EPOCH) // MICROSECOND
    return seconds_us + int((fraction or "0").ljust(6, "0")[:6]) - offset_min * 60_000_000


def unzipped(payload: bytes, most_bytes: int = 64 * MIB, most_files: int = 16) -> list[tuple[str, bytes]]:
    """Name and content of each file of a zip. FeedError where it is none, is broken, locked, or too large inflated."""
    if payload.count(ENTRY) > MOST_ENTRIES:
        raise FeedError(f"the zip has more than {MOST_ENTRIES} entries")
    found: list[tuple[str, bytes]] = []
    room = most_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > most_files:
                raise FeedError(f"the zip holds {len(entries)} files, over {most_files}")
            for entry in entries:
                if entry.compress_type not in INFLATES:
                    raise FeedError(f"{shown(entry.filename)} in the zip is packed in a way that is not read")
                with archive.open(entry) as file:
                    content = file.read(room + 1)
                room -= len(content)
                if room < 0:
                    raise FeedError(f"the zip holds more than {most_bytes} bytes")
                found.append((entry.filename, content))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, IndexError) as fault:
        kind = looks_like(payload)
        said = f" but {kind}" if kind not in {"a zip file", "cut off or another format"} else f": {str(fault)[:120]}"
        raise FeedError(f"the payload is not a whole zip{said}") from fault
    return found


RAGGED: Literal[""] = ""
"""The one key of a row that has too many or too few columns; its value says so."""


def csv_rows(body: bytes, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    r"""Line number and row (column -> text, both without spaces around) of each row of a CSV with a header.

    A row with too many or too few columns comes as ``{"": "line 7 has 5 columns, not 7"}``: :func:`text` and
    :func:`number` then refuse it in those words, so that a parser which reads its rows inside :class:`each` needs
    nothing more. FeedError where the header lacks a ``required`` column or has it twice, or where the text is broken
    (then rows already given stand). Empty lines are passed over.

    >>> list(csv_rows(b"Node, LMP\r\nHUB,21.5\r\nHUB\r\n", ["Node", "LMP"]))
    [(2, {'Node': 'HUB', 'LMP': '21.5'}), (3, {'': 'line 3 has 1 columns, not 2'})]
    """
    try:
        decoded = body.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise FeedError(f"the CSV is not UTF-8: {fault}") from fault
    reader = csv.reader(io.StringIO(decoded, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            row = [cell.strip() for cell in cells]
            if header is None:
                header = row
                wrong = [name for name in required if header.count(name) != 1]
                if wrong:
                    raise FeedError(f"the CSV's header lacks {', '.join(wrong)} (or has it twice); {csv_start(body)}")
            elif len(row) != len(header):
                line = reader.line_num
                yield line, {RAGGED: f"line {line} has {len(row)} columns, not {len(header)}"}
            else:
                yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as fault:
        raise FeedError(f"the CSV is broken at line {reader.line_num}: {fault}") from fault
    if header is None:
        raise FeedError("the CSV is empty")


def csv_start(body: bytes) -> str:
    """How a file that is not the CSV expected begins."""
    kind = looks_like(body)
    return f"it begins {shown(body[:60].decode('utf-8', 'replace'))}" if kind.startswith("cut") else f"it is {kind}"
