"""Our own services as child processes of one command: started, awaited, watched, and stopped in order by their ids."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Mapping

from streams.embedded.child import LOOPBACK, Child, free_port
from streams.errors import WorldError
from streams.settings import inherited

READY_S = 240.0  # a first start compiles the engine, on a busy machine for minutes
STOP_S = 20.0  # a worker finishes its batch first
ANSWER_S = 2.0


class Services:
    """Services of one stack, each with its health on a loopback port. ``overrides`` is set in their environment."""

    def __init__(self, overrides: Mapping[str, str]) -> None:
        self._overrides = dict(overrides)
        self._children: list[Child] = []
        self.ports: dict[str, int] = {}

    def start(self, service: str, name: str = "", environment: Mapping[str, str] | None = None) -> None:
        """Start `changeover <service>` under a name of its own; :meth:`wait_ready` says when it serves."""
        name = name or service
        port = free_port()  # never a fixed one: two stacks that start together would race for it
        own = {"CHANGEOVER_HTTP_HOST": LOOPBACK, "CHANGEOVER_HTTP_PORT": str(port), "PYTHONUNBUFFERED": "1"}
        found = inherited({**self._overrides, **own, **(environment or {})})
        child = Child(name, [sys.executable, "-m", "streams.cli", service], environment=found)
        self._children.append(child)
        self.ports[name] = port
        child.start()

    def wait_ready(self, name: str) -> None:
        """Wait until a service says that it serves.

        Raises:
            WorldError: it died or does not get ready, with its last lines.
        """
        (child,) = (child for child in self._children if child.name == name)
        child.wait_ready(lambda: is_ready(self.ports[name]), READY_S)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the services that were started and not stopped."""
        return {child.name: child.pid for child in self._children}

    def check(self) -> None:
        """Refuse to go on when a service has died.

        Raises:
            WorldError: names it, with its exit code and last lines.
        """
        for child in self._children:
            if not child.alive():
                raise WorldError(f"{child.name} ended with exit code {child.exit_code}; it said: {child.last_lines()}")

    def stop(self) -> None:
        """Stop them, the last started first. Called twice it does nothing."""
        while self._children:
            self._children.pop().stop(STOP_S)


def is_ready(port: int) -> bool:
    """Whether the service at this loopback port answers that it serves."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
