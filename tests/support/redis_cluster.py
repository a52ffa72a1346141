"""A cluster of three nodes without replicas, on loopback, of the wheel's server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from streams.embedded.child import LOOPBACK, Child, free_port
from streams.embedded.redis_server import find_redis_binary

SLOTS = 16_384
NODES = 3
READY_S = 30.0


def alive(port: int) -> bool:
    """Whether a node answers."""
    try:
        with redis.Redis(LOOPBACK, port, socket_timeout=1.0) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def joined(port: int) -> bool:
    """Whether a node knows an owner of every slot, and all nodes."""
    with redis.Redis(LOOPBACK, port, socket_timeout=1.0) as client:
        info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == NODES


def start_node(stack: ExitStack, folder: Path, executable: str) -> tuple[int, int]:
    """Start a node; its port and the one that the others speak to it by."""
    port, bus = free_port(), free_port()
    folder.mkdir()
    argv = [executable, "--bind", LOOPBACK, "--port", str(port), "--cluster-enabled", "yes"]
    argv += ["--cluster-port", str(bus), "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    child = Child(f"node-{port}", argv, folder)
    stack.callback(child.stop)
    child.start()
    child.wait_ready(lambda: alive(port), READY_S)
    return port, bus


@contextmanager
def redis_cluster(folder: Path) -> Iterator[list[int]]:
    """The ports of a cluster that serves, for the time of the block."""
    with ExitStack() as stack:
        nodes = [start_node(stack, folder / f"node-{number}", find_redis_binary()) for number in range(NODES)]
        ports = [port for port, _ in nodes]
        for number, port in enumerate(ports):
            first, last = number * SLOTS // NODES, (number + 1) * SLOTS // NODES - 1
            with redis.Redis(LOOPBACK, port) as client:
                for words in (
                    ("CLUSTER", "ADDSLOTSRANGE", first, last),
                    *(("CLUSTER", "MEET", LOOPBACK, other, bus) for other, bus in nodes if other != port),
                ):
                    client.execute_command(*words)
        deadline = time.monotonic() + READY_S
        while not all(joined(port) for port in ports):
            if time.monotonic() > deadline:
                raise TimeoutError("the cluster did not come together")
            time.sleep(0.05)
        yield ports
