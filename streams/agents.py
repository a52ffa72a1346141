"""The agents service: the Faust app with consumer groups. Agent `observations`, the public way in; and the bridge.

Nothing may escape the body of an agent's loop: Faust would acknowledge the event and lose it. A message at fault goes
to topic `rejected`, a broker that is away is waited for in place, and anything unexpected ends the process before the
event is acknowledged, so that it is read again.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import faust
from faust.types import Message

from streams.bridge import Bridge
from streams.connect import kafka_connection, wait_for_topics
from streams.exit_codes import HALTED
from streams.inbox import Inbox
from streams.keeper import Keeper
from streams.log import RawProducer, TopicProducer
from streams.log.connection import Connection
from streams.now import now_us
from streams.outside import admit
from streams.process import Built, Ending, Guarded, Process, app_settings, supervise
from streams.rejected import rejected_message
from streams.settings import Settings

logger = logging.getLogger("changeover")


class Door:
    """What lets outsiders' observations into the log, or says why not."""

    def __init__(self, process: Process) -> None:
        settings = process.settings
        connection = kafka_connection(settings)
        self._raw = RawProducer(connection, settings.names, process.instance)
        self._rejected = TopicProducer(connection, settings.names.topic("rejected"))
        self._admitted = process.health.counter("observations_admitted", "Messages let into the log.")
        self._refused = process.health.counter("observations_refused", "Messages sent to topic rejected.")

    async def start(self) -> None:
        """Open both topics."""
        await self._raw.start()
        await self._rejected.start()

    async def stop(self) -> None:
        """Close them."""
        await self._rejected.stop()
        await self._raw.stop()

    async def take(self, message: Message) -> None:
        """Admit or reject one message; returns once that is stored."""
        receipt_time_us = now_us()
        payload = message.value or b""
        try:
            stamped = admit(payload, principal_of(message), receipt_time_us)
        except ValueError as refusal:
            key, value = rejected_message(
                message.topic, message.offset, "observations", str(refusal), payload, receipt_time_us
            )
            await self._rejected.append(value, key=key)
            self._refused.inc()
        else:
            await self._raw.append("observation", receipt_time_us, stamped)
            self._admitted.inc()


def principal_of(message: Message) -> str | None:
    """The header `principal`, where there is one."""
    headers: Any = message.headers or {}
    found = dict(headers).get("principal")
    return None if found is None else found.decode(errors="replace")


def agents_app(process: Process, door: Door) -> faust.App:
    """The app with its agent."""
    settings = process.settings
    app = faust.App(
        **app_settings(process),
        broker_credentials=credentials(kafka_connection(settings)),
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=process.instance if settings.run.instance else None,
        broker_session_timeout=10,
        broker_heartbeat_interval=2,
        broker_rebalance_timeout=20,
        broker_request_timeout=30,
        broker_commit_interval=1.0,
        broker_commit_every=1_000,
        stream_buffer_maxsize=16_384,
    )
    topic = app.topic(
        settings.names.topic("observations"),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )

    @app.on_partitions_assigned.connect(weak=False)
    async def assigned(_app: faust.App, *_partitions: object, **_more: object) -> None:
        process.health.set("reading observations", ready=True)
        process.say("reading observations, copying signals")

    @app.on_partitions_revoked.connect(weak=False)
    async def revoked(_app: faust.App, *_partitions: object, **_more: object) -> None:
        process.health.set("waiting for the group", ready=False)

    @app.agent(topic, name="observations", concurrency=1)  # more would commit past a message still under way
    async def observations(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            try:
                await door.take(event.message)
            except Exception:  # of any kind: a message that was not taken must not be acknowledged
                logger.critical("agents: observation at offset %s failed", event.message.offset, exc_info=True)
                sys.stderr.flush()
                os._exit(HALTED)  # leaving in order would acknowledge the event and lose it

    return app


def credentials(connection: Connection) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """How Faust's own clients say who they are."""
    options = connection.options()
    context = options.get("ssl_context")
    if connection.security.startswith("SASL"):
        return faust.SASLCredentials(
            username=connection.user,
            password=connection.password,
            mechanism=connection.mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


async def run_agents(settings: Settings) -> Ending:
    """Run the agents service until it is stopped."""
    process = Process(settings, "agents")
    door = Door(process)
    bridge = Bridge(process)
    keeper = Keeper(process, bridge)
    inbox = Inbox(process)

    async def build() -> Built:
        await wait_for_topics(process)  # a topic that is missing when Faust starts is never read
        await door.start()
        app = agents_app(process, door)
        services = {"bridge": bridge.run, "keeper": keeper.run, "inbox": inbox.run}
        return app, [Guarded(process, name, run) for name, run in services.items()]

    try:
        return await supervise(process, build)
    finally:
        await door.stop()
