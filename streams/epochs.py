"""Epochs in the log: the first one of an empty log, finding the one in force, announcing the next."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict

import orjson

from models.records import DecidingConfig, EpochStart
from streams.backoff import Backoff
from streams.compilation import code_hash
from streams.connect import kafka_connection
from streams.errors import WorldError
from streams.log import BrokerError, RawProducer, RawReader
from streams.now import now_us
from streams.parse import parse
from streams.process import Process
from streams.settings import Settings
from streams.wire import RawRecord

logger = logging.getLogger("changeover")

FEED = "epoch"


def encode_epoch(epoch: int, config: DecidingConfig) -> bytes:
    """The payload that starts an epoch of this code."""
    return orjson.dumps({"epoch": epoch, "config": asdict(config), "code_hash": code_hash()})


async def append_epoch(raw: RawProducer, epoch: int, config: DecidingConfig) -> int:
    """Append the start of an epoch; returns its offset."""
    return await raw.append(FEED, now_us(), encode_epoch(epoch, config))


async def announce_first(process: Process, raw: RawProducer, offset: int) -> int:
    """Start epoch 1, where the log has none up to its end; returns the offset of the record.

    Two replicas may both do so: the second, equal one changes nothing. In a replay it is the replayer's to do, whose
    configuration it is; there the log's end is returned as it is.
    """
    if process.settings.run.origin == "replay":
        process.health.set("waiting for the replay's epoch", ready=True)
        return offset
    appended = await append_epoch(raw, 1, process.settings.deciding)
    process.say(f"the log has no epoch: started epoch 1 at offset {appended}, code {code_hash()}")
    return appended


async def wait_for_epoch(settings: Settings) -> None:
    """Wait until the log is there and has an epoch: a fleet before the first one would be rejected.

    Raises:
        WorldError: no broker, no topic, or no epoch within the start-up time.
    """
    reader = RawReader(kafka_connection(settings), settings.names)
    try:
        async with asyncio.timeout(settings.worker.start_up_s):
            await start_when_there(reader)
            reader.seek(await reader.first_offset())
            while not any(epochs_of(raw) for raw in await reader.read()):
                continue
    except TimeoutError as error:
        raise WorldError(
            f"no epoch in {reader.topic} at {reader.connection.bootstrap} after {settings.worker.start_up_s:g} s: "
            "start a worker, which makes the topics and begins the first one"
        ) from error
    finally:
        await reader.stop()


async def start_when_there(reader: RawReader) -> None:
    """Start a reader, again and again while there is no broker or no topic yet."""
    pauses = Backoff(first_s=0.1, longest_s=2.0)
    while True:
        try:
            return await reader.start()
        except BrokerError as error:
            if not error.retriable:
                raise
        except WorldError as error:
            logger.debug("not there yet: %s", error)
        await asyncio.sleep(pauses.next_s())


def epochs_of(raw: RawRecord) -> list[EpochStart]:
    """The epoch that a record of the log starts, if any."""
    return [each for each in parse(raw).records if isinstance(each, EpochStart)] if raw.feed == FEED else []


async def last_epoch(reader: RawReader, *, first_is_enough: bool = False) -> EpochStart | None:
    """The epoch with the greatest number that the log holds; with ``first_is_enough`` the first one found."""
    found: EpochStart | None = None
    reader.seek(await reader.first_offset())
    end = await reader.end_offset()
    while reader.position < end:
        for raw in await reader.read():
            for epoch in epochs_of(raw):
                if found is None or epoch.epoch > found.epoch:
                    found = epoch
                if first_is_enough:
                    return found
    return found
