"""No secret in any log, repr, help, page or traceback: all is given marked secrets, made to fail, and scanned."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import faust
import pytest
import typer.main

from streams.agents import credentials
from streams.cli import build, main
from streams.client import Signals, SyncSignals, Tls
from streams.connect import kafka_connection, open_redis, opened_redis
from streams.errors import ChangeoverError
from streams.log import RawProducer, RawReader, TopicProducer, create_topics
from streams.process import Process
from streams.register import feeds_for
from streams.settings import Settings, load
from streams.sink import RedisSink
from streams.wire import Names
from tests.support.certificates import Authority
from tests.support.redis_server import redis_server
from tests.support.sockets import listening
from tests.support.stage import ServiceProcess

pytestmark = [pytest.mark.guarantee("G8"), pytest.mark.timeout(300)]
SERVICES = ("worker", "ingest", "agents", "recorder")
MARKS = {
    name: f"mark-{secrets.token_urlsafe(9)}"
    for name in ("url", "redis", "redis_key", "kafka", "kafka_key", "luxor", "ercot", "bitcoind")
}


def found_in(text: str) -> list[str]:
    """The secrets that a text holds, plain, quoted as in a URL, or in base64."""
    return [
        name
        for name, mark in MARKS.items()
        if any(
            form in text for form in (mark, quote(mark, safe=""), base64.b64encode(mark.encode()).decode().rstrip("="))
        )
    ]


def test_the_scan_finds_what_it_looks_for() -> None:
    for name, mark in MARKS.items():
        assert found_in(f"x{mark}y") == [name]
        assert found_in(base64.b64encode(mark.encode()).decode()) == [name]
    assert found_in("nothing") == []


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every secret there is, and servers that are away. The keys are encrypted, their passwords right."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    mine = {name: authority.sign(name, password=MARKS[f"{name}_key"]) for name in ("redis", "kafka")}
    files = {
        f"CHANGEOVER_{name.upper()}_{kind}_FILE": str(path)
        for name, made in mine.items()
        for kind, path in (("CA", authority.ca), ("CERT", made.cert), ("KEY", made.key))
    }
    return files | {
        "REDIS_URL": f"rediss://worker:{MARKS['url']}@127.0.0.1:1/0",
        "CHANGEOVER_REDIS_PASSWORD": MARKS["redis"],
        "CHANGEOVER_REDIS_KEY_PASSWORD": MARKS["redis_key"],
        "KAFKA_BROKERS": "127.0.0.1:1",
        "CHANGEOVER_KAFKA_SECURITY": "SASL_SSL",
        "CHANGEOVER_KAFKA_USER": "worker",
        "CHANGEOVER_KAFKA_PASSWORD": MARKS["kafka"],
        "CHANGEOVER_KAFKA_KEY_PASSWORD": MARKS["kafka_key"],
        "LUXOR_API_KEY": MARKS["luxor"],
        "ERCOT_API_PASSWORD": MARKS["ercot"],
        "BITCOIND_RPC_PASSWORD": MARKS["bitcoind"],
        "CHANGEOVER_START_UP_S": "1",
        "CHANGEOVER_SOURCES": "none",
        "CHANGEOVER_COMPILED": "0",
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The settings with every secret in them."""
    return load(environment=environment)


