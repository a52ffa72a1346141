"""`changeover archive` and `replay --archive`: what they print, what they refuse, and with which exit code."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyarrow import parquet

from streams.archive import choose_log
from streams.cli import main
from streams.errors import SettingsError
from streams.history import open_history
from streams.recorder import run_recorder
from streams.replay import replay
from streams.settings import load
from streams.stack import Stack
from tests.support.archives import BEGAN_US, archived, log, read
from tests.support.logs import question, write_slice

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing set outside; the archive in a folder of the test's own."""
    for name in list(os.environ):
        if name.startswith("CHANGEOVER_") and name != "CHANGEOVER_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the settings say that the archive is."""
    return tmp_path / "data" / "changeover" / "archive"


def printed(captured: Captured) -> dict[str, Any]:
    """The object that a command printed."""
    found: dict[str, Any] = json.loads(captured.readouterr().out)
    return found


def test_ls_tells_hours_parts_ranges_and_bytes(place: Path, capsys: Captured) -> None:
    folder = archived(place / "live", log(75))
    assert main(["archive", "ls", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["logs"]
    (hour,) = found["hours"]
    assert (found["scope"], found["log"]) == ("live", folder.name.removeprefix("log-"))
    assert (found["first"], found["last"], found["records"], found["holes"], found["damaged"]) == (0, 74, 75, [], [])
    assert (hour["file"], hour["first"], hour["last"]) == ("raw-000000000000-000000000059.parquet", 0, 59)
    assert (hour["from_us"], hour["to_us"]) == (BEGAN_US, BEGAN_US + 59 * 60_000_000)
    assert [(part["first"], part["last"]) for part in found["parts"]] == [(60, 69), (70, 74)]
    assert found["bytes"] == sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    assert main(["archive", "ls", str(folder)]) == 0
    assert "75 records" in capsys.readouterr().out


def test_ls_of_nothing_says_so(tmp_path: Path, capsys: Captured) -> None:
    assert main(["archive", "ls", str(tmp_path)]) == 0
    assert "no log is archived" in capsys.readouterr().out


def test_verify_of_a_sound_archive_is_0(place: Path, capsys: Captured) -> None:
    archived(place / "live", log(75))
    archived(place / "demo-main", log(5, first=3))
    assert main(["archive", "verify", "--json"]) == 0
    found = printed(capsys)
    assert (found["logs"], found["files"], found["records"], found["faults"]) == (2, 4, 80, [])
    assert ["begins at offset 3" in str(note) for note in found["notes"]] == [True]


def test_verify_names_each_fault_in_one_line_and_is_1(place: Path, capsys: Captured) -> None:
    folder = archived(place / "live", log(130))
    (folder / "raw-000000000000-000000000059.parquet").write_bytes(b"PAR1")
    (folder / "parts" / "raw-000000000120-000000000129.parquet").rename(
        folder / "raw-000000000121-000000000130.parquet"
    )
    stray = archived(place / "demo-a", log(10))
    (folder / "raw-000000000140-000000000149.parquet").write_bytes(next(stray.rglob("*.parquet")).read_bytes())
    assert main(["archive", "verify", str(folder)]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fault")]
    assert len(lines) == 5
    assert [
        part
        for part, line in zip(("059.parquet: damaged", "from 120 to 129", "from 0 to 9"), lines, strict=False)
        if part not in line
    ] == []
    assert lines[3].endswith("records 120 to 120 are missing")
    assert lines[4].endswith("records 131 to 139 are missing")


def test_verify_finds_a_file_of_another_log(place: Path, capsys: Captured) -> None:
    first = archived(place / "live", log(10))
    other = archived(place / "live", log(10, step_us=1))
    assert other != first
    (path,) = (other / "parts").iterdir()
    path.replace(first / "parts" / path.name)
    assert main(["archive", "verify", str(first)]) == 1
    assert f"belongs to log {other.name.removeprefix('log-')}" in capsys.readouterr().out


def test_verify_where_nothing_is_archived_is_2(tmp_path: Path, capsys: Captured) -> None:
    assert main(["archive", "verify", str(tmp_path)]) == 2
    assert "holds no archived log" in capsys.readouterr().err


def test_an_export_by_lines_is_a_recording_with_notes(place: Path, tmp_path: Path, capsys: Captured) -> None:
    records = log(75)
    archived(place / "live", records)
    file = tmp_path / "out.jsonl"
    assert main(["archive", "export", "--to", str(file), "--json"]) == 0
    assert printed(capsys)["records"] == 75
    assert [one.hash() for one in open_history(file)] == [one.hash() for one in records]
    assert main(["archive", "export", "--to", str(file)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_an_export_takes_a_feed_and_a_stretch_of_receipt_time(place: Path, tmp_path: Path, capsys: Captured) -> None:
    archived(place / "live", log(75))
    file = tmp_path / "out.parquet"
    words = ["--feed", "clock", "--from", "2024-06-17T00:10:00Z", "--to-time", "2024-06-17T00:21:00+00:00"]
    assert main(["archive", "export", "--to", str(file), *words]) == 0
    assert "3 records" in capsys.readouterr().out
    assert parquet.read_table(file).column("offset").to_pylist() == [10, 15, 20]
    for wrong in (file, tmp_path / "out.csv", tmp_path / "absent" / "out.parquet"):
        assert main(["archive", "export", "--to", str(wrong)]) == 2


@pytest.mark.parametrize("moment", ["yesterday", "2024-06-17T00:10:00"])
def test_a_time_without_its_zone_is_refused(place: Path, moment: str, capsys: Captured) -> None:
    archived(place / "live", log(5))
    assert main(["archive", "export", "--to", "x.jsonl", "--from", moment]) == 2
    assert "no time with its zone" in capsys.readouterr().err


def test_of_several_logs_one_must_be_named(place: Path) -> None:
    first, second = archived(place / "live", log(5)), archived(place / "live", log(5, step_us=1, first=2))
    with pytest.raises(SettingsError, match=r"2 of its logs is meant; choose one by --log: .*live"):
        choose_log(place)
    with pytest.raises(SettingsError, match="none of its logs fits --log zzz"):
        choose_log(place, "zzz")
    assert choose_log(place, second.name.removeprefix("log-")[:6]).folder == second
    assert choose_log(first).folder == first


def test_without_pyarrow_every_command_says_how_to_install_it(
    place: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived(place / "live", log(5))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for words in (["ls"], ["verify"], ["export", "--to", "x.jsonl"]):
        assert main(["archive", *words]) == 2
        assert "pip install 'changeover[archive]'" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="the archive needs pyarrow"):
        asyncio.run(run_recorder(load(environment={})))
    said: list[str] = []
    stack = Stack(load(environment={}), said.append, {})
    stack.start_recorder()
    assert said == ["not recording the log: pyarrow is not installed (pip install 'changeover[archive]')"]
    assert stack.services.pids == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "--archive", "{place}"], "PATH beside --archive"),
        (["--archive", "{place}", "--miners", "x", "--policy", "band"], "--miners and --policy beside --archive"),
        (["--archive", "{place}", "--kafka"], "--kafka beside --archive"),
        (["sample", "--from", "2024-06-17T00:00Z"], "--from beside PATH"),
        (["--archive", "{place}"], "the log's beginning is missing: it begins at offset 3"),
        ([], "replay what?"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(place: Path, words: list[str], said: str, capsys: Captured) -> None:
    archived(place / "live", log(5, first=3))
    assert main(["replay", *(word.format(place=place) for word in words)]) == 2
    assert said in capsys.readouterr().err


def test_a_replay_of_a_log_with_a_hole_is_refused(place: Path, capsys: Captured) -> None:
    records = log(30)
    archived(place / "live", records[:10] + records[20:], flush_every=30)
    assert main(["replay", "--archive", str(place)]) == 2
    assert "records 10 to 19 are missing" in capsys.readouterr().err


def test_a_replay_of_an_archived_replay_log_gives_its_digest_whole_and_by_windows(
    place: Path, tmp_path: Path, capsys: Captured
) -> None:
    asked = question(open_history(str(write_slice(tmp_path, "2024-08-19T00:00:00Z"))))
    answer = replay(asked)
    folder = archived(place / "live", list(asked.log()), flush_every=5_000)
    assert len(read(folder)) > 1_000
    assert main(["replay", "--archive", str(place), "--json", "--parts", "3"]) == 0
    whole = printed(capsys)
    assert whole["digest"] == answer.digest
    assert whole["signals"] == answer.signals
    assert "which is not that of epoch 1 (code-of-the-test)" in str(whole["notes"])
    halves = []
    for words in (["--to", "2024-08-20T18:00Z"], ["--from", "2024-08-20T18:00Z", "--out", str(tmp_path / "o")]):
        assert main(["replay", "--archive", str(place), "--json", *words]) == 0
        halves.append(printed(capsys)["signals"])
    assert sum(halves) == answer.signals
    assert 0 not in halves
    lines = (tmp_path / "o").read_bytes().splitlines()
    assert len(lines) == halves[1]
    assert min(orjson.loads(line)["log_time_us"] for line in lines) >= 1_724_176_800_000_000
