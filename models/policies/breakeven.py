"""Breakeven: run while a MWh earns more than it costs now. Knows no switching cost; the yardstick of every other."""

from __future__ import annotations

from models.jit import jit


@jit
def worth(margin_usd_per_mwh: float) -> float:
    """The cash margin itself [USD/MWh].

    >>> worth(-3.5)
    -3.5
    """
    return margin_usd_per_mwh


@jit
def bounds() -> tuple[float, float]:
    """Stops and starts at a margin of zero [USD/MWh].

    >>> bounds()
    (0.0, 0.0)
    """
    return 0.0, 0.0
