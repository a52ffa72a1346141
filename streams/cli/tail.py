"""`changeover tail`: follow the signals of miners in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_json_bytes, print_text

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.tail import Follower

SIMULATED = {"demo": " (simulated)", "replay": " (replay)"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tail")(tail)


def tail(
    miners: Annotated[list[str] | None, typer.Argument(help="Miners to follow; all that publish if none.")] = None,
    *,
    from_seq: Annotated[int | None, typer.Option("--from", min=1, help="First entry wanted.")] = None,
    latest: Annotated[int, typer.Option("--latest", min=0, help="Newest entries to begin with.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more, or end with the stream.")] = True,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after this many signals.")] = None,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """Print the signals of miners as they come, each number once.

    Reads REDIS_URL if it is set, else the stack that `up` or `demo` runs on this machine. Ends with 1 if a stream has
    a gap or a double, with 70 if its chain is broken.

    With --json each line is a signal, byte for byte as published, or a remark of this command, which has no seq: kind
    (reset, stale, live), miner, text, and generation with reset.
    """
    import asyncio

    return asyncio.run(follow_all(located(read_settings(settings)), miners, from_seq, latest, follow, count, json))


def located(settings: Settings) -> Settings:
    """The settings with the running embedded stack filled in, where nothing else is set."""
    from streams.running import running_stack

    if "url" in settings.redis.model_fields_set:
        return settings
    stack = running_stack()
    return settings if stack is None else stack.fill(settings)


async def follow_all(
    settings: Settings,
    miners: list[str] | None,
    from_seq: int | None,
    latest: int,
    follow: bool,
    count: int | None,
    json: bool,
) -> int:
    """Follow until the count is reached, or for ever; a Redis that goes away is waited for."""
    from streams.connect import open_redis
    from streams.tail import Follower

    client = open_redis(settings)
    follower = Follower(client, settings.names, miners or None, from_seq=from_seq, latest=latest)
    try:
        return await print_all(settings, follower, follow=follow, count=count, json=json)
    finally:
        await client.aclose()


async def print_all(settings: Settings, follower: Follower, *, follow: bool, count: int | None, json: bool) -> int:
    """Print what the follower is told."""
    import asyncio
    import sys

    from streams.backoff import Backoff
    from streams.connect import REDIS_AWAY, remedy, text_of
    from streams.errors import WorldError
    from streams.exit_codes import DONE

    pauses = Backoff(first_s=0.2, longest_s=5.0)
    signals, reached = 0, False
    while True:
        try:
            async for told in follower.run(follow=follow):
                reached = True
                pauses.reset()
                print_json_bytes(told.json) if json else print_text(as_line(told.signal))
                signals += "seq" in told.signal
                if count is not None and signals >= count:
                    return DONE
        except REDIS_AWAY as error:
            where = f"Redis at {settings.redis.masked}: {text_of(error)}"
            if not (reached and follow):
                raise WorldError(f"{where}; {remedy(settings)}") from error
            sys.stderr.write(f"changeover: {where}; trying again\n")
            await asyncio.sleep(pauses.next_s())
        else:
            return DONE


def as_line(signal: dict[str, Any]) -> str:
    """One signal on one line.

    >>> as_line({"kind": "switch", "miner": "mara", "seq": 7, "log_time_us": 1724200200000000, "origin": "demo",
    ...          "text": "stop s21 at hub"})
    '2024-08-21T00:30:00Z  mara #7  switch  stop s21 at hub (simulated)'
    """
    from datetime import UTC, datetime

    if "seq" not in signal:
        return f"-- {signal['text']}"
    when = datetime.fromtimestamp(signal["log_time_us"] // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    label = SIMULATED.get(str(signal.get("origin")), "")
    return f"{when}  {signal['miner']} #{signal['seq']}  {signal['kind']}  {signal.get('text', '')}{label}"
