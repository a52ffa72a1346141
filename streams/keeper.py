"""The keeper: copies checkpoints from Redis to topic `checkpoints`, and says up to where Redis may be trimmed.

It runs beside the bridge, which knows what topic `signals` holds: a checkpoint that counts an entry the topic lacks is
left for the next look. A keeper that was thought dead does no harm: the sets it writes are whole and true.
"""

from __future__ import annotations

import asyncio

import redis.asyncio

from streams.bridge import Bridge
from streams.checkpoint import Checkpoint
from streams.connect import REDIS_AWAY, kafka_connection, open_redis, text_of
from streams.copies import set_headers, set_key, sets_of
from streams.errors import WorldError
from streams.log.producer import TopicProducer
from streams.process import Process
from streams.sink import RedisSink
from streams.wire import MARKET

LOOK_S = 5.0
"""How often trim marks are renewed, and whether a set is due is asked [s]."""


class Keeper:
    """Keeps sets of checkpoints until cancelled. ``every_s``: seconds between sets."""

    def __init__(self, process: Process, bridge: Bridge) -> None:
        self._process = process
        self._bridge = bridge
        self._sets = process.health.counter("checkpoint_sets", "Sets of checkpoints copied to topic checkpoints.")
        self._number = 0
        self._last_offset: dict[str, int] = {}

    async def run(self) -> None:
        """Keep for ever; what fails is said and tried again."""
        while True:
            try:
                await self._run()
            except WorldError as error:
                self._process.say(f"the keeper: {error}", loud=True)
            await asyncio.sleep(LOOK_S)

    async def _run(self) -> None:
        settings = self._process.settings
        connection = kafka_connection(settings)
        kept = await sets_of(connection, settings.names)
        self._number = max((each.number for each in kept), default=0)
        producer = TopicProducer(connection, settings.names.topic("checkpoints"))
        await producer.start()
        client = open_redis(settings)
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        try:
            while True:
                task = asyncio.current_task()
                if task is not None and task.cancelling():  # Python 3.11's wait_for, in redis-py, may have swallowed it
                    raise asyncio.CancelledError
                try:
                    await self._mark_trims(RedisSink(client, settings.names))
                    if loop.time() >= due_s and await self._keep_all(client, producer):
                        due_s = loop.time() + settings.agents.checkpoint_every_s
                except REDIS_AWAY as error:
                    self._process.say(f"the keeper waits for Redis: {text_of(error)}", loud=True)
                except WorldError as error:
                    self._process.say(f"the keeper: {error}", loud=True)
                await asyncio.sleep(min(LOOK_S, settings.agents.checkpoint_every_s))
        finally:
            await producer.stop()
            await client.aclose()

    async def _keep_all(self, client: redis.asyncio.Redis, producer: TopicProducer) -> bool:
        """Copy a set for the market of each part. Whether all that is new was copied."""
        names = self._process.settings.names
        pattern = f"{names.prefix}{{{MARKET}*}}:checkpoint"
        keys = [key.decode() async for key in client.scan_iter(match=pattern)]
        markets = [key.rpartition("}")[0].rpartition("{")[2] for key in keys]
        return all([await self._keep(RedisSink(client, names), market, producer) for market in sorted(markets)])

    async def _keep(self, sink: RedisSink, market: str, producer: TopicProducer) -> bool:
        """Copy one set. The market is read first: miners' checkpoints are never behind the market's."""
        found = await sink.load_checkpoint(market)
        if found is None or found[0] == self._last_offset.get(market):
            return True
        checkpoints = {market: Checkpoint.decode(found[1])}
        for miner in await sink.miners():
            kept = await sink.load_checkpoint(miner)
            if kept is None:
                continue
            checkpoint = Checkpoint.decode(kept[1])
            generation, seq = self._bridge.copied.get(miner, (0, 0))
            if checkpoint.offset < found[0]:
                continue  # of another part, whose own market is behind it
            if checkpoint.seq > (seq if generation == checkpoint.generation else 0):
                return False
            checkpoints[miner] = checkpoint
        self._number += 1
        headers = set_headers(self._number, list(checkpoints))
        for name, checkpoint in checkpoints.items():
            await producer.append(checkpoint.encode(), key=set_key(name, self._number), headers=headers)
        self._last_offset[market] = found[0]
        self._sets.inc()
        return True

    async def _mark_trims(self, sink: RedisSink) -> None:
        """Let Redis keep the newest entries only, as many as the settings say."""
        keep = self._process.settings.agents.keep_entries
        for miner, (generation, seq) in sorted(self._bridge.copied.items()):
            if seq > keep:
                await sink.mark_trim(miner, generation, seq - keep + 1)
