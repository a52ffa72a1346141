"""`changeover security`: access lists for Redis and Kafka, made from what our services really call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import Json, SettingsFile, read_settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Access lists for Redis and Kafka.")
    group.command("redis")(redis)
    group.command("kafka")(kafka)
    app.add_typer(group, name="security")


def redis(
    *,
    passwords: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder of passwords, a file each; missing ones are made.")
    ],
    desk: Annotated[
        list[str] | None, typer.Option(metavar="NAME=MINERS", help="A desk and the miners it may read.")
    ] = None,
    operator: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A person of operations.")] = None,
    json: Json = False,
    settings: SettingsFile = None,
) -> None:
    """Print the file of Redis users (its `aclfile`): worker, agents, admin, operators and desks, the default user off.

    The file holds hashes. The passwords stay in FOLDER, one file `<user>.password` for each user that only you may
    read; REDIS_URL names the user, CHANGEOVER_REDIS_PASSWORD_FILE its file.

    Keys with --json: users (a list of user, role, miners, password_file, made), file (the content).
    """
    import sys

    from streams.cli.output import print_json, print_text
    from streams.security.redis_users import acl_file, kept_passwords, password_hash, users_of

    names = read_settings(settings).names
    users = users_of(operator or (), desk or ())
    found, made = kept_passwords(passwords, [user.name for user in users])
    content = acl_file(users, {name: password_hash(secret) for name, secret in found.items()}, names)
    if json:
        listed = [
            {
                "user": user.name,
                "role": user.role.name,
                "miners": list(user.miners),
                "password_file": str(passwords / f"{user.name}.password"),
                "made": passwords / f"{user.name}.password" in made,
            }
            for user in users
        ]
        print_json({"users": listed, "file": content})
        return
    print_text(content.rstrip("\n"))
    for path in made:
        sys.stderr.write(f"made {path}\n")


def kafka(
    *,
    outsider: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Who may write topic observations.")
    ] = None,
    replication: Annotated[int, typer.Option(min=1, max=9, help="Copies of each topic.")] = 3,
    config: Annotated[str, typer.Option(metavar="FILE", help="Client settings of Kafka's admin.")] = "admin.properties",
    json: Json = False,
    settings: SettingsFile = None,
) -> None:
    """Print the calls of Kafka's programs that make the topics and give each service its rights on them, and no others.

    Users are ingest, worker, agents, recorder, operator, and outsiders by name. Kafka's admin runs them, once.
    With --json: calls, a list.
    """
    from streams.cli.output import print_result
    from streams.security.kafka_rights import acl_calls, topic_calls

    chosen = read_settings(settings)
    server = f"--bootstrap-server {chosen.kafka.bootstrap} --command-config {config}"
    calls = topic_calls(chosen.names, replication, server) + acl_calls(chosen.names, outsider or (), server)
    print_result({"calls": calls}, "\n".join(calls), json=json)
