"""The inbox: acknowledgements that people leave in Redis, into the log. One counts when it is in `raw`.

An entry of stream ``...:acks`` has the fields ``signal`` (the id of a switch), ``who``, and if wanted ``outcome`` (done
or refused) and ``note``. Redis numbers it, and that number is the acknowledgement's id: whatever is read twice, by a
second service or after a crash, is answered once. An entry is deleted when it is in the log, or in `rejected`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

import orjson
import redis.asyncio

from models.commands import Ack
from streams.backoff import Backoff
from streams.connect import REDIS_AWAY, kafka_connection, open_redis, text_of
from streams.errors import WorldError
from streams.log import RawProducer, TopicProducer
from streams.now import now_us
from streams.process import Process
from streams.rejected import rejected_message
from streams.sink import RedisSink
from streams.sink.redis_errors import redis_errors
from streams.wire import Names

LOOK_S = 0.25
"""How often the inboxes are read [s]."""
LONGEST_PAUSE_S = 10.0
"""After a failure: the inbox is read again later and later, so that one lasting fault does not fill the log."""
PAGE = 100
FIELDS = frozenset(("signal", "who", "outcome", "note"))


class InboxError(ValueError):
    """An entry that nothing can be made of, and why."""


async def read_ack(
    client: redis.asyncio.Redis, names: Names, miner: str, entry_id: str, fields: Mapping[str, str]
) -> Ack:
    """The acknowledgement that an inbox entry means. Raises InboxError or ValueError: what is wrong with it."""
    unknown = fields.keys() - FIELDS
    if unknown or "signal" not in fields or "who" not in fields:
        raise InboxError(f"an acknowledgement has signal and who, and may have outcome and note; not {sorted(fields)}")
    switch = await read_switch(client, names, miner, fields["signal"])
    return Ack(
        id=f"ack-{entry_id}",
        miner=miner,
        site=switch["site"],
        load=switch["load"],
        decision=switch["decision"],
        who=fields["who"],
        outcome=fields.get("outcome", "done"),
        note=fields.get("note", ""),
        issued_us=int(entry_id.partition("-")[0]) * 1_000,
    )


async def read_switch(client: redis.asyncio.Redis, names: Names, miner: str, signal: str) -> dict[str, Any]:
    """The switch with this id. Raises InboxError where there is none."""
    of, generation, seq = (*signal.split(":"), "", "")[:3]
    if of != miner or not generation.isdigit() or not seq.isdigit():
        raise InboxError(f"{signal!r} is no id of a signal of {miner}, as {miner}:1:42")
    key = names.key(miner, "signals")
    with redis_errors(f"read {key}"):
        found = await client.xrange(key, min=f"{seq}-0", max=f"{seq}-0")
    entry = found[0][1] if found else None
    document: dict[str, Any] = orjson.loads(entry[b"json"]) if entry else {}
    if document.get("id") != signal:
        raise InboxError(f"there is no signal {signal}: it was trimmed, or is of another generation")
    if document["kind"] != "switch":
        raise InboxError(f"signal {signal} is of kind {document['kind']}: only a switch is acknowledged")
    return document


class Inbox:
    """Carries acknowledgements into the log until cancelled."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._names = process.settings.names
        connection = kafka_connection(process.settings)
        self._raw = RawProducer(connection, self._names, process.settings.new_instance("inbox"))
        self._rejected = TopicProducer(connection, self._names.topic("rejected"))
        self._taken = process.health.counter("acks_taken", "Acknowledgements carried into the log.")
        self._refused = process.health.counter("acks_refused", "Inbox entries sent to topic rejected.")

    async def run(self) -> None:
        """Carry for ever; a Redis that is away is waited for."""
        await self._raw.start()
        await self._rejected.start()
        client = open_redis(self._process.settings)
        pauses = Backoff(first_s=LOOK_S, longest_s=LONGEST_PAUSE_S)
        try:
            while True:
                try:
                    carried = await self._carry_all(client)
                except REDIS_AWAY as error:
                    self._process.say(f"the inbox waits for Redis: {text_of(error)}", loud=True)
                    await asyncio.sleep(pauses.next_s())
                except WorldError as error:
                    self._process.say(f"the inbox: {error}", loud=True)
                    await asyncio.sleep(pauses.next_s())
                else:
                    pauses.reset()
                    await asyncio.sleep(0.0 if carried else LOOK_S)
        finally:
            await client.aclose()
            await self._rejected.stop()
            await self._raw.stop()

    async def _carry_all(self, client: redis.asyncio.Redis) -> int:
        """Carry what lies in the inboxes now; how many entries that were."""
        carried = 0
        for miner in await RedisSink(client, self._names).miners():
            key = self._names.key(miner, "acks")
            with redis_errors(f"read {key}"):
                page = cast("list[tuple[bytes, dict[bytes, bytes]]]", await client.xrange(key, count=PAGE))
            for entry_id, found in page:
                await self._carry(client, miner, entry_id.decode(), found)
                with redis_errors(f"empty {key}"):
                    await client.xdel(key, entry_id)
            carried += len(page)
        return carried

    async def _carry(self, client: redis.asyncio.Redis, miner: str, entry_id: str, found: dict[bytes, bytes]) -> None:
        fields = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in found.items()}
        try:
            ack = await read_ack(client, self._names, miner, entry_id, fields)
        except ValueError as refusal:
            key = self._names.key(miner, "acks")
            moment, _, number = entry_id.partition("-")
            _, value = rejected_message(key, int(number), "ack", str(refusal), orjson.dumps(fields), now_us())
            await self._rejected.append(value, key=f"{key}:{moment}-{number}".encode())
            self._refused.inc()
        else:
            await self._raw.append("ack", now_us(), orjson.dumps(asdict(ack)))
            self._taken.inc()
