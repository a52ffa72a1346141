"""Random small sites to plan for: figures of every size, whole ones that tie, modes that are free, locks, rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.joint_plan import plan_jointly
from models.priced_cap import plan_priced
from tests.support.brute_force import try_all

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
UNLIMITED = float("inf")


@dataclass(slots=True)
class SmallSite:
    """A site's loads over a few steps."""

    gain_usd: Floats
    draw_mw: Floats
    stop_usd: Floats
    start_usd: Floats
    modes: Ints
    locked: Ints
    min_on: Ints
    min_off: Ints
    room_mw: float
    ramp_mw: float = UNLIMITED

    @property
    def count(self) -> int:
        """Loads."""
        return len(self.stop_usd)

    @property
    def steps(self) -> int:
        """Steps."""
        return int(self.gain_usd.shape[1])


def small_site(seed: int, count: int, steps: int, *, dwells: bool = False, ramp: bool = False) -> SmallSite:
    """A random site; each third one has whole figures, so that plans tie."""
    chance = np.random.default_rng(seed)
    mw = chance.uniform(0.5, 20.0, (count, 1))
    shared, own = chance.normal(5.0, 40.0, (1, steps)), chance.normal(0.0, 30.0, (count, steps))
    stop, start = chance.uniform(0.0, 30.0, count), chance.uniform(0.0, 30.0, count)
    if seed % 3 == 0:
        mw, shared, own = np.ceil(mw / 5.0), np.round(shared / 20.0), np.round(own / 20.0)
        stop, start = np.round(stop / 20.0), np.round(start / 20.0)
    draw = np.repeat(mw, steps, axis=1)
    if seed % 5 == 0:
        draw = draw * chance.uniform(0.6, 1.0, (count, steps))
    longest = 3 if dwells else 1
    site = SmallSite(
        np.ascontiguousarray((shared + own) * draw),
        np.ascontiguousarray(draw),
        stop * mw[:, 0],
        start * mw[:, 0],
        chance.integers(-1 if seed % 4 == 0 else 0, 2, count),
        (chance.random(count) < 0.2).astype(np.int64),
        chance.integers(1, longest + 1, count),
        chance.integers(1, longest + 1, count),
        float(chance.uniform(0.2, 1.1) * mw.sum()),
    )
    locked_mw = float((draw[:, 0] * site.locked * np.maximum(site.modes, 0)).sum())
    site.room_mw = max(site.room_mw, locked_mw * (1.0 + 1e-9))  # sums of MW are not exact
    if ramp:
        site.ramp_mw = float(chance.uniform(0.3, 1.0) * mw.sum())
    return site


def jointly(site: SmallSite) -> tuple[float, float, int]:
    """The joint plan: (worth, worth of holding, set of the first step)."""
    wanted, table = np.zeros(site.count, np.int64), np.zeros((3, 1 << site.count))
    worth, hold = plan_jointly(
        site.gain_usd,
        site.draw_mw,
        site.stop_usd,
        site.start_usd,
        site.modes,
        site.locked,
        site.count,
        site.steps,
        site.room_mw,
        site.ramp_mw,
        table,
        wanted,
    )
    return worth, hold, set_of(wanted)


def priced(site: SmallSite) -> tuple[float, float, int]:
    """The plan by prices: (worth, upper bound, set of the first step)."""
    count, steps = site.count, site.steps
    wanted = np.zeros(count, np.int64)
    worth, _, bound = plan_priced(
        site.gain_usd,
        site.draw_mw,
        site.stop_usd,
        site.start_usd,
        site.modes,
        site.locked,
        count,
        steps,
        site.room_mw,
        np.zeros((2, count, steps + 1)),
        np.zeros((2, steps)),
        np.zeros(count),
        np.zeros((4, count), np.int64),
        wanted,
    )
    return worth, bound, set_of(wanted)


def tried(site: SmallSite, *, ramp_steps: int = 1, terminal: bool = True) -> Floats:
    """Most that any sequence earns, by its first set."""
    by_first = np.zeros(1 << site.count)
    try_all(
        site.gain_usd,
        site.draw_mw,
        site.stop_usd,
        site.start_usd,
        site.modes,
        site.locked,
        site.min_on,
        site.min_off,
        site.steps,
        site.count,
        site.room_mw,
        site.ramp_mw,
        ramp_steps,
        int(terminal),
        by_first,
    )
    return by_first


def set_of(modes: Ints) -> int:
    """Modes as a bit mask."""
    return sum(int(mode) << load for load, mode in enumerate(modes))
