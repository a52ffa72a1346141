"""Importer of a table of HB_SOUTH's prices: real time by the quarter hour, the day-ahead price beside it four times.

Its times are Central prevailing time without a zone, 96 rows on every day. So the hour that comes twice in November
cannot stand in it, and the one that is left out in March should not: whoever made the file filled both by lines between
the rows around them. ERCOT prints cents; a price with more decimals was never printed. Such rows are left out and
counted, a quarter hour that never was too. Other columns are a simulation's and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, time
from itertools import groupby
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from models.records import HOUR_US, PowerPrice
from streams.errors import FeedError
from streams.feeds.local_time import is_repeated, read_wall, wall_us
from streams.history.contract import Imported, Importer, Options, imported
from streams.history.ercot import PUBLICATION, delivery_day, real_time_price
from streams.history.table import Line, is_header, read_table
from streams.history.window_file import central, instant

NODE = "HB_SOUTH"
REAL_TIME, DAY_AHEAD = f"power:ERCOT:{NODE}:rt", f"power:ERCOT:{NODE}:da"
TIME, DAM, RTM = "", "HB_SOUTH_DAM", "HB_SOUTH_RTM"
COLUMNS = (TIME, DAM, "dew_point_temperature_S", "temperature_S", RTM, "SOC", "Net_Power_MW")
CENTS = 2


class RealTimeOptions(Options):
    """``power_lag_s``: how long after an interval's end its price is known; when a day's prices are published."""

    power_lag_s: Annotated[int, Field(ge=0, le=366 * 86_400)] = 60
    da_publication_local: time = PUBLICATION


class ErcotRealTimeImporter(Importer):
    """Real-time and day-ahead prices of HB_SOUTH in one table, as CSV or CSV in gzip."""

    name: ClassVar[str] = "ercot-real-time"
    series: ClassVar[tuple[str, ...]] = (DAY_AHEAD, REAL_TIME)
    options: ClassVar[type[Options]] = RealTimeOptions

    def recognises(self, first_line: bytes) -> bool:
        """By its whole header."""
        return is_header(first_line, COLUMNS)

    def read(self, path: Path, options: Options, series: Sequence[str], instance: str) -> Imported:
        """Read the whole file; what was filled in is left out, and how much that is is said."""
        if not isinstance(options, RealTimeOptions):
            raise TypeError(f"real-time prices take RealTimeOptions, not {type(options).__name__}")
        lines = list(read_table(path, COLUMNS))
        printed = list(_printed(lines))
        if not printed:
            raise FeedError(f"{path}: has no row that was printed")
        groups: list[list[PowerPrice]] = []
        if DAY_AHEAD in series:
            groups += [
                delivery_day(NODE, day, hours, options.da_publication_local) for day, hours in _days(printed) if hours
            ]
        if REAL_TIME in series:
            for start_us, line in printed:
                with line.faults():
                    groups.append([real_time_price(NODE, start_us, line.value(RTM), options.power_lag_s)])
        filled = len(lines) - len(printed)
        note = f"{len(printed)} quarter hours; {filled} left out, which no market printed (days on which clocks change)"
        return imported(path.name, groups, instance, [note])


def _printed(lines: Sequence[Line]) -> Iterator[tuple[int, Line]]:
    """Rows that were printed, each with its start [us UTC]; rows must be quarter hours of the wall in order."""
    before = None
    for line in lines:
        with line.faults():
            wall = read_wall(line.text(TIME))
        if wall.minute % 15 or wall.second:
            raise line.refused(f"{line.text(TIME)!r} is not the start of a quarter of an hour")
        if before is not None and wall <= before:
            raise line.refused(f"{wall} does not come after {before}: rows must be in the order of time")
        before = wall
        filled = any(len(line.text(column).partition(".")[2]) > CENTS for column in (DAM, RTM))
        try:
            start_us = wall_us(wall, central())
        except FeedError:  # in the hour that clocks jump over: no price was printed for it
            continue
        if filled:
            continue
        if is_repeated(wall, central()):
            raise line.refused(f"{wall} came twice on this day, and the file does not say which of the two it is")
        yield start_us, line


def _days(printed: Sequence[tuple[int, Line]]) -> Iterator[tuple[date, list[tuple[int, float]]]]:
    """Day-ahead hours by delivery day; the repeats of an hour must agree."""

    def day_of(row: tuple[int, Line]) -> date:
        return instant(row[0]).astimezone(central()).date()

    for day, rows in groupby(printed, key=day_of):
        hours: dict[int, float] = {}
        for start_us, line in rows:
            hour_us, value = start_us // HOUR_US * HOUR_US, line.value(DAM)
            if hours.setdefault(hour_us, value) != value:
                raise line.refused(f"{DAM} changes within the hour, from {hours[hour_us]} to {value}")
        yield day, sorted(hours.items())
