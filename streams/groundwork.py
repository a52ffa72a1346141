"""The ground under `up` and `demo`: a log prepared before anything fills it, and what a demo left removed again."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from models.fleet import Miner
from streams.connect import REDIS_AWAY, kafka_connection, open_redis, text_of
from streams.epochs import append_epoch, last_epoch
from streams.errors import WorldError
from streams.fleetfile import encode_miner
from streams.log import RawProducer, RawReader, create_topics, delete_topics
from streams.now import now_us
from streams.settings import Settings
from streams.view.reader import standing


async def streams_before(settings: Settings) -> dict[str, tuple[int, int]]:
    """Where every stream stands now: miner -> (generation, seq).

    Raises:
        WorldError: Redis is away.
    """
    client = open_redis(settings)
    try:
        return await standing(client, settings.names)
    except REDIS_AWAY as error:
        away = f"Redis at {settings.redis.masked}: {text_of(error)}"
        raise WorldError(f"{away}; start it, or unset REDIS_URL and KAFKA_BROKERS") from error
    finally:
        await client.aclose()


async def prepare_log(settings: Settings, miners: Sequence[Miner], begins_us: int | None = None) -> None:
    """Make the topics; append an epoch where the log has none, and the fleet.

    ``begins_us`` [us UTC] is where simulated time begins: a first tick says so, and the records carry it.

    Raises:
        WorldError: the broker is away or refuses.
    """
    connection = kafka_connection(settings)
    await create_topics(connection, settings.names)
    raw = RawProducer(connection, settings.names, settings.new_instance("up"))
    await raw.start()
    try:
        if begins_us is not None:
            await raw.append("clock", begins_us, orjson.dumps({"time_us": begins_us, "replayed": True}))
        if not await has_epoch(settings):
            await append_epoch(raw, 1, settings.deciding)
        for miner in miners:
            await raw.append("fleet", now_us() if begins_us is None else begins_us, encode_miner(miner))
    finally:
        await raw.stop()


async def has_epoch(settings: Settings) -> bool:
    """Whether the log has an epoch. A worker may announce the first at the same time; two equal ones are one."""
    reader = RawReader(kafka_connection(settings), settings.names)
    await reader.start()
    try:
        return await last_epoch(reader, first_is_enough=True) is not None
    finally:
        await reader.stop()


async def erase(settings: Settings) -> None:
    """Remove a demo's topics and keys from servers that outlive it.

    Raises:
        ValueError: the names are live ones.
    """
    names = settings.names
    await delete_topics(kafka_connection(settings), names)
    client = open_redis(settings)
    try:
        keys = [key async for key in client.scan_iter(match=f"{names.prefix}*", count=1_000)]
        if keys:
            await client.unlink(*keys)
    finally:
        await client.aclose()
