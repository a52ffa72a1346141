"""The level problem of conversion: at which price to invest in a line of business and at which to give it up.

Dixit (1989): P follows ``dP = mu P dt + sigma P dW``, active earns P - w per unit of time, later money is worth less at
rho; k to enter, l to leave. Idle is worth ``A P^b1``, active ``B P^b2 + P/(rho - mu) - w/rho``; the roots b of
``sigma^2/2 b (b - 1) + mu b = rho`` are b1 > 1 and b2 < 0. It answers questions of years, never of dispatch.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import root

from models.switching.roots import Floats, NoFitError

WORST_RESIDUAL = 1e-9  # of the two matched values, in units of the running cost for ever


def powers(rho: float, mu: float, sigma: float) -> tuple[float, float]:
    """The powers (b1 > 1, b2 < 0) of a price in the value of waiting.

    >>> [round(power, 6) for power in powers(0.025, 0.0, 0.1)]
    [2.791288, -1.791288]
    """
    if not (sigma > 0.0 and rho > max(mu, 0.0)) or not all(math.isfinite(value) for value in (rho, mu, sigma)):
        raise ValueError(f"rho {rho!r} must exceed 0 and mu {mu!r}, sigma {sigma!r} must exceed 0")
    middle = 0.5 - mu / (sigma * sigma)
    spread = math.sqrt(middle * middle + 2.0 * rho / (sigma * sigma))
    return middle + spread, middle - spread


def trigger_prices(
    rho: float, mu: float, sigma: float, running_cost: float, enter_cost: float, leave_cost: float
) -> tuple[float, float]:
    """The prices (enter at or above, leave at or below).

    Raises:
        ValueError: rates or costs that describe no problem.
        NoFitError: no pair of prices meets the conditions.

    >>> high, low = trigger_prices(0.025, 0.0, 0.1, 1.0, 4.0, 0.0)
    >>> round(high, 6), round(low, 6)
    (1.466679, 0.765732)
    """
    b1, b2 = powers(rho, mu, sigma)
    costs = (running_cost, enter_cost, leave_cost)
    if running_cost <= 0.0 or enter_cost + leave_cost <= 0.0 or not all(math.isfinite(cost) for cost in costs):
        raise ValueError(f"running cost {running_cost!r} and enter {enter_cost!r} + leave {leave_cost!r} must exceed 0")
    held = 1.0 / (rho - mu)

    if leave_cost * rho >= running_cost:  # leaving costs as much as running on for ever: nobody leaves
        return b1 / (b1 - 1.0) * (running_cost / rho + enter_cost) / held, 0.0

    def prices(at: Floats) -> tuple[float, float]:
        """From the logarithms of the low price and of the ratio's logarithm; bounded, so that no step overflows."""
        low = running_cost * math.exp(min(max(at[0], -50.0), 50.0))
        return low, low * math.exp(min(math.exp(min(max(at[1], -25.0), 5.0)), 100.0))

    def residuals(at: Floats) -> Floats:
        low, high = prices(at)
        near, far = (low / high) ** b1, (high / low) ** b2  # both below 1: neither power can overflow
        apart = -math.expm1(-(b1 - b2) * math.log(high / low))
        # what (P/high)^b1 and (P/low)^b2 must be multiplied by, so that the gain of being active is flat at both prices
        first = held * (high - low * far) / (b1 * apart)
        second = held * (near * high - low) / (b2 * apart)
        at_high = second * far + held * high - running_cost / rho - first
        at_low = second + held * low - running_cost / rho - first * near
        return np.array([at_high - enter_cost, at_low + leave_cost]) * rho / running_cost

    cost = (enter_cost + leave_cost) / running_cost
    width = (0.75 * sigma * sigma * cost) ** (1.0 / 3.0)
    said = []
    for share in (1.0, 0.5, 2.0, 0.25, 4.0):
        start = np.array([-share * width, math.log(2.0 * share * width)])
        found = root(residuals, start, tol=1e-13)
        if float(np.max(np.abs(residuals(found.x)))) <= WORST_RESIDUAL:
            low, high = prices(found.x)
            return high, low
        said.append(str(found.message).replace("\n", " ").strip())
    raise NoFitError(f"no prices for rho {rho!r}, mu {mu!r}, sigma {sigma!r}, costs {costs!r}: {said}")
