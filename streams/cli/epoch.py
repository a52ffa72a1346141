"""`changeover epoch start`: announce, at one place of the log, the configuration and code that decide from there on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_result

if TYPE_CHECKING:
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What decides, and from where in the log.")
    group.command("start")(start)
    app.add_typer(group, name="epoch")

    @group.callback()
    def epoch() -> None:
        """Keep `start` a command of its own: a group of one would swallow its name."""


def start(*, json: Json = False, settings: SettingsFile = None) -> None:
    """Start the next epoch with the [deciding] table of the settings and the code of this installation.

    Workers of this code go on under the new configuration. Workers of other code deliver all that lies before, leave a
    checkpoint and stand by. Keys with --json: epoch, offset, code_hash, config.
    """
    import asyncio

    result = asyncio.run(start_next(read_settings(settings)))
    text = f"epoch {result['epoch']} at offset {result['offset']}, code {result['code_hash']}"
    print_result(result, text, json=json)


async def start_next(settings: Settings) -> dict[str, Any]:
    """Append the start of the epoch after the greatest one in the log."""
    from streams.compilation import code_hash
    from streams.connect import kafka_connection
    from streams.epochs import append_epoch, last_epoch
    from streams.log import RawProducer, RawReader

    connection = kafka_connection(settings)
    reader = RawReader(connection, settings.names)
    producer = RawProducer(connection, settings.names, settings.new_instance("epoch"))
    await reader.start()
    try:
        last = await last_epoch(reader)
        epoch = 1 if last is None else last.epoch + 1
        await producer.start()
        offset = await append_epoch(producer, epoch, settings.deciding)
    finally:
        await reader.stop()
        await producer.stop()
    return {"epoch": epoch, "offset": offset, "code_hash": code_hash(), "config": asdict(settings.deciding)}
