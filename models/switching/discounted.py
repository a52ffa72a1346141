"""The discounted rule: the two levels for a mean-reverting margin when later money is worth less.

Not running is worth ``V0 = B psi``, running ``V1 = (x - theta)/(r + kappa) + theta/r + A phi``; phi falls, psi rises,
both parabolic cylinder functions of ``z = (x - theta)/sd``. The gain of running, ``D = V1 - V0``, meets the costs at
both levels (value matching) and is flat there (smooth pasting). All is solved by D', which stays finite as r goes to 0:

    D' = 1/(r + kappa) - alpha H(z) - beta H(-z),    D'(a) = D'(b) = 0,    int_a^b D' = K01 + K10,    D(b) = K01
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import root

from models.switching import ergodic
from models.switching.cylinder import FARTHEST, LARGEST_ORDER, falling
from models.switching.roots import Floats, NoFitError, unit_nodes

WORST_RESIDUAL = 1e-9  # of the four conditions, in units of the costs


@dataclass(frozen=True, slots=True)
class Discounted:
    """Levels of X and what the values are made of; ``order`` is r/kappa, ``alpha`` and ``beta`` those of D'."""

    leave: float
    enter: float
    theta: float
    sd: float
    kappa: float
    order: float
    alpha: float
    beta: float

    def stopped_value(self, x: float) -> float:
        """What the margin is worth to who does not run at x [money], from now on; x at or below ``enter``."""
        z = (x - self.theta) / self.sd
        return self.sd / self.kappa * self.beta / self.order * float(falling(self.order, -z))

    def running_value(self, x: float) -> float:
        """What it is worth to who runs at x [money]; x at or above ``leave``."""
        z = (x - self.theta) / self.sd
        held = z / (1.0 + self.order) + self.theta / self.sd / self.order
        return self.sd / self.kappa * (held + self.alpha / self.order * float(falling(self.order, z)))


def band(theta: float, kappa: float, sigma: float, discount: float, enter_cost: float, leave_cost: float) -> Discounted:
    """The best band at a discount r per unit of time, entering at a cost and leaving at a cost.

    Raises:
        ValueError: a parameter that describes no process.
        NoFitError: no band was found that meets the conditions.

    >>> best = band(0.0, 1.0, math.sqrt(2.0), 0.05, 0.05, 0.05)
    >>> round(best.leave, 9), round(best.enter, 9), round(best.stopped_value(0.0), 8), round(best.running_value(0.0), 8)
    (-0.542732818, 0.542732818, 6.73548186, 6.73548186)
    """
    ergodic.check(theta, kappa, sigma, enter_cost + leave_cost)
    if not (discount > 0.0 and enter_cost + leave_cost > 0.0 and math.isfinite(discount)):
        raise ValueError(f"discount {discount!r} and the cost of a round trip must be above 0")
    sd, order = sigma / math.sqrt(2.0 * kappa), discount / kappa
    mean, scale = theta / sd, kappa / sd
    if order > LARGEST_ORDER:
        raise NoFitError(
            f"discount {discount!r} is {order:.0f} times kappa {kappa!r}: there is no mean reversion to see"
        )
    costs = (enter_cost * scale, leave_cost * scale)
    low, high, alpha, beta = _solve(mean, order, costs)
    return Discounted(low * sd, high * sd, theta, sd, kappa, order, alpha, beta)


def _solve(mean: float, order: float, costs: tuple[float, float]) -> tuple[float, float, float, float]:
    """Levels and constants in units of sd and 1/kappa, from the first start that leads to them."""
    cost = costs[0] + costs[1]
    said = []
    for start in _starts(mean, cost):
        found = root(lambda at: _residuals(at[0], at[1], mean, order, costs), np.array(start), tol=1e-13)
        low, high = float(found.x[0]), float(found.x[1])
        if low < high and max(abs(low - mean), abs(high - mean)) < FARTHEST:
            worst = float(np.max(np.abs(_residuals(low, high, mean, order, costs))))
            alpha, beta = _pasted(low, high, mean, order)
            if worst <= WORST_RESIDUAL and alpha > 0.0 and beta > 0.0:
                return low, high, alpha, beta
        said.append(str(found.message).replace("\n", " ").strip())
    raise NoFitError(f"discounted band of mean {mean!r}, order {order!r}, costs {costs!r} [sd]: {'; '.join(said)}")


def _starts(mean: float, cost: float) -> list[tuple[float, float]]:
    """Where to begin: the ergodic band, then symmetric ones about 0."""
    width = (1.5 * cost) ** (1.0 / 3.0)
    symmetric = [(-width, width), (-0.5 * width, 0.5 * width), (-2.0 * width, 2.0 * width)]
    try:
        far, near = ergodic.levels(abs(mean), cost, None)
    except NoFitError:
        return symmetric  # each answer is checked against the conditions, wherever it began
    return [(-far, near) if mean >= 0.0 else (-near, far), *symmetric]


def _pasted(low: float, high: float, mean: float, order: float) -> tuple[float, float]:
    """Both constants that make D' vanish at both levels."""
    down = falling(order + 1.0, np.array([low - mean, high - mean]))
    up = falling(order + 1.0, np.array([mean - low, mean - high]))
    # both pairs scaled to their larger member: products of four unscaled ones may overflow
    down_scale, up_scale = float(down[0]), float(up[1])
    falls, rises = down[1] / down_scale, up[0] / up_scale
    determinant = 1.0 - falls * rises
    alpha, beta = (1.0 - rises) / determinant / down_scale, (1.0 - falls) / determinant / up_scale
    return float(alpha) / (1.0 + order), float(beta) / (1.0 + order)


def _residuals(low: float, high: float, mean: float, order: float, costs: tuple[float, float]) -> Floats:
    """What is missing to a round trip's cost and to the level of D, in units of the cost."""
    cost = costs[0] + costs[1]
    if not low < high or max(abs(low - mean), abs(high - mean)) >= FARTHEST:
        return np.array([1e3 + low - high, 1e3 + abs(low) + abs(high)])  # outside: the solver steps back
    nodes, weights = unit_nodes(24)
    alpha, beta = _pasted(low, high, mean, order)
    z = low + (high - low) * nodes - mean
    slope = 1.0 / (1.0 + order) - alpha * falling(order + 1.0, z) - beta * falling(order + 1.0, -z)
    gained = (high - low) * float(weights @ slope)
    at = high - mean
    level = mean + order * at / (1.0 + order) + alpha * float(falling(order, at)) - beta * float(falling(order, -at))
    return np.array([gained / cost - 1.0, level - order * costs[0]])
