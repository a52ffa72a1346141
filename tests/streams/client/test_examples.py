"""The examples for desks, each run with its library where that is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.publisher import Publisher

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


def example(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


async def until(condition: Any) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 a thread cannot wake us
            await asyncio.sleep(0.02)


async def test_the_reader_for_freqtrade_keeps_the_latest_modes(mara: Publisher, redis_url: str) -> None:
    modes = example("freqtrade_signal").Modes(redis_url, "mara", origin=mara.names.origin, run=mara.names.run)
    modes.start()
    try:
        assert set(modes.modes) == {("north", f"tier-{number}") for number in range(3)}
        before = modes.modes["north", "tier-2"]
        await mara.publish(valid_for_us=-1)
        await until(lambda: modes.modes["north", "tier-2"] != before)
        assert modes.trusted
    finally:
        modes.stop()


def test_a_recorded_feed_becomes_a_table(tmp_path: Path, mara_lines: list[bytes]) -> None:
    pytest.importorskip("pandas")
    path = tmp_path / "feed.jsonl"
    path.write_bytes(b"\n".join(mara_lines))
    table = example("feed_frame").frame(path)
    assert list(table["seq"]) == [1, 2, 3]
    assert list(table["to"]) == ["hash", "off", "hash"]
    assert str(table["known"].dt.tz) == "UTC"


async def test_switches_reach_the_message_bus_of_nautilus(mara: Publisher, redis_url: str) -> None:
    pytest.importorskip("nautilus_trader")
    common = importlib.import_module("nautilus_trader.common.component")
    identifiers = importlib.import_module("nautilus_trader.model.identifiers")
    cache = importlib.import_module("nautilus_trader.cache.cache")
    module = example("nautilus_data_client")
    clock = common.LiveClock()
    bus = common.MessageBus(trader_id=identifiers.TraderId("TESTER-001"), clock=clock)
    arrived: list[Any] = []
    bus.register(endpoint="DataEngine.process", handler=arrived.append)
    config = module.ChangeoverConfig(url=redis_url, miners=("mara",), origin=mara.names.origin, run=mara.names.run)
    client = module.ChangeoverDataClientFactory.create(
        asyncio.get_running_loop(), "CHANGEOVER", config, bus, cache.Cache(), clock
    )
    await client._connect()
    await mara.publish(count=2)
    await until(lambda: len(arrived) == 2)
    await client._disconnect()
    assert [custom.data.seq for custom in arrived] == [4, 5]
    assert arrived[0].data.json.encode() == mara.json()[3]
