"""Reaching Kafka and Redis at start: waiting with growing pauses, for a bounded time, with lines that say for what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import redis.asyncio
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

from streams.errors import WorldError
from streams.log.connection import BrokerError, Connection
from streams.log.topics import create_topics
from streams.redis_access import open_client
from streams.settings import Settings
from streams.sink.redis_errors import redis_errors
from streams.tls import Tls

if TYPE_CHECKING:
    from streams.process import Process  # its frame is slow to import, and clients have no process

T = TypeVar("T")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 3.0
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 15.0

REDIS_AWAY = (RedisConnectionError, RedisTimeoutError)
"""What a Redis that is away, or loading, raises; calling again later may help."""


def kafka_connection(settings: Settings) -> Connection:
    """Where the log is, for the log's own clients."""
    kafka = settings.kafka
    return Connection(
        bootstrap=kafka.bootstrap,
        security=kafka.security,
        mechanism=kafka.mechanism,
        user=kafka.user,
        password=secret_of(kafka.password),
        tls=Tls(
            ca_file=kafka.ca_file,
            cert_file=kafka.cert_file,
            key_file=kafka.key_file,
            key_password=secret_of(kafka.key_password),
        ),
    )


def open_redis(settings: Settings) -> redis.asyncio.Redis:
    """A client of Redis. It never retries by itself: whoever calls says what waiting means."""
    of = settings.redis
    tls = Tls(ca_file=of.ca_file, cert_file=of.cert_file, key_file=of.key_file, key_password=secret_of(of.key_password))
    return open_client(
        of.url.get_secret_value(),
        tls=tls,
        password=secret_of(of.password),
        connect_timeout_s=CONNECT_TIMEOUT_S,
        answer_timeout_s=ANSWER_TIMEOUT_S,
    )


def secret_of(value: SecretStr | None) -> str | None:
    """A secret as a client needs it."""
    return None if value is None else value.get_secret_value()


@asynccontextmanager
async def opened_redis(settings: Settings) -> AsyncIterator[redis.asyncio.Redis]:
    """A client for one command: what goes wrong with the connection is told in one line.

    Raises:
        WorldError: Redis is away.
    """
    client = open_redis(settings)
    try:
        yield client
    except REDIS_AWAY as error:
        raise WorldError(f"Redis at {settings.redis.masked}: {text_of(error)}; {remedy(settings)}") from error
    finally:
        await client.aclose()


async def wait_for_redis(process: Process, client: redis.asyncio.Redis) -> None:
    """Wait until Redis answers.

    Raises:
        WorldError: it did not within the start-up time, or refuses us.
    """
    where = process.settings.redis.masked

    async def ping() -> None:
        with redis_errors("answer PING"):
            await client.ping()

    try:
        await waiting(process, f"Redis at {where}", ping, lambda error: isinstance(error, REDIS_AWAY))
    except REDIS_AWAY as error:
        raise WorldError(
            f"Redis at {where}: {text_of(error)}{waited(process, retried=True)}; {remedy(process.settings)}"
        ) from error


def remedy(settings: Settings) -> str:
    """What to do about a Redis that does not answer; one that speaks TLS alone, or none, looks the same."""
    is_tls = settings.redis.url.get_secret_value().startswith("rediss:")
    return "start it or set REDIS_URL, " + (
        "redis:// if it does not speak TLS at this port" if is_tls else "rediss:// if it wants TLS"
    )


def text_of(error: BaseException) -> str:
    """An error's own words, or its kind where it has none."""
    return str(error).rstrip(".") or type(error).__name__


async def wait_for_topics(process: Process) -> None:
    """Wait until the broker answers, and make the run's topics if they are missing.

    Raises:
        WorldError: it did not within the start-up time, or refuses us.
    """
    connection = kafka_connection(process.settings)

    def again(error: BaseException) -> bool:
        return isinstance(error, BrokerError) and error.retriable

    async def create() -> None:
        created = await create_topics(connection, process.settings.names)
        if created:
            process.say(f"created the topics {', '.join(created)}")

    try:
        await waiting(process, f"Kafka at {connection.bootstrap}", create, again)
    except BrokerError as error:
        raise WorldError(f"{error}{waited(process, retried=error.retriable)}") from error


def waited(process: Process, *, retried: bool) -> str:
    """How long it was tried, where it was tried more than once."""
    return f" (tried for {process.settings.worker.start_up_s:g} s)" if retried else ""


async def waiting(
    process: Process,
    what: str,
    attempt: Callable[[], Awaitable[T]],
    again: Callable[[BaseException], bool],
) -> T:
    """Attempt until it succeeds or the start-up time is over; the last error is raised as it came."""

    def say(state: RetryCallState) -> None:
        error = None if state.outcome is None else state.outcome.exception()
        if state.attempt_number == 1 and error is not None:
            process.say(f"waiting for {what}: {text_of(error)}", loud=True)
        process.health.set(f"waiting for {what}", ready=False)

    retrying = AsyncRetrying(
        stop=stop_after_delay(process.settings.worker.start_up_s),
        wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
        retry=retry_if_exception(lambda error: again(error) and not process.stopping.is_set()),
        before_sleep=say,
        reraise=True,
    )
    return await retrying(attempt)
