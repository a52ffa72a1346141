"""Options that many commands share, and the settings they read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.settings import Settings

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="Settings file (TOML); else CHANGEOVER_SETTINGS.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def read_settings(file: Path | None) -> Settings:
    """The settings of this call; imported here so that help needs none of it."""
    from streams.settings import load

    return load(file)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_time(option: str, text: str | None) -> int | None:
    """A moment [us UTC] as an option gives it; None where it is not given.

    Raises:
        SettingsError: it is no time, or it does not say its zone.

    >>> read_time("--from", "2024-06-17T00:00:00Z"), read_time("--from", "2024-06-16T19:00:00-05:00")
    (1718582400000000, 1718582400000000)
    """
    from streams.errors import SettingsError

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise SettingsError(f"{option} {text!r} is no time with its zone, as 2026-11-24T10:00:00Z")
    return (found - EPOCH) // timedelta(microseconds=1)
