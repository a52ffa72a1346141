"""Services as children of one command: a start that fails is told with its last lines, a port that is taken avoided."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.children import Services, is_ready
from streams.embedded.child import LOOPBACK
from streams.errors import WorldError
from tests.support.command import is_running

NOTHING = {"KAFKA_BROKERS": f"{LOOPBACK}:1", "REDIS_URL": f"redis://{LOOPBACK}:1/0", "CHANGEOVER_START_UP_S": "60"}


@pytest.fixture
def services() -> Iterator[Services]:
    """Services over nothing: they wait for a broker that never comes."""
    started = Services(NOTHING)
    yield started
    started.stop()


def test_a_service_that_refuses_its_settings_is_told_with_what_it_said() -> None:
    services = Services({"CHANGEOVER_ORIGIN": "nonsense"})
    services.start("ingest")
    with pytest.raises(WorldError, match=r"ingest .*exit code 2; its last lines: .*CHANGEOVER_ORIGIN"):
        services.wait_ready("ingest")
    services.stop()


def test_a_service_that_waits_is_alive_but_not_ready(services: Services) -> None:
    services.start("ingest")
    services.check()
    assert not is_ready(services.ports["ingest"])


def test_two_stacks_take_ports_of_their_own(services: Services) -> None:
    services.start("ingest")
    services.start("ingest", "another")
    assert len(set(services.ports.values())) == 2


def test_stopping_leaves_nothing_and_may_be_asked_twice(services: Services) -> None:
    services.start("ingest")
    services.start("agents")
    pids = services.pids
    services.stop()
    services.stop()
    assert len(pids) == 2
    assert not any(map(is_running, pids.values()))
