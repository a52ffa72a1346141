"""Every source's own fake server, restless: it fails at random, by a seed, and never for long.

``python -m tests.support.restless SEED`` serves each source at a port of its own, prints one line of JSON (source ->
base URL), and ends with its standard input; it then prints how many faults it threw, by source and fault.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack, suppress

from aiohttp import web

from tests.support.faulty_server import (
    HTTP_FAULTS,
    SOCKET_FAULTS,
    FaultySocket,
    Handler,
    SocketFault,
    Switch,
    either,
    serving,
)
from tests.support.feed_faults import HANDSHAKES
from tests.support.restamped import PacedSocket
from tests.support.sources_contract import Case
from tests.support.sources_register import CASES

HTTP_SHARE = 0.15
"""Of the answers that fail."""
HANDSHAKE_SHARE = 0.1
"""Of the handshakes that are refused."""
FRAMES = (20, 300)
"""A websocket fails after so many frames: between 2 and 30 seconds."""

Thrown = Counter[tuple[str, str]]


def restless_http(case: Case, chance: random.Random, thrown: Thrown) -> Handler:
    """Answers as documented, or with a fault now and then."""

    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        if case.serve is None:
            return web.Response(status=404)
        answer = case.serve(request)
        if chance.random() > HTTP_SHARE:
            return answer
        name = chance.choice(sorted(HTTP_FAULTS))
        thrown[case.source, name] += 1
        return await HTTP_FAULTS[name](request, answer)

    return handler


def counted(fault: SocketFault, thrown: Thrown, cell: tuple[str, str]) -> SocketFault:
    """The same fault, counted when it is thrown: a muted socket may outlive the count."""

    async def counting(socket: FaultySocket, data: str) -> None:
        thrown[cell] += 1
        await fault(socket, data)

    return counting


def restless_socket(case: Case, chance: random.Random, thrown: Thrown) -> Handler:
    """Speaks as documented, until a fault."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if case.serve_socket is None:
            return web.Response(status=404)
        if chance.random() < HANDSHAKE_SHARE:
            name = chance.choice(sorted(HANDSHAKES))
            thrown[case.source, name] += 1
            return web.Response(status=HANDSHAKES[name], headers={"Retry-After": "2"})
        name = chance.choice(sorted(SOCKET_FAULTS))
        fault = counted(SOCKET_FAULTS[name], thrown, (case.source, name))
        socket = PacedSocket(fault, lambda _: True, case.refused[0].body, Switch(), at=chance.randint(*FRAMES))
        await socket.prepare(request)
        with suppress(ConnectionError, RuntimeError, TypeError):  # the client, or the fault, has closed it
            await case.serve_socket(socket)
        await socket.close()
        return socket

    return handler


async def serve(seed: int) -> None:
    """Serve until standard input ends."""
    thrown: Thrown = Counter()
    urls: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for case in CASES:
            chance = random.Random(f"{seed} {case.source}")
            handler = either(restless_http(case, chance, thrown), restless_socket(case, chance, thrown))
            urls[case.source] = await stack.enter_async_context(serving(handler))
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    told = {f"{source}: {name}": count for (source, name), count in sorted(thrown.items()) if count}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
