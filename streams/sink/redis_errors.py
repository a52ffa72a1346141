"""Where redis-py's errors become ours: a lost connection stays as it is, a refusal becomes a ``WorldError``."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions as redis

from streams.errors import WorldError
from streams.tls import explain_tls, tls_error

FUNCTION_LOST = "Function not found"
BUSY = "BUSY "  # a script of somebody runs for longer than busy-reply-threshold

# A server that comes up, fails over or moves slots answers so for a while: to the caller that is a connection lost.
PASSING = (redis.ReadOnlyError, redis.ClusterDownError, redis.TryAgainError, redis.AskError)
PASSING_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ssl.SSLWantReadError)
"""A connection that was cut, not a certificate that was refused: waiting may help."""
BAD_LOGIN = (redis.AuthenticationError, redis.AuthorizationError, redis.AuthenticationWrongNumberOfArgsError)

REMEDIES = (
    (redis.OutOfMemoryError, "its memory is full: raise maxmemory, or let entries be trimmed sooner"),
    (redis.NoPermissionError, "its user lacks a right: `changeover security redis` prints the rights of each role"),
    (redis.RedisClusterException, "check that every node of the cluster is reachable"),
)


@contextmanager
def redis_errors(action: str) -> Iterator[None]:
    """Translate what redis-py raises while ``action`` is tried (as in "Redis refused to <action>").

    >>> with redis_errors("write mara"):
    ...     raise redis.ResponseError("unknown command 'FCALL'")
    Traceback (most recent call last):
    streams.errors.WorldError: Redis refused to write mara: unknown command 'FCALL'; it is older than Redis 7
    """
    try:
        yield
    except BAD_LOGIN as exc:
        raise WorldError(f"Redis let nobody in to {action}: {_said(exc)}; check the login in REDIS_URL") from exc
    except (redis.ConnectionError, redis.TimeoutError) as exc:
        failed = tls_error(exc)
        if failed is not None and not isinstance(failed, PASSING_TLS):
            raise WorldError(f"cannot {action}: Redis is not let near: {explain_tls(failed)}") from exc
        raise
    except PASSING as exc:
        raise redis.ConnectionError(f"Redis cannot {action} at the moment: {_said(exc)}") from exc
    except (redis.RedisError, redis.RedisClusterException) as exc:
        if str(exc).startswith(BUSY):
            raise redis.ConnectionError(f"Redis cannot {action} at the moment: {_said(exc)}") from exc
        raise WorldError(f"Redis refused to {action}: {_said(exc)}; {remedy(exc)}") from exc


def remedy(exc: Exception) -> str:
    """What an operator can do about a refusal."""
    text = str(exc)
    for kind, what in REMEDIES:
        if isinstance(exc, kind):
            return what
    if "NOPERM" in text:
        return "its user lacks a right: `changeover security redis` prints the rights of each role"
    if "WRONGTYPE" in text:
        return "a key of ours holds something else: move it away, or use another Redis"
    if "MISCONF" in text or "NOREPLICAS" in text:
        return "it cannot make writes safe: look at its disk, its replicas and its log"
    if "unknown command" in text.lower():
        return "it is older than Redis 7"
    return "its log may say more"


def _said(exc: Exception) -> str:
    return str(exc).rstrip(".")
