"""Roles on Redis: the commands, keys and channels that each needs, and no others.

A function's commands count as its caller's (Redis checks each of them), so a role that calls the sink's functions holds
what these call. AUTH, HELLO, QUIT and RESET are open to everybody in Redis itself and stand in no role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.errors import SettingsError
from streams.sink.wellformed import miner_flaw
from streams.wire import Names

ANY_MINER = "*"
GLOB = "*?[]\\ "
"""What a pattern of Redis reads as more than itself, and the blank, which parts the rules."""


@dataclass(frozen=True, slots=True)
class Role:
    """Commands, and patterns of keys (read, written, both) and channels as words behind the prefix of the names.

    ``{m}`` in a pattern stands for the miner in its braces.
    """

    name: str
    meaning: str
    commands: tuple[str, ...]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


READING = (
    "ping",
    "time",
    "hgetall",
    "hget",
    "hmget",
    "xrange",
    "xrevrange",
    "xread",
    "xlen",
    "smembers",
    "multi",
    "exec",
    "discard",
    "subscribe",
    "unsubscribe",
)
OF_A_MINER = ("{m}:head", "{m}:signals", "{m}:sites", "{m}:site:*")
LIVE = ("{m}:live",)

WORKER = Role(
    "worker",
    "Workers: load and call the sink's functions, keep checkpoints, register miners.",
    (
        "ping",
        "info",
        "function|load",
        "fcall",
        "hgetall",
        "hget",
        "hmget",
        "hset",
        "exists",
        "type",
        "get",
        "set",
        "getrange",
        "xinfo|stream",
        "xrange",
        "xadd",
        "xtrim",
        "publish",
        "sadd",
        "smembers",
    ),
    reads=("{m}:trim",),
    changes=(*OF_A_MINER, "{m}:checkpoint", "miners"),
    channels=LIVE,
)
AGENTS = Role(
    "agents",
    "Agents: copy entries and checkpoints to Kafka, empty the inboxes, say up to where Redis may be trimmed.",
    ("ping", "scan", "hgetall", "get", "set", "xread", "xrange", "xdel", "smembers"),
    reads=("{m}:head", "{m}:signals", "{m}:checkpoint", "miners"),
    writes=("{m}:trim",),
    changes=("{m}:acks",),
)
DESK = Role(
    "desk",
    "A trading desk: reads head, entries and sites of the miners it is granted, and hears their hints.",
    READING,
    reads=OF_A_MINER,
    channels=LIVE,
)
OPERATOR = Role(
    "operator",
    "Operations: reads every miner, and appends acknowledgements.",
    (*READING, "xadd"),
    reads=(*OF_A_MINER, "{m}:acks", "miners"),
    writes=("{m}:acks",),
    channels=LIVE,
)
ADMIN = Role(
    "admin",
    "Administration: begins generations, removes what a demo left, looks after functions and users.",
    (
        "ping",
        "info",
        "time",
        "function|load",
        "function|list",
        "function|delete",
        "fcall",
        "scan",
        "hgetall",
        "hget",
        "hmget",
        "hset",
        "exists",
        "type",
        "get",
        "xinfo|stream",
        "xrange",
        "xrevrange",
        "xlen",
        "smembers",
        "del",
        "unlink",
        "rename",
        "config|get",
        "acl|whoami",
        "acl|list",
        "acl|users",
        "acl|getuser",
        "acl|log",
        "acl|load",
        "client|list",
        "slowlog|get",
    ),
    changes=("*",),
)
ROLES = (WORKER, AGENTS, DESK, OPERATOR, ADMIN)


def rules(role: Role, names: Names, miners: Sequence[str] = (ANY_MINER,)) -> list[str]:
    """The rules of a role as `ACL SETUSER` takes them, after a user was reset.

    ``miners``: the miners granted; all of them unless the role is a desk's.

    Raises:
        SettingsError: no miner's name.

    >>> rules(DESK, Names("live"), ["mara"])[:3]
    ['%R~changeover:{mara}:head', '%R~changeover:{mara}:signals', '%R~changeover:{mara}:sites']
    >>> rules(DESK, Names("live"), ["mara"])[4:6]
    ['&changeover:{mara}:live', '-@all']
    """
    for miner in miners:
        if miner != ANY_MINER and (miner_flaw(miner) or any(each in miner for each in GLOB)):
            raise SettingsError(f"{miner!r} is no miner's name that a rule can hold: letters, digits, . _ -")
    granted = []
    for mark, patterns in (("%R~", role.reads), ("%W~", role.writes), ("~", role.changes), ("&", role.channels)):
        for pattern in patterns:
            named = [pattern.replace("{m}", f"{{{miner}}}") for miner in miners] if "{m}" in pattern else [pattern]
            granted += [f"{mark}{names.prefix}{each}" for each in named]
    return [*granted, "-@all", *(f"+{command}" for command in role.commands)]
