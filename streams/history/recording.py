"""Recordings: a log kept as a file of lines, written record by record, read back bit for bit, clock ticks included.

The first line says what the file is; every other is one record as JSON with its hash. A record is written by one
system call, so a process that is killed leaves whole lines and at most one torn one, which the reader leaves out.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from streams.errors import FeedError, SettingsError, WorldError
from streams.history.contract import Imported, Importer, Options
from streams.history.files import read_lines
from streams.wire import RawRecord

RECORDING_SCHEMA = 1
HEADER = orjson.dumps({"changeover_recording": RECORDING_SCHEMA}) + b"\n"
HEADER_BEGINS = b'{"changeover_recording":'


def encode_line(record: RawRecord) -> bytes:
    r"""One record as a line. The offset is left out: a replay's log numbers anew.

    >>> encode_line(RawRecord("clock", 1, "ingest-1", 7, b"{}"))
    b'{"feed":"clock","recv":1,"inst":"ingest-1","n":7,"payload":"{}","base64":false,"hash":"480a561dbfc513f247ea1d4562634e5b"}\n'
    """
    try:
        payload, coded = record.payload.decode(), False
    except UnicodeDecodeError:
        payload, coded = base64.b64encode(record.payload).decode("ascii"), True
    noted = {"note": record.note} if record.note else {}
    line = {
        "feed": record.feed,
        "recv": record.receipt_time_us,
        "inst": record.instance,
        "n": record.counter,
        **noted,
        "payload": payload,
        "base64": coded,
        "hash": record.hash(),
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    feed: str
    recv: int
    inst: str
    n: int
    note: str = ""
    payload: str
    base64: bool
    hash: str


def decode_line(line: bytes) -> RawRecord:
    r"""A record from its line. Raises ValueError where the line is none or its hash does not fit.

    >>> decode_line(encode_line(RawRecord("clock", 1, "ingest-1", 7, bytes([0, 255])))).payload
    b'\x00\xff'
    """
    found = _Line.model_validate(orjson.loads(line))
    payload = base64.b64decode(found.payload, validate=True) if found.base64 else found.payload.encode()
    record = RawRecord(found.feed, found.recv, found.inst, found.n, payload, note=found.note)
    if record.hash() != found.hash:
        raise ValueError("the record does not fit its hash")
    return record


class RecordingWriter:
    """Appends raw records to a new file. A context manager; ``close`` makes the file safe against loss of power."""

    def __init__(self, path: Path) -> None:
        """Begin a recording. Raises SettingsError where the file exists or its folder does not."""
        self.path = path
        self.records = 0
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except FileExistsError as error:
            raise SettingsError(f"{path}: exists already; record to another path or remove the file") from error
        except OSError as error:
            reason = f"{error.strerror}; give a path in a folder that you may write in"
            raise SettingsError(f"{path}: cannot be written: {reason}") from error
        self._open = True
        self._write(HEADER)

    def append(self, record: RawRecord) -> None:
        """Write one record, whole, before returning. Raises WorldError where the disk refuses it."""
        if not self._open:
            raise ValueError(f"{self.path}: the recording is closed")
        self._write(encode_line(record))
        self.records += 1

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            self._open = False  # half a line may stand at the end now: nothing may follow it
            os.close(self._file)
            raise WorldError(
                f"{self.path}: cannot be written on: {error.strerror}; the {self.records} records in it stay readable"
            ) from error

    def close(self) -> None:
        """Finish the recording; closing twice is harmless. Raises WorldError where the disk cannot keep it."""
        if not self._open:
            return
        self._open = False
        try:
            os.fsync(self._file)
        except OSError as error:
            raise WorldError(f"{self.path}: cannot be kept: {error.strerror}; record anew on another disk") from error
        finally:
            os.close(self._file)

    def __enter__(self) -> Self:
        """Write until the context ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, whatever happened."""
        self.close()


@dataclass(frozen=True, slots=True)
class Recording:
    """The records of a recorded file, read anew on every iteration.

    Raises FeedError, with the line, at a line that is broken anywhere but at the torn end.
    """

    path: Path

    def __iter__(self) -> Iterator[RawRecord]:
        """Begin anew at the first record."""
        for number, line in enumerate(read_lines(self.path), start=1):
            if not line.endswith(b"\n"):
                return
            if number > 1:
                yield self._record(number, line)
            elif line != HEADER:
                raise FeedError(f"{self.path}:1: not a recording of schema {RECORDING_SCHEMA}, the one read here")

    def _record(self, number: int, line: bytes) -> RawRecord:
        try:
            return decode_line(line)
        except ValueError as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise FeedError(
                f"{self.path}:{number}: not a record as it was written ({reason}); the file was changed or damaged "
                "after the recording"
            ) from error


class RecordingImporter(Importer):
    """A file written by ``--record``."""

    name: ClassVar[str] = "recording"
    series: ClassVar[tuple[str, ...]] = ()

    def recognises(self, first_line: bytes) -> bool:
        """By the first key of its first line."""
        return first_line.startswith(HEADER_BEGINS)

    def read(
        self,
        path: Path,
        options: Options,  # noqa: ARG002 - a recording has none
        series: Sequence[str],  # noqa: ARG002 - it is replayed whole
        instance: str,  # noqa: ARG002 - its records keep the instance and number under which they were made
    ) -> Imported:
        """Open the file, without the torn record at its end if there is one."""
        return Imported(path.name, Recording(path), tuple(_notes(path)), in_log_order=True)


def _notes(path: Path) -> Iterable[str]:
    last = b"\n"
    for line in read_lines(path):
        last = line
    if not last.endswith(b"\n"):
        yield f"the last record was cut off when the recording was killed: {len(last)} bytes are left out"
