"""Lines of a file of history, plain, gzip or zip, with caps that hold before anything is parsed.

A compressed file is measured by the bytes that really come out, never by what it says of itself.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from streams.errors import FeedError, SettingsError
from streams.wire import MAX_MESSAGE_BYTES

MAX_INFLATED_BYTES = 512 * 1024 * 1024
MAX_RATIO = 100  # tables of prices inflate 5 to 15 times; a bomb about a thousand times
RATIO_COUNTS_FROM_BYTES = 4 * 1024 * 1024  # below this a high ratio does no harm
MAX_LINE_BYTES = 6 * MAX_MESSAGE_BYTES + 65_536  # the largest message with every byte escaped, and its frame

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK"


class Lines(Protocol):
    """An open file, plain or inflating, as far as it is used here."""

    def readline(self, size: int, /) -> bytes:
        """The next line, or ``size`` bytes of it; empty at the end."""


def read_lines(path: Path) -> Generator[bytes]:
    """Yield the lines of a file with their line ends.

    Raises SettingsError where the file is missing or is not to be read, FeedError where it is damaged, inflates beyond
    the caps or has a line longer than any record.
    """
    try:
        with _opened(path) as (stream, compressed_bytes):
            yield from _capped(path, stream, compressed_bytes)
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: there is no such file; give a path that exists, or the name 'sample'") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise FeedError(f"{path}: the compressed file is cut off or damaged ({error}); fetch it again") from error
    except (NotImplementedError, RuntimeError) as error:  # zipfile: unknown method, encrypted member
        raise FeedError(f"{path}: the archive cannot be read ({error}); unpack it and give the file inside") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}") from error


def first_line(path: Path) -> bytes:
    """The first line of a file, empty for an empty file. Raises as :func:`read_lines` does."""
    with closing(read_lines(path)) as lines:
        return next(lines, b"")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Lines, int | None]]:
    """Open a file by what it is, not by its name; with its compressed size, None for a plain file."""
    with path.open("rb") as raw:
        magic = raw.read(2)
        raw.seek(0)
        size_bytes = path.stat().st_size
        if magic == GZIP_MAGIC:
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream, size_bytes
        elif magic == ZIP_MAGIC:
            with zipfile.ZipFile(raw) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
                if len(members) != 1:
                    raise FeedError(f"{path}: the archive holds {len(members)} files; one is read, so unpack it")
                with archive.open(members[0]) as stream:
                    yield stream, size_bytes
        else:
            yield raw, None


def _capped(path: Path, stream: Lines, compressed_bytes: int | None) -> Iterator[bytes]:
    inflated_bytes = 0
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        inflated_bytes += len(line)
        if compressed_bytes is not None:
            _refuse_bomb(path, inflated_bytes, compressed_bytes)
        if len(line) > MAX_LINE_BYTES:
            raise FeedError(f"{path}:{number}: the line is longer than {MAX_LINE_BYTES} bytes: no record is")
        yield line


def _refuse_bomb(path: Path, inflated_bytes: int, compressed_bytes: int) -> None:
    if inflated_bytes > MAX_INFLATED_BYTES:
        raise FeedError(f"{path}: inflates beyond {MAX_INFLATED_BYTES} bytes; unpack it and give the plain file")
    if inflated_bytes > RATIO_COUNTS_FROM_BYTES and inflated_bytes > MAX_RATIO * compressed_bytes:
        raise FeedError(
            f"{path}: {compressed_bytes} bytes inflate more than {MAX_RATIO} times, as an archive made to fill memory "
            "does; unpack it and give the plain file"
        )
