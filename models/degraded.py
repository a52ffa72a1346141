"""What loads do while a series they need cannot be used, and what that may cost."""

from __future__ import annotations

import numpy as np

from models.decide import FAILURE, WAITING, fixed_mode, lock
from models.layout import Layout
from models.state import State


def cost_usd_per_hour(load: np.void) -> float | None:
    """What a load's mode earns less than its better one, by its last usable margin [USD/h]; None: never valued.

    The last values are the best estimate there is while none may be used; a load that is where it earns most costs 0.
    """
    if load["valued"] == 0 or np.isnan(load["margin"]):
        return None
    earns = float(load["margin"] * load["draw_mw"] * load["uptime"])
    return max(earns, 0.0) - earns * int(load["mode"])


def directions(state: State, layout: Layout, items: list[int]) -> dict[str, str]:
    """Load -> what it does: its mode, and the failure direction that says so where one applies."""
    found = {}
    for item in items:
        load, document = state.loads[item], layout.documents[item]
        rule = lock(load, int(state.clocks[0]["log_time_us"]), 0)
        mode = int(fixed_mode(load, rule)) if rule in (WAITING, FAILURE) else int(load["mode"])
        word = document.running if mode else "off"
        found[document.key] = f"{document.failure}: {word}" if rule != 0 else word
    return found


def cost_of(state: State, items: list[int]) -> float | None:
    """Cost of the failure directions of some loads together [USD/h]; None where none of them was ever valued."""
    total, known = 0.0, False
    for item in items:
        cost = cost_usd_per_hour(state.loads[item]) if state.loads[item]["dispatched"] == 1 else None
        if cost is not None:
            total, known = total + cost, True
    return total if known else None
