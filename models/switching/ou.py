"""Estimates of a mean-reverting margin from samples: level, speed, noise, and whether it reverts at all.

``dX = kappa (theta - X) dt + sigma dW`` seen in steps of d hours: ``X' = theta + (X - theta) e^(-kappa d) + noise``,
of variance ``sigma^2 (1 - e^(-2 kappa d)) / (2 kappa)``. X in USD/MWh, kappa per h, sigma in USD/MWh per root h.

:func:`robust` is the one to use. :func:`plain` is kept to be compared with: on real-time power one spike makes its
noise so large that a load, once off, never starts again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.switching.robust import Samples, Spikes, fading, spikes, spread, weighted_median
from models.switching.roots import Floats, NoFitError

SPIKE_LIMIT = 5.0  # robust standard deviations; a normal series passes it once in 1.7 million samples
SLOWEST = 0.05  # kappa times the window: what a window cannot tell from no reversion
FASTEST = 4.0  # kappa times the step: a memory shorter than a quarter of a step is not seen
GRID = 24
GOLDEN_STEPS = 40
EVEN = 1e-6  # relative difference of steps below which samples count as evenly spaced

# Response surface of the 5 % point of the Dickey-Fuller t with a constant: MacKinnon (2010), Queen's Economics
# Department Working Paper 1227, table 2.
CRITICAL = (-2.86154, -2.8903, -4.234, -40.040)


@dataclass(frozen=True, slots=True, eq=False)
class MeanReversion:
    """What samples say of a margin.

    ``statistic`` is the Dickey-Fuller t of the pairs used, ``critical`` its 5 % point: below it the margin reverts.
    ``pairs`` are neighbouring samples that are no spikes. ``spread`` [USD/MWh] is the robust (or plain) standard
    deviation of the samples themselves. ``bounded`` says where kappa is an end of what could be seen
    (fastest, slowest) and no estimate.
    """

    theta: float
    kappa: float
    sigma: float
    spread: float
    statistic: float
    critical: float
    pairs: int
    step_h: float
    window_h: float
    bounded: str
    spikes: Spikes | None

    @property
    def half_life_h(self) -> float:
        """After how long half of a deviation is left [h]."""
        return math.log(2.0) / self.kappa

    @property
    def stationary_spread(self) -> float:
        """Standard deviation of X in the long run [USD/MWh]: ``sigma / sqrt(2 kappa)``."""
        return self.sigma / math.sqrt(2.0 * self.kappa)

    @property
    def reverts(self) -> bool:
        """Whether a random walk is rejected at 5 %."""
        return self.statistic < self.critical


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Neighbouring samples: before, after, hours between, weight."""

    before: Floats
    after: Floats
    hours: Floats
    weights: Floats

    @property
    def even(self) -> bool:
        return float(np.ptp(self.hours)) <= 2.0 * EVEN * float(self.hours[0])


def plain(samples: Samples, half_life_h: float | None = None) -> MeanReversion:
    """Exponentially weighted least squares (Gaussian likelihood). For comparison only: never fit raw power with it.

    >>> series = Samples(np.arange(200.0), np.array([math.cos(2.3 * i) + 5.0 for i in range(200)]))
    >>> round(plain(series).theta, 1)
    5.0
    """
    pairs = _pairs(samples, fading(samples.hours, half_life_h), np.zeros(len(samples), dtype=bool))
    total = float(np.sum(pairs.weights))
    low, high = _bounds(pairs, samples.window_h)

    def theta_at(kappa: float) -> float:
        kept = np.exp(-kappa * pairs.hours)
        scale = pairs.weights / _variance(kappa, pairs.hours)
        return float(
            np.sum(scale * (1.0 - kept) * (pairs.after - kept * pairs.before)) / np.sum(scale * (1.0 - kept) ** 2)
        )

    def noise_at(kappa: float) -> float:
        left = _left(pairs, theta_at(kappa), kappa) ** 2 / _variance(kappa, pairs.hours)
        return float(np.sum(pairs.weights * left)) / total

    def unlikelihood(kappa: float) -> float:
        return math.log(noise_at(kappa)) + float(np.sum(pairs.weights * np.log(_variance(kappa, pairs.hours)))) / total

    kappa = _least(unlikelihood, low, high)
    centre = float(np.average(samples.usd_per_mwh, weights=fading(samples.hours, half_life_h)))
    wide = math.sqrt(float(np.average((samples.usd_per_mwh - centre) ** 2, weights=fading(samples.hours, half_life_h))))
    return _found(samples, pairs, (theta_at(kappa), kappa, math.sqrt(noise_at(kappa)), wide), (low, high), None)


