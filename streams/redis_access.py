"""A client of Redis made from a URL, a password and TLS files: what our services and a desk's client connect with."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis.asyncio
from redis.asyncio.connection import ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streams.tls import Tls

SCHEMES = ("redis", "rediss", "unix")
TLS_QUERY = "ssl_"


class TlsConnection(SSLConnection):
    """A connection with a context of ours: redis-py's own would trust the system's authorities beside ``ca_file``."""

    def __init__(self, *, tls: Tls, **options: Any) -> None:  # noqa: ANN401 as redis-py takes them
        super().__init__(**options)
        self.ssl_context.context = tls.context()

    async def disconnect(self, nowait: bool = False, *more: Any, **named: Any) -> None:  # noqa: ANN401, FBT001, FBT002 as redis-py
        """Close; at once where nobody waits: a failed connection would otherwise linger for the peer's farewell."""
        writer = self._writer
        await super().disconnect(nowait, *more, **named)
        if nowait and writer is not None:
            writer.transport.abort()


def url_flaw(url: str) -> str | None:
    """Why a URL cannot be used, without repeating it; None where it can.

    >>> url_flaw("rediss://desk@cache:6380/0"), url_flaw("http://cache")
    (None, 'not a Redis URL')
    >>> url_flaw("rediss://cache:6380?ssl_cert_reqs=none")
    'ssl_cert_reqs has no place in the URL: TLS files have settings of their own, the server is always checked'
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in SCHEMES and parts.port != 0
    except ValueError:  # a port that is no number
        return "not a Redis URL"
    if not usable:
        return "not a Redis URL"
    for name in parse_qs(parts.query, keep_blank_values=True):
        if name.startswith(TLS_QUERY):
            return f"{name} has no place in the URL: TLS files have settings of their own, the server is always checked"
    return None


def open_client(
    url: str,
    *,
    tls: Tls | None = None,
    password: str | None = None,
    connect_timeout_s: float,
    answer_timeout_s: float,
) -> redis.asyncio.Redis:
    """A client that never retries by itself: whoever calls says what waiting means. Nothing is connected yet.

    ``password`` wins over the URL's. ``tls`` counts where the URL begins with ``rediss://``.

    Raises:
        ValueError: the URL cannot be used.
        SettingsError: a TLS file cannot be used.
    """
    flaw = url_flaw(url)
    if flaw is not None:
        raise ValueError(flaw)
    options: dict[str, Any] = {**parse_url(url)}
    if password is not None:
        options["password"] = password
    if urlsplit(url).scheme == "rediss":
        trusted = tls or Tls()
        trusted.context()  # a file that cannot be used is told now, not with the first connection
        options |= {"connection_class": TlsConnection, "tls": trusted}
    pool = ConnectionPool(
        **options,
        socket_connect_timeout=connect_timeout_s,
        socket_timeout=answer_timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    return redis.asyncio.Redis.from_pool(pool)
