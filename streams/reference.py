"""Reference pages made from the code: settings, commands, the schemas of observations and of signals.

``python -m streams.reference FOLDER`` writes them; a test compares what is committed with what would be written.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, SecretStr

from models.records import DecidingConfig
from streams.client import contract
from streams.feeds.sources import SOURCES
from streams.outside import json_schema
from streams.security.page import roles_page
from streams.settings import ENVIRONMENT, OF_THE_TESTS, PORTS, SECRETS, Settings
from streams.wire import Names

ASYNCAPI_NOTE = "# Made from the code: python -m streams.reference docs/reference\n"

DECIDING = {
    "policy": "Which policy decides: `wary_plan`, `rolling_plan`, `band` or `breakeven`.",
    "dead_band_usd_per_mwh": "Half width of the band in which `band` stays as it is [USD/MWh].",
    "amortise_hours": "Hours over which `band` spreads a switching cost [h].",
    "btc_price_limit_s": "How long past its due time a bitcoin price may be used [s].",
    "network_limit_s": "The same of the network's state [s].",
    "power_price_limit_s": "The same of a power price [s].",
    "gpu_rate_limit_s": "The same of a GPU rental rate [s].",
    "utilisation_limit_s": "The same of a pool's utilisation [s].",
    "btc_least_venues": "Venues that must agree before there is a bitcoin price.",
    "btc_band_fraction": "A venue further than this from the median counts no more; again within half of it.",
    "btc_jump_fraction": "A venue's print that moves by more than this waits for its next one.",
    "gpu_least_providers": "Providers that must be heard before there is a rental rate of a GPU model.",
    "gpu_widest_fraction": "Robust spread of the providers, over the rate, beyond which the rate is withheld.",
    "gpu_jump_fraction": "A provider's price that moves by more than this waits for the next one.",
    "power_jump_usd_per_mwh": "A power price this far from its usual level is used and flagged [USD/MWh].",
    "apart_after_s": "How long a venue may lie beyond the band before it counts no more [s].",
    "readmit_after_s": "How long a venue must then be well before it counts again [s].",
    "warm_up_s": "How long after a fleet change a series that never printed is awaited [s].",
    "checkpoint_every_s": "Log time between checkpoints [s].",
    "site_every_s": "Log time between published valuations of a site [s].",
    "free_start": "Whether a load's first plan chooses its mode at no cost, as a backtest is scored.",
    "skip_offsets": "Records of the log that are passed over, by offset.",
}


def settings_page() -> str:
    """The page of all settings."""
    return "\n".join([*settings_lines(), ""])


def settings_lines() -> Iterator[str]:
    """Its lines."""
    variables = {place: variable for variable, place in ENVIRONMENT.items()}
    yield "# Settings"
    yield ""
    yield "<!-- Made from the code: python -m streams.reference docs/reference -->"
    yield ""
    yield (
        "Order: default, then the file named by `--settings FILE` or `CHANGEOVER_SETTINGS`, then the environment. "
        "An unknown table, key or `CHANGEOVER_` variable is refused, as is a value that is not allowed; the message "
        "names the place. [`deploy/settings.toml`](../../deploy/settings.toml) holds every key with its default. "
        "Secrets are never printed; each of the variables " + ", ".join(f"`{name}`" for name in SECRETS) + " can be "
        "given as `<VARIABLE>_FILE` too, the path of a file that holds the secret alone."
    )
    for name, field in Settings.model_fields.items():
        table = field.annotation
        if not (isinstance(table, type) and issubclass(table, BaseModel)):
            continue
        yield from ("", f"## [{name}]", "", inspect.cleandoc(table.__doc__ or ""), "")
        yield "| key | variable | default | allowed | meaning |"
        yield "|---|---|---|---|---|"
        for key, about in table.model_fields.items():
            allowed = about.json_schema_extra
            variable = f"`{variables[name, key]}`" if (name, key) in variables else ""
            words = allowed["allowed"] if isinstance(allowed, dict) else ""
            yield f"| `{key}` | {variable} | {shown(about.default)} | {words} | {about.description} |"
        if name == "http":
            ports = ", ".join(f"{service} {port}" for service, port in PORTS.items())
            yield from ("", f"Ports where none is set: {ports}.")
    yield from feeds_lines()
    yield from deciding_lines()
    yield from naming_lines()


def feeds_lines() -> Iterator[str]:
    """Where sources are set, and which keys they take."""
    yield from ("", "## [feeds]", "")
    yield (
        "One table for each source, as `[feeds.kraken]`; its keys are on the page of [sources](feeds.md). `on = false` "
        "switches a source off. Keys come from the environment alone: the variable itself, or `<VARIABLE>_FILE` with "
        "the path of a file that holds the key. A source without its key is off, and ingest says so once."
    )
    yield from ("", "| source | needs | may use |", "|---|---|---|")
    for source in SOURCES:
        if source.keys or source.optional_keys:
            needed, useful = (", ".join(f"`{name}`" for name in names) for names in (source.keys, source.optional_keys))
            yield f"| `{source.name}` | {needed} | {useful} |"


def deciding_lines() -> Iterator[str]:
    """The table of what decides."""
    yield from ("", "## [deciding]", "")
    yield (
        "What signals depend on besides the fleet. It is no setting of a process: it takes effect for all of them at "
        "one place of the log, where an epoch starts. The first epoch of an empty log takes it from the first worker; "
        "after that `changeover epoch start` announces it."
    )
    yield from ("", "| key | default | meaning |", "|---|---|---|")
    for field in fields(DecidingConfig):
        yield f"| `{field.name}` | {shown(field.default)} | {DECIDING[field.name]} |"


def naming_lines() -> Iterator[str]:
    """How origin and run become names."""
    live, demo = Names("live"), Names("demo", "main")
    yield from ("", "## Names of topics and keys", "")
    yield "| origin | run | topic raw | key of a miner's stream |"
    yield "|---|---|---|---|"
    yield f"| live | | `{live.topic('raw')}` | `{live.key('mara', 'signals')}` |"
    yield f"| demo | main | `{demo.topic('raw')}` | `{demo.key('mara', 'signals')}` |"
    yield ""
    yield "Variables that only the test suite reads begin with " + ", ".join(f"`{each}`" for each in OF_THE_TESTS) + "."


def shown(default: Any) -> str:  # noqa: ANN401 a default may be anything
    """A default as the page shows it."""
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return f"`{default.get_secret_value()}`"
    if isinstance(default, tuple):
        return f"`{', '.join(map(str, default))}`" if default else "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def commands_page() -> str:
    """The page of all commands."""
    from streams.cli import build  # noqa: PLC0415 the composition root is not needed for the other pages

    return "\n".join([*command_lines(build()), ""])


def command_lines(app: Any) -> Iterator[str]:  # noqa: ANN401 Typer builds its click objects untyped
    """Its lines: one section for each command with its arguments and options."""
    import typer.main  # noqa: PLC0415 the same

    yield "# Commands"
    yield ""
    yield "<!-- Made from the code: python -m streams.reference docs/reference -->"
    yield ""
    yield (
        "Exit codes: 0 done, 1 the world failed, 2 usage or settings, 70 the engine halted or two computations of one "
        "stream differ, 130 interrupted. With `--json` a result is one JSON object on standard output (streaming "
        'commands: one a line), and an error is `{"error": {"kind", "message"}}` there; the same error stands '
        "as one line on standard error either way."
    )
    yield from section(typer.main.get_command(app), ["changeover"])


def section(command: Any, path: list[str]) -> Iterator[str]:  # noqa: ANN401 the same
    """One command, or the commands of a group."""
    if hasattr(command, "commands"):
        for name in sorted(command.commands):
            yield from section(command.commands[name], [*path, name])
        return
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    usage = " ".join([*path, *(written(param) for param in arguments)])
    yield from ("", f"## {' '.join(path)}", "", f"`{usage}`", "", inspect.cleandoc(command.help or ""), "")
    yield "| argument or option | meaning |"
    yield "|---|---|"
    for param in command.params:
        if not getattr(param, "hidden", False):
            options = (*param.opts, *param.secondary_opts)
            names = ", ".join(f"`{name}`" for name in ([written(param)] if param in arguments else options))
            yield f"| {names} | {param.help or ''} |"


def written(argument: Any) -> str:  # noqa: ANN401 the same
    """An argument as usage shows it: ``PATH``, ``[PATH]``, ``[MINERS...]``."""
    name = (argument.metavar or argument.name).upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def pages() -> dict[str, bytes]:
    """File name -> content of every page made from the code."""
    return {
        "settings.md": settings_page().encode(),
        "commands.md": commands_page().encode(),
        "roles.md": roles_page().encode(),
        "observation.schema.json": indented(json_schema()),
        "signals.schema.json": indented(contract.json_schema()),
        "asyncapi.yaml": (ASYNCAPI_NOTE + contract.as_yaml(contract.asyncapi(version("changeover")))).encode(),
    }


def indented(document: dict[str, Any]) -> bytes:
    """JSON for people, its keys in order."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, content in pages().items():
        (folder / name).write_bytes(content)
