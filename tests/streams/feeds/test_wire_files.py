"""Every recorded or documented file of other hands, through the parsers as they run live: parsed, ignored or refused.

Websocket frames of the venues are replayed through real sockets in ``test_recordings.py``; here is the rest, in the
envelope its feed would give it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ChangeoverError
from streams.feeds.sources import SOURCES
from streams.wire import RawRecord
from tests.support.power import zipped
from tests.support.recorded_files import FILES, IN_ZIP

PARSERS = {name: parse for source in SOURCES for name, parse in source.parsers.items()}
AT_US = 1_790_000_000_000_000
SOCKETS = ("btc-docs", "cryptofeed", "nautilus")


@pytest.fixture(scope="module")
def wire(history_dir: Path) -> Path:
    """The folder of recorded payloads."""
    return history_dir / "wire"


@pytest.mark.listed
def test_no_file_of_the_folder_is_left_out(wire: Path) -> None:
    found = {file.relative_to(wire).as_posix() for file in wire.rglob("*") if file.is_file()}
    assert {file for file in found if not file.startswith(SOCKETS)} == set(FILES)


@pytest.mark.listed
@pytest.mark.parametrize("file", FILES)
def test_a_recorded_file_gives_as_many_records_as_it_holds(wire: Path, file: str) -> None:
    expected, body = FILES[file], (wire / file).read_bytes()
    payload = zipped({"a.csv": body.decode()}) if expected.envelope == IN_ZIP else body
    raw = RawRecord(expected.parser, AT_US, "test", 1, payload, note=expected.note)
    if expected.is_refused_whole:
        with pytest.raises((ChangeoverError, ValueError), match=expected.because):
            PARSERS[expected.parser](raw)
        return
    found = PARSERS[expected.parser](raw)
    assert (len(found.records), len(found.faults)) == (expected.parsed, expected.rows), found.faults
    assert expected.because in found.reason
