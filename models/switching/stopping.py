"""Optimal stopping of a mean-reverting spread: buy once, sell once (Leung and Li 2015, arXiv:1411.5062).

Selling at x gives x - c, buying costs x + c, later money is worth less at r. It is not the rule for a load, which can
switch for ever; it is kept as a published check of the same functions.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq

from models.switching import ergodic
from models.switching.cylinder import FARTHEST, falling
from models.switching.roots import NoFitError

SCAN = 0.125  # [sd] between the points at which a sign change is looked for


def exit_level(theta: float, kappa: float, sigma: float, discount: float, cost: float) -> float:
    """Where to sell: ``F(b) = (b - c) F'(b)``, F rising; found between c and 37 spreads above the mean.

    >>> round(exit_level(0.71758, 6.306, math.sqrt(0.00698), 0.05, 0.02), 5)
    0.74436
    """
    sd, order = _scaled(theta, kappa, sigma, discount, cost)

    def gain(level: float) -> float:
        z = (level - theta) / sd
        slope = order / sd * float(falling(order + 1.0, -z))
        return (level - cost) * slope / float(falling(order, -z)) - 1.0

    low, high = max(cost, theta - FARTHEST * sd), theta + 0.999 * FARTHEST * sd
    if not gain(low) < 0.0 < gain(high):
        raise NoFitError(f"no level between {low!r} and {high!r} at which selling at cost {cost!r} is best")
    return float(brentq(gain, low, high, xtol=1e-14, rtol=1e-14))


def entry_level(theta: float, kappa: float, sigma: float, discount: float, cost: float) -> float:
    """Where to buy at x + c what is sold at :func:`exit_level`: the first level below it where waiting gains no more.

    >>> round(entry_level(0.71758, 6.306, math.sqrt(0.00698), 0.05, 0.02), 5)
    0.65105
    """
    sd, order = _scaled(theta, kappa, sigma, discount, cost)
    sell = exit_level(theta, kappa, sigma, discount, cost)
    at_sale = float(falling(order, (theta - sell) / sd))

    def gain(level: float) -> float:
        z = (level - theta) / sd
        held = (sell - cost) / at_sale * float(falling(order, -z))
        slope = (sell - cost) / at_sale * order / sd * float(falling(order + 1.0, -z))
        decay = order / sd * float(falling(order + 1.0, z)) / float(falling(order, z))
        return slope - 1.0 + decay * (held - level - cost)

    high = sell
    while high - SCAN * sd > theta - FARTHEST * sd:
        low = high - SCAN * sd
        if gain(low) > 0.0:
            return float(brentq(gain, low, high, xtol=1e-14, rtol=1e-14))
        high = low
    raise NoFitError(f"no level within {FARTHEST} spreads of {theta!r} at which buying at cost {cost!r} is best")


def _scaled(theta: float, kappa: float, sigma: float, discount: float, cost: float) -> tuple[float, float]:
    """Spread and discount per mean reversion; refuses what is no problem."""
    ergodic.check(theta, kappa, sigma, cost)
    if not (math.isfinite(discount) and discount > 0.0):
        raise ValueError(f"discount {discount!r} must be above 0")
    return sigma / math.sqrt(2.0 * kappa), discount / kappa
