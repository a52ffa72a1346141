"""One Parquet file of the archive: written with what it holds said in its footer, read back record by record.

The footer carries a digest over the hash of every record in order, so a file proves by itself that it gives the very
records that the log held. pyarrow is imported here alone, and only when a file is touched.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from models.records import HOUR_US
from streams.archive.layout import Span
from streams.errors import SettingsError, WorldError
from streams.wire import RawRecord

SEGMENT_SCHEMA = 1
KEY = b"changeover_segment"
REPEATED = ("feed", "instance", "note")
COUNTED = ("offset", "receipt_time_us", "counter")
COLUMNS = ("offset", "feed", "receipt_time_us", "instance", "counter", "note", "payload")
ROWS_OF_A_GROUP = 65_536
BYTES_OF_A_GROUP = 32 << 20
ROWS_AT_A_TIME = 8_192


class DamagedError(WorldError):
    """A file of the archive does not give the records that were written. ``path`` is the file."""

    def __init__(self, path: Path, reason: object) -> None:
        self.path = path
        self.reason = " ".join(str(reason).split())
        super().__init__(
            f"{path}: damaged: {self.reason}; restore it from a copy, or set it aside and live with the hole"
        )


def is_installed() -> bool:
    """Whether pyarrow is there."""
    return importlib.util.find_spec("pyarrow") is not None


def require_pyarrow() -> None:
    """Refuse to go on without pyarrow.

    Raises:
        SettingsError: how to install it.
    """
    if not is_installed():
        raise SettingsError("the archive needs pyarrow, which is not installed: pip install 'changeover[archive]'")


@dataclass(frozen=True, slots=True)
class About:
    """What a file's footer says of it.

    ``hour``: of receipt time, in hours since 1970. ``from_us``, ``to_us``: earliest and latest receipt time [us UTC].
    ``bytes``: of all payloads. ``digest``: over the hashes of its records in order; ``last_hash``: of the last one.
    """

    schema: int
    topic: str
    log: str
    hour: int
    first: int
    last: int
    count: int
    bytes: int
    from_us: int
    to_us: int
    last_hash: str
    digest: str


class Tally:
    """Records gone by, added up to what a footer says of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = -1
        self.bytes = self.from_us = self.to_us = 0
        self.last_hash = ""
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, record: RawRecord) -> None:
        """Take one record.

        Raises:
            ValueError: its offset does not follow the one before.
        """
        if self.count == 0:
            self.first, self.from_us, self.to_us = record.offset, record.receipt_time_us, record.receipt_time_us
        elif record.offset != self.last + 1:
            raise ValueError(f"offset {record.offset} follows {self.last}")
        self.count += 1
        self.last = record.offset
        self.bytes += len(record.payload)
        self.from_us = min(self.from_us, record.receipt_time_us)
        self.to_us = max(self.to_us, record.receipt_time_us)
        self.last_hash = record.hash()
        self._digest.update(self.last_hash.encode())

    def about(self, topic: str, log: str, hour: int) -> About:
        """What a file of these records says of itself."""
        span = (self.first, self.last, self.count, self.bytes, self.from_us, self.to_us)
        return About(SEGMENT_SCHEMA, topic, log, hour, *span, self.last_hash, self._digest.hexdigest())


def hour_of(receipt_time_us: int) -> int:
    """The hour of a time [us UTC], counted from 1970.

    >>> hour_of(7_200_000_000)
    2
    """
    return receipt_time_us // HOUR_US


def _arrow() -> tuple[Any, Any]:
    require_pyarrow()
    return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")


def _schema(pa: Any) -> Any:  # noqa: ANN401 pyarrow has no types
    kinds = {**dict.fromkeys(COUNTED, pa.int64()), **dict.fromkeys(REPEATED, pa.string()), "payload": pa.binary()}
    return pa.schema([pa.field(name, kinds[name], nullable=False) for name in COLUMNS])


