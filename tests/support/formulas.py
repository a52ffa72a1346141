"""The economics of dispatch once more, in plain Python from their definitions, to hold the core against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import factorial
from typing import Any

from models.fleet import AsicTier, GpuPool, Lease, Load

GROUPS = ("power_price", "btc_price", "network", "gpu_rate", "utilisation")


@dataclass(frozen=True)
class Prices:
    """What a site's margins depend on; ``power_usd_per_mwh`` all in."""

    power_usd_per_mwh: float
    usd_per_btc: float = 0.0
    difficulty: float = 1.0
    reward_btc: float = 3.125
    usd_per_gpu_hour: float = 0.0
    utilisation: float | None = None

    @property
    def hashprice_usd_per_ph_day(self) -> float:
        """Expected blocks of 1 PH/s in a day, times the reward, times the price."""
        blocks = 1e15 * 86_400.0 / (self.difficulty * 2.0**32)
        return blocks * self.reward_btc * self.usd_per_btc

    def with_groups(self, now: Prices, groups: tuple[str, ...]) -> Prices:
        """These prices with some groups as they are in others."""
        fields = {
            "power_price": ("power_usd_per_mwh",),
            "btc_price": ("usd_per_btc",),
            "network": ("difficulty", "reward_btc"),
            "gpu_rate": ("usd_per_gpu_hour",),
            "utilisation": ("utilisation",),
        }
        changed: dict[str, Any] = {name: getattr(now, name) for group in groups for name in fields[group]}
        return replace(self, **changed)


def draw_mw(load: Load, prices: Prices) -> float:
    """What a running load draws at the meter [MW]."""
    if isinstance(load, AsicTier):
        return load.mw
    if isinstance(load, Lease):
        return load.it_mw * load.pue
    assert isinstance(load, GpuPool)
    share = load.idle_fraction + (1.0 - load.idle_fraction) * used(load, prices)
    return load.gpus * load.kw_per_gpu * share * load.pue / 1_000.0


def used(load: GpuPool, prices: Prices) -> float:
    """Utilisation of a pool, by its series or its default."""
    if load.utilisation_series is None or prices.utilisation is None:
        return load.utilisation_default
    return prices.utilisation


def value_usd_per_hour(load: Load, prices: Prices) -> float:
    """What an hour of running earns [USD/h]: sales less power less opex."""
    mw = draw_mw(load, prices)
    if isinstance(load, AsicTier):
        ph = mw * 1_000.0 / (load.joules_per_th * load.pue)
        sold = ph * prices.hashprice_usd_per_ph_day * (1.0 - load.pool_fee) / 24.0
        return sold - mw * (prices.power_usd_per_mwh + load.opex_usd_per_mwh)
    assert isinstance(load, GpuPool)
    sold = load.gpus * (prices.usd_per_gpu_hour * used(load, prices) - load.opex_usd_per_gpu_hour)
    return sold - mw * prices.power_usd_per_mwh


def shapley(before: Prices, now: Prices, moved: Sequence[tuple[Load, int]]) -> dict[str, float]:
    """Exact shares of each group in the change of v(to) - v(from): ``moved`` holds (load, +1 started or -1 stopped)."""

    def gain(groups: tuple[str, ...]) -> float:
        prices = before.with_groups(now, groups)
        return sum(sign * value_usd_per_hour(load, prices) for load, sign in moved)

    found = {}
    count = len(GROUPS)
    for group in GROUPS:
        others = [other for other in GROUPS if other != group]
        total = 0.0
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for subset in combinations(others, size):
                total += weight * (gain((*subset, group)) - gain(subset))
        found[group] = total
    return found
