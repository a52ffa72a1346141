"""When one load should run along a path of prices: the best plan with its costs and dwells; its first step is acted on.

A dynamic program over on and off. Being on at the horizon is worth the start it saves. What follows is exact for the
path given; the path is a forecast, so a plan is made again whenever something changes.
"""

from __future__ import annotations

import numpy as np

from models.jit import jit, jit_apart

ON, OFF = 1, 0
FREE = -1  # no mode yet: the first costs nothing and owes no dwell

# Rows of the scratch space.
MARGIN, WORTH_ON, WORTH_OFF = 0, 1, 2


@jit
def dwell_steps(dwell_us: int, step_us: int) -> int:
    """Steps that a shortest stay takes, at least the one that is decided.

    >>> dwell_steps(900_000_000, 900_000_000), dwell_steps(1_000_000_000, 900_000_000), dwell_steps(0, 900_000_000)
    (1, 2, 1)
    """
    return max(1, (dwell_us + step_us - 1) // step_us)


@jit
def fill_margins(
    work: np.ndarray,
    path: np.ndarray,
    steps: int,
    margin_at_zero_usd_per_mwh: float,
    lmp_factor: float,
    first_hours: float,
    step_hours: float,
) -> None:
    """Write what running earns in each step [USD/MW] into ``work[MARGIN]``.

    ``margin_at_zero`` is the cash margin at an LMP of nothing; it falls by ``lmp_factor`` for each USD/MWh of LMP.
    """
    for step in range(steps):
        work[MARGIN, step] = margin_at_zero_usd_per_mwh - lmp_factor * path[step]
        work[MARGIN, step] *= first_hours if step == 0 else step_hours


@jit
def stay_on(work: np.ndarray, steps: int, step: int, stay: int) -> float:
    """Worth of running from ``step`` for ``stay`` steps and as is best then [USD/MW]."""
    last = min(step + stay, steps)
    worth = work[WORTH_ON, last]
    for place in range(last - 1, step - 1, -1):
        worth = work[MARGIN, place] + worth
    return worth


@jit_apart
def solve(
    work: np.ndarray, steps: int, stop_usd_per_mw: float, start_usd_per_mw: float, min_on_steps: int, min_off_steps: int
) -> None:
    """Fill ``work[WORTH_ON]`` and ``work[WORTH_OFF]``: worth of entering step 1 and later ones in either mode [USD/MW].

    Entering with the dwell served; both rows have one place more than there are steps.
    """
    work[WORTH_ON, steps] = start_usd_per_mw
    work[WORTH_OFF, steps] = 0.0
    for step in range(steps - 1, 0, -1):
        on = work[MARGIN, step] + work[WORTH_ON, step + 1]
        off = work[WORTH_OFF, step + 1]
        stop = work[WORTH_OFF, min(step + min_off_steps, steps)] - stop_usd_per_mw
        start = stay_on(work, steps, step, min_on_steps) - start_usd_per_mw
        work[WORTH_ON, step] = max(on, stop)
        work[WORTH_OFF, step] = max(off, start)


@jit_apart
def advantage_usd_per_mw(
    work: np.ndarray,
    steps: int,
    mode: int,
    stop_usd_per_mw: float,
    start_usd_per_mw: float,
    min_on_steps: int,
    min_off_steps: int,
) -> float:
    """What running the first step is worth over not running it, costs of getting there included [USD/MW].

    ``work[MARGIN]`` is given (:func:`fill_margins`). The load's dwell is served; one that is not leaves nothing to
    plan. Run where it is positive, stay as it is at nothing. Costs no less than nothing, ``steps`` at least 1.

    >>> work = np.zeros((3, 4))
    >>> work[MARGIN, :3] = -4.0, 1.0, 1.0
    >>> advantage_usd_per_mw(work, 3, ON, 1.0, 1.0, 1, 1), advantage_usd_per_mw(work, 3, ON, 5.0, 5.0, 1, 1)
    (-2.0, 6.0)
    """
    solve(work, steps, stop_usd_per_mw, start_usd_per_mw, min_on_steps, min_off_steps)
    if mode == ON:
        on = work[MARGIN, 0] + work[WORTH_ON, 1]
        return on - (work[WORTH_OFF, min(min_off_steps, steps)] - stop_usd_per_mw)
    if mode == OFF:
        return stay_on(work, steps, 0, min_on_steps) - start_usd_per_mw - work[WORTH_OFF, 1]
    return work[MARGIN, 0] + work[WORTH_ON, 1] - work[WORTH_OFF, 1]


@jit
def mode_of(advantage: float, mode: int) -> int:
    """Mode that an advantage of running calls for: the present one where nothing speaks for either.

    >>> mode_of(2.0, OFF), mode_of(0.0, ON), mode_of(0.0, FREE)
    (1, 1, 0)
    """
    if advantage > 0.0:
        return ON
    if advantage == 0.0 and mode == ON:
        return ON
    return OFF
