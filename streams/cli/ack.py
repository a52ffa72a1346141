"""`changeover ack`: a person's word that a switch was carried out, or will not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_result

if TYPE_CHECKING:
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ack")(ack)


def ack(
    signal: Annotated[str, typer.Argument(metavar="ID", help="Id of a switch, as mara:1:42.", show_default=False)],
    *,
    who: Annotated[str, typer.Option("--who", help="Your name; it stays in the log.", show_default=False)],
    refuse: Annotated[bool, typer.Option("--refuse", help="It will not be carried out; --note says why.")] = False,
    note: Annotated[str, typer.Option("--note", help="What others should know; it stays in the log.")] = "",
    wait: Annotated[float, typer.Option("--wait", min=0.1, max=3600.0, help="How long to wait [s].")] = 10.0,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """Confirm a switch: leave the word in Redis, from where it goes into the log, and print the numbered answer.

    Needs Redis alone, and a running `agents`. Ends with 1 if it does not count. Keys with --json: answer.
    """
    import asyncio

    from streams.cli.tail import located
    from streams.exit_codes import DONE, WORLD_FAILED

    answer = asyncio.run(
        left(located(read_settings(settings)), signal, who, "refused" if refuse else "done", note, wait)
    )
    print_result({"answer": answer}, f"{answer['text']}\n{answer['id']}", json=json)
    return DONE if answer["outcome"] == "counted" else WORLD_FAILED


async def left(settings: Settings, signal: str, who: str, outcome: str, note: str, wait_s: float) -> dict[str, Any]:
    """Leave an acknowledgement in the inbox and wait for its answer."""
    from models.commands import MAX_TEXT, MAX_WHO, require_words
    from streams.answered import Answers
    from streams.connect import opened_redis
    from streams.errors import SettingsError
    from streams.inbox import InboxError, read_switch

    miner = signal.partition(":")[0]
    try:
        require_words("--who", who, MAX_WHO)
        if note or outcome == "refused":
            require_words("--note", note, MAX_TEXT)
    except ValueError as error:
        raise SettingsError(f"ack {signal}: {error}") from error
    async with opened_redis(settings) as client:
        answers = Answers(client, settings.names, miner)
        await answers.open()
        try:
            await read_switch(client, settings.names, miner, signal)
        except InboxError as error:
            raise SettingsError(f"ack {signal}: {error}") from error
        fields: dict[Any, Any] = {"signal": signal, "who": who, "outcome": outcome, "note": note}
        entry_id = cast("bytes", await client.xadd(settings.names.key(miner, "acks"), fields))
        return (await answers.wait("ack", "ack", f"ack-{entry_id.decode()}", wait_s))[0]
