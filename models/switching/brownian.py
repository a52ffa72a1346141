"""Bands where nothing pulls the margin back: no mean reversion, small costs; and the band of a margin seen in steps."""

from __future__ import annotations

import math

from models.switching.roots import rising_root

SAMPLING = 0.5826  # -zeta(1/2) / sqrt(2 pi): how far a walk overshoots a level, in standard deviations of its step
MOST_INWARD = 0.25  # of the band's width, by which either level moves inward at most


def cube_root_half_band(sigma: float, round_trip: float) -> float:
    """Half the width of the best band for a small cost C of a round trip: ``(3/4 sigma^2 C)^(1/3)``.

    The leading term as C goes to 0, whatever the drift; Martin and Schoeneborn (2011), arXiv:1103.4934.

    >>> round(cube_root_half_band(2.0, 9.0), 12)
    3.0
    """
    _check(sigma, round_trip)
    return float((0.75 * sigma * sigma * round_trip) ** (1.0 / 3.0))


def half_band(sigma: float, discount: float, cost: float) -> float:
    """Half the width of the best band of a margin without mean reversion: ``b/r - tanh(g b)/(r g) = K``.

    ``g = sqrt(2 r) / sigma``; r discount per unit of time, K what one switch costs. Enter at b, leave at -b.

    Raises:
        ValueError: a parameter that describes no process.

    >>> round(half_band(1.0, 0.05, 0.05), 6)
    0.422719
    """
    _check(sigma, cost)
    if not (math.isfinite(discount) and discount > 0.0):
        raise ValueError(f"discount {discount!r} must be above 0: without one, waiting for ever costs nothing")
    if cost == 0.0:
        return 0.0
    growth = math.sqrt(2.0 * discount) / sigma
    wanted = discount * growth * cost  # of x - tanh(x), x = g b; it lies between x - 1 and x^3 / 3

    def missing(x: float) -> tuple[float, float]:
        return _excess(x) - wanted, math.tanh(x) ** 2

    # tanh x > x - x^3/3 puts the root above the cube root, tanh x < 1 below 1 + wanted
    low = (3.0 * wanted) ** (1.0 / 3.0)
    return rising_root(missing, 0.999 * low, max(1.0, 2.0 * low) + wanted, low, "band without mean reversion") / growth


def _excess(x: float) -> float:
    """``x - tanh(x)``, by its series where the difference would cancel.

    >>> round(_excess(0.3), 12) == round(0.3 - math.tanh(0.3), 12)
    True
    """
    if x > 0.1:
        return x - math.tanh(x)
    square = x * x
    return (
        x * square * (1 / 3 - square * (2 / 15 - square * (17 / 315 - square * (62 / 2835 - square * 1382 / 155925))))
    )


def sampled(leave: float, enter: float, sigma: float, step: float) -> tuple[float, float]:
    """The band for a margin that is seen once in ``step`` units of time: each level ``0.5826 sigma sqrt(step)`` inward.

    The correction is for steps short against the band. Beyond a quarter of the width it stops, as the two levels would
    meet: whoever sees the margin that seldom gains nothing by a finer band.

    >>> [round(level, 4) for level in sampled(-10.0, 10.0, 4.0, 0.25)]
    [-8.8348, 8.8348]
    >>> sampled(-10.0, 10.0, 400.0, 0.25)
    (-5.0, 5.0)
    """
    if not leave <= enter:
        raise ValueError(f"a band leaves below where it enters: leave {leave!r}, enter {enter!r}")
    _check(sigma, step)
    inward = min(SAMPLING * sigma * math.sqrt(step), MOST_INWARD * (enter - leave))
    return leave + inward, enter - inward


def _check(sigma: float, amount: float) -> None:
    """Refuse a noise or an amount that cannot be."""
    if not (math.isfinite(sigma) and sigma > 0.0 and math.isfinite(amount) and amount >= 0.0):
        raise ValueError(f"sigma {sigma!r} must be above 0 and {amount!r} not below, both finite")
