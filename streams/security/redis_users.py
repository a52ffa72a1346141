"""The file of Redis users: one line for each with the hash of its password, the default user off.

Passwords lie in files, one for each user, that only their owner may read; those that are missing are made.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.errors import SettingsError
from streams.security.roles import ADMIN, AGENTS, ANY_MINER, DESK, OPERATOR, WORKER, Role, rules
from streams.wire import Names

USER = re.compile(r"[a-z][a-z0-9_-]{0,62}")
SHORTEST = 20  # characters; the file holds plain SHA-256 hashes, which guess fast
PASSWORD_BYTES = 32
SERVICES: Mapping[str, Role] = {"worker": WORKER, "agents": AGENTS, "admin": ADMIN}


@dataclass(frozen=True, slots=True)
class User:
    """A user of Redis: its role and, where that is a desk's, its miners."""

    name: str
    role: Role
    miners: tuple[str, ...] = (ANY_MINER,)


def users_of(operators: Iterable[str], desks: Iterable[str]) -> list[User]:
    """The users of an installation: the services', operators, and desks as ``name=miner,miner``.

    Raises:
        SettingsError: a name is none, or comes twice; a desk without miners.

    >>> [user.name for user in users_of(["ann"], ["alpha=mara,cifr"])]
    ['worker', 'agents', 'admin', 'ann', 'alpha']
    """
    users = [User(name, role) for name, role in SERVICES.items()]
    users += [User(name, OPERATOR) for name in operators]
    for text in desks:
        name, _, listed = text.partition("=")
        miners = tuple(dict.fromkeys(each.strip() for each in listed.split(",") if each.strip()))
        if not miners:
            raise SettingsError(f"--desk {text!r}: say the miners it may read, as --desk alpha=mara,cifr")
        if ANY_MINER in miners:
            raise SettingsError(f"--desk {text!r}: name each miner; who may read all of them is an operator")
        users.append(User(name, DESK, miners))
    seen: set[str] = set()
    for user in users:
        if not USER.fullmatch(user.name) or user.name == "default":
            raise SettingsError(f"{user.name!r} is no user: a lower-case letter, then letters, digits, _ or -")
        if user.name in seen:
            raise SettingsError(f"user {user.name!r} comes twice; each has one role")
        seen.add(user.name)
    return users


def acl_file(users: Sequence[User], hashes: Mapping[str, str], names: Names) -> str:
    """The content of Redis's `aclfile`: the default user off, each user with the hash of its password."""
    lines = ["user default off resetkeys resetchannels -@all"]
    lines += [
        f"user {user.name} on sanitize-payload #{hashes[user.name]} resetchannels "
        f"{' '.join(rules(user.role, names, user.miners))}"
        for user in users
    ]
    return "\n".join(lines) + "\n"


def password_hash(password: str) -> str:
    """The hash that Redis keeps of a password: SHA-256 in hex.

    >>> password_hash("x")[:8]
    '2d711642'
    """
    return hashlib.sha256(password.encode()).hexdigest()


def kept_passwords(folder: Path, names: Iterable[str]) -> tuple[dict[str, str], list[Path]]:
    """Passwords by user, from ``<folder>/<user>.password``, and the files that were made for those that had none.

    Raises:
        SettingsError: a file cannot be read or made, others may read it, or its password is short.
    """
    found, made = {}, []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            path = folder / f"{name}.password"
            if not path.exists():
                write_secret(path, secrets.token_urlsafe(PASSWORD_BYTES))
                made.append(path)
            found[name] = read_secret(path)
    except OSError as error:
        raise SettingsError(f"--passwords {folder}: {error.strerror or error}; name a folder that is ours") from error
    return found, made


def write_secret(path: Path, secret: str) -> None:
    """Write a new file that nobody else may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")


def read_secret(path: Path) -> str:
    """The password a file holds.

    Raises:
        SettingsError: others may read it, or it is short.
    """
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path}: others may read it; chmod 600 {path}")
    secret = path.read_text(encoding="utf-8").strip()
    if len(secret) < SHORTEST:
        raise SettingsError(f"{path}: a password of {SHORTEST} characters at least; delete the file to have one made")
    return secret
