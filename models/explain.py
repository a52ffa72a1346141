"""Why a signal came and what would take it back: exact Shapley shares and flip values. Compiled; runs per signal.

``v`` of a set of modes is what an hour of them earns [USD/h]. Loads that compete for a cap share the site's v, others
have their own. Explained is the change of v(to) - v(from) since the load's previous signal.
"""

from __future__ import annotations

import numpy as np

from models.arrays import BTC_GROUP, GROUPS, NETWORK_GROUP, NONE, ONE, POWER_GROUP, RATE_GROUP, REWARD, USABLE
from models.decide import BEFORE, WANTED, decide, is_alone, mode_alone
from models.jit import jit, jit_apart
from models.margins import hashprice_of, value_usd_per_hour
from models.state import State

GROUP_COUNT = len(GROUPS)
MOST_DOUBLINGS = 64
MOST_HALVINGS = 200


@jit
def gain_usd_per_hour(state: State, number: int, item: int, coupled: bool, view: np.ndarray, first: int) -> float:
    """v(to) - v(from) of a decision in a view [USD/h]: of all loads it moved where they are coupled, else of one."""
    site = state.sites[number]
    usd_per_ph_day = hashprice_of(view, first)
    start, end, total = item, item + 1, 0.0
    if coupled:
        start, end = site["first_load"], site["first_load"] + site["loads"]
    for other in range(start, end):
        load = state.loads[other]
        moved = load["mode"] - state.modes[BEFORE, other]
        if moved != 0 and load["valued"] == 1:
            total += moved * value_usd_per_hour(load, view, first, usd_per_ph_day)
    return total


@jit
def blend(state: State, number: int, item: int, mask: int, trial: np.ndarray) -> None:
    """A view with the groups in ``mask`` as they are now and the others as at the load's previous signal.

    What was unknown then is taken as it is now: it explains nothing.
    """
    site, load = state.sites[number], state.loads[item]
    for place in range(site["inputs"]):
        group = state.inputs[site["first_input"] + place]["group"]
        before = state.last_views[load["last_view"] + place]
        if (mask >> group) & 1 == 1 or np.isnan(before):
            trial[place] = state.views[site["first_input"] + place]
        else:
            trial[place] = before


@jit
def shares(
    state: State, number: int, item: int, coupled: bool, trial: np.ndarray, gains: np.ndarray, phi: np.ndarray
) -> float:
    """Shapley shares of the input groups in the change of v(to) - v(from) [USD/h], into ``phi[:GROUP_COUNT]``.

    ``phi[GROUP_COUNT]`` takes what fleet changes did since. ``trial`` is scratch for one view, ``gains`` for one figure
    per subset of groups. Returns the whole change.
    """
    weights = (1.0 / 5.0, 1.0 / 20.0, 1.0 / 30.0, 1.0 / 20.0, 1.0 / 5.0)  # |S|! (4-|S|)! / 5!
    for mask in range(1 << GROUP_COUNT):
        blend(state, number, item, mask, trial)
        gains[mask] = gain_usd_per_hour(state, number, item, coupled, trial, NONE)
    for group in range(GROUP_COUNT):
        phi[group] = 0.0
        for mask in range(1 << GROUP_COUNT):
            if (mask >> group) & 1 == 0:
                size = 0
                for other in range(GROUP_COUNT):
                    size += (mask >> other) & 1
                phi[group] += weights[size] * (gains[mask | (1 << group)] - gains[mask])
    load = state.loads[item]
    phi[GROUP_COUNT] = (load["mode"] - state.modes[BEFORE, item]) * load["shift"]
    return gains[(1 << GROUP_COUNT) - 1] - gains[0] + phi[GROUP_COUNT]


@jit
def keep_view(state: State, number: int, item: int) -> None:
    """Remember the view of a load's signal: the next one is explained from here."""
    site, load = state.sites[number], state.loads[item]
    for place in range(site["inputs"]):
        state.last_views[load["last_view"] + place] = state.views[site["first_input"] + place]
    load["shift"] = 0.0


@jit_apart
def flips(state: State, number: int, item: int, alone: bool, trial: np.ndarray) -> bool:
    """Whether the policy, asked again with the view in ``trial`` and every dwell served, takes the switch back.

    ``alone``: the load competes with none, so the rest of its site need not be asked.
    """
    if alone:
        return mode_alone(state, item, trial, NONE) != state.loads[item]["mode"]
    decide(state, number, trial, NONE, ONE, ONE)
    return state.modes[WANTED, item] != state.loads[item]["mode"]


@jit
def limits(group: int) -> tuple[float, float]:
    """Range within which a flip value of an input is looked for; the range its records may have."""
    if group == POWER_GROUP:
        return -50_000.0, 50_000.0
    if group == BTC_GROUP:
        return 100.0, 1e7
    if group == NETWORK_GROUP:
        return 1.0, 1e18
    if group == RATE_GROUP:
        return 0.001, 500.0
    return 0.0, 1.0


@jit
def bisect(
    state: State, number: int, item: int, alone: bool, trial: np.ndarray, place: int, kept: float, flipped: float
) -> float:
    """Narrow a bracket of a value that keeps the switch and one that takes it back to neighbours; the flipped end."""
    for _ in range(MOST_HALVINGS):
        middle = kept + (flipped - kept) / 2.0
        if middle in (kept, flipped):
            break
        trial[place] = middle
        if flips(state, number, item, alone, trial):
            flipped = middle
        else:
            kept = middle
    return flipped


@jit
def flip_value(state: State, number: int, item: int, alone: bool, place: int, trial: np.ndarray) -> tuple[bool, float]:
    """Nearest value of one input, the others held, at which the switch would be taken back. (found, value).

    Looked for outwards in doubling steps, then by bisection; a window narrower than its step is passed over.
    """
    site = state.sites[number]
    first = site["first_input"]
    for other in range(site["inputs"]):
        trial[other] = state.views[first + other]
    start = state.views[first + place]
    low, high = limits(state.inputs[first + place]["group"])
    found, best = False, 0.0
    for sign in (1.0, -1.0):
        kept, step = start, max(abs(start), 1e-3) / 1024.0
        for _ in range(MOST_DOUBLINGS):
            probe = min(max(start + sign * step, low), high)
            if found and abs(probe - start) > abs(best - start):
                probe = start + sign * abs(best - start)
            trial[place] = probe
            if flips(state, number, item, alone, trial):
                best = bisect(state, number, item, alone, trial, place, kept, probe)
                found = True
                break
            if probe in (low, high) or (found and abs(probe - start) >= abs(best - start)):
                break
            kept = probe
            step *= 2.0
    return found, best


@jit
def flip_values(state: State, number: int, item: int, trial: np.ndarray, found: np.ndarray, values: np.ndarray) -> None:
    """Flip values of all inputs of a site's view; ``found[place]`` is 0 where there is none. The reward is held."""
    site, alone = state.sites[number], is_alone(state, number)
    for place in range(site["inputs"]):
        found[place] = 0
        source = state.inputs[site["first_input"] + place]
        if source["needed"] == 1 and source["component"] != REWARD and source["state"] == USABLE:
            has, value = flip_value(state, number, item, alone, place, trial)
            found[place] = 1 if has else 0
            values[place] = value
