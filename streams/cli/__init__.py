"""The command line: composes the groups of commands and turns errors into one line and an exit code.

One file per group of commands; each has ``register(app)``. A command parses, builds and calls; what is heavy to import
is imported inside it, so that help stays fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from streams.cli import (
    ack,
    archive,
    backtest,
    check,
    command,
    epoch,
    feeds,
    fleet,
    rebuild,
    replay,
    security,
    services,
    tail,
    up,
)
from streams.cli import compile as compile_command
from streams.cli.output import print_error, print_text
from streams.errors import ChangeoverError
from streams.exit_codes import DONE, INTERRUPTED, USAGE, WORLD_FAILED, exit_code

GROUPS = (
    up,
    replay,
    backtest,
    tail,
    command,
    ack,
    feeds,
    check,
    fleet,
    epoch,
    rebuild,
    archive,
    security,
    services,
    compile_command,
)


def print_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        from importlib.metadata import version

        print_text(f"changeover {version('changeover')}")
        raise typer.Exit


def build() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        name="changeover",
        help="Tell a bitcoin miner, on every price, where each megawatt earns most: hash, host AI, or off.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )

    @app.callback()
    def top(
        *,
        version: Annotated[
            bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:
        del version  # printed by its callback

    for group in GROUPS:
        group.register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    json = "--json" in words
    try:
        code = build()(words, prog_name="changeover", standalone_mode=False)
    except ChangeoverError as error:
        print_error(type(error).__name__, str(error), json=json)
        return exit_code(error)
    except typer.TyperException as error:
        print_error("UsageError", f"{error.format_message()} (see --help)", json=json)
        return USAGE
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does; nothing more can be said to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WORLD_FAILED
    return code if isinstance(code, int) else DONE
