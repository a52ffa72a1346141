"""A primary dies and a Sentinel promotes its replica: writer and desk go on through it, none missing, none twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
import redis.asyncio
from redis.asyncio.sentinel import Sentinel

from streams.client import Signal, Signals
from streams.wire import Names
from tests.support.desk import WAIT_S, take_signals
from tests.support.publisher import Publisher
from tests.support.sentinel import NAME, watched

COUNT = 20


@pytest.mark.guarantee("G1")
async def test_a_failover_by_sentinel_loses_and_doubles_nothing(tmp_path: Path, run_names: Names) -> None:
    with watched(tmp_path) as three:
        sentinel = Sentinel([("127.0.0.1", three.port)], socket_timeout=1.0)  # type: ignore[no-untyped-call]  # redis-py leaves it so

        def primary() -> redis.asyncio.Redis:
            return cast(
                "redis.asyncio.Redis", sentinel.master_for(NAME, socket_timeout=1.0, socket_connect_timeout=1.0)
            )

        writer = primary()
        publisher = Publisher(writer, run_names)
        await publisher.publish(count=COUNT)
        async with Signals(
            miners=["mara"], origin=run_names.origin, run=run_names.run, start="oldest", connect=primary
        ) as signals:
            seen: list[Signal] = await take_signals(signals, COUNT)
            three.primary.kill()
            async with asyncio.timeout(WAIT_S):
                await publisher.publish(count=COUNT)
            seen += await take_signals(signals, COUNT)
        await writer.aclose()
        for each in sentinel.sentinels:
            await each.aclose()
        assert three.primary_now() == three.replica_port
    assert [each.json for each in seen] == publisher.json()
    assert [each.position.seq for each in seen] == list(range(1, 2 * COUNT + 1))
