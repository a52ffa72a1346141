"""The sample that ships with the package: the figures of the joined window of 2024, so that a replay needs no data.

Sources and terms of the figures: docs/reference/sample.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

SAMPLE_FILE = "window_2024_15min.csv.gz"


@contextmanager
def sample_path() -> Iterator[Path]:
    """The sample as a file, for as long as the context lasts (a package in a zip is unpacked for it)."""
    with as_file(files(__name__).joinpath(SAMPLE_FILE)) as path:
        yield path
