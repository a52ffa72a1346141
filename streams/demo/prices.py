"""The simulated prices: bitcoin, power, GPU rentals and the rented share of the spot pool.

Each process is a generator of (receipt time [us UTC], observations). Prices are rounded as a venue would print them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from models.records import HOUR_US, MINUTE_US, SECOND_US
from streams.demo.chance import Chance, Reverting
from streams.demo.opening import POWER, UTILISATION, scripted

YEAR_S = 365.25 * 86_400
PRINT_US = 5 * MINUTE_US

Printed = tuple[int, list[dict[str, object]]]


def observation(kind: str, series: str, event_time_us: int, next_due_us: int, **values: object) -> dict[str, object]:
    """One observation as the log carries it, in full; its source is always the demo."""
    return {
        "kind": kind,
        "series": series,
        "source": "demo",
        "event_time_us": event_time_us,
        "next_due_us": next_due_us,
        "publish_time_us": None,
        "revision": None,
        **values,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class BtcParameters:
    """Jump diffusion: volatility per square root of a year, jumps a day, standard deviation of a jump (shares of 1)."""

    usd_per_btc: float = 91_000.0
    volatility: float = 0.55
    jumps_per_day: float = 6.0
    jump_deviation: float = 0.012


def btc_prices(parameters: BtcParameters, chance: Chance, start_us: int, step_us: int) -> Iterator[Printed]:
    """Prices [USD/BTC] at every step: a relative normal move, now and then a jump; no drift."""
    step_s = step_us / SECOND_US
    move = parameters.volatility * math.sqrt(step_s / YEAR_S)
    jump = min(1.0, parameters.jumps_per_day * step_s / 86_400.0)
    price = parameters.usd_per_btc
    for number in itertools.count():
        now_us = start_us + number * step_us
        usd = round(price, 2)
        yield now_us, [observation("btc_price", "btc:usd", now_us, now_us + step_us, usd_per_btc=usd)]
        relative = move * chance.normal()
        if chance.happens(jump):
            relative += parameters.jump_deviation * chance.normal()
        price += price * relative


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerParameters:
    """Power at three nodes of one system [USD/MWh], a print every 5 minutes.

    A system price reverts to ``mean + hourly[h]``, each node adds its ``basis`` and own noise. With ``spike_chance``
    a print starts a spike of ``spike_floor`` plus an exponential of ``spike_mean``, which keeps ``spike_persistence``
    of itself at each later print. Persistences are per print. Negative prices come of the deviation, by no rule.
    """

    mean: float = 34.0
    deviation: float = 17.0
    persistence: float = 0.93
    hourly: tuple[float, ...] = (
        *(-8.0, -10.0, -11.0, -11.0, -9.0, -5.0, 2.0, 6.0, 4.0, -1.0, -5.0, -7.0),
        *(-8.0, -7.0, -4.0, 1.0, 8.0, 16.0, 19.0, 15.0, 9.0, 6.0, 2.0, -2.0),
    )
    basis: tuple[tuple[str, float], ...] = (("NORTH", 0.0), ("SOUTH", 3.0), ("WEST", -9.0))
    node_deviation: float = 3.0
    node_persistence: float = 0.9
    spike_chance: float = 0.004
    spike_floor: float = 150.0
    spike_mean: float = 450.0
    spike_persistence: float = 0.55
    latency_us: int = 4 * SECOND_US


def power_prices(parameters: PowerParameters, seed: int, start_us: int) -> Iterator[Printed]:
    """Prints of ``power:DEMO:<node>:rt``, known ``latency_us`` after the interval's start, all nodes in one payload."""
    chance = Chance(seed, "power")
    system = Reverting(chance, mean=0.0, deviation=parameters.deviation, persistence=parameters.persistence)
    nodes = [
        Reverting(
            Chance(seed, f"power:{node}"),
            mean=basis,
            deviation=parameters.node_deviation,
            persistence=parameters.node_persistence,
        )
        for node, basis in parameters.basis
    ]
    spike = 0.0
    for number in itertools.count():
        start = start_us + number * PRINT_US
        end = start + PRINT_US
        spike = _next_spike(parameters, chance, spike)
        free = parameters.mean + parameters.hourly[start // HOUR_US % 24] + system.step() + spike
        script = scripted(POWER, (start - start_us) // SECOND_US)
        if script is not None:
            free, spike = script, 0.0
        prints = [
            observation(
                "power_price",
                f"power:DEMO:{name}:rt",
                start,
                end + parameters.latency_us,
                end_time_us=end,
                usd_per_mwh=round(free + node.step(), 2),
            )
            for (name, _), node in zip(parameters.basis, nodes, strict=True)
        ]
        yield start + parameters.latency_us, prints


def _next_spike(parameters: PowerParameters, chance: Chance, spike: float) -> float:
    """What is left of a spike at the next print, or a new one [USD/MWh]."""
    starts = chance.happens(parameters.spike_chance)
    height = parameters.spike_floor + chance.exponential(parameters.spike_mean)
    return height if starts else spike * parameters.spike_persistence


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilisationParameters:
    """Rented share of the spot pool (0 to 1), printed every 5 minutes, half an interval after power."""

    pool: str = "demo-spot"
    mean: float = 0.165
    deviation: float = 0.04
    persistence: float = 0.92
    noise: float = 0.004
    latency_us: int = 2 * SECOND_US


def utilisations(parameters: UtilisationParameters, chance: Chance, start_us: int) -> Iterator[Printed]:
    """Figures of ``utilisation:<pool>``, the first at the start, then half way between two prints of power."""
    share = Reverting(chance, mean=parameters.mean, deviation=parameters.deviation, persistence=parameters.persistence)
    for number in itertools.count():
        now_us = start_us + max(0, number * PRINT_US - PRINT_US // 2)
        due_us = start_us + number * PRINT_US + PRINT_US // 2 + parameters.latency_us
        script = scripted(UTILISATION, (now_us - start_us) // SECOND_US)
        if script is None:
            share.step()
        else:
            share.value = script + parameters.noise * chance.normal()
        figure = round(min(max(share.value, 0.0), 1.0), 4)
        series = f"utilisation:{parameters.pool}"
        yield now_us + parameters.latency_us, [observation("utilisation", series, now_us, due_us, utilisation=figure)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuParameters:
    """Rental rates by model [USD/GPU-h], printed every 15 minutes; ``deviation`` is a share of the model's mean."""

    means: tuple[tuple[str, float], ...] = (("H100-SXM", 2.35), ("H200", 3.10), ("B200", 4.40))
    deviation: float = 0.025
    persistence: float = 0.99
    every_us: int = 15 * MINUTE_US
    latency_us: int = 2 * SECOND_US


def gpu_rates(parameters: GpuParameters, seed: int, start_us: int) -> Iterator[Printed]:
    """Rates of ``gpu:<model>``, all models in one payload."""
    rates = [
        Reverting(
            Chance(seed, f"gpu:{model}"),
            mean=mean,
            deviation=parameters.deviation * mean,
            persistence=parameters.persistence,
        )
        for model, mean in parameters.means
    ]
    for number in itertools.count():
        now_us = start_us + number * parameters.every_us
        due_us = now_us + parameters.every_us + parameters.latency_us
        printed = [
            observation("gpu_rate", f"gpu:{model}", now_us, due_us, usd_per_gpu_hour=round(rate.step(), 4))
            for (model, _), rate in zip(parameters.means, rates, strict=True)
        ]
        yield now_us + parameters.latency_us, printed
