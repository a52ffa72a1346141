"""The few ways in which the archive changes a disk, each of which happens whole or can be done again.

A file appears under its name only when it is complete and on the disk: written beside it, synced, renamed, and the
folder synced. Loss of power at any point costs nothing that was there before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".tmp"


class Disk:
    """Single steps on a disk. Every one of them raises OSError where the disk refuses."""

    def write(self, path: Path, produce: Callable[[BinaryIO], object]) -> None:
        """Write a file and bring it onto the disk."""
        with path.open("wb") as file:
            produce(file)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in place of what had it."""
        old.replace(new)

    def sync(self, folder: Path) -> None:
        """Bring a folder's list of names onto the disk."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is fine."""
        path.unlink(missing_ok=True)

    def make(self, folder: Path) -> None:
        """Make a folder and those above it, each on the disk."""
        if not folder.is_dir():
            self.make(folder.parent)
            folder.mkdir(exist_ok=True)
            self.sync(folder.parent)

    def publish(self, path: Path, produce: Callable[[BinaryIO], object]) -> None:
        """Let a file appear whole under its name, or not at all."""
        unfinished = path.with_name(path.name + UNFINISHED)
        try:
            self.write(unfinished, produce)
        except Exception:  # whatever it was: it goes on below, once the disk has its room back
            with contextlib.suppress(OSError):  # what is refused already must not hide why
                self.remove(unfinished)  # a full disk gets its room back
            raise
        self.rename(unfinished, path)
        self.sync(path.parent)