def robust(samples: Samples, half_life_h: float | None = None, limit: float = SPIKE_LIMIT) -> MeanReversion:
    """Median and median absolute deviations, spikes set apart: what moves one sample far moves none of the three much.

    theta is the weighted median of what is no spike; kappa the least sum of absolute deviations over pairs without a
    spike (a weighted median of ratios where samples are evenly spaced); sigma by the median absolute deviation left.

    Raises:
        NoFitError: fewer than three pairs, or more than half of the samples equal: no spread to speak of.
    """
    weights = fading(samples.hours, half_life_h)
    if len(samples) < 4:
        raise NoFitError(f"{len(samples)} samples are too few to estimate anything from")
    apart = spikes(samples, weights, limit)
    kept = ~apart.flags
    theta = weighted_median(samples.usd_per_mwh[kept], weights[kept])
    wide = spread(samples.usd_per_mwh[kept], weights[kept], theta)
    if wide == 0.0:
        raise NoFitError("more than half of the samples are equal: there is no spread to fit")
    pairs = _pairs(samples, weights, apart.flags)
    low, high = _bounds(pairs, samples.window_h)
    kappa = _even_kappa(pairs, theta) if pairs.even else _uneven_kappa(pairs, theta, low, high)
    kappa = min(max(kappa, low), high)
    left = _left(pairs, theta, kappa) / np.sqrt(_variance(kappa, pairs.hours))
    sigma = spread(left, pairs.weights, 0.0)
    if sigma == 0.0:
        raise NoFitError("more than half of the steps are equal: there is no noise to fit")
    return _found(samples, pairs, (theta, kappa, sigma, wide), (low, high), apart)


def walk_sigma(samples: Samples, half_life_h: float | None = None, limit: float = SPIKE_LIMIT) -> float:
    """Robust noise of a margin without mean reversion [USD/MWh per root h]: the spread of its steps over their root.

    >>> series = Samples(np.arange(5.0), np.array([0.0, 1.0, 2.0, 1.0, 0.0]))
    >>> round(walk_sigma(series), 4)
    1.4826
    """
    weights = fading(samples.hours, half_life_h)
    pairs = _pairs(samples, weights, spikes(samples, weights, limit).flags)
    return spread((pairs.after - pairs.before) / np.sqrt(pairs.hours), pairs.weights, 0.0)


def critical_value(pairs: int) -> float:
    """The 5 % point of the Dickey-Fuller t with a constant for so many pairs.

    >>> round(critical_value(100), 3), round(critical_value(100_000), 3)
    (-2.891, -2.862)
    """
    share = 1.0 / pairs
    return CRITICAL[0] + share * (CRITICAL[1] + share * (CRITICAL[2] + share * CRITICAL[3]))


def _pairs(samples: Samples, weights: Floats, apart: np.typing.NDArray[np.bool_]) -> _Pairs:
    """Neighbours of which neither is a spike: one usual step apart where nine in ten are, else up to three."""
    steps = np.diff(samples.hours)
    usual = float(np.median(steps)) if len(steps) else 0.0
    near = np.abs(steps - usual) <= EVEN * usual
    if 10 * int(np.count_nonzero(near)) < 9 * len(steps):
        near = steps <= 3.0 * usual
    use = near & ~apart[:-1] & ~apart[1:]
    if int(np.count_nonzero(use)) < 3:
        raise NoFitError(f"{len(samples)} samples leave fewer than three neighbouring pairs that are no spikes")
    return _Pairs(samples.usd_per_mwh[:-1][use], samples.usd_per_mwh[1:][use], steps[use], weights[1:][use])


def _bounds(pairs: _Pairs, window_h: float) -> tuple[float, float]:
    """The slowest and the fastest kappa that these pairs can show [1/h]."""
    return SLOWEST / window_h, FASTEST / float(np.median(pairs.hours))


