"""Files of history: what is missing, damaged or made to fill memory ends in one clear error."""

import gzip
import zipfile
from pathlib import Path

import pytest

from streams.errors import FeedError, SettingsError
from streams.history import files
from streams.history.files import first_line, read_lines


def test_plain_gzip_and_zip_give_the_same_lines(tmp_path: Path) -> None:
    data = b"one\ntwo\nlast without end"
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "gzip").write_bytes(gzip.compress(data[:5]) + gzip.compress(data[5:]))
    with zipfile.ZipFile(tmp_path / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.csv", data)
    for name in ("plain", "gzip", "zip"):
        assert list(read_lines(tmp_path / name)) == [b"one\n", b"two\n", b"last without end"]
        assert first_line(tmp_path / name) == b"one\n"


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.csv: there is no such file; give a path that exists"):
        list(read_lines(tmp_path / "absent.csv"))


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        list(read_lines(tmp_path))


@pytest.mark.parametrize("kept", [3, 12, 200, -1, -9])
def test_a_truncated_gzip_is_refused(tmp_path: Path, kept: int) -> None:
    lines = b"".join(b"%d,%d\n" % (number, number * number) for number in range(2_000))
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(lines)[:kept])
    with pytest.raises(FeedError, match=r"cut\.gz: the compressed file is cut off or damaged"):
        list(read_lines(path))


def test_a_gzip_whose_bytes_were_changed_is_refused(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(b"line\n" * 1_000))
    data[-6] ^= 0xFF
    (tmp_path / "changed.gz").write_bytes(data)
    with pytest.raises(FeedError, match="cut off or damaged"):
        list(read_lines(tmp_path / "changed.gz"))


@pytest.mark.parametrize("data", [(b"0" * 99 + b"\n") * 500_000, b"0" * 50_000_000], ids=["lines", "one line"])
def test_a_gzip_bomb_is_stopped_by_its_ratio(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(data, 9))
    with pytest.raises(FeedError, match=r"bomb\.gz: \d+ bytes inflate more than 100 times"):
        list(read_lines(path))


def test_a_zip_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", (b"0" * 99 + b"\n") * 500_000)
    with pytest.raises(FeedError, match="inflate more than 100 times"):
        list(read_lines(path))


def test_inflation_is_capped_whatever_the_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_INFLATED_BYTES", 10_000)
    path = tmp_path / "large.gz"
    path.write_bytes(gzip.compress(b"line\n" * 2_001))
    with pytest.raises(FeedError, match="inflates beyond 10000 bytes; unpack it"):
        list(read_lines(path))


def test_a_plain_file_may_be_larger_than_the_cap_on_inflation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_INFLATED_BYTES", 10_000)
    path = tmp_path / "large.csv"
    path.write_bytes(b"line\n" * 2_001)
    assert len(list(read_lines(path))) == 2_001


def test_a_line_longer_than_any_record_is_refused_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 100)
    path = tmp_path / "long.csv"
    path.write_bytes(b"short\n" + b"x" * 101)
    with pytest.raises(FeedError, match=r"long\.csv:2: the line is longer than 100 bytes"):
        list(read_lines(path))


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "a")
        archive.writestr("b.csv", "b")
    with pytest.raises(FeedError, match="holds 2 files; one is read, so unpack it"):
        list(read_lines(tmp_path / "two.zip"))


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.zip").write_bytes(b"PK\x03\x04 nothing of the kind")
    with pytest.raises(FeedError, match="cut off or damaged"):
        list(read_lines(tmp_path / "none.zip"))
