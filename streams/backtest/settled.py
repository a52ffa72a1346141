"""Loads over the rows of a history: what running each row earned, and what was known when the row was decided.

A row is an interval of the site's own price of power. Running it earns the load's cash margin at the row's own prices
times its MW, its uptime and the row's hours. A load is scored where it exists and all that it reads has a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from models.arrays import VIEW_FIXED
from models.engine import day_of
from models.fleet import Load, Miner, Site
from models.layout import layout_of, meter_mw
from models.margins import draw_mw, hashprice_of, margin_usd_per_mwh, power_usd_per_mwh
from models.rows import Catalogue
from streams.backtest.market import Floats, Intervals, Market

Flags = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Known:
    """What could be known of a load when each row was decided [USD/MWh], nan where something was not.

    ``cost`` is its all-in price of power, ``lmp`` its site's price.
    """

    margin: Floats
    cost: Floats
    lmp: Floats


@dataclass(slots=True)
class LoadRows:
    """One load of a fleet file over the rows of its site.

    ``gain_usd``: what running a row earns; ``mwh``, ``draw_mw``: what it draws at the meter; all 0 where the row is not
    ``scored``.
    """

    miner: str
    site: str
    load: Load
    mw: float
    dispatched: bool
    gain_usd: Floats
    mwh: Floats
    draw_mw: Floats
    scored: Flags
    known: Known

    @property
    def stop_usd(self) -> float:
        """What a stop costs [USD]."""
        return self.load.stop_usd_per_mw * self.mw

    @property
    def start_usd(self) -> float:
        """What a start costs [USD]."""
        return self.load.start_usd_per_mw * self.mw

    @property
    def first_known(self) -> int:
        """The first row at which all that the load reads was known; the number of rows where there is none."""
        there = np.flatnonzero(~np.isnan(self.known.margin))
        return int(there[0]) if len(there) else len(self.scored)


@dataclass(slots=True)
class SiteRows:
    """A site over its rows."""

    miner: str
    site: Site
    rows: Intervals
    loads: list[LoadRows]

    @property
    def coupled(self) -> bool:
        """Whether its loads compete: together they are larger than its cap."""
        together = [sum(load.mw for load in self.loads if load.scored[row]) for row in self._changes()]
        return max(together, default=0.0) > self.site.mw_cap * (1.0 + 1e-9)

    def _changes(self) -> list[int]:
        """Rows at which some load begins or ends to be scored, and the first."""
        found = {0} if len(self.rows.start_us) else set()
        for load in self.loads:
            found.update((np.flatnonzero(np.diff(load.scored.astype(np.int8))) + 1).tolist())
        return sorted(found)


def settled(fleet: Sequence[Miner], market: Market, lag: int) -> list[SiteRows]:
    """Every site whose price of power the history has, over all its rows."""
    found = []
    for miner in fleet:
        for site in miner.site:
            rows = market.intervals(site.power.series)
            if rows is not None:
                found.append(
                    SiteRows(miner.key, site, rows, _loads(miner.key, site, market.views(site, rows), rows, lag))
                )
    return found


def _loads(miner: str, site: Site, views: Floats, rows: Intervals, lag: int) -> list[LoadRows]:
    known = lagged_views(views, lag, curve=rows.curve)
    found = [_empty(miner, site, load, len(views)) for load in site.loads]
    for first, last, places in stretches(site, rows):
        present = [site.loads[place] for place in places]
        layout = layout_of((site,), {site.key: present}, Catalogue())
        for number, place in enumerate(places):
            _fill(found[place], layout.loads[number], views, known, rows, (first, last))
    return found


def _empty(miner: str, site: Site, load: Load, rows: int) -> LoadRows:
    nothing = Known(np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan))
    return LoadRows(
        miner=miner,
        site=site.key,
        load=load,
        mw=meter_mw(load),
        dispatched=False,
        gain_usd=np.zeros(rows),
        mwh=np.zeros(rows),
        draw_mw=np.zeros(rows),
        scored=np.zeros(rows, np.bool_),
        known=nothing,
    )


def stretches(site: Site, rows: Intervals) -> Iterator[tuple[int, int, list[int]]]:
    """Rows from, to, and the places of the loads that exist in them; days of existence are UTC days."""

    def there(start_us: int) -> list[int]:
        day = day_of(start_us)
        return [place for place, load in enumerate(site.loads) if load.exists_on(day)]

    first = 0
    for places, same in groupby(rows.start_us.tolist(), key=there):
        last = first + len(list(same))
        if places:
            yield first, last, places
        first = last


def lagged_views(views: Floats, lag: int, *, curve: bool) -> Floats:
    """Views as known when each row is decided: those of ``lag`` rows before, but a curve's own price of the row.

    >>> lagged_views(np.array([[1.0, 0.0, 0.0, 10.0], [2.0, 0.0, 0.0, 20.0]]), 1, curve=True)[:, [0, 3]].tolist()
    [[nan, 10.0], [1.0, 20.0]]
    """
    known = np.full_like(views, np.nan)
    known[lag:] = views[: len(views) - lag] if lag else views
    if curve:
        known[:, VIEW_FIXED] = views[:, VIEW_FIXED]
    return known


def _fill(load: LoadRows, row: np.void, views: Floats, known: Floats, rows: Intervals, span: tuple[int, int]) -> None:
    """Write a load's rows from span[0] to span[1]."""
    load.dispatched = bool(row["dispatched"])
    hours, places = rows.hours, range(*span)
    for place in places:
        view = views[place]
        margin = margin_usd_per_mwh(row, view, 0, hashprice_of(view, 0))
        if not np.isnan(margin):
            drawn = draw_mw(row, view, 0)
            load.scored[place], load.draw_mw[place] = True, drawn
            load.mwh[place] = drawn * hours[place] * row["uptime"]
            load.gain_usd[place] = margin * load.mwh[place]
    for place in places:
        view = known[place]
        load.known.margin[place] = margin_usd_per_mwh(row, view, 0, hashprice_of(view, 0))
        load.known.cost[place] = power_usd_per_mwh(row, view, 0)
        load.known.lmp[place] = view[VIEW_FIXED]
