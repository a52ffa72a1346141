"""Fleet files become miners; what cannot be read is named in one line, and records of the log survive being written."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from models.fleet import AsicTier, GpuPool, Lease
from streams.errors import FeedError, SettingsError
from streams.fleetfile import MAX_FILE_BYTES, decode_miner, encode_miner, miner_of, read_miners
from tests.support.fleet_document import TEXT, document


def written(folder: Path, text: str, name: str = "fleet.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def refusal(path: Path) -> str:
    """What is said of a path that cannot be read; always one line."""
    with pytest.raises(SettingsError) as caught:
        read_miners(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_file_becomes_the_miner_it_says(tmp_path: Path) -> None:
    (miner,) = read_miners(written(tmp_path, TEXT))
    site = miner.site[0]
    assert (miner.key, miner.name, site.key, site.mw_cap, site.power.series) == (
        "mara",
        "MARA",
        "yard",
        20.0,
        "power:ERCOT:HB_SOUTH:rt",
    )
    assert site.asic[0] == AsicTier(
        key="s21", model="S21", joules_per_th=17.5, mw=8.0, effective_from=date(2024, 4, 20)
    )
    assert site.gpu[0] == GpuPool(key="h100", gpu="H100-SXM", gpus=64.0, kw_per_gpu=1.4, bf16_tflops=989.0)
    assert site.lease[0] == Lease(key="tenant", usd_per_kw_month=150.0, it_mw=4.0)
    assert site.reference.asic is not None
    assert site.reference.gpu is None
    assert miner.fact[0].mark == "confirmed"
    assert miner.hypothetical == ()


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name, key in (("b.toml", "cifr"), ("a.toml", "wulf"), ("c.toml", "iren")):
        written(tmp_path, TEXT.replace('"mara"', f'"{key}"'), name)
    written(tmp_path, "this is no fleet", "notes.txt")
    assert [miner.key for miner in read_miners(tmp_path)] == ["wulf", "cifr", "iren"]


def test_two_files_with_one_miner_are_refused_by_both_names(tmp_path: Path) -> None:
    written(tmp_path, TEXT, "a.toml")
    written(tmp_path, TEXT, "b.toml")
    assert refusal(tmp_path) == (
        f"{tmp_path}/b.toml: miner.key 'mara' is also in {tmp_path}/a.toml: one file holds all of a miner"
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.toml").startswith(f"{tmp_path}/none.toml: there is no such file")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    written(tmp_path, TEXT, "fleet.txt")
    assert refusal(tmp_path).startswith(f"{tmp_path}: this folder holds no *.toml")


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").mkdir()
    assert refusal(tmp_path).startswith(f"{tmp_path}/fleet.toml: is not a file")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fleet.toml")
    assert "is not a file" in refusal(tmp_path / "fleet.toml")


def test_a_name_longer_than_the_system_takes_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: File name too long" in refusal(tmp_path / ("x" * 5_000))


def test_a_file_without_the_right_to_read_it_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, TEXT)
    file.chmod(0)
    user = os.geteuid()
    if user == 0:  # root reads every file: be nobody meanwhile
        os.seteuid(65_534)
    try:
        assert "cannot be read: Permission denied" in refusal(file)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    "text",
    ["[miner", "key = ", "a = 1\na = 2", "[miner]\nkey = 'x", '{"key": "mara"}', "a = 2024-02-30"],
)
def test_what_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(written(tmp_path, text)).startswith(f"{tmp_path}/fleet.toml: not TOML: ")


def test_what_is_not_utf_8_is_refused_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_bytes(b'[miner]\nname = "Bitd\xe9er"')
    assert refusal(file) == f"{file}: not UTF-8 text (byte 20): save it as UTF-8"


def test_a_file_above_4_mib_is_refused_and_one_at_the_limit_is_read(tmp_path: Path) -> None:
    filled = (TEXT + "# a comment\n" * (MAX_FILE_BYTES // 12))[:MAX_FILE_BYTES]
    assert read_miners(written(tmp_path, filled))[0].key == "mara"
    assert "larger than 4194304 bytes" in refusal(written(tmp_path, filled + "#"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(TEXT + "a" * 1_001, "line 49 has 1001 characters", id="a long line"),
        pytest.param(".".join("a" * 50_000) + " = 1", "line 1 has 100003 characters", id="a key of 50,000 parts"),
        pytest.param("a = " + "[\n" * 50_000, "nested too deeply", id="lists in lists"),
        pytest.param(TEXT + f"[site.{'.'.join('a' * 400)}]", "nested too deeply", id="tables in tables"),
        pytest.param(TEXT + f"[b.{'.'.join('a' * 400)}]", "b = {'a': {'a': ", id="tables in an unknown table"),
        pytest.param(
            f"[b.{'.'.join('a' * 450)}]\n{'.'.join('a' * 450)}.c = [" + "[\n" * 200 + "]" * 200 + "]",
            "is not a known key",  # shown or not: a newer Python can write what an older one cannot
            id="lists in tables in an unknown table",
        ),
    ],
)
def test_a_file_made_to_exhaust_the_reader_is_refused(tmp_path: Path, text: str, said: str) -> None:
    message = refusal(written(tmp_path, text))
    assert said in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"key": "mara"', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "the document = [] must be a table"),
        (b"null", "the document = None must be a table"),
        (b'{"key": "mara"}', "miner.name is missing; site is missing"),
        (b'{"key": "mara", "name": "MARA", "site": [], "cap": 1}', "miner.cap = 1 is not a known key"),
    ],
)
def test_a_fleet_record_that_is_none_is_refused(payload: bytes, said: str) -> None:
    with pytest.raises(FeedError, match=r"^fleet record: ") as caught:
        decode_miner(payload)
    assert said in str(caught.value)


def test_a_truncated_fleet_record_is_refused_at_every_length() -> None:
    payload = encode_miner(miner_of(document(), "fleet.toml"))
    for length in range(len(payload)):
        with pytest.raises(FeedError):
            decode_miner(payload[:length])


def test_the_record_of_a_what_if_fleet_keeps_what_was_swapped() -> None:
    miner = replace(miner_of(document(), "fleet.toml"), hypothetical=("fleet as of 2024-07-01",))
    assert decode_miner(encode_miner(miner)) == miner
