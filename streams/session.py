"""A run of a stack under its view: log prepared, market let in, shown until told to stop, taken down in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

from models.fleet import Miner
from streams.connect import open_redis
from streams.groundwork import erase, prepare_log, streams_before
from streams.stack import Stack
from streams.view.reader import Reader
from streams.view.watch import Output, View, output_for


def run(
    stack: Stack,
    fleet: Sequence[Miner],
    *,
    notes: Sequence[str],
    seconds: float | None,
    json: bool,
    begins_us: int | None = None,
) -> None:
    """Run an entered stack until Ctrl-C, SIGTERM or the end of ``seconds``; its services have stopped at the return.

    ``begins_us`` [us UTC]: where the log's time begins, for a simulated one.

    Raises:
        WorldError: something did not start, or died.
    """
    before = asyncio.run(prepare(stack, fleet, begins_us))
    stack.start_ingest()
    stack.announce()
    asyncio.run(show(stack, before, output_for(notes, json=json), seconds))


async def prepare(stack: Stack, fleet: Sequence[Miner], begins_us: int | None) -> dict[str, tuple[int, int]]:
    """Prepare the log; gives where every stream stood before."""
    before = await streams_before(stack.settings)
    await prepare_log(stack.settings, fleet, begins_us)
    return before


async def show(stack: Stack, before: dict[str, tuple[int, int]], output: Output, seconds: float | None) -> None:
    """Show what is published until told to stop; then stop the services and show what they still published."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    client = open_redis(stack.settings)
    names = stack.settings.names
    view = View(Reader(client, names, before), names, output)
    try:
        await view.watch(stop, stack.services.check, seconds)
    finally:
        stack.services.stop()
        await view.finish()
        await client.aclose()
    if names.origin == "demo" and not stack.is_embedded:
        await erase(stack.settings)
