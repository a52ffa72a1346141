"""A NautilusTrader data client that brings Changeover's switches onto the message bus as custom data.

Run against nautilus_trader 1.221. The strategy subscribes with
``self.subscribe_data(DataType(ChangeoverSwitch), client_id=ClientId("CHANGEOVER"))`` and gets ``on_data`` calls. Only
what is live is passed on: an expired switch never reaches a strategy.
"""

# No `from __future__ import annotations` here: customdataclass reads the annotations as types.
import asyncio
from typing import Any

from nautilus_trader.common.config import NautilusConfig
from nautilus_trader.core.data import Data
from nautilus_trader.live.config import LiveDataClientConfig
from nautilus_trader.live.data_client import LiveDataClient
from nautilus_trader.live.factories import LiveDataClientFactory
from nautilus_trader.model.custom import customdataclass
from nautilus_trader.model.data import CustomData, DataType
from nautilus_trader.model.identifiers import ClientId

from streams.client import Signals, Switch

THOUSAND = 1_000  # microseconds to nanoseconds


@customdataclass
class ChangeoverSwitch(Data):
    """One switch; what else it says is in ``json``, byte for byte as published."""

    miner: str = ""
    site: str = ""
    load: str = ""
    to_mode: str = ""
    mw: float = 0.0
    seq: int = 0
    valid_until_us: int = 0
    json: str = ""


def from_switch(switch: Switch, now_ns: int) -> ChangeoverSwitch:
    """The switch as custom data; ``ts_event`` is when the print that drove it happened."""
    return ChangeoverSwitch(
        ts_event=switch.event_time_us * THOUSAND,
        ts_init=now_ns,
        miner=switch.miner,
        site=switch.site,
        load=switch.load,
        to_mode=switch.to_mode,
        mw=switch.mw,
        seq=switch.seq,
        valid_until_us=switch.valid_until_us,
        json=switch.json.decode(),
    )


class ChangeoverConfig(LiveDataClientConfig, frozen=True):
    """Where Redis is and whom to follow."""

    url: str = "redis://127.0.0.1:6379/0"
    miners: tuple[str, ...] = ()
    origin: str = "live"
    run: str = ""


class ChangeoverDataClient(LiveDataClient):
    """Follows the streams while it is connected."""

    def __init__(self, config: ChangeoverConfig, **of_the_node: Any) -> None:
        super().__init__(client_id=ClientId("CHANGEOVER"), venue=None, config=NautilusConfig(), **of_the_node)
        self._settings = config
        self._signals: Signals | None = None
        self._following: asyncio.Task[None] | None = None

    async def _connect(self) -> None:
        settings = self._settings
        self._signals = Signals(settings.url, settings.miners or None, origin=settings.origin, run=settings.run)
        await self._signals.__aenter__()
        self._following = self.create_task(self._follow(self._signals))

    async def _disconnect(self) -> None:
        if self._signals is not None:
            await self._signals.close()

    async def _subscribe(self, command: Any) -> None:
        """All switches are on the bus while connected; the bus sorts out who wants them."""

    async def _unsubscribe(self, command: Any) -> None:
        """The same."""

    async def _follow(self, signals: Signals) -> None:
        async for told in signals:
            if isinstance(told, Switch):
                data = from_switch(told, self._clock.timestamp_ns())
                self._handle_data(CustomData(DataType(ChangeoverSwitch), data))


class ChangeoverDataClientFactory(LiveDataClientFactory):
    """What a trading node is given: ``node.add_data_client_factory("CHANGEOVER", ChangeoverDataClientFactory)``."""

    @staticmethod
    def create(loop: Any, name: str, config: ChangeoverConfig, msgbus: Any, cache: Any, clock: Any) -> LiveDataClient:
        """Make the client."""
        del name
        return ChangeoverDataClient(config, loop=loop, msgbus=msgbus, cache=cache, clock=clock)