def _left(pairs: _Pairs, theta: float, kappa: float) -> Floats:
    """What the mean reversion leaves unexplained."""
    left: Floats = pairs.after - theta - (pairs.before - theta) * np.exp(-kappa * pairs.hours)
    return left


def _variance(kappa: float, hours: Floats) -> Floats:
    """Variance of the noise for sigma 1."""
    variance: Floats = -np.expm1(-2.0 * kappa * hours) / (2.0 * kappa)
    return variance


def _even_kappa(pairs: _Pairs, theta: float) -> float:
    """Least absolute deviations of ``after = phi before``: the median of the ratios, weighted by their denominators."""
    before, after = pairs.before - theta, pairs.after - theta
    moved = before != 0.0
    if not moved.any():
        raise NoFitError("every sample but the last of each pair lies at the median: no speed to fit")
    ratio = weighted_median(after[moved] / before[moved], np.abs(before[moved]) * pairs.weights[moved])
    if ratio <= 0.0:
        return math.inf
    return max(-math.log(ratio), 0.0) / float(pairs.hours[0])


def _uneven_kappa(pairs: _Pairs, theta: float, low: float, high: float) -> float:
    """Least absolute deviations in units of their own noise: the most likely kappa under double exponential noise."""
    total = float(np.sum(pairs.weights))

    def unlikelihood(kappa: float) -> float:
        scale = np.sqrt(_variance(kappa, pairs.hours))
        mean = float(np.sum(pairs.weights * np.abs(_left(pairs, theta, kappa)) / scale)) / total
        return math.log(mean) + float(np.sum(pairs.weights * np.log(scale))) / total

    return _least(unlikelihood, low, high)


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function is least between two positive ends: a grid of logarithms, then the golden section."""
    grid = np.linspace(math.log(low), math.log(high), GRID)
    values = [function(math.exp(at)) for at in grid]
    best = int(np.argmin(values))
    left, right = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, GRID - 1)])
    golden = 0.5 * (math.sqrt(5.0) - 1.0)
    inner, outer = right - golden * (right - left), left + golden * (right - left)
    at_inner, at_outer = function(math.exp(inner)), function(math.exp(outer))
    for _ in range(GOLDEN_STEPS):
        if at_inner <= at_outer:
            right, outer, at_outer = outer, inner, at_inner
            inner = right - golden * (right - left)
            at_inner = function(math.exp(inner))
        else:
            left, inner, at_inner = inner, outer, at_outer
            outer = left + golden * (right - left)
            at_outer = function(math.exp(outer))
    return math.exp(0.5 * (left + right))


def _found(
    samples: Samples,
    pairs: _Pairs,
    values: tuple[float, float, float, float],
    bounds: tuple[float, float],
    apart: Spikes | None,
) -> MeanReversion:
    """The record of an estimate, with its test and whether kappa lies at an end."""
    theta, kappa, sigma, wide = values
    bounded = "slowest" if kappa <= bounds[0] * 1.001 else "fastest" if kappa >= bounds[1] * 0.999 else ""
    count = len(pairs.hours)
    return MeanReversion(
        theta=theta,
        kappa=kappa,
        sigma=sigma,
        spread=wide,
        statistic=_dickey_fuller(pairs),
        critical=critical_value(count),
        pairs=count,
        step_h=float(np.median(pairs.hours)),
        window_h=samples.window_h,
        bounded=bounded,
        spikes=apart,
    )


def _dickey_fuller(pairs: _Pairs) -> float:
    """The t of the slope in ``(after - before)/sqrt(d) = c sqrt(d) - kappa before sqrt(d)``; all pairs count alike."""
    freedom = len(pairs.hours) - 2
    hours = float(np.sum(pairs.hours))
    moved = (pairs.after - pairs.before) / pairs.hours
    from_mean = pairs.before - float(pairs.hours @ pairs.before) / hours
    moved -= float(pairs.hours @ moved) / hours
    spanned = float(pairs.hours @ (from_mean * from_mean))
    if spanned == 0.0 or freedom < 1:
        return 0.0  # nothing moved: a random walk is not rejected
    slope = float(pairs.hours @ (from_mean * moved)) / spanned
    left = moved - slope * from_mean
    noise = float(pairs.hours @ (left * left)) / freedom
    if noise == 0.0:
        return -math.inf if slope < 0.0 else 0.0
    return slope / math.sqrt(noise / spanned)
