"""Fleets that ship with the project: the examples and the miner profiles, from the wheel or from a checkout."""

from __future__ import annotations

from pathlib import Path

from streams.errors import SettingsError

HERE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Folder of a shipped set of fleets: ``examples`` or ``miners``."""
    for folder in (HERE / "shipped_fleets" / name, HERE.parent / "deploy" / name):
        if folder.is_dir():
            return folder
    raise SettingsError(f"the shipped fleets {name!r} are not installed: give --miners a folder or a fleet file")
