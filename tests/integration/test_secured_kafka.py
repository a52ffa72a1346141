"""Real Apache Kafka with TLS, SCRAM and the access lists that `changeover security kafka` prints: who may, who not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from streams.client import Signals
from streams.errors import SettingsError, WorldError
from streams.log import RawProducer, RawReader, TopicProducer, create_topics
from streams.log.connection import BrokerError, Connection, probe
from streams.log.topics import TOPICS, require_topic
from streams.security.kafka_rights import SERVICES, acl_calls, topic_calls
from streams.security.redis_users import acl_file, kept_passwords, password_hash, users_of
from streams.tls import Tls
from streams.wire import Names
from tests.conftest import new_real_kafka
from tests.support.certificates import Authority
from tests.support.redis_server import redis_server
from tests.support.secured_kafka import SecuredKafka
from tests.support.stage import ServiceProcess

LIVE = Names("live")
USERS = [rights.name for rights in SERVICES] + ["desk", "stranger"]
pytestmark = [pytest.mark.guarantee("G8"), pytest.mark.timeout(400), pytest.mark.slow]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the broker's certificates and clients'."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[SecuredKafka]:
    """The broker with topics and rights made by the lines that the command prints."""
    new_real_kafka().stop()  # skips by name where no Kafka can run
    kafka = SecuredKafka(authority, USERS)
    try:
        kafka.start()
        server = f"--bootstrap-server {kafka.bootstrap} --command-config {kafka.admin_properties()}"
        kinds = [
            line for line in topic_calls(LIVE, 1, server) if "--topic raw " in line or "cleanup.policy=compact" in line
        ]
        kafka.call([*kinds, *acl_calls(LIVE, ["desk"], server)])
        made = asyncio.run(create_topics(kafka.connection("admin"), LIVE))  # the others: each line is a Java of its own
        assert sorted(made) == ["observations", "rejected", "signals"]
        yield kafka
    finally:
        kafka.stop()


async def refused(connection: Connection) -> str:
    """What is said where a connection is refused, at the first try and in one line."""
    with pytest.raises(BrokerError) as caught:
        await probe(connection)
    assert not caught.value.retriable
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_service_works_under_its_own_login_over_tls(secured: SecuredKafka, tmp_path: Path) -> None:
    """The whole way, from a desk's observation and the fleet to a desk's client. First, while the log is clean."""
    users = users_of(["ann"], ["alpha=ladder"])
    passwords, _ = kept_passwords(tmp_path / "passwords", [user.name for user in users])
    content = acl_file(users, {name: password_hash(secret) for name, secret in passwords.items()}, LIVE)
    tls = secured.authority.sign("redis")
    with redis_server("redis", tmp_path / "redis", users=content, tls=tls) as redis, ExitStack() as stack:

        def environment(user: str, at_redis: str) -> dict[str, str]:
            return secured.environment(user, tmp_path) | {
                "PATH": "/usr/bin:/bin",
                "REDIS_URL": redis.url(at_redis),
                "CHANGEOVER_REDIS_PASSWORD_FILE": str(tmp_path / "passwords" / f"{at_redis}.password"),
                "CHANGEOVER_REDIS_CA_FILE": str(secured.authority.ca),
                "CHANGEOVER_CACHE": str(tmp_path),
                "CHANGEOVER_COMPILED": "0",
                "CHANGEOVER_SOURCES": "none",
                "CHANGEOVER_ARCHIVE": str(tmp_path / "archive"),
                "CHANGEOVER_ARCHIVE_FLUSH_S": "0.2",
            }

        logins = {"worker": "worker", "ingest": "agents", "agents": "agents", "recorder": "agents"}
        services = {}
        for service, at_redis in logins.items():
            services[service] = ServiceProcess([service], environment(service, at_redis), tmp_path)
            stack.callback(services[service].close)
        for process in services.values():
            process.wait_ready()
        done = subprocess.run(
            [sys.executable, "-m", "streams.cli", "fleet", "apply", "deploy/examples/ladder.toml"],
            env=environment("operator", "ann"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        asyncio.run(tries_to_write(secured.connection("desk"), "observations"))
        agents, recorder = services["agents"], services["recorder"]
        agents.wait_for(lambda: b"observations_refused_total 1.0" in agents.get("/metrics")[1])
        recorder.wait_for(lambda: any((tmp_path / "archive").rglob("*.parquet")))
        asyncio.run(hears(redis.url("alpha", passwords["alpha"]), secured.authority))
        assert [name for name, process in services.items() if "lacks" in process.said] == []
        assert [process.stop() for process in services.values()] == [0, 0, 0, 0]


async def hears(url: str, authority: Authority) -> None:
    """Wait until a desk is told that its miner's worker lives."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with Signals(url, ["ladder"], tls=Tls(ca_file=authority.ca)) as signals:
                    first, _ = signals.heartbeat("ladder")
                    while signals.heartbeat("ladder")[0] <= first:  # noqa: ASYNC110 the client cannot wake us
                        await asyncio.sleep(0.05)
                    return
            except WorldError as error:
                assert "no stream" in str(error)  # noqa: PT017 the stream begins a moment after the fleet
                await asyncio.sleep(0.1)


