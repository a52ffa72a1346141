"""TLS to Redis: who is not to be trusted is refused at once, in one line that says whose fault it is and what to do."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError

from streams.client import SettingsError, Signals, SyncSignals, Tls, WorldError
from streams.connect import open_redis, opened_redis
from streams.redis_access import open_client
from streams.settings import Redis, Settings, load
from streams.sink import RedisSink
from streams.wire import Names
from tests.support.certificates import Authority, Certificate
from tests.support.desk import take_signals
from tests.support.publisher import Publisher
from tests.support.redis_server import RedisServer, redis_server

LIVE = Names("live")
PASSWORD = secrets.token_urlsafe(20)
OF_THE_KEY = secrets.token_urlsafe(20)
USERS = f"user default off\nuser worker on >{PASSWORD} ~* &* +@all\n"
pytestmark = [
    pytest.mark.guarantee("G8"),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis: no redis-server, which speaks TLS"),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the server's certificate and a client's."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that the server knows nothing of."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Debian's Redis with TLS and a login, and no plain port."""
    folder = tmp_path_factory.mktemp("redis")
    with redis_server("redis", folder, users=USERS, tls=authority.sign("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def asking(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The same, but it wants a certificate of its clients."""
    folder = tmp_path_factory.mktemp("asking")
    with redis_server("redis", folder, users=USERS, tls=authority.sign("asking"), ca=authority.ca) as running:
        yield running


async def told(url: str, tls: Tls | None = None, password: str | None = PASSWORD) -> str:
    """What a client is told of a server it cannot use."""
    client = open_client(url, tls=tls, password=password, connect_timeout_s=5, answer_timeout_s=5)
    said = ""
    async with asyncio.timeout(30):
        while not said:
            try:
                await RedisSink(client, LIVE).miners()
            except RedisConnectionError:
                continue  # a server may cut the connection before its refusal is read; asked again, it is
            except WorldError as error:
                said = str(error)
    await client.aclose()
    assert "\n" not in said
    assert PASSWORD not in said
    return said


async def test_the_right_authority_is_enough_for_sink_and_client(server: RedisServer, authority: Authority) -> None:
    tls = Tls(ca_file=authority.ca)
    client = open_client(server.url("worker"), tls=tls, password=PASSWORD, connect_timeout_s=5, answer_timeout_s=5)
    publisher = Publisher(client, LIVE)
    await publisher.publish(count=3)
    await publisher.tick()
    async with Signals(server.url("worker"), ["mara"], start="oldest", tls=tls, password=PASSWORD) as signals:
        assert [signal.seq for signal in await take_signals(signals, 3)] == [1, 2, 3]
    await client.aclose()


def test_the_client_without_an_event_loop_speaks_tls_too(server: RedisServer, authority: Authority) -> None:
    tls = Tls(ca_file=authority.ca)
    with SyncSignals(server.url("worker", PASSWORD), start="oldest", tls=tls) as signals:
        assert signals.next(10) is not None


async def test_another_authority_is_refused(server: RedisServer, stranger: Authority) -> None:
    for tls in (Tls(ca_file=stranger.ca), Tls()):
        said = await told(server.url("worker"), tls)
        assert "nobody we trust signed its certificate" in said
        assert "let ca_file name the authority that did" in said


async def test_the_systems_authorities_count_for_nothing_where_a_file_is_named(
    server: RedisServer, authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))  # now the system's
    client = open_client(server.url("worker"), password=PASSWORD, connect_timeout_s=5, answer_timeout_s=5)
    assert await client.ping()
    await client.aclose()
    assert "nobody we trust" in await told(server.url("worker"), Tls(ca_file=stranger.ca))


async def test_a_certificate_of_another_host_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = authority.sign("other", ["redis.example"])
    with redis_server("redis", tmp_path, users=USERS, tls=other) as running:
        for host in ("127.0.0.1", "localhost"):
            said = await told(running.url("worker", host=host), Tls(ca_file=authority.ca))
            assert "its certificate is of another host" in said
            assert "use a name that the certificate carries" in said


async def test_a_wrong_password_is_told_as_such(server: RedisServer, authority: Authority) -> None:
    said = await told(server.url("worker"), Tls(ca_file=authority.ca), OF_THE_KEY)
    assert "check the login in REDIS_URL" in said
    assert OF_THE_KEY not in said


async def test_tls_where_it_is_not_spoken_and_none_where_it_is_are_told(server: RedisServer, tmp_path: Path) -> None:
    with redis_server("redis", tmp_path) as plain:
        pairs = {
            plain.url().replace("redis://", "rediss://"): "redis:// if it does not speak TLS at this port",
            server.url("worker").replace("rediss://", "redis://"): "rediss:// if it wants TLS",
        }
        for url, said in pairs.items():
            settings = Settings(redis=Redis(url=SecretStr(url)))
            with pytest.raises(WorldError, match=said):
                async with opened_redis(settings) as client:
                    await client.ping()


async def test_a_server_that_wants_our_certificate_takes_the_right_one_only(
    asking: RedisServer, authority: Authority, stranger: Authority
) -> None:
    mine = authority.sign("worker", password=OF_THE_KEY)
    tls = Tls(ca_file=authority.ca, cert_file=mine.cert, key_file=mine.key, key_password=OF_THE_KEY)
    client = open_client(asking.url("worker"), tls=tls, password=PASSWORD, connect_timeout_s=5, answer_timeout_s=5)
    assert await client.ping()
    await client.aclose()
    assert "give cert_file and key_file" in await told(asking.url("worker"), Tls(ca_file=authority.ca))
    foreign = stranger.sign("worker")
    said = await told(asking.url("worker"), Tls(ca_file=authority.ca, cert_file=foreign.cert, key_file=foreign.key))
    assert "cert_file and key_file, signed by its authority" in said or "refuses our certificate" in said


@pytest.mark.parametrize("wrong", ["password", "other key", "no key", "no file", "not PEM", "ca not PEM", "ca missing"])
def test_a_file_that_cannot_be_used_is_named_before_anything_is_connected(
    wrong: str, authority: Authority, tmp_path: Path
) -> None:
    made = authority.sign(f"wrong-{wrong.replace(' ', '-')}", password=OF_THE_KEY)
    noise = tmp_path / "noise.pem"
    noise.write_text("no certificate")
    other: Certificate = authority.sign("second")
    tls = {
        "password": Tls(cert_file=made.cert, key_file=made.key, key_password=PASSWORD),
        "other key": Tls(cert_file=made.cert, key_file=other.key),
        "no key": Tls(cert_file=made.cert),
        "no file": Tls(cert_file=tmp_path / "none.pem", key_file=made.key),
        "not PEM": Tls(cert_file=noise, key_file=noise),
        "ca not PEM": Tls(ca_file=noise),
        "ca missing": Tls(ca_file=tmp_path / "none.pem"),
    }[wrong]
    with pytest.raises(SettingsError, match="_file") as caught:
        open_client("rediss://127.0.0.1:1/0", tls=tls, connect_timeout_s=1, answer_timeout_s=1)
    assert PASSWORD not in str(caught.value)


async def test_settings_reach_the_server_and_hide_what_is_secret(
    server: RedisServer, authority: Authority, tmp_path: Path
) -> None:
    kept = tmp_path / "password"
    kept.write_text(PASSWORD + "\n")
    settings = load(
        environment={
            "REDIS_URL": server.url("worker"),
            "CHANGEOVER_REDIS_PASSWORD_FILE": str(kept),
            "CHANGEOVER_REDIS_CA_FILE": str(authority.ca),
        }
    )
    client = open_redis(settings)
    assert await client.ping()
    assert PASSWORD not in f"{settings!r}{settings.model_dump_json()}{settings.redis.masked}"
    assert PASSWORD not in f"{client!r}{client.connection_pool!r}"
    await client.aclose()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"REDIS_URL": "rediss://x:6380?ssl_cert_reqs=none"}, "ssl_cert_reqs has no place in the URL"),
        ({"REDIS_URL": "rediss://x:6380?ssl_check_hostname=false"}, "ssl_check_hostname has no place"),
        ({"REDIS_URL": "redis://x:6379", "CHANGEOVER_REDIS_CA_FILE": "ca.pem"}, "must begin with rediss://"),
        ({"CHANGEOVER_REDIS_CERT_FILE": "c.pem"}, "go together"),
        ({"CHANGEOVER_KAFKA_KEY_FILE": "c.key"}, "go together"),
        ({"CHANGEOVER_REDIS_PASSWORD_FILE": "/nowhere"}, "CHANGEOVER_REDIS_PASSWORD_FILE: cannot read"),
    ],
)
def test_settings_that_would_weaken_tls_or_are_half_given_are_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(environment=environment)


def test_a_desks_url_that_would_weaken_tls_is_refused() -> None:
    with pytest.raises(ValueError, match="has no place in the URL"):
        Signals("rediss://x:6380?ssl_cert_reqs=none")


async def test_the_client_of_a_desk_gives_up_at_once_where_the_server_is_not_to_be_trusted(
    server: RedisServer, stranger: Authority
) -> None:
    with pytest.raises(WorldError, match="nobody we trust signed its certificate"):
        async with Signals(server.url("worker", PASSWORD), tls=Tls(ca_file=stranger.ca)):
            pass


def test_open_redis_of_plain_settings_stays_plain() -> None:
    client = open_redis(Settings(redis=Redis(url=SecretStr("redis://127.0.0.1:1/0"))))
    assert isinstance(client, redis.asyncio.Redis)
    assert "tls" not in client.connection_pool.connection_kwargs
