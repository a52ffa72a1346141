"""Servers for the suite, one session long, on loopback: embedded, real Apache Kafka, or those the environment names.

KAFKA_BROKERS, REDIS_URL: use these instead of starting any. CHANGEOVER_TEST_BROKERS: which of ``embedded`` and
``kafka`` (real Apache Kafka) to run integration tests on, both where not given. CHANGEOVER_DATA: the recorded history.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from streams.compilation import prepare
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.log import delete_topics
from streams.settings import load
from streams.wire import Names
from tests.support.real_kafka import RealKafka, UnavailableError, server_jars
from tests.support.skips import SkipPolicy, refuses_skips

KAFKA_BROKERS = os.environ.get("KAFKA_BROKERS", "")
REDIS_URL = os.environ.get("REDIS_URL", "")
BROKERS = [word for word in os.environ.get("CHANGEOVER_TEST_BROKERS", "embedded,kafka").split(",") if word]
KINDS = ["external"] if KAFKA_BROKERS else BROKERS
DATA = Path(os.environ.get("CHANGEOVER_DATA", "../shared/data"))


os.environ["CHANGEOVER_SOURCES"] = "none"  # no test speaks to a real source; each fake is asked for by name
prepare(load())  # before a conftest below imports the core: compiled code lies in a folder of these sources


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "listed: a proof the project promises to run; CI refuses a skip of it")
    config.pluginmanager.register(SkipPolicy(refuse=refuses_skips(os.environ)), "skip-policy")


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """A running broker: ``kind`` is embedded, kafka (real Apache Kafka) or external (KAFKA_BROKERS)."""

    kind: str
    bootstrap: str


def new_real_kafka(ways: Mapping[str, tuple[int, int]] | None = None) -> RealKafka:
    """A real Apache Kafka, not started; skips the test by name where the machine cannot run one."""
    try:
        server_jars()
    except UnavailableError as exc:
        pytest.skip(f"kafka: {exc}")
    return RealKafka(ways)


@pytest.fixture(scope="session")
def real_kafka() -> Iterator[RealKafka]:
    """Real Apache Kafka for the whole session; tests that stop or kill it take own_real_kafka."""
    kafka = new_real_kafka()
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture(scope="session")
def chaos_kafka() -> Iterator[RealKafka]:
    """The real Apache Kafka behind own_real_kafka: starting one for each test would take most of the run."""
    kafka = new_real_kafka()
    try:
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
def own_real_kafka(chaos_kafka: RealKafka) -> RealKafka:
    """Real Apache Kafka, running, that a test may stop, kill and start, and whose log it may lose."""
    if not chaos_kafka.running:
        chaos_kafka.start()
    return chaos_kafka


@pytest.fixture
def own_broker() -> Iterator[EmbeddedBroker]:
    """The embedded broker for one test that may stop, kill and start it."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis for one test that may kill and start it: every write it answered is on disk."""
    with EmbeddedRedis(appendonly=True, folder=tmp_path) as server:
        yield server


@pytest.fixture(scope="session", params=KINDS)
def kafka_server(request: pytest.FixtureRequest) -> Iterator[KafkaServer]:
    """Each broker of this run in turn."""
    kind: str = request.param
    if kind == "external":
        yield KafkaServer(kind, KAFKA_BROKERS)
    elif kind == "kafka":
        yield KafkaServer(kind, request.getfixturevalue("real_kafka").bootstrap)
    elif kind == "embedded":
        with EmbeddedBroker() as broker:
            yield KafkaServer(kind, broker.bootstrap)
    else:
        pytest.fail(f"CHANGEOVER_TEST_BROKERS names {kind!r}; it knows embedded and kafka")


@pytest.fixture(scope="session")
def kafka(kafka_server: KafkaServer) -> str:
    """Bootstrap address of each broker of this run in turn."""
    return kafka_server.bootstrap


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of the suite's Redis."""
    if REDIS_URL:
        yield REDIS_URL
        return
    with EmbeddedRedis() as server:
        yield server.url


@pytest.fixture
def run_names() -> Iterator[Names]:
    """Topics and keys that no other test has and that are not live; removed again on servers that are not ours."""
    names = Names("replay", f"test-{uuid.uuid4().hex[:12]}")
    yield names
    if KAFKA_BROKERS:
        asyncio.run(delete_topics(KAFKA_BROKERS, names))
    if REDIS_URL:
        with redis.Redis.from_url(REDIS_URL) as client:
            for key in client.scan_iter(f"{names.prefix}*"):
                client.delete(key)


@pytest.fixture(scope="session")
def history_dir() -> Path:
    """The folder of recorded history."""
    if not DATA.is_dir():
        pytest.skip(f"history: {DATA} is not there; CHANGEOVER_DATA names the folder of recorded history")
    return DATA