async def test_a_right_login_and_authority_append_and_read(secured: SecuredKafka) -> None:
    producer = RawProducer(secured.connection("ingest"), LIVE, "ingest-test")
    await producer.start()
    assert (await probe(secured.connection("ingest"))).idempotent
    offset = await producer.append("clock", 1, b"{}")
    await producer.stop()
    async with RawReader(secured.connection("worker"), LIVE) as reader:
        found = await reader.record_at(offset)
        assert found is not None
        assert found.instance == "ingest-test"


async def test_a_certificate_is_a_login_too(secured: SecuredKafka) -> None:
    producer = RawProducer(secured.with_certificate("ingest"), LIVE, "ingest-mutual")
    await producer.start()
    assert await producer.append("clock", 1, b"{}") >= 0
    await producer.stop()


async def test_a_wrong_password_is_told_as_such(secured: SecuredKafka) -> None:
    said = await refused(secured.connection("ingest", password="not-it"))  # noqa: S106 of this test alone
    assert "it refuses our user or password" in said
    assert "not-it" not in said
    assert "it refuses our user or password" in await refused(secured.connection("nobody", password="x"))  # noqa: S106 the same


async def test_another_authority_is_refused(secured: SecuredKafka, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    for tls in (Tls(ca_file=other.ca), Tls()):
        assert "nobody we trust signed its certificate" in await refused(secured.connection("ingest", tls=tls))


async def test_a_certificate_of_another_host_is_refused(secured: SecuredKafka) -> None:
    """The broker's certificate is of 127.0.0.1 and localhost; this machine's own name is none of them."""
    async with elsewhere(secured.port) as port:
        mine = secured.connection("ingest")
        moved = replace(mine, bootstrap=f"127.0.0.2:{port}")
        assert "its certificate is of another host" in await refused(moved)


@asynccontextmanager
async def elsewhere(port: int) -> AsyncIterator[int]:
    """The broker under another address of this machine."""
    links: list[asyncio.Task[object]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        finally:
            writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        links.extend((asyncio.create_task(pump(reader, there[1])), asyncio.create_task(pump(there[0], writer))))

    async with await asyncio.start_server(take, "127.0.0.2", 0) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*links, return_exceptions=True)


async def test_a_client_without_the_certificate_that_is_asked_for_is_refused(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    mine = secured.with_certificate("ingest")
    bare = Connection(bootstrap=mine.bootstrap, security="SSL", tls=Tls(ca_file=secured.authority.ca))
    assert "give cert_file and key_file" in await refused(bare)
    stranger = secured.with_certificate("ingest", Authority(tmp_path, "stranger"))
    said = await refused(stranger)
    assert "signed by its authority" in said or "refuses our certificate" in said


async def test_tls_files_that_cannot_be_used_are_the_operators_fault(secured: SecuredKafka, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ca_file"):
        await probe(secured.connection("ingest", tls=Tls(ca_file=tmp_path / "none.pem")))


async def tries_to_write(connection: Connection, topic: str) -> bool:
    """Whether a plain producer of a user may append to a topic, by the broker's own word."""
    producer = AIOKafkaProducer(**connection.options(), request_timeout_ms=10_000)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"{}", key=b"test", partition=0)
    except TopicAuthorizationFailedError:
        return False
    finally:
        await producer.stop()
    return True


async def tries_to_read(connection: Connection, topic: str) -> bool:
    """Whether a plain consumer of a user may read a topic."""
    consumer = AIOKafkaConsumer(**connection.options(), auto_offset_reset="earliest", request_timeout_ms=10_000)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    try:
        await consumer.start()
        await consumer.seek_to_beginning(partition)
        await consumer.getmany(timeout_ms=1_000)
    except TopicAuthorizationFailedError:
        return False
    finally:
        await consumer.stop()
    return True


@pytest.mark.parametrize("user", USERS)
async def test_each_user_writes_and_reads_the_topics_of_the_table_and_no_others(
    secured: SecuredKafka, user: str
) -> None:
    rights = {each.name: (set(each.writes), set(each.reads)) for each in SERVICES}
    rights |= {"desk": ({"observations"}, set()), "stranger": (set(), set())}
    connection = secured.connection(user)
    written = {topic for topic in TOPICS if await tries_to_write(connection, topic)}
    read = {topic for topic in TOPICS if await tries_to_read(connection, topic)}
    assert (written, read) == rights[user]


async def test_only_ingest_workers_agents_and_the_command_line_may_write_the_log() -> None:
    assert {each.name for each in SERVICES if "raw" in each.writes} == {"ingest", "worker", "agents", "operator"}


async def test_a_stranger_who_appends_to_the_log_is_refused_in_words_and_does_not_hang(secured: SecuredKafka) -> None:
    for user in ("stranger", "desk"):
        producer = RawProducer(secured.connection(user), LIVE, user)
        with pytest.raises(WorldError, match=r"has no topic raw|lacks the right"):
            await producer.start()
    producer_of_recorder = TopicProducer(secured.connection("recorder"), "raw")
    with pytest.raises(WorldError, match="lacks the right"):
        await producer_of_recorder.start()
    rejected = TopicProducer(secured.connection("operator"), "rejected")
    await rejected.start()
    with pytest.raises(WorldError, match="lacks the right"):
        await rejected.append(b"{}")
    await rejected.stop()


async def test_nobody_but_the_admin_makes_topics(secured: SecuredKafka) -> None:
    for user in ("worker", "operator"):
        with pytest.raises(WorldError, match=r"cannot create|lacks the right"):
            await create_topics(secured.connection(user), Names("replay", "other"))
    assert await create_topics(secured.connection("worker"), LIVE) == []
    await require_topic(secured.connection("recorder"), "raw")


async def test_a_client_that_speaks_plainly_gets_nothing(secured: SecuredKafka) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=secured.bootstrap, request_timeout_ms=3_000)
    with pytest.raises(KafkaError):
        await consumer.start()
    await consumer.stop()


def command(
    secured: SecuredKafka, folder: Path, user: str, *words: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """A command of ours under a user's login."""
    environment = {"PATH": "/usr/bin:/bin", **secured.environment(user, folder), **more}
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_line_reaches_it_by_settings_alone(secured: SecuredKafka, tmp_path: Path) -> None:
    done = command(secured, tmp_path, "operator", "epoch", "start")
    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr
    wrong = command(secured, tmp_path, "operator", "epoch", "start", CHANGEOVER_KAFKA_PASSWORD="wrong-one")  # noqa: S106 the same
    assert wrong.returncode == 1
    assert "it refuses our user or password" in wrong.stderr
    assert wrong.stderr.count("\n") == 1
    assert "wrong-one" not in wrong.stderr + wrong.stdout
