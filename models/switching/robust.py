"""Medians with weights, and spikes set apart: what a level and a spread are where one price is a hundred others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.switching.roots import Floats

NORMAL = 1.482602218505602  # 1 / Phi^-1(3/4): turns a median absolute deviation into a normal's standard deviation
Flags = np.typing.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A margin [USD/MWh] at rising times [h]; evenly spaced or not.

    Raises:
        ValueError: lengths that differ, values that are not finite, times that do not rise.
    """

    hours: Floats
    usd_per_mwh: Floats

    def __post_init__(self) -> None:
        """Refuse what is no series."""
        if self.hours.ndim != 1 or self.hours.shape != self.usd_per_mwh.shape:
            raise ValueError(
                f"samples need one value a time: {self.hours.shape} times, {self.usd_per_mwh.shape} values"
            )
        if not (np.isfinite(self.hours).all() and np.isfinite(self.usd_per_mwh).all()):
            raise ValueError("samples must be finite: leave out what is missing")
        if not (np.diff(self.hours) > 0.0).all():
            raise ValueError("times of samples must rise strictly")

    def __len__(self) -> int:
        """How many there are."""
        return len(self.hours)

    @property
    def window_h(self) -> float:
        """From the first to the last [h]."""
        return float(self.hours[-1] - self.hours[0]) if len(self) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Spikes:
    """Which samples are spikes, and how often they come.

    ``share`` of the samples; ``episodes`` are runs of spikes next to each other, ``per_day`` their rate.
    """

    flags: Flags
    share: float
    episodes: int
    per_day: float

    @property
    def count(self) -> int:
        """How many samples are spikes."""
        return int(np.count_nonzero(self.flags))


def fading(hours: Floats, half_life_h: float | None) -> Floats:
    """Weights that halve every ``half_life_h`` back from the last time; all 1 without one.

    >>> fading(np.array([0.0, 24.0, 48.0]), 24.0).tolist()
    [0.25, 0.5, 1.0]
    """
    if half_life_h is None or not len(hours):
        return np.ones(len(hours))
    if not half_life_h > 0.0:
        raise ValueError(f"half_life_h {half_life_h!r} must be above 0")
    weights: Floats = np.exp2((hours - hours[-1]) / half_life_h)
    return weights


def weighted_median(values: Floats, weights: Floats) -> float:
    """The value below and above which half of the weight lies; between two such values their middle.

    >>> weighted_median(np.array([3.0, 1.0, 2.0]), np.ones(3)), weighted_median(np.array([1.0, 9.0]), np.ones(2))
    (2.0, 5.0)
    >>> weighted_median(np.array([1.0, 2.0, 100.0]), np.array([3.0, 1.0, 1.0]))
    1.0
    """
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    half = 0.5 * cumulated[-1]
    at = int(np.searchsorted(cumulated, half))
    value = float(values[order[at]])
    if cumulated[at] == half and at + 1 < len(order):
        return 0.5 * (value + float(values[order[at + 1]]))
    return value


def spread(values: Floats, weights: Floats, centre: float) -> float:
    """Robust standard deviation: 1.4826 times the median absolute deviation from ``centre``.

    >>> round(spread(np.array([-1.0, 0.0, 1.0, 500.0]), np.ones(4), 0.0), 4)
    1.4826
    """
    return NORMAL * weighted_median(np.abs(values - centre), weights)


def spikes(samples: Samples, weights: Floats, limit: float) -> Spikes:
    """The samples further than ``limit`` robust standard deviations from the median, either way.

    >>> series = Samples(np.arange(6.0), np.array([20.0, 21.0, 4_857.82, 3_000.0, 19.0, 20.0]))
    >>> apart = spikes(series, np.ones(6), 5.0)
    >>> apart.flags.tolist(), apart.episodes, round(apart.per_day, 1)
    ([False, False, True, True, False, False], 1, 4.8)
    """
    values = samples.usd_per_mwh
    centre = weighted_median(values, weights)
    flags: Flags = np.abs(values - centre) > limit * spread(values, weights, centre)
    starts = int(flags[0]) + int(np.count_nonzero(flags[1:] & ~flags[:-1]))
    days = samples.window_h / 24.0
    per_day = starts / days if days > 0.0 else math.inf if starts else 0.0
    return Spikes(flags, float(np.mean(flags)), starts, per_day)


def seasonal_medians(usd_per_mwh: Floats, local_hours: np.typing.NDArray[np.int64], least: int = 3) -> Floats:
    """The median of each local hour of the day, 0 to 23; of all samples where an hour has fewer than ``least``.

    The caller says which local hour each sample lies in: the hour a market's day turns on is a fact of its zone.

    >>> seasonal_medians(np.array([10.0, 12.0, 11.0, 30.0]), np.array([0, 0, 0, 18]))[[0, 18]].tolist()
    [11.0, 11.5]
    """
    if len(usd_per_mwh) != len(local_hours) or not len(usd_per_mwh):
        raise ValueError(f"{len(usd_per_mwh)} samples and {len(local_hours)} local hours: one of each is wanted")
    if np.any((local_hours < 0) | (local_hours > 23)):
        raise ValueError("local hours lie within 0 to 23")
    medians = np.full(24, float(np.median(usd_per_mwh)))
    for hour in range(24):
        own = usd_per_mwh[local_hours == hour]
        if len(own) >= least:
            medians[hour] = float(np.median(own))
    return medians
