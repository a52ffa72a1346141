"""Bridge and keeper in this process, for tests of what outlives Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.bridge import Bridge
from streams.compilation import code_hash
from streams.copies import sets_of
from streams.keeper import Keeper
from streams.log import Connection
from streams.process import Process
from streams.settings import Agents
from tests.support.stage import Stage, until


@asynccontextmanager
async def copier(stage: Stage, checkpoint_every_s: float = 1.0) -> AsyncIterator[Bridge]:
    """Bridge and keeper in this process, cut off at the end of the block."""
    await stage.make_topics()
    settings = stage.settings.model_copy(update={"agents": Agents(checkpoint_every_s=checkpoint_every_s)})
    process = Process(settings, "agents")
    bridge = Bridge(process)
    tasks = [asyncio.create_task(bridge.run()), asyncio.create_task(Keeper(process, bridge).run())]
    try:
        yield bridge
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_copied(stage: Stage, bridge: Bridge) -> None:
    """Wait until topic `signals` holds the stream and topic `checkpoints` a set of this code."""
    seq = (await stage.stored())["ladder"][-1].seq
    connection = Connection(bootstrap=stage.bootstrap)

    async def copied() -> bool:
        if bridge.copied.get("ladder", (0, 0))[1] < seq:
            return False
        sets = await sets_of(connection, stage.names)
        return any({kept.code_hash for kept in each.checkpoints.values()} == {code_hash()} for each in sets)

    await until(copied)