def write_table(file: BinaryIO, records: Iterable[RawRecord], about: tuple[str, str, int] | None = None) -> Tally:
    """Write records as a Parquet file. ``about``: topic, log and hour, for a footer that says what the file holds."""
    pa, pq = _arrow()
    schema, tally = _schema(pa), Tally()
    with pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=list(REPEATED),
        column_encoding=dict.fromkeys(COUNTED, "DELTA_BINARY_PACKED"),
        write_page_checksum=True,
    ) as writer:
        for group in _groups(records):
            if about is not None:
                for record in group:
                    tally.add(record)
            columns = [[getattr(record, name) for record in group] for name in COLUMNS]
            writer.write_table(pa.table(columns, schema=schema))
        if about is not None:
            writer.add_key_value_metadata({KEY: orjson.dumps(asdict(tally.about(*about)))})
    return tally


def _groups(records: Iterable[RawRecord]) -> Iterator[list[RawRecord]]:
    """Records in portions that fit into memory."""
    group: list[RawRecord] = []
    held = 0
    for record in records:
        group.append(record)
        held += len(record.payload)
        if len(group) == ROWS_OF_A_GROUP or held >= BYTES_OF_A_GROUP:
            yield group
            group, held = [], 0
    if group:
        yield group


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Whatever a reader of Parquet says of a broken file, as one error of ours."""
    try:
        yield
    except (ValueError, LookupError, TypeError, OSError, RuntimeError, MemoryError) as error:
        raise DamagedError(path, str(error) or type(error).__name__) from error


def read_about(span: Span) -> About:
    """What a file's footer says.

    Raises:
        DamagedError: it has none, or it is not of this range.
        FileNotFoundError: the file is gone.
    """
    pa, pq = _arrow()
    with span.path.open("rb") as file, _damage(span.path):
        found = pq.ParquetFile(file)
        if found.schema_arrow.remove_metadata() != _schema(pa):
            raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
        about = About(**orjson.loads(found.metadata.metadata[KEY]))
        if about.schema != SEGMENT_SCHEMA:
            raise ValueError(f"it is of schema {about.schema}, read here is {SEGMENT_SCHEMA}")
        if (about.first, about.last, about.count) != (span.first, span.last, span.last - span.first + 1):
            raise ValueError(f"it holds {about.count} records from {about.first} to {about.last}")
        if found.metadata.num_rows != about.count:
            raise ValueError(f"it has {found.metadata.num_rows} rows and says {about.count}")
    return about


def read_records(span: Span) -> Iterator[RawRecord]:
    """The records of a file in order, each checked to be the next; the last one only once the digest holds.

    Raises:
        DamagedError: it does not give what was written.
        FileNotFoundError: the file is gone.
    """
    about = read_about(span)
    tally, held = Tally(), None
    for record in _rows(span):
        with _damage(span.path):
            tally.add(record)
        if held is not None:
            yield held
        held = record
    with _damage(span.path):
        if tally.about(about.topic, about.log, about.hour) != about:
            raise ValueError("its records do not fit its digest")
    if held is not None:
        yield held


def _rows(span: Span) -> Iterator[RawRecord]:
    _, pq = _arrow()
    with span.path.open("rb") as file, _damage(span.path):
        batches = pq.ParquetFile(file, page_checksum_verification=True).iter_batches(ROWS_AT_A_TIME)
        while True:
            with _damage(span.path):
                batch = next(batches, None)
                columns = None if batch is None else _lists(batch)
            if columns is None:
                return
            for row in zip(*columns, strict=True):
                offset, feed, receipt_time_us, instance, counter, note, payload = row
                yield RawRecord(feed, receipt_time_us, instance, counter, payload, offset, note)


def _lists(batch: Any) -> Sequence[list[Any]]:  # noqa: ANN401 pyarrow has no types
    return [batch.column(name).to_pylist() for name in COLUMNS]
