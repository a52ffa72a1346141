"""The reference page of roles: who may call what on Redis and read or write what on Kafka, made of the rules."""

from __future__ import annotations

from collections.abc import Iterator

from streams.log.topics import TOPICS
from streams.security.kafka_rights import OUTSIDER, SERVICES
from streams.security.roles import ROLES
from streams.settings import Settings


def roles_page() -> str:
    """The page."""
    return "\n".join([*redis_lines(), *kafka_lines(), ""])


def redis_lines() -> Iterator[str]:
    """Roles on Redis: keys and channels, then a table of commands."""
    prefix = Settings().names.prefix
    yield "# Roles"
    yield ""
    yield "<!-- Made from the code: python -m streams.reference docs/reference -->"
    yield ""
    yield (
        "What `changeover security redis` and `changeover security kafka` grant, and nothing else. How to put it in "
        "force: [secure Redis and Kafka](../how-to/secure-redis-and-kafka.md)."
    )
    yield from ("", "## Redis: keys and channels", "")
    yield (
        f"Keys begin with `{prefix}`; `{{m}}` is a miner in its braces: the ones granted for a desk, every one for the "
        "others. Ingest and the recorder do not use Redis. The default user is off."
    )
    yield from ("", "| role | for | reads | writes | reads and writes | channels |", "|---|---|---|---|---|---|")
    for role in ROLES:
        patterns = (role.reads, role.writes, role.changes, role.channels)
        cells = [", ".join(f"`{pattern}`" for pattern in kind) for kind in patterns]
        yield f"| {role.name} | {role.meaning} | {' | '.join(cells)} |"
    yield from ("", "## Redis: commands", "")
    yield (
        "A role that calls the sink's functions holds what these call. AUTH, HELLO, QUIT and RESET are open to "
        "everybody in Redis itself."
    )
    yield from ("", f"| command | {' | '.join(role.name for role in ROLES)} |", f"|---|{'---|' * len(ROLES)}")
    for command in sorted({command for role in ROLES for command in role.commands}):
        marks = " | ".join("yes" if command in role.commands else "" for role in ROLES)
        yield f"| `{command.upper().replace('|', ' ')}` | {marks} |"


def kafka_lines() -> Iterator[str]:
    """Rights on Kafka."""
    yield from ("", "## Kafka: topics", "")
    yield (
        "R reads, W writes, D asks whether it is there. Worker and operator also read the topics' configuration; "
        "agents read in one consumer group. Nobody here makes topics: Kafka's admin does."
    )
    yield from ("", f"| user | for | {' | '.join(TOPICS)} |", f"|---|---|{'---|' * len(TOPICS)}")
    for rights in (*SERVICES, OUTSIDER):
        cells = []
        for topic in TOPICS:
            marks = ("R" if topic in rights.reads else "") + ("W" if topic in rights.writes else "")
            cells.append(marks or ("D" if topic in rights.looks else ""))
        yield f"| {rights.name} | {rights.meaning} | {' | '.join(cells)} |"
