"""Options that many commands share, and the settings they read."""

from __future__ import annotations

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
