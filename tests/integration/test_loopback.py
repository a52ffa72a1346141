"""All that `changeover demo` starts, broker and Redis too, listens on this machine alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.sockets import listening

STARTED = {"worker", "agents", "ingest", "broker", "redis"}


@pytest.mark.guarantee("G8")
@pytest.mark.timeout(300)
def test_whatever_is_started_on_a_laptop_listens_on_loopback_alone(tmp_path: Path) -> None:
    with Command(["demo", "--json"], {"CHANGEOVER_COMPILED": "0"}, tmp_path) as demo:
        demo.until(lambda: "health and metrics" in demo.said)
        listens = {pid: listening(pid) for pid in (demo.pid, *demo.children())}
        demo.interrupt()
    servers = {pid: found for pid, found in listens.items() if found}
    assert len(servers) >= len(STARTED), listens
    assert {address for found in servers.values() for address, _ in found} == {"127.0.0.1"}
