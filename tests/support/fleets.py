"""Small fleets and the prints of a market for them, so that a test reads as times and values."""

from __future__ import annotations

from typing import Any

from models.commands import Ack, Command
from models.engine import Engine, day_of
from models.fleet import AsicTier, GpuPool, Lease, Miner, Power, Reference, Site
from models.hashprice import subsidy_btc
from models.records import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    BtcPrice,
    Clock,
    DecidingConfig,
    GpuRate,
    Network,
    Observation,
    PowerPrice,
    Utilisation,
)
from models.rows import Catalogue
from models.signals import Signal

T0 = 1_718_582_400 * SECOND_US  # 2024-06-17, a Monday, 00:00 UTC
NODE = "ERCOT:HB_SOUTH"
POWER = f"power:{NODE}:rt"
CURVE = f"power:{NODE}:da"
BTC = "btc:usd"
NETWORK = "network:btc"
RATE = "gpu:H100-SXM"
USED = "utilisation:spot"
LONG_US = 30 * DAY_US  # until a print is due again, where staleness is not what a test is about

DIFFICULTY = 83_675_262_295_059.9
HEIGHT = 848_000
FEES = 0.05


Loads = AsicTier | GpuPool | Lease


def tier(key: str = "s21", joules_per_th: float = 17.5, mw: float = 1.0, **more: Any) -> AsicTier:
    """An ASIC tier without stays, costs or failure direction unless a test asks for them."""
    given: dict[str, Any] = {"min_on_minutes": 0.0, "min_off_minutes": 0.0, "opex_usd_per_mwh": 6.0, **more}
    return AsicTier(key=key, model=key, joules_per_th=joules_per_th, mw=mw, **given)


def pool(key: str = "h100", mw: float = 1.0, **more: Any) -> GpuPool:
    """A spot pool of H100 that draws ``mw`` at nameplate, whatever its utilisation."""
    given: dict[str, Any] = {
        "gpu": "H100-SXM",
        "gpus": mw * 1000.0 / (1.4 * 1.25),
        "kw_per_gpu": 1.4,
        "bf16_tflops": 989.0,
        "idle_fraction": 1.0,
        "min_on_minutes": 0.0,
        "min_off_minutes": 0.0,
        **more,
    }
    return GpuPool(key=key, **given)


def site(*loads: Loads, key: str = "south", mw_cap: float = 1_000.0, **more: Any) -> Site:
    """A site with these loads at real-time prices of HB_SOUTH."""
    given: dict[str, Any] = {"power": Power(node=NODE, adder_usd_per_mwh=0.0), **more}
    return Site(
        key=key,
        mw_cap=mw_cap,
        asic=tuple(load for load in loads if isinstance(load, AsicTier)),
        gpu=tuple(load for load in loads if isinstance(load, GpuPool)),
        lease=tuple(load for load in loads if isinstance(load, Lease)),
        **given,
    )


def miner(*sites: Site, key: str = "acme") -> Miner:
    """A miner with these sites."""
    return Miner(key=key, name=key, site=sites)


def reference_pool() -> Reference:
    """The pool a site without AI loads is compared with."""
    return Reference(gpu=pool("reference"))


def _times(at_us: int, more: dict[str, Any]) -> dict[str, Any]:
    return {"source": "test", "event_time_us": at_us, "receipt_time_us": at_us, "next_due_us": at_us + LONG_US, **more}


def power(usd_per_mwh: float, at_us: int = T0, series: str = POWER, **more: Any) -> PowerPrice:
    """A print of a power price for the quarter hour from ``at_us``."""
    times = _times(at_us, {"end_time_us": at_us + 15 * MINUTE_US, **more})
    return PowerPrice(series=series, usd_per_mwh=usd_per_mwh, **times)


def hour(usd_per_mwh: float, start_us: int, *, known_us: int = T0, **more: Any) -> PowerPrice:
    """One hour of the day-ahead curve, known at ``known_us``."""
    given: dict[str, Any] = {"end_time_us": start_us + HOUR_US, "receipt_time_us": known_us, **more}
    return power(usd_per_mwh, start_us, CURVE, **given)


def btc(usd_per_btc: float, at_us: int = T0, **more: Any) -> BtcPrice:
    """A print of the price of bitcoin."""
    return BtcPrice(series=BTC, usd_per_btc=usd_per_btc, **_times(at_us, more))


def network(difficulty: float = DIFFICULTY, at_us: int = T0, height: int = HEIGHT, **more: Any) -> Network:
    """The network's state at a height."""
    given: dict[str, Any] = {"fees_btc_per_block": FEES, "fee_blocks": 144, **_times(at_us, more)}
    return Network(series=NETWORK, height=height, difficulty=difficulty, **given)


def rate(usd_per_gpu_hour: float, at_us: int = T0, **more: Any) -> GpuRate:
    """A rental rate of the H100."""
    return GpuRate(series=RATE, usd_per_gpu_hour=usd_per_gpu_hour, **_times(at_us, more))


