"""The quick way to Redis: one connection kept in hand for the calls that a signal waits for.

A client takes a connection from its pool and gives it back for every call, by way of retries and counters that are not
used here. Measured on a machine whose caches are cold, as they are at a few hundred signals a second: a call is on its
way a quarter sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

Word = str | bytes | int


class Line:
    """One connection of a client's pool, taken with the first call and kept. Calls go through one after the other.

    Time limits are the connection's own. Nothing is tried again: after anything but a plain refusal the connection is
    closed and given back, and the next call takes one anew.
    """

    def __init__(self, client: Redis) -> None:
        self._pool: Any = client.connection_pool  # redis-py leaves some of its methods untyped
        self._connection: Any = None
        self._turn = asyncio.Lock()

    async def ask(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """Send commands in one go; their answers in order, a refusal as the ``ResponseError`` it is.

        Raises:
            redis.exceptions.RedisError: the connection is lost, or too slow; some commands may have been carried out.
        """
        async with self._turn:
            if self._connection is None:
                self._connection = await self._pool.get_connection()
            try:
                if await self._connection.can_read():  # nothing was asked: the server closed it, or is about to
                    await self._connection.disconnect(nowait=True)
                await self._connection.send_packed_command(packed(commands), check_health=False)  # connects if need be
                return [await self._answer() for _ in commands]
            except BaseException:  # also a cancelled call leaves an answer behind, which nobody else may get
                await self._let_go()
                raise

    async def _answer(self) -> object:
        try:
            return await self._connection.read_response()
        except ResponseError as refusal:
            return refusal

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        await connection.disconnect(nowait=True)
        await self._pool.release(connection)


class ClusterLine:
    """The same calls through a cluster's client, which knows whose keys lie on which node. One after the other."""

    def __init__(self, client: RedisCluster) -> None:
        self._client = client

    async def ask(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """Send commands in order; their answers, a refusal as the ``ResponseError`` it is.

        Raises:
            redis.exceptions.RedisError: a node is away; some commands may have been carried out.
        """
        return [await self._answer(command) for command in commands]

    async def _answer(self, command: Sequence[Word]) -> object:
        try:
            return await self._client.execute_command(*command)
        except ResponseError as refusal:
            return refusal


def packed(commands: Sequence[Sequence[Word]]) -> bytes:
    r"""Commands in the Redis protocol.

    >>> packed([("GET", "key"), ("PING",)])
    b'*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n*1\r\n$4\r\nPING\r\n'
    """
    pieces = []
    for command in commands:
        pieces.append(b"*%d\r\n" % len(command))
        for word in command:
            data = word if isinstance(word, bytes) else str(word).encode()
            pieces.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(pieces)
