"""Policies: when a load should run. The contract, and the register of those that exist.

A policy of this family answers one question for one load: what running is *worth* to the choice [USD/MWh], given its
cash margin, its mode and its switching costs. The choice under the site's cap then takes the set of loads that is
worth most (:mod:`models.choice`); without a cap that is every load worth more than zero. A policy never sees a clock
or another load, and never handles dwell, caps, commands or failure directions: the kernel does, for all alike.

To add one: a file with a compiled ``worth`` and a ``bounds`` that agree (``bounds`` are the margins at which a running
load stops and a stopped one starts), a code here, a branch in :func:`worth`, and the conformance test run over it.
"""

from __future__ import annotations

from models.jit import jit
from models.policies import band, breakeven, plan

BREAKEVEN, BAND, ROLLING_PLAN, WARY_PLAN = 0, 1, 2, 3
CODES: dict[str, int] = {
    "breakeven": BREAKEVEN,
    "band": BAND,
    "rolling_plan": ROLLING_PLAN,
    "wary_plan": WARY_PLAN,
}
NAMES: tuple[str, ...] = tuple(CODES)


@jit
def is_plan(code: int) -> bool:
    """Whether a policy looks ahead instead of asking what running is worth now.

    >>> is_plan(BAND), is_plan(ROLLING_PLAN)
    (False, True)
    """
    return code in (ROLLING_PLAN, WARY_PLAN)


def keep_of(policy: str) -> float:
    """Share of the last fall of the price that a plan does not believe; 0.0 for a policy that does not plan."""
    return plan.KEEPS.get(policy, 0.0)


@jit
def worth(
    code: int,
    margin_usd_per_mwh: float,
    mode: int,
    stop_usd_per_mw: float,
    start_usd_per_mw: float,
    dead_band_usd_per_mwh: float,
    amortise_hours: float,
) -> float:
    """What running is worth to the choice under the policy with this code [USD/MWh].

    Under a plan it is the margin: asked only where the cap must shed something at once.
    """
    if code == BAND:
        return band.worth(
            margin_usd_per_mwh, mode, stop_usd_per_mw, start_usd_per_mw, dead_band_usd_per_mwh, amortise_hours
        )
    return breakeven.worth(margin_usd_per_mwh)


@jit
def bounds(
    code: int,
    stop_usd_per_mw: float,
    start_usd_per_mw: float,
    dead_band_usd_per_mwh: float,
    amortise_hours: float,
) -> tuple[float, float]:
    """Margins [USD/MWh] at which a running load stops and a stopped one starts, where no cap binds."""
    if code == BAND:
        return band.bounds(stop_usd_per_mw, start_usd_per_mw, dead_band_usd_per_mwh, amortise_hours)
    return breakeven.bounds()


def code_of(policy: str) -> int:
    """Code of a policy by its name.

    >>> code_of("bandit")
    Traceback (most recent call last):
    ValueError: policy 'bandit' is not one of breakeven, band, rolling_plan, wary_plan
    """
    if policy not in CODES:
        raise ValueError(f"policy {policy!r} is not one of {', '.join(NAMES)}")
    return CODES[policy]
