"""What `changeover check security` finds: one line for each thing that is open, and what to do to close it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from streams.settings import SECRETS, Settings

State = Literal["open", "local", "unknown", "closed"]
"""``local``: open to whoever is on this machine, and to nobody else. ``unknown``: our user may not ask."""

SECRET_KEYS = (("kafka", "password"), ("kafka", "key_password"), ("redis", "password"), ("redis", "key_password"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``where``: settings, files, http, redis or kafka."""

    where: str
    state: State
    says: str
    remedy: str = ""


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which no other reaches.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("kafka")
    (True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def reached(host: str) -> State:
    """How far a thing that is open at a host is open."""
    return "local" if is_loopback(host) else "open"


def about_http(settings: Settings) -> Iterator[Finding]:
    """Health and metrics, which have no login."""
    host = settings.http.host
    if is_loopback(host):
        yield Finding("http", "closed", f"health and metrics listen on {host}")
    else:
        yield Finding(
            "http",
            "open",
            f"health and metrics listen on {host} without a login",
            "set CHANGEOVER_HTTP_HOST to 127.0.0.1, or let a firewall admit who scrapes them alone",
        )


def about_secrets(
    settings: Settings, file: Path | None, document: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Where secrets lie, and who may read them."""
    held = [f"[{table}] {key}" for table, key in SECRET_KEYS if document.get(table, {}).get(key)]
    if "@" in str(document.get("redis", {}).get("url", "")).rpartition("/")[0] and ":" in _login(document):
        held.append("[redis] url")
    for place in held:
        yield Finding(
            "settings",
            "open",
            f"{file}: {place} holds a secret",
            "give it by a file that <VARIABLE>_FILE names instead",
        )
    if file is not None and not held:
        yield Finding("settings", "closed", f"{file} holds no secret")
    named = {f"{name}_FILE": environment[f"{name}_FILE"] for name in SECRETS if environment.get(f"{name}_FILE")}
    named |= {
        name: value for name, value in environment.items() if name.endswith("_FILE") and name[:-5] in settings.keys
    }
    kept = {variable: Path(value) for variable, value in named.items()}
    for table in (settings.kafka, settings.redis):
        if table.key_file is not None:
            kept[f"{type(table).__name__.lower()} key_file"] = table.key_file
    if held and file is not None:
        kept["settings"] = file
    for what, path in kept.items():
        yield about_file(what, path)


def _login(document: Mapping[str, Any]) -> str:
    """What stands before the host in the URL of a settings file."""
    return str(document["redis"]["url"]).partition("://")[2].rpartition("@")[0]


def about_file(what: str, path: Path) -> Finding:
    """Whether others may read a file that holds a secret."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Finding("files", "unknown", f"{what}: {path}: {error.strerror}", "name a file that is there")
    if mode & 0o077:
        return Finding("files", "open", f"{what}: {path} may be read by others (mode {mode & 0o777:o})", "chmod 600 it")
    return Finding("files", "closed", f"{what}: {path} is ours alone")
