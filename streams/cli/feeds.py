"""`changeover feeds`: what each source has said, live, as the running ingest tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import Json, SettingsFile, read_settings

if TYPE_CHECKING:
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("feeds")(feeds)


def feeds(
    *,
    follow: Annotated[bool, typer.Option("--follow/--once", help="Keep showing, or print once and end.")] = True,
    every_s: Annotated[float, typer.Option("--every", min=0.2, help="Seconds between looks.")] = 1.0,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """Show each source: whether it runs, what it said last, how old that is, what was refused, why it is off.

    Asks the ingest that `up` or `demo` runs on this machine, else the one that listens where the settings say.

    Keys with --json: feeds, a list of feed, state (on, waiting, done, off), why, received, parsed, ignored, rejected,
    failures, age_s, stale, series (a list of series, value, unit, age_s, late_s); checks, a list of name, value, unit,
    of. With --follow one object a look.
    """
    import asyncio

    return asyncio.run(show(read_settings(settings), follow=follow, every_s=every_s, json=json))


async def show(settings: Settings, *, follow: bool, every_s: float, json: bool) -> int:
    """Show until stopped, or once."""
    import asyncio

    from rich.console import Console
    from rich.live import Live

    from streams.cli.output import print_json
    from streams.exit_codes import DONE
    from streams.view.feeds import checks_of, table_of

    host, port = place_of(settings)
    console = Console()
    if json or not follow:
        while True:
            found = await asked(host, port)
            document: dict[str, Any] = {"feeds": found, "checks": checks_of(found)}
            if json:
                print_json(document)
            else:
                console.print(table_of(found))
            if not follow:
                return DONE
            await asyncio.sleep(every_s)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(table_of(await asked(host, port)), refresh=True)
            await asyncio.sleep(every_s)


def place_of(settings: Settings) -> tuple[str, int]:
    """Where ingest answers: that of the stack on this machine, unless the settings name a port."""
    from streams.running import running_stack

    stack = running_stack() if settings.http.port is None else None
    if stack is not None and "ingest" in stack.ports:
        return "127.0.0.1", stack.ports["ingest"]
    return settings.http.host, settings.port("ingest")


async def asked(host: str, port: int) -> list[dict[str, Any]]:
    """The feeds as ingest tells them.

    Raises:
        WorldError: nobody answers there, or somebody else does.
    """
    import aiohttp

    from streams.errors import WorldError

    url = f"http://{host}:{port}/health"
    try:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            document = await answer.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise WorldError(
            f"no ingest answers at {url} ({type(error).__name__}): start `changeover up` or `changeover ingest`, or "
            "set CHANGEOVER_HTTP_PORT to where it listens"
        ) from error
    if not isinstance(document, dict) or "feeds" not in document:
        raise WorldError(f"{url} is not an ingest's: it says {str(document)[:100]}")
    feeds: list[dict[str, Any]] = document["feeds"]
    return feeds
