"""A primary with a replica and a Sentinel that watches them, on loopback, of the wheel's server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from streams.embedded.child import LOOPBACK, Child, free_port
from streams.embedded.redis_server import find_redis_binary
from tests.support.redis_cluster import READY_S, alive

NAME = "changeover"
SENTINEL = """\
sentinel monitor {name} {host} {port} 1
sentinel down-after-milliseconds {name} 500
sentinel failover-timeout {name} 3000
"""


@dataclass
class Watched:
    """Ports of the Sentinel and of both servers, and the primary to kill."""

    port: int
    primary_port: int
    replica_port: int
    primary: Child

    def in_step(self) -> bool:
        """Whether the replica follows, and the Sentinel knows it."""
        with redis.Redis(LOOPBACK, self.replica_port) as replica, redis.Redis(LOOPBACK, self.port) as sentinel:
            follows = replica.info("replication").get("master_link_status") == "up"
            told = sentinel.execute_command("SENTINEL", "REPLICAS", NAME)
        return follows and len(told) == 1

    def primary_now(self) -> int:
        """The port of the primary as the Sentinel says it."""
        with redis.Redis(LOOPBACK, self.port) as sentinel:
            _, port = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return int(port)


def started(stack: ExitStack, folder: Path, port: int, *words: str) -> Child:
    """A server that answers."""
    folder.mkdir(exist_ok=True)
    child = Child(folder.name, [find_redis_binary(), *words, "--bind", LOOPBACK, "--port", str(port)], folder)
    stack.callback(child.stop)
    child.start()
    child.wait_ready(lambda: alive(port), READY_S)
    return child


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """The three of them for the time of the block."""
    with ExitStack() as stack:
        first, second, port = free_port(), free_port(), free_port()
        plain = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
        primary = started(stack, folder / "primary", first, *plain)
        started(stack, folder / "replica", second, *plain, "--replicaof", f"{LOOPBACK} {first}")
        (folder / "sentinel").mkdir()
        config = folder / "sentinel" / "sentinel.conf"
        config.write_text(SENTINEL.format(name=NAME, host=LOOPBACK, port=first))
        started(stack, folder / "sentinel", port, str(config), "--sentinel")
        found = Watched(port, first, second, primary)
        deadline = time.monotonic() + READY_S
        while not found.in_step():
            if time.monotonic() > deadline:
                raise TimeoutError("the replica did not come into step")
            time.sleep(0.05)
        yield found
