"""What modes were worth beside the best constant mode and the clairvoyant, for each load and for all together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models import bound, score
from models.joint_plan import MOST_LOADS
from models.plan import dwell_steps
from streams.backtest.market import Floats, Ints
from streams.backtest.settled import LoadRows, SiteRows

EXACT, UPPER = "exact", "upper bound"
TURNS = 60  # of the Lagrangian bound: each costs a pass over all rows of all loads
CAP_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Bound:
    """What a site, or a load whose site never binds, could have earned [USD]: knowing all prices, and in one mode."""

    clairvoyant_usd: float
    constant_usd: float
    exact: bool


@dataclass(slots=True)
class Scored:
    """A site cut to the rows that are scored: its loads, what each could have earned alone and together."""

    site: SiteRows
    rows: slice
    alone: list[Bound]
    best_modes: list[Ints]  # of the clairvoyant of each load alone
    together: Bound | None  # where the cap makes loads compete

    @property
    def intervals(self) -> int:
        """Rows scored."""
        return int(self.rows.stop - self.rows.start)

    @property
    def hours(self) -> float:
        """Time scored [h]."""
        return float(self.site.rows.hours[self.rows].sum())

    @property
    def row_minutes(self) -> float:
        """Mean length of a row [min]."""
        return self.hours * 60.0 / self.intervals


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """One load under one policy. Its bound is None where it competes for a cap."""

    miner: str
    site: str
    load: str
    net_usd: float
    usd_per_mwh: float | None
    usd_per_mw_year: float
    switches: int
    switches_per_day: float
    capture: float | None
    clairvoyant_net_usd: float | None
    constant_net_usd: float | None
    missed_spike_minutes: float
    false_trigger_usd: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All loads together under one policy. ``over_cap_intervals``: rows in which a site drew more than its cap."""

    net_usd: float
    usd_per_mwh: float | None
    usd_per_mw_year: float
    switches: int
    switches_per_day: float
    capture_pooled: float | None
    clairvoyant_net_usd: float
    constant_net_usd: float
    bound: str
    missed_spike_minutes: float
    false_trigger_usd: float
    over_cap_intervals: int
    loads: tuple[LoadFigures, ...]


def cut(site: SiteRows, from_us: int, until_us: int) -> Scored | None:
    """A site with its bounds over the rows that begin from ``from_us`` to before ``until_us``; None without any."""
    first, last = np.searchsorted(site.rows.start_us, (from_us, until_us))
    if first >= last:
        return None
    rows = slice(int(first), int(last))
    step_us = int(np.min(site.rows.end_us[rows] - site.rows.start_us[rows]))
    alone, best = [], []
    for load in site.loads:
        found, modes = alone_bound(load, rows, step_us)
        alone.append(found)
        best.append(modes)
    return Scored(site, rows, alone, best, together_bound(site, rows, step_us) if site.coupled else None)


def alone_bound(load: LoadRows, rows: slice, step_us: int) -> tuple[Bound, Ints]:
    """Bounds of one load without a cap, exact, and the modes that earn the first. A fixed load has one mode."""
    gain = load.gain_usd[rows]
    always = float(gain.sum())
    if not load.dispatched:
        kept = always if load.load.initially_on else 0.0
        return Bound(kept, kept, exact=True), np.full(len(gain), int(load.load.initially_on), np.int64)
    stays = min_rows(load, step_us)
    worth, modes = np.zeros((2, len(gain) + 1)), np.zeros(len(gain), np.int64)
    best = bound.clairvoyant_usd_per_mw(gain, load.stop_usd, load.start_usd, *stays, worth)
    bound.clairvoyant_modes(gain, load.stop_usd, *stays, worth, modes)
    return Bound(float(best), max(always, 0.0), exact=True), modes


def min_rows(load: LoadRows, step_us: int) -> tuple[int, int]:
    """Rows of the shortest stays on and off."""
    on, off = load.load.min_on_minutes, load.load.min_off_minutes
    return dwell_steps(int(on * 60e6), step_us), dwell_steps(int(off * 60e6), step_us)


