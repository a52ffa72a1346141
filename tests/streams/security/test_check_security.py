"""`changeover check security`: what is open is found, what is closed is not, and the exit code says which."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.cli import main
from streams.exit_codes import DONE, WORLD_FAILED
from streams.security.findings import Finding, about_http, about_secrets
from streams.security.kafka_findings import about_broker
from streams.security.redis_findings import redis_findings
from streams.security.redis_users import acl_file, kept_passwords, password_hash, users_of
from streams.settings import Http, Kafka, Redis, Settings
from streams.wire import Names
from tests.support.certificates import Authority
from tests.support.redis_server import redis_server

SECRET = secrets.token_urlsafe(12)
pytestmark = pytest.mark.guarantee("G8")


def said(findings: list[Finding], state: str) -> str:
    """The lines of a state."""
    return "\n".join(each.says for each in findings if each.state == state)


def test_an_open_redis_is_found_open_in_every_way(tmp_path: Path) -> None:
    with redis_server("valkey", tmp_path) as server:
        found = asyncio.run(redis_findings(Settings(redis=Redis(url=SecretStr(server.url())))))
    lines = said(found, "local")
    for word in ("without TLS", "no user of our own", "anybody in without a login", "FLUSHALL", "CONFIG SET", "EVAL"):
        assert word in lines
    assert "keys that are not ours" in lines
    assert all(each.remedy for each in found if each.state == "local")


@pytest.mark.parametrize("kind", ["worker", "admin"])
def test_a_redis_with_our_users_and_tls_has_nothing_open(kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    users = users_of([], [])
    passwords, _ = kept_passwords(tmp_path / "passwords", [user.name for user in users])
    content = acl_file(users, {name: password_hash(secret) for name, secret in passwords.items()}, Names("live"))
    with redis_server("redis", tmp_path / "redis", users=content, tls=authority.sign("redis")) as server:
        table = Redis(url=SecretStr(server.url(kind)), password=SecretStr(passwords[kind]), ca_file=authority.ca)
        found = asyncio.run(redis_findings(Settings(redis=table)))
    assert [each for each in found if each.state in {"open", "local"}] == []
    assert "nobody is let in without a login" in said(found, "closed")
    assert "may do nothing dangerous" in said(found, "closed")
    assert ("may not read them" in said(found, "unknown")) == (kind == "worker")


def test_a_plain_port_beside_tls_is_found_by_the_admin(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with redis_server("redis", tmp_path / "redis", tls=authority.sign("redis"), options=("--port", "6399")) as server:
        table = Redis(url=SecretStr(server.url()), ca_file=authority.ca)
        found = asyncio.run(redis_findings(Settings(redis=table)))
    assert "listens without TLS too, on port 6399" in said(found, "open")


def test_health_beyond_this_machine_is_open() -> None:
    assert [each.state for each in about_http(Settings())] == ["closed"]
    assert [each.state for each in about_http(Settings(http=Http(host="0.0.0.0")))] == ["open"]  # noqa: S104 nothing listens
    assert [each.state for each in about_http(Settings(http=Http(host="::1")))] == ["closed"]


def test_secrets_in_the_settings_file_and_files_that_others_may_read_are_open(tmp_path: Path) -> None:
    kept = tmp_path / "secret"
    kept.write_text(SECRET)
    kept.chmod(0o644)
    file = tmp_path / "settings.toml"
    file.touch(mode=0o600)
    document = {"kafka": {"password": SECRET}, "redis": {"url": f"redis://u:{SECRET}@x:1/0"}}
    environment = {"CHANGEOVER_REDIS_PASSWORD_FILE": str(kept)}
    found = list(about_secrets(Settings(), file, document, environment))
    lines = said(found, "open")
    for word in ("[kafka] password", "[redis] url", "CHANGEOVER_REDIS_PASSWORD_FILE", "mode 644"):
        assert word in lines
    assert SECRET not in repr(found)
    kept.chmod(0o600)
    plain = {"redis": {"url": "redis://user@x:1/0"}}
    assert said(list(about_secrets(Settings(), file, plain, environment)), "open") == ""


def test_a_key_that_others_may_read_is_open(tmp_path: Path) -> None:
    key = tmp_path / "worker.key"
    key.write_text("x")
    key.chmod(0o640)
    settings = Settings(kafka=Kafka(security="SSL", cert_file=key, key_file=key))
    assert "kafka key_file" in said(list(about_secrets(settings, None, {}, {})), "open")


def test_a_broker_without_access_lists_is_open() -> None:
    settings = Settings(kafka=Kafka(brokers=("kafka:9092",)))
    found = list(about_broker(settings, {"auto.create.topics.enable": "true", "listeners": "PLAINTEXT://:9092"}))
    lines = said(found, "open")
    for word in ("whoever asks for a topic", "no access lists", "without TLS and login at :9092"):
        assert word in lines
    secured = {
        "auto.create.topics.enable": "false",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "listeners": "CLIENT://:9093",
        "listener.security.protocol.map": "CLIENT:SASL_SSL",
    }
    assert said(list(about_broker(settings, secured)), "open") == ""
    everyone = secured | {"allow.everyone.if.no.acl.found": "true"}
    assert "open to everybody" in said(list(about_broker(settings, everyone)), "open")
    assert [each.state for each in about_broker(settings, {})] == ["unknown"]


def test_the_command_counts_what_is_local_in_production_only(
    kafka: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", kafka)
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert main(["check", "security", "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {each["state"] for each in found} >= {"local", "closed"}
    assert main(["check", "security", "--production"]) == WORLD_FAILED
    assert "local   kafka" in capsys.readouterr().out
    monkeypatch.setenv("CHANGEOVER_HTTP_HOST", "0.0.0.0")  # noqa: S104 nothing listens
    assert main(["check", "security"]) == WORLD_FAILED


def test_what_cannot_be_looked_at_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", "127.0.0.1:1")
    monkeypatch.setenv("REDIS_URL", f"redis://u:{SECRET}@127.0.0.1:1/0")
    assert main(["check", "security"]) == WORLD_FAILED
    shown = capsys.readouterr()
    assert "the rest was not looked at" in shown.out
    assert SECRET not in shown.out + shown.err
