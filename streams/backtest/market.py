"""What the market of a history was, interval by interval: the prices a site is settled at and what it earned from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.arrays import POWER_GROUP, REWARD
from models.fleet import Site
from models.hashprice import subsidy_btc
from models.layout import view_of
from models.records import HOUR_US, BtcPrice, GpuRate, Network, Observation, PowerPrice, Utilisation, is_curve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals of one price of power: start, end [us UTC], price [USD/MWh]; ``curve``: known a day ahead."""

    start_us: Ints
    end_us: Ints
    usd_per_mwh: Floats
    curve: bool

    @property
    def hours(self) -> Floats:
        """Length of each [h]."""
        found: Floats = (self.end_us - self.start_us) / HOUR_US
        return found


@dataclass(slots=True)
class Market:
    """Every series of a history as of the interval it belongs to: what lag 0 knows, which is what is settled."""

    power: dict[str, dict[int, tuple[int, float]]] = field(default_factory=dict)
    values: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    rewards: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Iterable[Observation]) -> Market:
        """From the observations of a history with lag 0, in the order in which they became known.

        Of an interval printed twice the later print counts; a network state of a lower height is passed over.
        """
        market, height = cls(), -1
        for each in found:
            match each:
                case PowerPrice():
                    prices = market.power.setdefault(each.series, {})
                    prices[each.event_time_us] = (each.end_time_us, each.usd_per_mwh)
                case Network():
                    if each.height >= height:
                        height = each.height
                        market._note(each, each.difficulty)
                        reward = subsidy_btc(each.height) + each.fees_btc_per_block
                        market.rewards.setdefault(each.series, []).append((each.receipt_time_us, reward))
                case BtcPrice():
                    market._note(each, each.usd_per_btc)
                case GpuRate():
                    market._note(each, each.usd_per_gpu_hour)
                case Utilisation():
                    market._note(each, each.utilisation)
                case _:
                    pass  # others' hashprice decides nothing
        return market

    def _note(self, found: Observation, value: float) -> None:
        self.values.setdefault(found.series, []).append((found.receipt_time_us, value))

    def intervals(self, series: str) -> Intervals | None:
        """The intervals of a price of power in the order of time; None where the history has none."""
        prices = self.power.get(series)
        if not prices:
            return None
        starts = sorted(prices)
        return Intervals(
            np.array(starts, np.int64),
            np.array([prices[start][0] for start in starts], np.int64),
            np.array([prices[start][1] for start in starts]),
            is_curve(series),
        )

    def views(self, site: Site, rows: Intervals) -> Floats:
        """A site's view in each interval, in the places of :func:`models.layout.view_of`; nan: unknown."""
        places = []
        for series, component, group in view_of(site):
            if group == POWER_GROUP:
                places.append(rows.usd_per_mwh)
            else:
                kept = self.rewards if component == REWARD else self.values
                places.append(as_of(kept.get(series, []), rows.start_us))
        return np.column_stack(places)


def as_of(points: list[tuple[int, float]], times_us: Ints) -> Floats:
    """The last value known at each time, nan before the first.

    >>> as_of([(10, 1.0), (20, 2.0)], np.array([9, 10, 19, 20])).tolist()
    [nan, 1.0, 1.0, 2.0]
    """
    if not points:
        return np.full(len(times_us), np.nan)
    at = np.array([time for time, _ in points], np.int64)
    values = np.array([np.nan, *(value for _, value in points)])
    found: Floats = values[np.searchsorted(at, times_us, side="right")]
    return found