def together_bound(site: SiteRows, rows: slice, step_us: int) -> Bound:
    """Bounds of loads that compete: exact up to 12 whose stays are no longer than a row, else an upper bound."""
    free = [load for load in site.loads if load.dispatched]
    fixed = [load for load in site.loads if not load.dispatched and load.load.initially_on]
    kept_usd = float(sum(load.gain_usd[rows].sum() for load in fixed))
    room_mw = site.site.mw_cap - max((float(load.draw_mw[rows].max()) for load in fixed), default=0.0)
    room_mw = max(room_mw, 0.0) * (1.0 + CAP_SLACK)
    count, length = len(free), rows.stop - rows.start
    gain = np.array([load.gain_usd[rows] for load in free]).reshape(count, length)
    draw = np.array([load.draw_mw[rows] for load in free]).reshape(count, length)
    stop, start = np.array([load.stop_usd for load in free]), np.array([load.start_usd for load in free])
    stays = np.array([min_rows(load, step_us) for load in free], np.int64).reshape(count, 2)
    work, order = np.zeros((3, max(count, 1))), np.zeros((4, max(count, 1)), np.int64)
    constant, _ = bound.best_constant_usd(gain, draw, count, room_mw, work, order)
    if count <= MOST_LOADS:
        table = np.zeros((3, 1 << count))
        most = bound.capped_clairvoyant_usd(gain, draw, stop, start, count, room_mw, table)
        exact = not fixed and bool((stays <= 1).all())
    else:
        scratch = np.zeros((2, length)), np.zeros(length), np.zeros((2, length + 1)), np.zeros(length, np.int64)
        on, off = stays[:, 0].copy(), stays[:, 1].copy()
        most = bound.capped_bound_usd(
            gain, draw, stop, start, on, off, count, room_mw, float(constant), TURNS, *scratch
        )
        exact = False
    return Bound(float(most) + kept_usd, float(constant) + kept_usd, exact)


def figures(sites: Sequence[Scored], modes: Sequence[Sequence[Ints]]) -> Figures:
    """Figures of modes, one array over all rows for each load of each site."""
    loads: list[LoadFigures] = []
    policy, constant, best = [], [], []
    mwh, mw, over, exact = 0.0, 0.0, 0, True
    for site, of_site in zip(sites, modes, strict=True):
        of_loads = [load_figures(site, place, found[site.rows]) for place, found in enumerate(of_site)]
        loads += of_loads
        over += over_cap(site, of_site)
        for load, found in zip(site.site.loads, of_site, strict=True):
            mwh += float((load.mwh[site.rows] * found[site.rows]).sum())
            mw += load.mw
        bounds = [site.together] if site.together else site.alone
        nets = [load.net_usd for load in of_loads]
        policy += [math.fsum(nets)] if site.together else nets
        constant += [each.constant_usd for each in bounds]
        best += [each.clairvoyant_usd for each in bounds]
        exact = exact and all(each.exact for each in bounds)
    net, switches = math.fsum(policy), sum(load.switches for load in loads)
    hours = max(site.hours for site in sites)
    captured = score.capture_pooled(np.array(policy), np.array(constant), np.array(best))
    return Figures(
        net_usd=net,
        usd_per_mwh=_number(score.usd_per_mwh(net, mwh)),
        usd_per_mw_year=net / mw * score.HOURS_PER_YEAR / hours,
        switches=switches,
        switches_per_day=switches * 24.0 / hours,
        capture_pooled=_number(captured),
        clairvoyant_net_usd=math.fsum(best),
        constant_net_usd=math.fsum(constant),
        bound=EXACT if exact else UPPER,
        missed_spike_minutes=math.fsum(load.missed_spike_minutes for load in loads),
        false_trigger_usd=math.fsum(load.false_trigger_usd or 0.0 for load in loads),
        over_cap_intervals=over,
        loads=tuple(loads),
    )


def load_figures(site: Scored, place: int, modes: Ints) -> LoadFigures:
    """One load's figures from its modes in the rows scored."""
    load, alone = site.site.loads[place], site.alone[place]
    gain, length = load.gain_usd[site.rows], len(modes)
    row_hours = site.hours / length
    net = float(score.net_usd_per_mw(modes, gain, load.stop_usd, load.start_usd))
    changes = int(score.switches(modes))
    apart = site.together is None
    pair = np.array([net]), np.array([alone.constant_usd]), np.array([alone.clairvoyant_usd])
    false = float(score.false_trigger_usd_per_mw(modes, gain, load.stop_usd, load.start_usd))
    return LoadFigures(
        miner=load.miner,
        site=load.site,
        load=load.load.key,
        net_usd=net,
        usd_per_mwh=_number(score.usd_per_mwh(net, float((load.mwh[site.rows] * modes).sum()))),
        usd_per_mw_year=float(score.usd_per_mw_year(net / load.mw, length, row_hours)),
        switches=changes,
        switches_per_day=float(score.switches_per_day(changes, length, row_hours)),
        capture=_number(score.capture_pooled(*pair)) if apart else None,
        clairvoyant_net_usd=alone.clairvoyant_usd if apart else None,
        constant_net_usd=alone.constant_usd if apart else None,
        missed_spike_minutes=float(score.missed_spike_minutes(modes, site.best_modes[place], gain, site.row_minutes)),
        false_trigger_usd=false if apart else None,
    )


def over_cap(site: Scored, modes: Sequence[Ints]) -> int:
    """Rows in which a site's loads drew more than its cap."""
    drawn: Floats = np.zeros(site.rows.stop - site.rows.start)
    for load, found in zip(site.site.loads, modes, strict=True):
        drawn += load.draw_mw[site.rows] * found[site.rows]
    return int((drawn > site.site.site.mw_cap * (1.0 + CAP_SLACK)).sum())


def _number(value: float) -> float | None:
    """A figure, None where it has none (nan)."""
    return None if math.isnan(value) else float(value)
