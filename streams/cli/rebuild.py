"""`changeover rebuild --new-generation`: number the streams anew, from the log's first record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_result
from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rebuild")(rebuild)


def rebuild(
    *,
    new_generation: Annotated[
        bool, typer.Option("--new-generation", help="Say that you mean it: numbering begins at 1 again.")
    ] = False,
    json: Json = False,
    settings: SettingsFile = None,
) -> None:
    """Set every miner's stream aside and begin a new generation, computed from the log's first record.

    For a log that was lost or made anew (LOG_CHANGED) and for streams that differ (DIVERGED). Stop the workers first;
    started again they compute everything the log still holds. The old entries stay under `...:signals:g<generation>`.
    Keys with --json: generations (miner: number).
    """
    import asyncio

    if not new_generation:
        raise SettingsError("rebuild numbers every stream anew; say --new-generation to do so")
    chosen = read_settings(settings)
    generations = asyncio.run(begin_generations(chosen))
    lines = [f"{miner}: generation {generation}" for miner, generation in generations.items()]
    print_result(
        {"generations": generations}, "\n".join(lines) or "no miner publishes; nothing to set aside", json=json
    )


async def begin_generations(settings: Settings) -> dict[str, int]:
    """Begin a generation of each miner that publishes; the markets' checkpoints, of the old log, go too."""
    from streams.cli.fleet import glob_safe
    from streams.connect import opened_redis
    from streams.sink import RedisSink
    from streams.wire import MARKET

    async with opened_redis(settings) as client:
        sink = RedisSink(client, settings.names)
        await sink.start()  # our functions, whatever another user has loaded under their name
        pattern = f"{glob_safe(settings.names.prefix)}{{{MARKET}*}}:checkpoint"
        for key in [key async for key in client.scan_iter(match=pattern)]:
            await client.delete(key)
        return {miner: await sink.new_generation(miner) for miner in await sink.miners()}
