"""``changeover compile``: the compiled step made ready before anything waits for it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_result

if TYPE_CHECKING:
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compile")(compile_engine)


def compile_engine(*, settings: SettingsFile = None, json: Json = False) -> None:
    """Compile the engine now, so that no later start has to; does nothing where it is compiled already."""
    from streams.compilation import kernel_folder

    found = read_settings(settings)
    began = time.monotonic()
    compiled = make_ready(found)
    seconds = time.monotonic() - began
    folder = kernel_folder(found)
    text = f"compiled in {seconds:.0f} s into {folder}" if compiled else f"compiled already, in {folder}"
    print_result({"compiled": compiled, "seconds": round(seconds, 3), "folder": str(folder)}, text, json=json)


def make_ready(settings: Settings) -> bool:
    """Compile, or load what was compiled before, and say so where it takes a while. Whether something was compiled."""
    from streams.compilation import prepare

    missing = prepare(settings)
    if missing:
        sys.stderr.write("compiling the engine (first start only, two minutes or so)\n")
        sys.stderr.flush()
    from streams.warm_up import warm_up

    warm_up()
    return missing
