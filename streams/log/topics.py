"""The topics of a run: made with their configuration, and checked against it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from streams.errors import WorldError
from streams.log.connection import BrokerError, Connection, admin_client, as_connection, broker_errors
from streams.wire import MAX_MESSAGE_BYTES, Names

RAW = "raw"
FOREVER = "-1"
DAY_MS = 86_400_000
KEPT_DAYS = {"rejected": 30, "observations": 7}
TOPICS = (RAW, "rejected", "signals", "observations", "checkpoints")

LISTED_S = 30.0
LISTED_PAUSE_S = 0.05

PRODUCTION_REPLICAS = 3
PRODUCTION_IN_SYNC = 2


@dataclass(frozen=True, slots=True)
class TopicState:
    """What a broker says of a topic. ``config`` may lack entries that were never set."""

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str]


def topic_config(name: str, retention_ms: int, replication: int) -> dict[str, str]:
    """The configuration of a topic; ``retention_ms`` [ms] is that of ``raw`` and ``signals``, -1 for ever.

    >>> topic_config("checkpoints", -1, 1)["cleanup.policy"], topic_config("rejected", -1, 1)["retention.ms"]
    ('compact', '2592000000')
    """
    config = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    if name == "checkpoints":
        config["cleanup.policy"] = "compact"
    else:
        config["cleanup.policy"] = "delete"
        config["retention.ms"] = str(KEPT_DAYS[name] * DAY_MS if name in KEPT_DAYS else retention_ms)
        config["retention.bytes"] = FOREVER
    if replication >= PRODUCTION_REPLICAS:
        config["min.insync.replicas"] = str(PRODUCTION_IN_SYNC)
        config["unclean.leader.election.enable"] = "false"
    return config


async def create_topics(
    where: str | Connection, names: Names, *, replication: int = 1, retention_ms: int = -1
) -> list[str]:
    """Make the topics of a run that do not exist yet; gives their names. Existing ones are left as they are.

    Every topic has one partition. Make them before anything reads or writes: a client that asks for a topic may
    otherwise bring it about with the broker's defaults.

    Raises:
        BrokerError: no broker answers, or it refuses a topic.
    """
    connection = as_connection(where)
    wanted = {names.topic(name): topic_config(name, retention_ms, replication) for name in TOPICS}
    with broker_errors(connection, f"create the topics {', '.join(wanted)}"):
        async with admin_client(connection) as client:
            present = set(await client.list_topics())
            new = [
                NewTopic(topic, num_partitions=1, replication_factor=replication, topic_configs=config)
                for topic, config in wanted.items()
                if topic not in present
            ]
            created = created_of(connection, (await client.create_topics(new)).topic_errors) if new else []
            await until_listed(client, wanted)
    return created


def created_of(connection: Connection, topic_errors: Iterable[tuple[Any, ...]]) -> list[str]:
    """The topics that a broker's answer says it created.

    Raises:
        BrokerError: it refused one; that another process was quicker is no refusal.
    """
    created = []
    for topic, code, *message in topic_errors:
        error = for_code(code)
        if error is NoError:
            created.append(topic)
        elif error is not TopicAlreadyExistsError:
            reason = next((text for text in message if text), error.__name__)
            raise BrokerError(
                f"Kafka at {connection.bootstrap}: cannot create topic {topic}: {reason}",
                retriable=bool(getattr(error, "retriable", False)),
            )
    return created


async def until_listed(client: AIOKafkaAdminClient, topics: Collection[str]) -> None:
    """Wait until the broker lists topics: it answers their creation before its own metadata knows them (measured).

    Raises:
        TimeoutError: it does not list them in time.
    """
    async with asyncio.timeout(LISTED_S):
        while not set(topics) <= set(await client.list_topics()):  # noqa: ASYNC110 the broker cannot wake us
            await asyncio.sleep(LISTED_PAUSE_S)


async def delete_topics(where: str | Connection, names: Names) -> None:
    """Remove the topics of a demo or replay run.

    Raises:
        ValueError: the names are live ones.
        BrokerError: no broker answers.
    """
    if names.origin == "live":
        raise ValueError("live topics are never deleted by us")
    connection = as_connection(where)
    ours = {names.topic(name) for name in TOPICS}
    with broker_errors(connection, "delete the topics of a run"):
        async with admin_client(connection) as client:
            present = sorted(ours & set(await client.list_topics()))
            if present:
                await client.delete_topics(present)


async def require_topic(connection: Connection, topic: str) -> None:
    """Refuse to go on without the topic, and do not bring it about by asking for it.

    Raises:
        WorldError: it does not exist.
    """
    with broker_errors(connection, f"look for topic {topic}"):
        async with admin_client(connection) as client:
            present = await client.list_topics()
    if topic not in present:
        raise WorldError(
            f"Kafka at {connection.bootstrap} has no topic {topic}: create it with its configuration first "
            "(starting any changeover service does)"
        )


async def read_topic(client: AIOKafkaAdminClient, topic: str) -> TopicState | None:
    """What the broker says of a topic, None where there is none."""
    if topic not in await client.list_topics():  # asking for it by name would create it on some brokers
        return None
    (described,) = await client.describe_topics([topic])
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    config = {
        entry["config_names"]: entry["config_value"] or ""
        for answer in answers
        for resource in answer.to_object()["resources"]
        for entry in resource["config_entries"]
    }
    partitions = described["partitions"]
    return TopicState(topic, len(partitions), min(len(part["replicas"]) for part in partitions), config)


async def broker_setting(client: AIOKafkaAdminClient, key: str) -> str | None:
    """A setting of the first broker, None where it does not tell."""
    cluster = await client.describe_cluster()
    node = str(cluster["brokers"][0]["node_id"])
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.BROKER, node)])
    for answer in answers:
        for resource in answer.to_object()["resources"]:
            for entry in resource["config_entries"]:
                if entry["config_names"] == key:
                    return str(entry["config_value"])
    return None


async def check_topic(
    where: str | Connection, names: Names, *, keep_ms: int | None = None, production: bool = False
) -> list[str]:
    """Where the log's topics are not as they must be, one line each; an empty list is good.

    Args:
        where: the broker.
        names: the run.
        keep_ms: how far back ``raw`` must reach [ms] (beyond the oldest kept checkpoint); None: for ever.
        production: also ask for three replicas, two in sync, no unclean election, no topics brought about by asking.

    Raises:
        BrokerError: no broker answers.
    """
    connection = as_connection(where)
    raw, checkpoints = names.topic(RAW), names.topic("checkpoints")
    with broker_errors(connection, f"check topic {raw}"):
        async with admin_client(connection) as client:
            states = {topic: await read_topic(client, topic) for topic in (raw, checkpoints)}
            auto_create = await broker_setting(client, "auto.create.topics.enable") if production else None
    lines = [f"topic {topic} does not exist" for topic, state in states.items() if state is None]
    log, kept = states[raw], states[checkpoints]
    if log is not None:
        lines += raw_violations(log, keep_ms)
        lines += production_violations(log) if production else []
    if kept is not None and "compact" not in kept.config.get("cleanup.policy", "delete"):
        lines.append(f"topic {checkpoints} must have cleanup.policy=compact: old checkpoints would pile up or vanish")
    if auto_create == "true":
        lines.append("the broker has auto.create.topics.enable=true: a mistyped topic would come into being")
    return lines


def raw_violations(log: TopicState, keep_ms: int | None) -> list[str]:
    """What is wrong with the log's topic on any broker.

    >>> raw_violations(TopicState("raw", 4, 1, {"cleanup.policy": "compact", "retention.ms": "-1"}), None)[0]
    'topic raw has 4 partitions and must have exactly 1: the log is one order of all records'
    """
    lines = []
    if log.partitions != 1:
        lines.append(
            f"topic {log.name} has {log.partitions} partitions and must have exactly 1: the log is one order of all "
            "records"
        )
    policy = log.config.get("cleanup.policy", "delete")
    if policy != "delete":
        lines.append(f"topic {log.name} has cleanup.policy={policy} and must have delete: compaction rewrites the log")
    retention = int(log.config.get("retention.ms", 7 * DAY_MS))
    if retention != int(FOREVER) and (keep_ms is None or retention < keep_ms):
        wanted = "-1" if keep_ms is None else f"-1 or at least {keep_ms}, the age of the oldest kept checkpoint"
        lines.append(f"topic {log.name} has retention.ms={retention} and must have {wanted}")
    if int(log.config.get("retention.bytes", FOREVER)) != int(FOREVER):
        lines.append(f"topic {log.name} has retention.bytes={log.config['retention.bytes']} and must have -1")
    limit = int(log.config.get("max.message.bytes", MAX_MESSAGE_BYTES))
    if limit < MAX_MESSAGE_BYTES:
        lines.append(f"topic {log.name} has max.message.bytes={limit} and must have at least {MAX_MESSAGE_BYTES}")
    return lines


def production_violations(log: TopicState) -> list[str]:
    """What is missing for a log that must survive the loss of a broker.

    >>> len(production_violations(TopicState("raw", 1, 1, {})))
    2
    """
    lines = []
    if log.replicas < PRODUCTION_REPLICAS:
        lines.append(f"topic {log.name} has {log.replicas} replicas and must have at least {PRODUCTION_REPLICAS}")
    in_sync = int(log.config.get("min.insync.replicas", 1))
    if in_sync < PRODUCTION_IN_SYNC:
        lines.append(f"topic {log.name} has min.insync.replicas={in_sync} and must have {PRODUCTION_IN_SYNC}")
    if log.config.get("unclean.leader.election.enable", "false") == "true":
        lines.append(f"topic {log.name} allows unclean leader election: acknowledged records could vanish")
    return lines
