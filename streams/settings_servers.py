"""The tables [kafka] and [redis] of the settings: where the servers are, who we are there, whom we trust."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic import model_validator as whole

from streams.redis_access import url_flaw
from streams.settings_tables import ABSENT, Table, says, split_list

HostPort = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+:[0-9]{1,5}$")]
A_PEM = "a PEM file; without it the system's"


def require_pair(cert_file: Path | None, key_file: Path | None) -> None:
    """Refuse a certificate without its key, or a key without its certificate."""
    if (cert_file is None) != (key_file is None):
        raise ValueError("cert_file and key_file go together")


class Kafka(Table):
    """The log."""

    brokers: Annotated[
        tuple[HostPort, ...],
        BeforeValidator(split_list),
        says("Brokers to ask first.", "host:port, several separated by commas or as a list", min_length=1),
    ] = ("127.0.0.1:9092",)
    security: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        says("How brokers are spoken to.", "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
    ] = "PLAINTEXT"
    mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        says("How SASL proves who we are.", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
    ] = "SCRAM-SHA-512"
    user: Annotated[str | None, ABSENT, says("SASL user.", "a name; needed with SASL")] = None
    password: Annotated[SecretStr | None, ABSENT, says("SASL password, a secret.", "needed with SASL")] = None
    ca_file: Annotated[Path | None, ABSENT, says("Authorities that sign the brokers' certificates.", A_PEM)] = None
    cert_file: Annotated[
        Path | None, ABSENT, says("Our own certificate, where brokers ask for one.", "a PEM file, with key_file")
    ] = None
    key_file: Annotated[Path | None, ABSENT, says("Its key.", "a PEM file, with cert_file")] = None
    key_password: Annotated[
        SecretStr | None, ABSENT, says("Password of the key, a secret.", "where the key is encrypted")
    ] = None

    @whole(mode="after")
    def complete(self) -> Kafka:
        """Refuse SASL without user and password."""
        if self.security.startswith("SASL") and (self.user is None or self.password is None):
            raise ValueError(f"security {self.security} needs user and password")
        require_pair(self.cert_file, self.key_file)
        return self

    @property
    def bootstrap(self) -> str:
        """The brokers as clients take them."""
        return ",".join(self.brokers)


class Redis(Table):
    """Where signals are published. The URL may hold a password and is therefore a secret."""

    url: Annotated[
        SecretStr,
        says(
            "Redis or Valkey, a secret as it may hold a password.", "redis://, rediss:// or unix:// with host and port"
        ),
    ] = SecretStr("redis://127.0.0.1:6379/0")

    password: Annotated[
        SecretStr | None, ABSENT, says("Password of the user in the URL, a secret.", "instead of one in the URL")
    ] = None
    ca_file: Annotated[Path | None, ABSENT, says("Authorities that sign its certificate (rediss://).", A_PEM)] = None
    cert_file: Annotated[
        Path | None, ABSENT, says("Our own certificate, where it asks for one.", "a PEM file, with key_file")
    ] = None
    key_file: Annotated[Path | None, ABSENT, says("Its key.", "a PEM file, with cert_file")] = None
    key_password: Annotated[
        SecretStr | None, ABSENT, says("Password of the key, a secret.", "where the key is encrypted")
    ] = None

    @field_validator("url")
    @classmethod
    def is_redis_url(cls, value: SecretStr) -> SecretStr:
        """Refuse what is not a Redis URL, without repeating it."""
        flaw = url_flaw(value.get_secret_value())
        if flaw is not None:
            raise ValueError(flaw)
        return value

    @whole(mode="after")
    def complete(self) -> Redis:
        """Refuse a certificate without its key, and TLS files where TLS is not spoken."""
        require_pair(self.cert_file, self.key_file)
        spoken = urlsplit(self.url.get_secret_value()).scheme == "rediss"
        if not spoken and (self.ca_file or self.cert_file):
            raise ValueError("ca_file and cert_file are for TLS: the url must begin with rediss://")
        return self

    @property
    def masked(self) -> str:
        """The URL fit for a log: its password replaced.

        >>> Redis(url="redis://desk:secret@cache:6379/1").masked
        'redis://desk:***@cache:6379/1'
        """
        parts = urlsplit(self.url.get_secret_value())
        query = "" if not parts.query else "***"  # a query may hold a password too
        if parts.password is None:
            return urlunsplit(parts._replace(query=query))
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{place}", query=query))
