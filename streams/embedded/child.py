"""A server as a child process of ours: loopback ports, its last lines, and no child left when the parent is gone."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from streams.errors import SettingsError, WorldError

LOOPBACK = "127.0.0.1"
KEPT_LINES = 5
POLL_S = 0.02
PORT_TRIES = 3
PORTS = range(20_000, 32_000)
FREE_PORT_TRIES = 1_000
INSTALL_HINT = "install it with: pip install 'changeover[embedded]'"

# Linux kills the child when the parent dies, even by SIGKILL. Set by a line of Python that then becomes the server:
# a preexec_fn would run between fork and exec of a process that may have threads. The parent may already be gone when
# the line runs, hence the comparison.
GUARD = (
    "import ctypes, os, signal, sys;"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL);"
    "os.getppid() == int(sys.argv[1]) or os._exit(1);"
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def taken(port: int) -> str:
    """Why this loopback port cannot be listened on, empty where it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as exc:
            return exc.strerror or str(exc)
    return ""


def free_port() -> int:
    """A loopback port that nothing listens on now; another process may take it before it is used.

    It lies below the ports that systems give to outgoing connections: a client that tries again and again to reach a
    stopped server on one of those may be given that very port as its own, and is then connected to itself.

    >>> free_port() in PORTS
    True
    """
    for _ in range(FREE_PORT_TRIES):
        port = PORTS[secrets.randbelow(len(PORTS))]
        if not taken(port):
            return port
    raise WorldError(f"no free port of {LOOPBACK} found between {PORTS[0]} and {PORTS[-1]}: stop what listens there")


def launch_on(name: str, port: int | None, launch: Callable[[int], None]) -> int:
    """Launch a server on the given port, or on a free one; another is tried where someone took it meanwhile.

    Raises:
        WorldError: the given port is taken, or the launch failed for another reason.
    """
    if port is not None:
        problem = taken(port)
        if problem:
            raise WorldError(
                f"cannot start the embedded {name}: port {port} of {LOOPBACK} is taken ({problem}); "
                "stop what listens there or choose another port"
            )
        launch(port)
        return port
    for _ in range(PORT_TRIES - 1):
        chosen = free_port()
        try:
            launch(chosen)
        except WorldError:
            if not taken(chosen):
                raise
        else:
            return chosen
    chosen = free_port()
    launch(chosen)
    return chosen


def configured_binary(setting: str, binary: str | Path) -> str:
    """The executable a setting names, as a path or as a word on PATH.

    Raises:
        SettingsError: names the setting.
    """
    found = shutil.which(binary)
    if found is None:
        raise SettingsError(
            f"{setting} is {str(binary)!r}: no executable file of that name exists, nor does PATH hold one"
        )
    return found


class Child:
    """One server process with a folder of its own for its output and files.

    Ctrl-C in a terminal goes to every process of its group; the child gets a session of its own, so that the parent
    decides in which order things stop. A server that reads variables of its own must not meet the operator's, so it
    sees only PATH; ``environment`` is for a service of ours, which then also runs in the caller's folder.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.environment = environment
        self.keeps_folder = folder is not None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"changeover-{name}-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; it is the server's own."""
        if self._process is None:
            raise ValueError(f"the embedded {self.name} was not started")
        return self._process.pid

    def start(self) -> None:
        """Start the process; :meth:`wait_ready` says when it serves.

        Raises:
            ValueError: not called from the main thread: Linux ties the child to the life of the starting thread.
        """
        if threading.current_thread() is not threading.main_thread():
            raise ValueError(f"start the embedded {self.name} from the main thread: it ends with the thread that did")
        guard = [sys.executable, "-I", "-S", "-c", GUARD, str(os.getpid())] if sys.platform == "linux" else []
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - what runs is our wheel's or the operator's own setting
                [*guard, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder if self.environment is None else None,
                env={"PATH": os.defpath} if self.environment is None else self.environment,
                start_new_session=True,
            )
        atexit.register(self.stop)

    @property
    def output(self) -> Path:
        """The file that holds what the server printed."""
        return self.folder / f"{self.name}.out"

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def last_lines(self) -> str:
        """The last lines the server printed, for an error message."""
        lines = self.output.read_text(errors="replace").splitlines() if self.output.exists() else []
        return " | ".join(line.strip() for line in lines[-KEPT_LINES:] if line.strip()) or "it printed nothing"

    def wait_ready(self, answers: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the server answers its own protocol; stop it if it does not.

        Raises:
            WorldError: the server died or stayed silent, with its last lines.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not self.alive():
                raise self._failed(f"ended at start with exit code {self.exit_code}")
            if answers() and self.alive():
                return
            time.sleep(POLL_S)
        raise self._failed(f"did not answer within {timeout_s:g} s")

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it runs or before its start."""
        return None if self._process is None else self._process.returncode

    def _failed(self, what: str) -> WorldError:
        message = f"the embedded {self.name} ({self.argv[0]}) {what}; its last lines: {self.last_lines()}"
        self.stop()
        return WorldError(message)

    def kill(self) -> None:
        """End the process at once, as a crash would, and keep its folder."""
        self._end("kill", 5.0)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ask the process to end, insist after ``timeout_s`` [s]; remove its folder unless it was given.

        Called twice it does nothing.
        """
        self._end("terminate", timeout_s)
        if not self.keeps_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: Literal["kill", "terminate"], timeout_s: float) -> None:
        atexit.unregister(self.stop)
        if self._process is None or self._process.poll() is not None:
            return
        getattr(self._process, how)()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
