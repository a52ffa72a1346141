"""The network of a machine: a proxy before Kafka and one before Redis for each process, in a thread of their own."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from streams.embedded.child import free_port
from tests.support.proxy import Proxy

WHO = ("one", "two", "agents", "source", "client")
KAFKA_WHO = ("one", "two", "agents", "source")


class Network:
    """Proxies by (who, what): ``what`` is kafka or redis. They stay up while servers are killed and started."""

    def __init__(self) -> None:
        self.ways = {name: (free_port(), free_port()) for name in KAFKA_WHO}
        """Port that Kafka listens on for somebody, and the one it tells him: the proxy's."""
        self.redis_port = free_port()
        self.proxies: dict[tuple[str, str], Proxy] = {}
        self._loop = asyncio.new_event_loop()
        self._ready, self._done = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        servers = []
        for name, (target, told) in self.ways.items():
            servers.append(await self._proxy((name, "kafka"), target, told))
        servers += [await self._proxy((name, "redis"), self.redis_port, 0) for name in WHO]
        self._ready.set()
        await self._done.wait()
        for server in servers:
            server.close()
        for proxy in self.proxies.values():
            proxy.stalled.clear()
            proxy.cut()
        while any(proxy.links for proxy in self.proxies.values()):  # noqa: ASYNC110 a link has no event
            await asyncio.sleep(0.01)

    async def _proxy(self, way: tuple[str, str], target: int, port: int) -> asyncio.Server:
        proxy = Proxy(target, chance=random.Random(0))
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
        proxy.port = server.sockets[0].getsockname()[1]
        self.proxies[way] = proxy
        return server

    def kafka(self, who: str) -> str:
        """Kafka's address for somebody."""
        return f"127.0.0.1:{self.proxies[who, 'kafka'].port}"

    def redis(self, who: str) -> str:
        """The URL of Redis for somebody."""
        return self.proxies[who, "redis"].url

    def cut(self, way: tuple[str, str]) -> None:
        """Cut every connection of a way."""
        self._loop.call_soon_threadsafe(self.proxies[way].cut)

    def calm(self) -> None:
        """Nothing is cut, slow or trapped any more."""
        for proxy in self.proxies.values():
            proxy.shut, proxy.delay_s, proxy.trap = False, 0.0, None
            proxy.stalled.clear()

    def start(self) -> None:
        """Let the proxies listen."""
        self._thread.start()
        if not self._ready.wait(10.0):
            raise TimeoutError("the proxies did not come up")

    def stop(self) -> None:
        """Close them."""
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10.0)
        self._loop.close()


@contextmanager
def networked() -> Iterator[Network]:
    """A network for the time of the block."""
    network = Network()
    network.start()
    try:
        yield network
    finally:
        network.stop()
