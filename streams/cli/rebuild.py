"""`changeover rebuild --new-generation`: number the streams anew, from the log's first record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_result
from streams.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    from streams.connect import kafka_connection, opened_redis
    from streams.copies import generations_of
    from streams.log import create_topics
    from streams.sink import RedisSink
    from streams.wire import MARKET

    async with opened_redis(settings) as client:
        sink = RedisSink(client, settings.names)
        await sink.start()  # our functions, whatever another user has loaded under their name
        heads = {miner: await sink.head(miner) for miner in await sink.miners()}
        await create_topics(kafka_connection(settings), settings.names)
        marked = await generations_of(kafka_connection(settings), settings.names)
        begun = {miner: max(marked.get(miner, 0), head.generation if head else 0) + 1 for miner, head in heads.items()}
        await mark_generations(settings, begun)
        pattern = f"{glob_safe(settings.names.prefix)}{{{MARKET}*}}:checkpoint"
        for key in [key async for key in client.scan_iter(match=pattern)]:
            await client.delete(key)
        return {miner: await sink.new_generation(miner, generation) for miner, generation in begun.items()}


async def mark_generations(settings: Settings, generations: Mapping[str, int]) -> None:
    """Tell topic `checkpoints` first, so that a Redis lost right after does not bring the old generation back."""
    from streams.connect import kafka_connection
    from streams.copies import generation_mark
    from streams.log import TopicProducer

    producer = TopicProducer(kafka_connection(settings), settings.names.topic("checkpoints"))
    await producer.start()
    try:
        for miner, generation in generations.items():
            key, headers = generation_mark(miner, generation)
            await producer.append(b"", key=key, headers=headers)
    finally:
        await producer.stop()
