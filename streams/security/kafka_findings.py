"""What is open at Kafka: asked under our own login; what we may not ask is said to be unknown."""

from __future__ import annotations

from collections.abc import Iterator

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, for_code

from streams.connect import kafka_connection
from streams.errors import WorldError
from streams.log.connection import Connection, admin_client, broker_errors, introduce, probe
from streams.security.findings import Finding, State, is_loopback
from streams.settings import Settings

ACL_REMEDY = "`changeover security kafka` prints the rights that each service needs"


def open_to(settings: Settings) -> State:
    """How far what is open at the brokers is open."""
    hosts = [broker.rpartition(":")[0] for broker in settings.kafka.brokers]
    return "local" if all(is_loopback(host) for host in hosts) else "open"


def about_settings(settings: Settings) -> Iterator[Finding]:
    """What our own settings tell."""
    kafka, state = settings.kafka, open_to(settings)
    set_security = "CHANGEOVER_KAFKA_SECURITY=SASL_SSL"
    if kafka.security.endswith("SSL"):
        yield Finding("kafka", "closed", f"{kafka.bootstrap}: spoken to by TLS")
    else:
        said = "without TLS, passwords and records can be read on the way"
        yield Finding("kafka", state, f"{kafka.bootstrap}: {said}", set_security)
    if kafka.security.startswith("SASL") or kafka.cert_file is not None:
        yield Finding("kafka", "closed", "we log in" + (f" as {kafka.user}" if kafka.user else " by a certificate"))
    else:
        yield Finding(
            "kafka", state, f"{kafka.bootstrap}: we log in as nobody", f"{set_security} with user and password"
        )


async def broker_config(connection: Connection) -> dict[str, str]:
    """The settings of the first broker; empty where our user may not read them."""
    with broker_errors(connection, "read the broker's settings"):
        async with admin_client(connection) as client:
            node = str((await client.describe_cluster())["brokers"][0]["node_id"])
            answers = await client.describe_configs([ConfigResource(ConfigResourceType.BROKER, node)])
    return {
        entry["config_names"]: entry["config_value"] or ""
        for answer in answers
        for resource in answer.to_object()["resources"]
        for entry in resource["config_entries"]
    }


async def may_create(connection: Connection) -> bool:
    """Whether our user could make topics; none is made."""
    with broker_errors(connection, "ask whether topics may be made"):
        async with admin_client(connection) as client:
            new = NewTopic("changeover-no-such-topic", num_partitions=1, replication_factor=1)
            answer = await client.create_topics([new], validate_only=True)
    return all(for_code(code) is NoError for _, code, *_ in answer.topic_errors)


def about_broker(settings: Settings, config: dict[str, str]) -> Iterator[Finding]:
    """What the broker's settings tell."""
    state = open_to(settings)
    if not config:
        yield Finding("kafka", "unknown", "the broker's settings: our user may not read them", "ask again as its admin")
        return
    if config.get("auto.create.topics.enable") != "false":
        yield Finding("kafka", state, "whoever asks for a topic makes it", "auto.create.topics.enable=false")
    if not config.get("authorizer.class.name"):
        yield Finding(
            "kafka",
            state,
            "no access lists: whoever is let in may write the log",
            f"authorizer.class.name; {ACL_REMEDY}",
        )
    elif config.get("allow.everyone.if.no.acl.found") == "true":
        says = "a topic without an access list is open to everybody"
        yield Finding("kafka", state, says, "allow.everyone.if.no.acl.found=false")
    else:
        yield Finding("kafka", "closed", "access lists are in force")
    protocols = dict(pair.split(":") for pair in config.get("listener.security.protocol.map", "").split(",") if pair)
    for listener in config.get("listeners", "").split(","):
        name, _, address = listener.partition("://")
        host = address.rpartition(":")[0]
        if protocols.get(name, name) == "PLAINTEXT":
            says = f"it listens without TLS and login at {address or 'every address'} ({name})"
            yield Finding("kafka", "local" if is_loopback(host) else "open", says, "take that listener away")


async def kafka_findings(settings: Settings) -> list[Finding]:
    """What is open at Kafka; brokers that cannot be asked are a finding too."""
    found = list(about_settings(settings))
    connection = kafka_connection(settings)
    try:
        await introduce(connection)
        can = await probe(connection)
        if not can.long_poll:
            says = "an embedded broker, which knows no logins and no access lists"
            return [*found, Finding("kafka", open_to(settings), says, "Apache Kafka in production")]
        found += about_broker(settings, await broker_config(connection))
        if await may_create(connection):
            found.append(Finding("kafka", open_to(settings), "our user may make topics", ACL_REMEDY))
    except WorldError as error:
        found.append(Finding("kafka", "unknown", str(error), "the rest was not looked at"))
    return found