def used(utilisation: float, at_us: int = T0, series: str = USED, **more: Any) -> Utilisation:
    """Utilisation of a spot pool."""
    return Utilisation(series=series, utilisation=utilisation, **_times(at_us, more))


def printed(kind: str, value: float, at_us: int, **more: Any) -> Observation:
    """A print of a kind by its short name."""
    if kind == "power":
        return power(value, at_us, **more)
    if kind == "btc":
        return btc(value, at_us, **more)
    if kind == "rate":
        return rate(value, at_us, **more)
    if kind == "network":
        return network(value, at_us, **more)
    assert kind == "used", kind
    return used(value, at_us, **more)


def tick(at_us: int, instance: str = "replayer", *, replayed: bool = True) -> Clock:
    """A tick; replayed unless a test is about the jump rule."""
    return Clock(time_us=at_us, instance=instance, replayed=replayed)


class Run:
    """One engine fed record by record; keeps the signals and numbers the positions."""

    def __init__(self, fleet: Miner | None = None, *, start_us: int | None = T0, **config: Any) -> None:
        self.engine = Engine(Catalogue(), DecidingConfig(**{"policy": "breakeven", **config}))
        self.position = 0
        self.signals: list[dict[str, Any]] = []
        if start_us is not None:
            self.feed(tick(start_us))
        if fleet is not None:
            self.fleet(fleet)

    def keep(self, signals: list[Signal]) -> list[dict[str, Any]]:
        """The contents of what was just raised."""
        found: list[dict[str, Any]] = [{**signal.content} for signal in signals]
        self.signals += found
        self.position += 1
        return found

    def feed(self, *records: Observation | Clock) -> list[dict[str, Any]]:
        """Apply records; returns what they raised."""
        found = []
        for record in records:
            found += self.keep(self.engine.apply(record, self.position))
        return found

    def fleet(self, fleet: Miner) -> list[dict[str, Any]]:
        """A fleet change."""
        return self.keep(self.engine.change_fleet(fleet, self.position, self.engine.log_time_us))

    def order(self, action: str, **more: Any) -> list[dict[str, Any]]:
        """A command given now, for an hour where it needs an end; answered and carried out."""
        now_us = self.engine.log_time_us
        ends = {"until_us": now_us + HOUR_US} if action in ("hold", "force") else {}
        given: dict[str, Any] = {"id": f"c-{self.position}", "miner": "acme", "site": "south", "issued_us": now_us}
        command = Command(**{**given, "action": action, "who": "A. Operator", "why": "a test", **ends, **more})
        return self.keep(self.engine.command(command, self.position, now_us))

    def ack(self, decision: str, load: str, **more: Any) -> list[dict[str, Any]]:
        """A person's word for a switch, answered."""
        now_us = self.engine.log_time_us
        given: dict[str, Any] = {"id": f"a-{self.position}", "miner": "acme", "site": "south", "issued_us": now_us}
        ack = Ack(**{**given, "load": load, "decision": decision, "who": "A. Operator", **more})
        return self.keep(self.engine.acknowledge(ack, self.position, now_us))

    def copy(self) -> Run:
        """The same engine once more, by a snapshot into one that never saw a name."""
        other = Run(start_us=None)
        other.engine.adopt(self.engine.miner, self.engine.config, day_of(self.engine.log_time_us))
        other.engine.restore(self.engine.snapshot())
        other.position = self.position
        return other

    def epoch(self, **config: Any) -> list[dict[str, Any]]:
        """Another configuration."""
        return self.keep(self.engine.start_epoch(DecidingConfig(**config), self.position, self.engine.log_time_us))

    def current(self, series: str) -> tuple[float, int, bool]:
        """Current value of a series, its revision, whether it may be used."""
        row = self.engine.state.series[self.engine.names.series(series)]
        return float(row["value"]), int(row["revision"]), bool(row["known"]) and bool(row["fresh"])

    def modes(self) -> dict[str, str]:
        """Mode of each load now."""
        return {load["load"]: load["mode"] for value in self.engine.site_values() for load in value["loads"]}

    def switches(self) -> list[dict[str, Any]]:
        """The switches so far."""
        return [signal for signal in self.signals if signal["kind"] == "switch"]


def moves(signals: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """(load, from, to) of the switches among signals."""
    return [(each["load"], each["from"], each["to"]) for each in signals if each["kind"] == "switch"]


def hashprice_usd_per_ph_day(usd_per_btc: float, difficulty: float = DIFFICULTY, height: int = HEIGHT) -> float:
    """Hashprice written out from its definition."""
    blocks = 1e15 * 86_400.0 / (difficulty * 2.0**32)
    return blocks * (subsidy_btc(height) + FEES) * usd_per_btc


def breakeven_power(load: AsicTier, usd_per_btc: float) -> float:
    """Power price [USD/MWh] at which a tier earns nothing, written out from its definition."""
    per_mwh = hashprice_usd_per_ph_day(usd_per_btc) * (1.0 - load.pool_fee) / (0.024 * load.joules_per_th * load.pue)
    return per_mwh - load.opex_usd_per_mwh
