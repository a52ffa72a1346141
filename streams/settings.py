"""Settings of every service: the only reader of the environment and of the settings file.

Order: defaults, then the TOML file (``--settings FILE`` or ``CHANGEOVER_SETTINGS``), then the environment. The result
is frozen. An unknown key or variable, or a value out of range, is refused with its place and what is allowed; secrets
never appear in a repr, a message or a traceback. The tables themselves are in :mod:`streams.settings_tables`.
"""

from __future__ import annotations

import os
import socket
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, SerializeAsAny, ValidationError

from models.records import DecidingConfig
from streams.errors import SettingsError
from streams.feed_settings import OF_A_FILE, read_feeds, read_keys, secret_in
from streams.feeds.contract import Options
from streams.settings_errors import explain, nearest
from streams.settings_servers import Kafka, Redis
from streams.settings_tables import (
    Agents,
    Archive,
    Demo,
    Embedded,
    Engine,
    Http,
    Ingest,
    Run,
    Table,
    Worker,
)
from streams.wire import Names

__all__ = [
    "ENVIRONMENT",
    "PORTS",
    "Agents",
    "Archive",
    "Demo",
    "Embedded",
    "Engine",
    "Http",
    "Ingest",
    "Kafka",
    "Redis",
    "Run",
    "Settings",
    "Worker",
    "load",
]

ENVIRONMENT: dict[str, tuple[str, str]] = {
    "KAFKA_BROKERS": ("kafka", "brokers"),
    "REDIS_URL": ("redis", "url"),
    "CHANGEOVER_KAFKA_SECURITY": ("kafka", "security"),
    "CHANGEOVER_KAFKA_MECHANISM": ("kafka", "mechanism"),
    "CHANGEOVER_KAFKA_USER": ("kafka", "user"),
    "CHANGEOVER_KAFKA_PASSWORD": ("kafka", "password"),
    "CHANGEOVER_KAFKA_CA_FILE": ("kafka", "ca_file"),
    "CHANGEOVER_KAFKA_CERT_FILE": ("kafka", "cert_file"),
    "CHANGEOVER_KAFKA_KEY_FILE": ("kafka", "key_file"),
    "CHANGEOVER_KAFKA_KEY_PASSWORD": ("kafka", "key_password"),
    "CHANGEOVER_REDIS_PASSWORD": ("redis", "password"),
    "CHANGEOVER_REDIS_CA_FILE": ("redis", "ca_file"),
    "CHANGEOVER_REDIS_CERT_FILE": ("redis", "cert_file"),
    "CHANGEOVER_REDIS_KEY_FILE": ("redis", "key_file"),
    "CHANGEOVER_REDIS_KEY_PASSWORD": ("redis", "key_password"),
    "CHANGEOVER_ORIGIN": ("run", "origin"),
    "CHANGEOVER_RUN": ("run", "name"),
    "CHANGEOVER_PART": ("run", "part"),
    "CHANGEOVER_INSTANCE": ("run", "instance"),
    "CHANGEOVER_HTTP_HOST": ("http", "host"),
    "CHANGEOVER_HTTP_PORT": ("http", "port"),
    "CHANGEOVER_CACHE": ("engine", "cache"),
    "CHANGEOVER_COMPILED": ("engine", "compiled"),
    "CHANGEOVER_TICKS": ("worker", "ticks"),
    "CHANGEOVER_START_UP_S": ("worker", "start_up_s"),
    "CHANGEOVER_ARCHIVE": ("archive", "folder"),
    "CHANGEOVER_ARCHIVE_FLUSH_S": ("archive", "flush_s"),
    "CHANGEOVER_ARCHIVE_ON": ("archive", "on"),
    "CHANGEOVER_CHECKPOINT_EVERY_S": ("agents", "checkpoint_every_s"),
    "CHANGEOVER_KEEP_ENTRIES": ("agents", "keep_entries"),
    "CHANGEOVER_SOURCES": ("ingest", "sources"),
    "CHANGEOVER_NODES": ("ingest", "nodes"),
    "CHANGEOVER_BROKER_BINARY": ("embedded", "broker_binary"),
    "CHANGEOVER_REDIS_BINARY": ("embedded", "redis_binary"),
    "CHANGEOVER_DEMO_SEED": ("demo", "seed"),
    "CHANGEOVER_DEMO_SPEED": ("demo", "speed"),
    "CHANGEOVER_DEMO_RECORD": ("demo", "record"),
}
"""Variable -> (table, key)."""

SECRETS = (
    "REDIS_URL",
    "CHANGEOVER_REDIS_PASSWORD",
    "CHANGEOVER_REDIS_KEY_PASSWORD",
    "CHANGEOVER_KAFKA_PASSWORD",
    "CHANGEOVER_KAFKA_KEY_PASSWORD",
)
"""Variables whose value may lie in a file instead, which ``<VARIABLE>_FILE`` names."""

OURS = "CHANGEOVER_"
SETTINGS_FILE = "CHANGEOVER_SETTINGS"
OF_THE_TESTS = ("CHANGEOVER_DATA", "CHANGEOVER_REFUSE_SKIPS", "CHANGEOVER_TEST_")
"""What variables begin with that only the test suite reads; services let them be."""

PORTS = {"worker": 6061, "agents": 6062, "ingest": 6063, "recorder": 6064}
"""Port of health and metrics of each kind of service, where none is set."""


