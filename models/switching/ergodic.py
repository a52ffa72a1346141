"""The ergodic rule: the two levels at which a mean-reverting margin is best followed, for ever, per unit of time.

X = margin of running - margin of not running, an Ornstein-Uhlenbeck process ``dX = kappa (theta - X) dt + sigma dW``.
Run from X >= ``enter`` until X <= ``leave``; a round trip costs C. Any unit of time and money will do: X per unit of
time, kappa per unit of time, sigma per root of it, C in money. ``sd = sigma / sqrt(2 kappa)`` is X's spread.

In units of sd, with x = X/sd, m = theta/sd and the density ``w(x) = exp(m x - x^2/2)``, the best levels A < 0 < B solve

    int_A^B p w(p) dp = 0        and        kappa C / sd = int_A^B (1/w(q)) int_q^B p w(p) dp dq

which is what d J/d a = d J/d b = 0 says of ``J = (theta E_dn + (b - a)/kappa - C) / (E_up + E_dn)``. Every integrand
has one sign on each side of 0, so nothing cancels and nothing overflows however far theta lies out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import dawsn, erfcx, ndtr

from models.switching.roots import Floats, NoFitError, rising_root, unit_nodes

OUTER_STEPS = 80
LARGEST_COST = 1e3  # of kappa C / sd: a round trip dearer than a thousand spreads over their memory is never made
CENTRED = 1e-12  # of |theta| / sd: below it the band is symmetric to the last bit, and Mills' ratio might overflow
NARROW = 2.0  # of (1 + |m|) times the farther level: below it twenty nodes are exact and closed forms would cancel
SMALLEST_COST = 1e-18  # below it the cube-root law holds to the last bit, and Newton has nothing to add
MOST_SPREADS = 37.0  # of |theta| / sd: beyond it erfcx overflows, and the margin never changes sign


@dataclass(frozen=True, slots=True)
class Band:
    """Two levels of X and what following them gives.

    ``rate`` [money per unit of time] is the long-run mean of the gain over never running, costs paid; ``up`` and
    ``down`` [time] are how long X takes on average from ``leave`` to ``enter`` and back.
    """

    leave: float
    enter: float
    rate: float
    up: float
    down: float

    @property
    def cycle(self) -> float:
        """Mean time of a round trip."""
        return self.up + self.down


def band(theta: float, kappa: float, sigma: float, round_trip: float, start: float | None = None) -> Band:
    """The best band of a margin that reverts to ``theta`` at ``kappa`` with noise ``sigma``, a round trip at a cost.

    ``start`` is the distance from 0 of the farther level where a former fit knows it: it saves steps and changes no
    digit that counts.

    Raises:
        ValueError: a parameter that describes no process.
        NoFitError: no band within the bounded steps.

    >>> best = band(0.0, 1.0, math.sqrt(2.0), 0.10)
    >>> round(best.leave, 6), round(best.enter, 6), round(best.rate, 6), round(best.up, 6)
    (-0.541693, 0.541693, 0.344502, 1.427255)
    """
    check(theta, kappa, sigma, round_trip)
    sd = sigma / math.sqrt(2.0 * kappa)
    mean, cost = theta / sd, kappa * round_trip / sd
    if abs(mean) > MOST_SPREADS:
        raise NoFitError(
            f"theta {theta!r} lies {abs(mean):.1f} spreads of {sd!r} from 0: the margin never changes sign"
        )
    far, near = levels(abs(mean), cost, None if start is None else abs(start) / sd)
    low, high = (-far, near) if mean >= 0.0 else (-near, far)
    up, down = durations(low - mean, high - mean)
    return Band(low * sd, high * sd, sd * _rate(mean, low, high), up / kappa, down / kappa)


def check(theta: float, kappa: float, sigma: float, round_trip: float) -> None:
    """Refuse what is no mean-reverting process or no cost."""
    finite = all(math.isfinite(value) for value in (theta, kappa, sigma, round_trip))
    if not finite or kappa <= 0.0 or sigma <= 0.0 or round_trip < 0.0:
        raise ValueError(
            f"theta {theta!r}, kappa {kappa!r}, sigma {sigma!r}, round trip {round_trip!r}: finite numbers are wanted, "
            "kappa and sigma above 0, the cost not below"
        )


def levels(mean: float, cost: float, start: float | None) -> tuple[float, float]:
    """Distances of both levels from 0 [sd] for a mean of ``mean >= 0``: the farther (below 0), then the nearer.

    Newton on the logarithms of distance and cost, whose slope is 3 for small costs (the cube-root law).

    >>> far, near = levels(0.0, 0.1, None)
    >>> round(far, 6), far == near
    (0.541693, True)
    """
    guess = (1.5 * cost) ** (1.0 / 3.0)
    if cost < SMALLEST_COST:
        return guess, guess
    if cost > LARGEST_COST:
        raise NoFitError(f"a round trip of {cost:.3g} spreads times kappa is dearer than any gain")
    far = min(guess, 4.0 / (1.0 + 0.2 * mean)) if start is None or start <= 0.0 else start
    near = far
    for _ in range(OUTER_STEPS):
        near = _opposite(mean, far, near)
        reached, slope = _cost_of(mean, far, near)
        step = (math.log(cost) - math.log(reached)) / slope
        if abs(step) <= 1e-14:
            return far, near
        far *= math.exp(min(max(step, -0.7), 0.7))
        if abs(step) <= 1e-9:  # the next step would be its square
            return far, _opposite(mean, far, near)
    raise NoFitError(f"ergodic band of mean {mean!r}, cost {cost!r} [sd]: no answer after {OUTER_STEPS} steps")


def _opposite(mean: float, far: float, start: float) -> float:
    """The upper level that belongs to the lower one: where ``p w(p)`` above 0 balances what lies below.

    >>> round(_opposite(0.0, 0.5, 0.4), 12)
    0.5
    """
    if mean < CENTRED:
        return far
    side = _narrow_side if far * (1.0 + mean) < NARROW else _wide_side
    wanted = side(mean, -far)

    def missing(near: float) -> tuple[float, float]:
        return side(mean, near) - wanted, near * math.exp(near * (mean - 0.5 * near))

    return rising_root(missing, 0.0, far, min(start, far), "upper level of the band")


def _narrow_side(mean: float, end: float) -> float:
    """``int_0^end p w(p) dp`` by quadrature, exact where the band is narrow and the closed form would cancel."""
    nodes, weights = unit_nodes(20)
    points = end * nodes
    return end * float(weights @ (points * np.exp(points * (mean - 0.5 * points))))


def _wide_side(mean: float, end: float) -> float:
    """The same in closed form: ``p w = m w - w'``.

    >>> abs(_wide_side(1.0, -0.9) - _narrow_side(1.0, -0.9)) < 1e-15
    True
    """
    weight = math.exp(end * (mean - 0.5 * end))
    if end > mean:  # there Mills' ratio grows beyond the largest float while its product with the weight does not
        at_end = weight - mean * math.sqrt(2.0 * math.pi) * math.exp(0.5 * mean * mean) * float(ndtr(end - mean))
    else:
        at_end = weight * (1.0 - mean * float(_mills(end - mean)))
    return 1.0 - mean * float(_mills(-mean)) - at_end


def _cost_of(mean: float, far: float, near: float) -> tuple[float, float]:
    """The cost ``kappa C / sd`` for which these levels are best, and d ln(cost) / d ln(far).

    >>> round(_cost_of(0.0, 0.541693, 0.541693)[0], 6)
    0.1
    """
    cost = _narrow_cost(mean, far, near) if far * (1.0 + mean) < NARROW else _wide_cost(mean, far, near)
    return cost, far * far * _scale(mean, far, near) / cost


def _narrow_cost(mean: float, far: float, near: float) -> float:
    """``int |int_q^end p w(p)/w(q) dp| dq`` on both sides of 0, by quadrature twice."""
    nodes, weights = unit_nodes(20)
    total = 0.0
    for end in (-far, near):
        inner = end * nodes
        span = end - inner
        points = inner[:, None] + span[:, None] * nodes[None, :]
        values = points * np.exp((points - inner[:, None]) * (mean - 0.5 * (points + inner[:, None])))
        total += abs(end) * float(weights @ (span * (values @ weights)))
    return total


def _wide_cost(mean: float, far: float, near: float) -> float:
    """The same with the inner integral in closed form, and what is left of the outer one by quadrature.

    >>> near = _opposite(0.5, 0.8, 0.6)
    >>> abs(_wide_cost(0.5, 0.8, near) - _narrow_cost(0.5, 0.8, near)) < 1e-14
    True
    """
    if mean < CENTRED:
        return far + near - _scale(mean, far, near)
    nodes, weights = unit_nodes(64)
    knee = min(far, 6.0)  # Mills' ratio bends within a few spreads of the mean and is 1/z beyond
    ratios = 0.0
    for low, high in ((-far, -knee), (-knee, 0.0), (0.0, near)):
        ratios += (high - low) * float(weights @ _mills(low + (high - low) * nodes - mean))
    at_lower = 1.0 - mean * float(_mills(-far - mean))
    return far + near - mean * ratios - at_lower * _scale(mean, far, near)


def _scale(mean: float, far: float, near: float) -> float:
    """``w(A) int_A^B dq / w(q)``: how the cost answers to the lower level."""
    below, above = -far - mean, near - mean
    return math.sqrt(2.0) * (
        math.exp(0.5 * (above - below) * (above + below)) * float(dawsn(above / math.sqrt(2.0)))
        - float(dawsn(below / math.sqrt(2.0)))
    )


def _mills(z: Floats | float) -> Floats:
    """``Phi(z) / phi(z)``, by the scaled complementary error function, which does not underflow far out."""
    found: Floats = math.sqrt(0.5 * math.pi) * np.asarray(erfcx(-np.asarray(z) / math.sqrt(2.0)))
    return found


def durations(low: float, high: float) -> tuple[float, float]:
    """Mean times from ``low`` up to ``high`` and back, times kappa; levels in spreads from the mean.

    ``E_up = (1/kappa) int Phi(u)/phi(u) du``; down is the same with -u. A level that is hardly ever reached takes so
    long that the time may be infinite.

    >>> [round(time, 6) for time in durations(-0.541693, 0.541693)]
    [1.427255, 1.427255]
    """
    nodes, weights = unit_nodes(64)
    points = low + (high - low) * nodes
    with np.errstate(over="ignore"):  # a time beyond the largest float is infinite
        return (high - low) * float(weights @ _mills(points)), (high - low) * float(weights @ _mills(-points))


def _rate(mean: float, low: float, high: float) -> float:
    """Long-run gain per unit of time [sd] at the best levels: ``m Phi(m - B) + phi(m - B)``, which both levels give.

    >>> round(_rate(0.0, 0.0, 0.0), 12) == round(1.0 / math.sqrt(2.0 * math.pi), 12)
    True
    """
    if mean >= 0.0:
        z = low - mean
        return mean + _density(z) * (1.0 - mean * float(_mills(z)))
    z = high - mean
    return _density(z) * (1.0 + mean * float(_mills(-z)))


def _density(z: float) -> float:
    """The normal density."""
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def share_running(theta: float, kappa: float, sigma: float) -> float:
    """Share of the time in which X is above 0: what a load would run if switching were free.

    >>> share_running(0.0, 1.0, 1.0)
    0.5
    """
    return float(ndtr(theta * math.sqrt(2.0 * kappa) / sigma))


def bertram(kappa: float, sigma: float, transaction_cost: float) -> tuple[float, float, float]:
    """Bertram's (2010) best symmetric trade of a spread about 0: (b, mean time of a cycle, mean return per time).

    His transaction cost per cycle is ``c = kappa C`` of :func:`band`, his return per time kappa times its rate.

    >>> [round(figure, 9) for figure in bertram(180.9670, 0.1538, 0.001)]
    [0.004715177, 0.017122394, 0.492358328]
    """
    best = band(0.0, kappa, sigma, transaction_cost / kappa)
    return best.enter, best.cycle, kappa * best.rate
