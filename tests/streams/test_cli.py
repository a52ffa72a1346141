"""The command line: help, one line for each error, exit codes, JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli import build, main
from streams.cli.output import print_error
from streams.embedded.child import free_port
from streams.errors import DivergedError, FeedError, HaltedError, LogChangedError, SettingsError, WorldError
from streams.exit_codes import exit_code

ROOT = Path(__file__).resolve().parents[2]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing set outside, no stack found on this machine."""
    for name in list(os.environ):
        if name.startswith("CHANGEOVER_") or name in ("KAFKA_BROKERS", "REDIS_URL"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def closed_port() -> int:
    """A loopback port that nothing listens on."""
    return free_port()


def test_without_words_help_is_printed(capsys: Captured) -> None:
    assert main([]) == 0
    assert "Usage: changeover" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from streams.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    heavy = {"numba", "numpy", "faust", "aiokafka", "redis", "pydantic", "rich"}
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert heavy & set(ran.stderr.split()) == set()


def test_the_version_is_that_of_the_package(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("changeover 0.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fly"], "No such command 'fly'"),
        (["worker", "--fast"], "No such option: --fast"),
        (["fleet", "apply"], "Missing argument 'PATH'"),
        (["tail", "--from", "0"], "greater than or equal to 1"),
        (["tail", "--from", "x"], "valid integer"),
    ],
)
def test_wrong_usage_is_one_line_and_2(words: list[str], said: str, capsys: Captured) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("changeover: ")
    assert said in captured.err


@pytest.mark.parametrize("command", ["worker", "ingest", "agents", "tail"])
def test_a_settings_file_that_is_missing_is_one_line_and_2(command: str, tmp_path: Path, capsys: Captured) -> None:
    assert main([command, "--settings", str(tmp_path / "absent.toml")]) == 2
    assert capsys.readouterr().err.startswith("changeover: settings file ")


def test_with_json_an_error_is_one_object_too(tmp_path: Path, capsys: Captured) -> None:
    assert main(["fleet", "apply", str(tmp_path / "absent.toml"), "--json"]) == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert error["kind"] == "SettingsError"
    assert captured.err == f"changeover: {error['message']}\n"
    assert main(["worker", "--fast", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "UsageError"


def test_a_redis_that_is_away_is_one_line_and_1(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://:hunter2@127.0.0.1:{closed_port}/0")
    for words in (["tail"], ["fleet", "show"], ["rebuild", "--new-generation"]):
        assert main(words) == 1, words
        err = capsys.readouterr().err
        assert err.startswith(f"changeover: Redis at redis://:***@127.0.0.1:{closed_port}/0: ")
        assert "start it or set REDIS_URL" in err
        assert "hunter2" not in err


def test_a_broker_that_is_away_is_waited_for_then_one_line_and_1(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", f"127.0.0.1:{closed_port}")
    monkeypatch.setenv("CHANGEOVER_START_UP_S", "1")
    assert main(["fleet", "apply", str(ROOT / "deploy" / "examples" / "ladder.toml")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("changeover: no epoch in raw at 127.0.0.1:")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("x"), 2),
        (WorldError("x"), 1),
        (LogChangedError("x"), 1),
        (FeedError("x"), 1),
        (DivergedError("x"), 70),
        (HaltedError("x"), 70),
    ],
)
def test_the_exit_code_says_whose_fault_it_was(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_of_several_lines_is_printed_as_one(capsys: Captured) -> None:
    print_error("WorldError", "first\n  second", json=False)
    assert capsys.readouterr().err == "changeover: first second\n"


def test_rebuilding_must_be_meant(capsys: Captured) -> None:
    assert main(["rebuild"]) == 2
    assert "--new-generation" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = [sys.executable, "-m", "streams.cli", "--help"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()


def test_every_command_is_built_with_help() -> None:
    names = {command.name or command.callback.__name__ for command in build().registered_commands if command.callback}
    assert names >= {"worker", "ingest", "agents", "tail", "rebuild"}
