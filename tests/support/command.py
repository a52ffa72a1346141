"""A long-running command of ours as a user's terminal runs it: its lines as they come, its children, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

WAIT_S = 150.0
ROOT = Path(__file__).resolve().parents[2]


class Command:
    """`changeover <words>` with warnings as errors, killed at the block's end if it still runs."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.lines: list[bytes] = []
        self._errors = folder / f"{words[0]}.stderr"
        own = {
            "PATH": os.environ["PATH"],
            "PYTHONWARNINGS": "error",
            "XDG_STATE_HOME": str(folder),
            "XDG_DATA_HOME": str(folder),  # what `up` records must not outlive the test
            "CHANGEOVER_SOURCES": "none",
        }
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", *words],
                env={**own, "XDG_STATE_HOME": str(folder), "XDG_CACHE_HOME": str(folder), **environment},
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
            )
        output = self._process.stdout
        assert output is not None
        self._reader = threading.Thread(target=self._read, args=(output,))
        self._reader.start()

    def _read(self, output: IO[bytes]) -> None:
        with output:
            self.lines.extend(output)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.wait()

    @property
    def said(self) -> str:
        """What it wrote to standard error so far."""
        return self._errors.read_text()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def until(self, condition: Callable[[], bool], seconds: float = WAIT_S) -> None:
        """Wait for a condition, as long as the command runs."""
        deadline = time.monotonic() + seconds
        while not self._holds(condition):
            assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.said}"
            assert time.monotonic() < deadline, f"waited {seconds:g} s; it said {self.said}"
            time.sleep(0.05)

    def _holds(self, condition: Callable[[], bool]) -> bool:
        try:
            return condition()
        except Exception as error:
            error.add_note(f"the command said: {self.said}")  # it may have ended, and its servers with it
            raise

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        code = self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return code

    def children(self) -> dict[int, str]:
        """Process ids of its children and theirs, with their command lines."""
        found: dict[int, str] = {}
        waiting = [self.pid]
        while waiting:
            listed = Path(f"/proc/{waiting.pop()}/task")
            for task in listed.iterdir():
                for child in map(int, (task / "children").read_text().split()):
                    found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                    waiting.append(child)
        return found


def is_running(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be forgotten by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
