"""What is open at Redis: asked under our own login and without one; what we may not ask is said to be unknown."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from streams.connect import REDIS_AWAY, open_redis, opened_redis
from streams.errors import WorldError
from streams.security.findings import Finding, is_loopback, reached
from streams.settings import Redis as RedisTable
from streams.settings import Settings
from streams.sink.redis_errors import redis_errors

ACL_REMEDY = "`changeover security redis` prints users that may do what they need and no more"

DANGEROUS = {
    "empty it (FLUSHALL)": ("FLUSHALL", "no-such-option"),
    "change its settings (CONFIG SET)": ("CONFIG", "SET", "no-such-setting", "x"),
    "make users (ACL SETUSER)": ("ACL", "SETUSER", "nobody", "no-such-rule"),
    "run scripts of its own (EVAL)": ("EVAL", "return 1", "0"),
    "list every key (KEYS)": ("KEYS", "changeover-no-such-key"),
    "read keys that are not ours": ("EXISTS", "no-key-of-changeover"),
}
"""What our user should not be let do, each with a call that does no harm where it is: Redis looks at rights first."""


def host_of(settings: Settings) -> str:
    """Where Redis is; a socket file is this machine's own."""
    parts = urlsplit(settings.redis.url.get_secret_value())
    return "localhost" if parts.scheme == "unix" else parts.hostname or "localhost"


def about_settings(settings: Settings) -> Iterator[Finding]:
    """What the URL alone tells."""
    parts = urlsplit(settings.redis.url.get_secret_value())
    where, open_to = settings.redis.masked, reached(host_of(settings))
    if parts.scheme == "redis":
        yield Finding(
            "redis", open_to, f"{where}: without TLS, passwords and signals can be read on the way", "rediss://"
        )
    else:
        yield Finding("redis", "closed", f"{where}: spoken to by {'TLS' if parts.scheme == 'rediss' else 'a file'}")
    if not parts.username or parts.username == "default":
        yield Finding(
            "redis", open_to, f"{where}: we log in as no user of our own", f"name one in REDIS_URL; {ACL_REMEDY}"
        )


async def about_redis(settings: Settings) -> list[Finding]:
    """Everything that can be found out about Redis.

    Raises:
        WorldError: it is away, or does not let us in.
    """
    found = list(about_settings(settings))
    found += await about_strangers(settings)
    async with opened_redis(settings) as client:
        with redis_errors("answer PING"):
            await client.ping()
        found += await about_rights(client, settings)
        found += await about_server(client, settings)
    return found


async def about_strangers(settings: Settings) -> list[Finding]:
    """Whether somebody without a login is let in."""
    parts = urlsplit(settings.redis.url.get_secret_value())
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    table = RedisTable.model_validate({**settings.redis.model_dump(), "url": bare, "password": None})
    client = open_redis(settings.model_copy(update={"redis": table}))
    try:
        await client.ping()
    except AuthenticationError:
        return [Finding("redis", "closed", "nobody is let in without a login")]
    except ResponseError:
        return [Finding("redis", "open", "the default user is on", f"user default off; {ACL_REMEDY}")]
    except REDIS_AWAY:
        return []  # told by the call under our login
    finally:
        await client.aclose()
    says = "it lets anybody in without a login: the default user is on and has no password"
    return [Finding("redis", reached(host_of(settings)), says, f"user default off; {ACL_REMEDY}")]


async def may(client: Redis, *words: str) -> bool:
    """Whether our user may call a command, whatever comes of it then."""
    try:
        await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it so
    except NoPermissionError:
        return False
    except ResponseError as refusal:
        return "NOPERM" not in str(refusal)
    return True


async def about_rights(client: Redis, settings: Settings) -> list[Finding]:
    """What our own user may do beyond its work."""
    held = [what for what, words in DANGEROUS.items() if await may(client, *words)]
    if not held:
        return [Finding("redis", "closed", "our user may do nothing dangerous and reads no keys but ours")]
    open_to = reached(host_of(settings))
    return [Finding("redis", open_to, f"our user may {what}", ACL_REMEDY) for what in held]


async def about_server(client: Redis, settings: Settings) -> list[Finding]:
    """What the server's own settings say, where our user may read them."""
    try:
        config = {str(key): str(value) for key, value in (await client.config_get("*")).items()}
    except RedisError:
        return [Finding("redis", "unknown", "its settings: our user may not read them", "ask again as the user admin")]
    found = []
    is_tls = settings.redis.url.get_secret_value().startswith("rediss:")
    if is_tls and config.get("port", "0") != "0":
        found.append(Finding("redis", "open", f"it listens without TLS too, on port {config['port']}", "port 0"))
    bound = [host.lstrip("-") for host in config.get("bind", "").split()]
    if not bound or not all(is_loopback(host) for host in bound):
        says = f"it listens on {' '.join(bound) or 'every address'}"
        found.append(Finding("redis", "closed" if is_tls else "open", says, "" if is_tls else "bind it, or TLS"))
    doors = [name for name in ("enable-debug-command", "enable-module-command") if config.get(name, "no") == "yes"]
    return [*found, *(Finding("redis", "open", f"{name} is on", f"{name} no") for name in doors)]


async def redis_findings(settings: Settings) -> list[Finding]:
    """What is open at Redis; a Redis that cannot be asked is a finding too."""
    try:
        return await about_redis(settings)
    except WorldError as error:
        return [*about_settings(settings), Finding("redis", "unknown", str(error), "the rest was not looked at")]
