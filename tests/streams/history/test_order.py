"""The order of a history is one: sorted by receipt, stable at ties, the same whatever Python's hashing does."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from streams.history import IMPORTERS, History, Imported, open_history
from streams.history.joined import join
from streams.history.sample import sample_path
from streams.history.window_file import COLUMNS
from streams.wire import RawRecord

pytestmark = pytest.mark.guarantee("G2")

PROGRAM = """
import hashlib, sys
from streams.history import open_history
digest = hashlib.blake2b()
for record in open_history(sys.argv[1]):
    digest.update(record.hash().encode())
print(digest.hexdigest())
"""

FIRST = """
[[file]]
path = "window.csv.gz"
importer = "window"
series = ["power:ERCOT:HB_SOUTH:da", "power:ERCOT:HB_SOUTH:rt"]
options = { power_lag_s = 5 }
"""
SECOND = """
[[file]]
path = "window.csv.gz"
importer = "window"
series = ["network:btc", "btc:usd"]
options = { network_lag_s = 5 }
"""
CONSTANTS = """
[constants]
"gpu:H100-SXM" = { usd_per_gpu_hour = 2.5 }
"utilisation:pool" = { utilisation = 0.5 }
"""


@pytest.fixture
def joins(tmp_path: Path) -> tuple[Path, Path]:
    """Two manifests that join the sample's figures with themselves, in either order of the files."""
    with sample_path() as path:
        (tmp_path / "window.csv.gz").write_bytes(path.read_bytes())
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text(FIRST + SECOND + CONSTANTS)
    other.write_text(SECOND + FIRST + CONSTANTS)
    return one, other


def test_records_of_the_sample_come_in_receipt_order_and_are_counted_in_it(sample: History) -> None:
    records = list(sample)
    assert all(one.receipt_time_us <= other.receipt_time_us for one, other in pairwise(records))
    assert [one.counter for one in records] == list(range(len(records)))


def test_a_join_gives_the_same_bits_under_any_hash_seed(joins: tuple[Path, Path]) -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(joins[0])],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 128


def test_the_order_of_files_in_a_manifest_decides_ties_only(joins: tuple[Path, Path]) -> None:
    one, other = (list(open_history(path)) for path in joins)
    assert one != other

    def content(records: list[RawRecord]) -> list[tuple[int, bytes]]:
        return sorted((record.receipt_time_us, record.payload) for record in records)

    assert content(one) == content(other)
    assert [record.receipt_time_us for record in one] == [record.receipt_time_us for record in other]


def test_records_of_equal_receipt_time_keep_the_order_of_their_sources() -> None:
    def source(name: str, times: list[int]) -> Imported:
        return Imported(name, [RawRecord("x", time, name, number, b"") for number, time in enumerate(times)])

    history = join("three", [source("a", [1, 5, 5]), source("b", [5, 6]), source("c", [1, 5])])
    assert [(one.receipt_time_us, one.instance, one.counter) for one in history] == [
        (1, "a", 0),
        (1, "c", 0),
        (5, "a", 1),
        (5, "a", 2),
        (5, "b", 0),
        (5, "c", 1),
        (6, "b", 1),
    ]


def test_an_importer_out_of_receipt_order_is_our_fault_and_said_so() -> None:
    records = [RawRecord("x", 2, "i", 0, b""), RawRecord("x", 1, "i", 1, b"")]
    with pytest.raises(ValueError, match="the importer gives records out of receipt order at 1"):
        join("bad", [Imported("bad", records)])


def test_every_importer_is_registered_under_its_name_and_knows_no_others_file() -> None:
    first_lines = {
        "window": ",".join(COLUMNS).encode() + b"\n",
        "ercot-day-ahead": b"Delivery Date,Hour Ending,Repeated Hour Flag,Settlement Point,Settlement Point Price\n",
        "ercot-real-time": b",HB_SOUTH_DAM,dew_point_temperature_S,temperature_S,HB_SOUTH_RTM,SOC,Net_Power_MW\n",
        "btc-candles": b"timestamp,open,high,low,close,volume\n",
        "difficulty": b"epoch,start_height,difficulty,start_time_utc_approx,method\n",
        "recording": b'{"changeover_recording":1}\n',
    }
    assert IMPORTERS.keys() == first_lines.keys(), "each importer has a line here that the others must not know"
    for name, importer in IMPORTERS.items():
        assert importer.name == name
        assert not importer.recognises(b"")
        assert not importer.recognises(b"timestamp,open,high,low,close\n")
        assert [other for other, line in first_lines.items() if importer.recognises(line)] == [name]
