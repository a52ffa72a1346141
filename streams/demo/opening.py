"""The scripted first hour of the simulated market. What happens in it is arranged; everything after it is chance.

It lets a newcomer see each kind of switch within a minute at the default speed: to AI, back to hashing, and a stop.
Seconds are simulated seconds since the market's start. Small seeded noise lies on every scripted figure.
"""

from __future__ import annotations

OPENING_S = 3_600

# Rented share of the spot pool from that second on: its demand rises above the tie with hashing, then falls below it.
UTILISATION: tuple[tuple[int, float], ...] = ((0, 0.11), (450, 0.27), (1_350, 0.07), (3_000, 0.12))

# Price of power at the hub [USD/MWh] from that second on: a spike of two prints, its tail, then one negative print.
POWER: tuple[tuple[int, float], ...] = (
    (0, 33.0),
    (1_800, 880.0),
    (2_100, 640.0),
    (2_400, 58.0),
    (2_700, 36.0),
    (3_000, -14.0),
    (3_300, 27.0),
)


def scripted(steps: tuple[tuple[int, float], ...], second: int) -> float | None:
    """The figure the script holds at a second, None once the opening is over.

    >>> scripted(POWER, 1_799), scripted(POWER, 1_800), scripted(POWER, 3_600)
    (33.0, 880.0, None)
    """
    if second >= OPENING_S:
        return None
    figure = steps[0][1]
    for since, value in steps:
        if since <= second:
            figure = value
    return figure
