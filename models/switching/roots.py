"""What the solvers of this folder stand on: nodes of Gauss and Legendre, a safeguarded root, the refusal to guess."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEPS = 100  # of a bracketed root: bisection alone would reach the last bit of a float in about 60


class NoFitError(ArithmeticError):
    """A solver reached no answer: says what was tried with which figures. Whoever fits falls back by a stated rule."""


@cache
def unit_nodes(count: int) -> tuple[Floats, Floats]:
    """Nodes and weights of Gauss and Legendre on 0 to 1; exact for polynomials up to degree ``2 * count - 1``.

    >>> nodes, weights = unit_nodes(2)
    >>> round(float(weights @ nodes**3), 12)
    0.25
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1.0), 0.5 * weights


def rising_root(
    function: Callable[[float], tuple[float, float]], low: float, high: float, start: float, named: str
) -> float:
    """Root between ``low`` and ``high`` of a rising function that gives (value, slope): Newton, kept in its bracket.

    Raises:
        NoFitError: a value is not a number, or the bracket does not close on a root.

    >>> round(rising_root(lambda x: (x * x - 2.0, 2.0 * x), 0.0, 2.0, 1.0, "square root of 2"), 12)
    1.414213562373
    """
    at = min(max(start, low), high)
    for _ in range(STEPS):
        value, slope = function(at)
        if value > 0.0:
            high = at
        elif value < 0.0:
            low = at
        elif value == 0.0:
            return at
        else:
            raise NoFitError(f"{named}: not a number at {at!r}")
        step = at - value / slope if slope > 0.0 else math.nan
        if not low < step < high:
            step = 0.5 * (low + high)
        if abs(step - at) <= 4e-16 * abs(at) or step in (low, high):
            return step
        at = step
    raise NoFitError(f"{named}: no root between {low!r} and {high!r} after {STEPS} steps")
