"""`changeover check`: whether what the service leans on is there and as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Json, SettingsFile, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from streams.feed_check import Check


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Check what the service leans on.", no_args_is_help=True)
    group.command("feeds")(feeds)
    group.command("security")(security)
    app.add_typer(group, name="check")


def feeds(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources to try; all if none.")] = None,
    *,
    within_s: Annotated[float, typer.Option("--within", min=0.5, max=300, help="Seconds to wait for a price.")] = 20.0,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """Try each configured source once; nothing is appended anywhere. Ends with 1 if one that is on gave no price.

    Keys with --json: checks, a list of source, state (ok, silent, failed, off), reachable, latency_s, series, value,
    unit, age_s, received, says, unconfirmed.
    """
    import asyncio

    from rich.console import Console

    from streams.cli.output import print_json
    from streams.errors import SettingsError
    from streams.exit_codes import DONE, WORLD_FAILED
    from streams.feed_check import check_all
    from streams.feeds.sources import SOURCES
    from streams.register import feeds_for
    from streams.settings_errors import nearest

    known = [source.name for source in SOURCES]
    for name in sources or ():
        if name not in known:
            raise SettingsError(f"check feeds: there is no source {name!r}{nearest(name, known)}")
    checks = asyncio.run(check_all(feeds_for(read_settings(settings)), within_s, sources or ()))
    if json:
        print_json({"checks": checks})
    else:
        Console().print(table_of(checks))
    return DONE if all(check["state"] in ("ok", "off") for check in checks) else WORLD_FAILED


def security(
    *,
    production: Annotated[
        bool, typer.Option("--production", help="Count what is open on this machine alone, too.")
    ] = False,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """Tell what is open, at Redis, at Kafka and in our own settings, and how to close it, a line each.

    Asked under the login of these settings, so ask for each service; what that login may not ask is `unknown`. Nothing
    is changed. Ends with 1 if something is open, or could not be looked at at all. What only this machine reaches is
    `local` and counts with --production.

    Keys with --json: findings, a list of where, state (open, local, unknown, closed), says, remedy.
    """
    import asyncio
    from dataclasses import asdict

    from streams.cli.output import print_json, print_text
    from streams.exit_codes import DONE, WORLD_FAILED
    from streams.security.look import look

    chosen = read_settings(settings)
    findings = asyncio.run(look(chosen, settings))
    counted = {"open", "local"} if production else {"open"}
    failed = [each for each in findings if each.state in counted or each.remedy == NOT_LOOKED_AT]
    if json:
        print_json({"findings": [asdict(each) for each in findings]})
    else:
        for each in findings:
            print_text(f"{each.state:8}{each.where:10}{each.says}" + (f" -> {each.remedy}" if each.remedy else ""))
    return WORLD_FAILED if failed else DONE


NOT_LOOKED_AT = "the rest was not looked at"


def table_of(checks: Sequence[Check]) -> Table:
    """The checks as people read them."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from streams.view.feeds import ago

    styles = {"ok": "green", "silent": "yellow", "failed": "red", "off": "dim"}
    table = Table(box=SIMPLE_HEAD, expand=True, padding=(0, 1))
    for name in ("source", "state", "latency", "price", "age"):
        table.add_column(name, no_wrap=name != "price")
    table.add_column("what it says, what to do, what is not confirmed", ratio=1)
    for check in checks:
        price = "-" if check["value"] is None else f"{check['series']}\n{check['value']:,.6g} {check['unit']}"
        words = Text(check["says"])
        for doubt in check["unconfirmed"]:
            words.append(("\n" if words else "") + f"unconfirmed: {doubt}", style="dim")
        state = Text(check["state"], style=styles[check["state"]])
        table.add_row(check["source"], state, ago(check["latency_s"]), price, ago(check["age_s"]), words)
    return table
