"""Parabolic cylinder functions in the form that discounted problems of a mean-reverting margin need."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import hyp1f1, rgamma

from models.switching.roots import Floats

FARTHEST = 37.0  # of |z|: beyond it the growing solution overflows
LARGEST_ORDER = 100.0  # beyond it the functions underflow: discounting is a hundred times faster than mean reversion

# u = exp(pi/2 sinh t), the double exponential rule on 0 to infinity: equal steps of t, and nothing left at their ends.
STEP = 1.0 / 64.0
TIMES = np.arange(-3.75, 1.75 + STEP, STEP)
LOGARITHMS = 0.5 * math.pi * np.sinh(TIMES)
POINTS = np.exp(LOGARITHMS)
WEIGHTS = STEP * 0.5 * math.pi * np.cosh(TIMES)


def falling(order: float, z: Floats | float) -> Floats:
    """``e^(z^2/4) D_{-order}(z) = (1/Gamma(order)) int_0^inf u^(order-1) e^(-z u - u^2/2) du``, falling in z.

    ``falling(nu, z)`` and ``falling(nu, -z)`` solve ``f'' - z f' = nu f``; the derivative is ``-nu`` times the one of
    order nu + 1. Below 0 by Kummer's series, whose terms all have one sign there (Abramowitz and Stegun 19.2); above 0
    by quadrature, for orders below 1 through the two next ones. Measured: scipy's Tricomi function is off by 4e-7
    around z = 5, and so is no way there.

    >>> round(float(falling(1.0, 0.0)), 9), round(math.sqrt(math.pi / 2.0), 9)
    (1.253314137, 1.253314137)
    """
    points = np.atleast_1d(np.asarray(z, dtype=np.float64))
    found = np.empty_like(points)
    below = points < 0.0
    if below.any():
        square = 0.5 * points[below] * points[below]
        even = rgamma(0.5 * (1.0 + order)) * hyp1f1(0.5 * order, 0.5, square)
        odd = math.sqrt(2.0) * points[below] * rgamma(0.5 * order) * hyp1f1(0.5 * (order + 1.0), 1.5, square)
        found[below] = 2.0 ** (-0.5 * order) * math.sqrt(math.pi) * (even - odd)
    if not below.all():
        above = points[~below]
        if order >= 1.0:
            found[~below] = _integral(order, above)
        else:
            found[~below] = above * _integral(order + 1.0, above) + (order + 1.0) * _integral(order + 2.0, above)
    whole: Floats = found.reshape(np.shape(z))
    return whole


def _integral(order: float, z: Floats) -> Floats:
    """The integral itself for orders from 1 and z from 0, where nothing grows and nothing is singular."""
    decay = np.exp(order * LOGARITHMS - math.lgamma(order) - POINTS * (z[:, None] + 0.5 * POINTS))
    whole: Floats = decay @ WEIGHTS
    return whole
