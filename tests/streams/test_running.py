"""A stack that runs on this machine is found by its state file, unless something else is set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from streams.cli.tail import located
from streams.running import running_stack, state_file
from streams.settings import load
from streams.wire import Names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of this test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "changeover"


def announce(folder: Path, pid: int) -> None:
    """Write what `demo` writes."""
    folder.mkdir()
    stack = {
        "redis_url": "redis://127.0.0.1:7777/0",
        "kafka_brokers": "127.0.0.1:7778",
        "origin": "demo",
        "run": "main",
        "pid": pid,
    }
    state_file(folder).write_bytes(orjson.dumps(stack))


def test_a_running_stack_gives_addresses_and_names(folder: Path) -> None:
    announce(folder, os.getpid())
    found = located(load(environment={}))
    assert found.redis.masked == "redis://127.0.0.1:7777/0"
    assert found.kafka.bootstrap == "127.0.0.1:7778"
    assert found.names == Names("demo", "main")


def test_a_redis_url_that_is_set_wins(folder: Path) -> None:
    announce(folder, os.getpid())
    given = load(environment={"REDIS_URL": "redis://127.0.0.1:1/0"})
    assert located(given) == given


def test_a_run_that_is_set_wins(folder: Path) -> None:
    announce(folder, os.getpid())
    assert located(load(environment={"CHANGEOVER_ORIGIN": "live"})).names == Names("live")


def test_a_stack_whose_process_is_gone_is_not_found(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    announce(folder, gone.pid)
    assert running_stack() is None


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"pid": "x"}'])
def test_a_broken_file_is_no_stack(folder: Path, content: bytes) -> None:
    folder.mkdir()
    state_file(folder).write_bytes(content)
    assert running_stack() is None


def test_no_file_is_no_stack(folder: Path) -> None:
    assert not folder.exists()
    assert running_stack() is None
