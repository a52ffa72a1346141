"""The sink on a cluster of three nodes: each miner's keys lie on one of them, and the answers are the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio
from redis.asyncio.cluster import RedisCluster

from streams.sink import MemorySink, RedisSink
from streams.wire import Names
from tests.streams.sink.stories import Computation
from tests.support.redis_cluster import redis_cluster

pytestmark = pytest.mark.guarantee("G1")

MINERS = ("cifr", "iren", "mara", "wulf")
EPOCHS = {0: 1, 10: 2}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """A cluster for the tests of this file."""
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest_asyncio.fixture
async def cluster(ports: list[int]) -> AsyncIterator[RedisCluster]:
    """A client of it."""
    async with RedisCluster(host="127.0.0.1", port=ports[0]) as client:
        yield client


def story(miner: str) -> Computation:
    """A computation of some entries with two epochs."""
    offsets = (4, 6, 6, 8, 9, 9, 9, 10, 12)
    return Computation(miner, tuple((at, b'{"n":%d}' % n) for n, at in enumerate(offsets, 1)), born=4, epochs=EPOCHS)


async def test_miners_on_different_nodes_get_their_streams_in_one_call(cluster: RedisCluster, run_names: Names) -> None:
    slots = {cluster.keyslot(run_names.key(miner, "head")) // (16_384 // 3) for miner in MINERS}
    assert len(slots) > 1, "these miners lie on one node: choose others"
    sink, memory = RedisSink(cluster, run_names), MemorySink()
    for cut in ((0, 6), (3, 8), (9, 9), (10, 12), (0, 9)):
        batches = [story(miner).batch(*cut) for miner in MINERS]
        assert await sink.write_many(batches) == await memory.write_many(batches)
    for miner in MINERS:
        assert await sink.head(miner) == await memory.head(miner)
        assert await sink.read(miner) == await memory.read(miner)
        await sink.register(miner)
    assert await sink.miners() == list(MINERS)


async def test_gaps_differences_checkpoints_trims_and_generations_are_told_as_on_one_node(
    cluster: RedisCluster, run_names: Names
) -> None:
    sink, mara = RedisSink(cluster, run_names), story("mara")
    assert (await sink.write(mara.batch(6, 9))).status == "EMPTY"
    assert (await sink.write(mara.batch(0, 9))).status == "OK"
    assert (await sink.write(mara.batch(11, 12, epoch=1, opens_epoch=False))).status == "GAP"
    other = replace(mara, entries=((4, b'{"n":0}'), *mara.entries[1:]))
    assert (await sink.write(other.batch(0, 9))).status == "DIVERGED"
    assert await sink.store_checkpoint("mara", 9, b"state", 1)
    assert not await sink.store_checkpoint("mara", 12, b"state", 1)
    assert await sink.load_checkpoint("mara") == (9, b"state")
    await sink.mark_trim("mara", 1, 3)
    assert await sink.trim_mark("mara", 1) == 3
    assert await sink.new_generation("mara") == 2
    head = await sink.head("mara")
    assert head is not None
    assert (head.generation, head.seq) == (2, 0)
    assert await sink.refill("iren", [story("iren").entry(1), story("iren").entry(2)], head)
    assert [entry.seq for entry in await sink.read("iren")] == [1, 2]
