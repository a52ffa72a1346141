"""The quick way to Redis: answers go to whoever asked, whatever happens to a call or to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from streams.embedded import EmbeddedRedis
from streams.embedded.child import free_port
from streams.sink.redis_line import Line


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the suite's server."""
    async with Redis.from_url(redis_url) as found:
        yield found


async def own_id(line: Line) -> int:
    """The number the server gave to the line's connection."""
    (number,) = await line.ask([("CLIENT", "ID")])
    return int(number)


async def test_a_refused_command_keeps_its_place_among_the_answers(client: Redis) -> None:
    before, refused, after = await Line(client).ask([("ECHO", "a"), ("NO-SUCH-COMMAND",), ("ECHO", b"\xffb")])
    assert (before, after) == (b"a", b"\xffb")
    assert isinstance(refused, ResponseError)


async def test_a_refusal_does_not_cost_the_connection(client: Redis) -> None:
    line = Line(client)
    number = await own_id(line)
    await line.ask([("NO-SUCH-COMMAND",)])
    assert await own_id(line) == number


async def test_a_connection_that_the_server_closed_is_made_anew_before_the_next_call(client: Redis) -> None:
    line = Line(client)
    number = await own_id(line)
    assert await client.client_kill_filter(_id=str(number)) == 1
    while not await line._connection.can_read():  # noqa: ASYNC110 until the loop has seen the end, as in any pause
        await asyncio.sleep(0)
    assert await own_id(line) != number


async def test_the_answer_to_a_call_that_was_cancelled_goes_to_nobody(client: Redis) -> None:
    line = Line(client)
    call = asyncio.create_task(line.ask([("BLPOP", "a-list-that-is-never-filled", 0)]))
    blocked = "cmd=blpop"
    while blocked not in str(await client.execute_command("CLIENT", "LIST")):  # type: ignore[no-untyped-call]  # redis-py leaves it so
        assert not call.done()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await line.ask([("ECHO", "mine")]) == [b"mine"]


async def test_calls_of_several_tasks_each_get_their_own_answers(client: Redis) -> None:
    line = Line(client)
    words = [f"{number}" * (1 + number % 3) for number in range(50)]
    answers = await asyncio.gather(*(line.ask([("ECHO", word), ("ECHO", word.upper())]) for word in words))
    assert answers == [[word.encode(), word.upper().encode()] for word in words]
    assert len({await own_id(line) for _ in range(3)}) == 1


async def test_a_server_that_is_away_is_a_connection_error_and_that_comes_back_is_reached() -> None:
    port = free_port()
    async with Redis.from_url(f"redis://127.0.0.1:{port}/0") as client:
        line = Line(client)
        with pytest.raises(RedisConnectionError):
            await line.ask([("PING",)])
        for _ in range(2):
            with EmbeddedRedis(port=port):
                assert await line.ask([("PING",)]) == [b"PONG"]
            with pytest.raises(RedisConnectionError):
                await line.ask([("PING",)])


async def test_an_answer_that_does_not_come_in_time_costs_the_connection_and_nothing_else(redis_url: str) -> None:
    async with Redis.from_url(redis_url, socket_timeout=0.2) as client:
        line = Line(client)
        with pytest.raises(RedisTimeoutError):
            await line.ask([("BLPOP", "another-list-that-is-never-filled", 0)])
        assert await line.ask([("ECHO", "next")]) == [b"next"]
