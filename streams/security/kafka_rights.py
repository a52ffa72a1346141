"""Rights on Kafka: which service reads and writes which topic, as calls of Kafka's own command-line programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streams.log.topics import FOREVER, TOPICS, topic_config
from streams.wire import Names


@dataclass(frozen=True, slots=True)
class Rights:
    """What a service may do. Reading and writing bring DESCRIBE with them; writing anywhere, producer numbers too."""

    name: str
    meaning: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    """Topics that it only asks for: every service looks whether all of them are there."""
    group: str = ""
    checks: bool = False
    """Reads the configuration of topics."""


INGEST = Rights("ingest", "Appends what the feeds say, and ticks.", writes=("raw",), looks=TOPICS)
WORKER = Rights(
    "worker",
    "Reads the log, appends ticks and fits; fills an emptied Redis again.",
    reads=("raw", "signals", "checkpoints"),
    writes=("raw", "rejected"),
    looks=TOPICS,
    checks=True,
)
AGENTS = Rights(
    "agents",
    "Lets outsiders' observations in, copies entries and checkpoints.",
    reads=("observations", "signals", "checkpoints"),
    writes=("raw", "rejected", "signals", "checkpoints"),
    looks=TOPICS,
    group="agents",
)
RECORDER = Rights("recorder", "Reads the log.", reads=("raw",), looks=TOPICS)
OPERATOR = Rights(
    "operator",
    "The command line: fleets, epochs, commands; what was rejected.",
    reads=("raw", "rejected"),
    writes=("raw",),
    looks=TOPICS,
    checks=True,
)
OUTSIDER = Rights("outsider", "Writes observations, and nothing else.", writes=("observations",))
SERVICES = (INGEST, WORKER, AGENTS, RECORDER, OPERATOR)


def group_id(names: Names, service: str) -> str:
    """The consumer group of a service; Faust names it by its app.

    >>> group_id(Names("live"), "agents")
    'changeover-live-agents'
    """
    return f"changeover-{names.scope or 'live'}-{service}"


def arguments(rights: Rights, user: str, names: Names) -> Iterator[list[str]]:
    """Arguments of `kafka-acls.sh` behind the server's, one list for each call."""
    looking = "Describe --operation DescribeConfigs" if rights.checks else "Describe"
    for operation, topics in (("Read", rights.reads), ("Write", rights.writes), (looking, rights.looks)):
        if topics:
            named = [word for topic in topics for word in ("--topic", names.topic(topic))]
            yield ["--add", "--allow-principal", f"User:{user}", "--operation", operation, *named]
    if rights.group:
        group = ["--group", group_id(names, rights.group)]
        yield ["--add", "--allow-principal", f"User:{user}", "--operation", "Read", *group]


def acl_calls(names: Names, outsiders: Iterable[str], server: str) -> list[str]:
    """Every call of `kafka-acls.sh`; ``server``: the arguments that say where the broker is and who asks."""
    wanted = [(rights, rights.name) for rights in SERVICES] + [(OUTSIDER, name) for name in outsiders]
    return [
        " ".join(["kafka-acls.sh", server, *each]) for rights, user in wanted for each in arguments(rights, user, names)
    ]


def topic_calls(names: Names, replication: int, server: str) -> list[str]:
    """Every call of `kafka-topics.sh` that makes the topics: services that may not create them find them there."""
    calls = []
    for topic in TOPICS:
        config = topic_config(topic, int(FOREVER), replication)
        words = [f"--config {key}={value}" for key, value in config.items()]
        size = f"--partitions 1 --replication-factor {replication}"
        calls.append(
            f"kafka-topics.sh {server} --create --if-not-exists --topic {names.topic(topic)} {size} {' '.join(words)}"
        )
    return calls