@pytest.fixture
def marked(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's environment with every secret in it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def words_of_all_commands() -> Iterator[list[str]]:
    """Every command of the command line."""
    waiting: list[tuple[Any, list[str]]] = [(typer.main.get_command(build()), [])]
    while waiting:
        command, path = waiting.pop()
        yield path
        waiting += [(each, [*path, name]) for name, each in getattr(command, "commands", {}).items()]


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("words", list(words_of_all_commands()), ids=" ".join)
def test_no_help_shows_a_secret(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main([*words, "--help"])
    shown = capsys.readouterr()
    assert shown.out
    assert found_in(shown.out + shown.err) == []


FAILING = (
    ["tail", "--no-follow"],
    ["fleet", "show"],
    ["rebuild", "--new-generation"],
    ["epoch", "start"],
    ["check", "security"],
    ["feeds"],
    ["demo", "--seconds", "1"],
    ["tail", "--no-such-option"],
)


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("words", FAILING, ids=" ".join)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_command_that_fails_shows_a_secret(
    words: list[str], as_json: bool, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    main([*words, "--json"] if as_json else words)
    shown = capfd.readouterr()
    assert found_in(shown.out + shown.err + caplog.text) == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_that_waits_and_fails_shows_a_secret_and_each_listens_on_loopback_alone(
    service: str, environment: dict[str, str], tmp_path: Path
) -> None:
    if service == "recorder":
        pytest.importorskip("pyarrow")
    patient = environment | {"CHANGEOVER_START_UP_S": "60", "XDG_DATA_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    process = ServiceProcess([service, "--json"], patient | {"CHANGEOVER_CACHE": str(tmp_path)}, tmp_path)
    try:
        process.wait_for(lambda: process.get("/health")[0] != 0)
        pages = [process.get(page)[1].decode() for page in ("/health", "/ready", "/metrics", "/nothing")]
        addresses = listening(process.pid)
        process.stop()
        output = process.said + process.read_line().decode()
    finally:
        process.close()
    assert found_in("".join(pages) + output) == []
    assert {address for address, _ in addresses} == {"127.0.0.1"}


def objects(settings: Settings) -> Iterable[object]:
    """Whatever holds a secret."""
    connection = kafka_connection(settings)
    client = open_redis(settings)
    yield from (settings, settings.kafka, settings.redis, settings.keys, settings.redis.masked)
    yield from (settings.model_dump(), settings.model_dump_json(), settings.model_dump(mode="json"))
    pool: Any = client.connection_pool
    yield from (connection, connection.tls, client, pool, pool.make_connection())
    yield from (credentials(connection), feeds_for(settings), RedisSink(client, settings.names))
    for made in (RawProducer(connection, settings.names, "x"), TopicProducer(connection, "raw")):
        yield from (made, vars(made))
    yield RawReader(connection, settings.names)
    yield vars(RawReader(connection, settings.names))
    url = settings.redis.url.get_secret_value()
    yield Signals(url, tls=Tls(key_password=MARKS["redis_key"]), password=MARKS["redis"])


async def test_no_repr_shows_a_secret(settings: Settings) -> None:
    shown = [f"{each!r} {each}" for each in objects(settings)]
    assert len(shown) > 15
    assert [found_in(text) for text in shown if found_in(text)] == []


def test_the_client_without_an_event_loop_shows_none(settings: Settings) -> None:
    url = settings.redis.url.get_secret_value()
    signals = SyncSignals(url, password=MARKS["redis"])
    signals.close()
    assert found_in(f"{signals!r} {signals}") == []


async def test_the_configuration_of_the_faust_app_shows_none(settings: Settings, tmp_path: Path) -> None:
    app = faust.App(
        "x", broker="kafka://127.0.0.1:1", broker_credentials=credentials(kafka_connection(settings)), datadir=tmp_path
    )
    assert found_in(f"{app.conf!r} {app!r} {app.conf.broker_credentials!r} {vars(app.conf)}") == []


def attempts(settings: Settings) -> dict[str, Callable[[], Awaitable[object]]]:
    """Calls that fail while they hold secrets."""
    connection = kafka_connection(settings)

    async def ask_redis() -> None:
        async with opened_redis(settings) as client:
            await RedisSink(client, settings.names).miners()

    return {
        "redis": ask_redis,
        "topics": lambda: create_topics(connection, Names("live")),
        "reader": RawReader(connection, Names("live")).start,
        "producer": RawProducer(connection, Names("live"), "x").start,
    }


@pytest.mark.parametrize("name", ["redis", "topics", "reader", "producer"])
@pytest.mark.parametrize("wrong", ["away", "key password"])
async def test_no_traceback_and_no_log_at_debug_level_shows_a_secret(
    name: str, wrong: str, environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    more = {f"CHANGEOVER_{each}_KEY_PASSWORD": MARKS["luxor"] for each in ("REDIS", "KAFKA")} if wrong != "away" else {}
    with pytest.raises(ChangeoverError) as caught:
        await attempts(load(environment=environment | more))[name]()
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "Error" in told
    assert found_in(told) == []


def test_a_wrong_login_shows_no_secret(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with redis_server("valkey", tmp_path, users="user default off\nuser worker on >another ~* &* +@all\n") as server:
        for name in ("REDIS_URL", "CHANGEOVER_REDIS_PASSWORD"):
            monkeypatch.setenv(name, environment[name])
        for url in (server.url("worker", MARKS["url"]), server.url("worker")):
            monkeypatch.setenv("REDIS_URL", url)
            for words in (["tail", "--no-follow"], ["fleet", "show"], ["check", "security"]):
                assert main(words) != 0
                shown = capfd.readouterr()
                assert "check the login" in shown.err + shown.out
                assert found_in(shown.out + shown.err + caplog.text) == []


def test_an_unexpected_error_of_a_service_shows_its_traceback_and_no_secret(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> Process:
        process = Process(settings, "worker")
        held = settings.redis.url.get_secret_value()  # where a traceback with local variables would show it
        try:
            assert int(held) < 0
        except ValueError as error:
            process.fail(ValueError("a bug beside a secret").with_traceback(error.__traceback__))
        return process

    process = asyncio.run(fail())
    assert process.ending is not None
    assert "Traceback" in caplog.text
    assert found_in(caplog.text + process.ending.line + json.dumps(process.health.report())) == []


def test_typer_prints_no_local_variables() -> None:
    assert build().pretty_exceptions_enable is False