class Settings(Table):
    """Everything a service is told. Build it with :func:`load`."""

    kafka: Kafka = Kafka()
    redis: Redis = Redis()
    run: Run = Run()
    http: Http = Http()
    engine: Engine = Engine()
    worker: Worker = Worker()
    archive: Archive = Archive()
    ingest: Ingest = Ingest()
    agents: Agents = Agents()
    embedded: Embedded = Embedded()
    demo: Demo = Demo()
    deciding: DecidingConfig = DecidingConfig()
    feeds: Mapping[str, SerializeAsAny[Options]] = Field(default_factory=dict)
    keys: Mapping[str, SecretStr] = Field(default_factory=dict)

    @property
    def names(self) -> Names:
        """Topics and Redis keys of this run."""
        return Names(self.run.origin, "" if self.run.origin == "live" else self.run.name)

    @property
    def ticks(self) -> bool:
        """Whether workers and ingest append clock ticks: as set, else only where the origin is live."""
        return self.run.origin == "live" if self.worker.ticks is None else self.worker.ticks

    @property
    def cache_folder(self) -> Path:
        """Where compiled code is kept: as set, else in the user's cache folder."""
        if self.engine.cache is not None:
            return self.engine.cache.expanduser()
        return Path(process_environment().get("XDG_CACHE_HOME") or Path.home() / ".cache") / "changeover"

    @property
    def archive_folder(self) -> Path:
        """Where the log is kept as files: as set, else in the user's data folder."""
        if self.archive.folder is not None:
            return self.archive.folder.expanduser()
        data = process_environment().get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return Path(data) / "changeover" / "archive"

    def instance(self, service: str) -> str:
        """A name for this process among the producers of the log.

        >>> Settings(run=Run(instance="a")).instance("worker")
        'worker-a'
        """
        return f"{service}-{self.run.instance or f'{socket.gethostname()}-{os.getpid()}'}"

    def new_instance(self, service: str) -> str:
        """A name that no other producer has, nor an earlier run of this one: its records are numbered from 0."""
        return f"{self.instance(service)}-{time.time_ns() // 1_000_000:x}"

    def port(self, service: str) -> int:
        """The port of health and metrics of a kind of service.

        >>> Settings().port("worker"), Settings(http=Http(port=9100)).port("worker")
        (6061, 9100)
        """
        return PORTS[service] if self.http.port is None else self.http.port


def process_environment() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ  # noqa: TID251 this is the only reader


def state_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where a running embedded stack says where it listens."""
    environment = process_environment() if environment is None else environment
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "changeover"


def inherited(ours: Mapping[str, str], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a service started as a child: the process's own, with ``ours`` set in it.

    >>> inherited({"CHANGEOVER_RUN": "b"}, {"PATH": "/bin", "CHANGEOVER_RUN": "a"})
    {'PATH': '/bin', 'CHANGEOVER_RUN': 'b'}
    """
    return {**(process_environment() if environment is None else environment), **ours}


def load(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. ``environment`` defaults to the process's.

    Raises:
        SettingsError: the file is missing or broken, a key or variable is unknown, a value is not allowed.

    >>> load(environment={"CHANGEOVER_ORGIN": "demo"})
    Traceback (most recent call last):
    streams.errors.SettingsError: environment: CHANGEOVER_ORGIN is not a setting; did you mean CHANGEOVER_ORIGIN?
    """
    environment = process_environment() if environment is None else environment
    if file is None and environment.get(SETTINGS_FILE):
        file = Path(environment[SETTINGS_FILE])
    tables = {} if file is None else read_toml(file)
    if "keys" in tables:
        raise SettingsError(f"{file}: there is no table [keys]; keys of sources come from the environment alone")
    feeds = read_feeds(tables.pop("feeds", {}), file)
    places = {}
    for variable, value in from_environment(environment):
        table, key = ENVIRONMENT[variable]
        places[table, key] = variable
        tables.setdefault(table, {})[key] = value
    try:
        return Settings.model_validate({**tables, "feeds": feeds, "keys": read_keys(environment)})
    except ValidationError as error:
        refusal = explain(error, Settings, file, places)
    raise SettingsError(refusal)  # outside the handler: the validation error holds what was given, secrets too


def read_toml(file: Path) -> dict[str, dict[str, Any]]:
    """The tables of a settings file, [deciding] checked for unknown keys (a plain record cannot refuse them)."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {file}: {error.strerror or error}; give a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {file} is not TOML: {error}") from error
    for name, table in document.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{file}: {name!r} must stand in a table: {', '.join(Settings.model_fields)}")
    known = [field.name for field in fields(DecidingConfig)]
    for key in document.get("deciding", {}):
        if key not in known:
            raise SettingsError(f"{file}: [deciding] has no key {key!r}{nearest(key, known)}")
    return document


def from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables that are set; unknown ones of ours are refused."""
    known = [variable.removeprefix(OURS) for variable in (*ENVIRONMENT, SETTINGS_FILE) if variable.startswith(OURS)]
    files = {name + OF_A_FILE: name for name in SECRETS}
    for variable, value in environment.items():
        if variable in ENVIRONMENT:
            yield variable, value
        elif variable in files:
            if value and not environment.get(files[variable]):
                yield files[variable], secret_in(variable, Path(value))
        elif variable.startswith(OURS) and variable != SETTINGS_FILE and not variable.startswith(OF_THE_TESTS):
            hint = nearest(variable.removeprefix(OURS), known, before=OURS)
            raise SettingsError(f"environment: {variable} is not a setting{hint}")
