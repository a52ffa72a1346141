"""Importer of ERCOT's day-ahead settlement point prices of hubs and load zones, a table with one row an hour and point.

Hours are named by their end, in Central prevailing time; of the hour that comes twice in November the second is
flagged. A delivery day is known at ``da_publication_local`` Central of the day before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, time
from pathlib import Path
from typing import ClassVar

from streams.errors import FeedError
from streams.feeds.local_time import hour_ending, hours_in, read_date, read_hour
from streams.history.contract import Imported, Importer, Options, imported
from streams.history.ercot import PUBLICATION, delivery_day
from streams.history.table import Line, is_header, read_table
from streams.history.window_file import central

COLUMNS = ("Delivery Date", "Hour Ending", "Repeated Hour Flag", "Settlement Point", "Settlement Point Price")
HUBS = ("HB_BUSAVG", "HB_HOUSTON", "HB_HUBAVG", "HB_NORTH", "HB_PAN", "HB_SOUTH", "HB_WEST")
ZONES = ("LZ_AEN", "LZ_CPS", "LZ_HOUSTON", "LZ_LCRA", "LZ_NORTH", "LZ_RAYBN", "LZ_SOUTH", "LZ_WEST")
REPEATED = {"Y": True, "N": False}


class DayAheadOptions(Options):
    """When a day's prices are published, Central prevailing time of the day before."""

    da_publication_local: time = PUBLICATION


class ErcotDayAheadImporter(Importer):
    """Day-ahead prices of ERCOT, as CSV or CSV in gzip or zip."""

    name: ClassVar[str] = "ercot-day-ahead"
    series: ClassVar[tuple[str, ...]] = tuple(f"power:ERCOT:{node}:da" for node in (*HUBS, *ZONES))
    options: ClassVar[type[Options]] = DayAheadOptions

    def recognises(self, first_line: bytes) -> bool:
        """By its whole header."""
        return is_header(first_line, COLUMNS)

    def read(self, path: Path, options: Options, series: Sequence[str], instance: str) -> Imported:
        """Read the whole file; one record holds a delivery day of a settlement point."""
        if not isinstance(options, DayAheadOptions):
            raise TypeError(f"day-ahead prices take DayAheadOptions, not {type(options).__name__}")
        days: dict[tuple[date, str], dict[int, float]] = defaultdict(dict)
        for line in read_table(path, COLUMNS):
            node = line.text("Settlement Point")
            if f"power:ERCOT:{node}:da" not in self.series:
                raise line.refused(f"settlement point {node!r} is not one of {', '.join((*HUBS, *ZONES))}")
            if f"power:ERCOT:{node}:da" in series:
                day, start_us = _hour(line)
                if start_us in days[day, node]:
                    raise line.refused(f"{node} has this hour of {day} already")
                days[day, node][start_us] = line.value("Settlement Point Price")
        if not days:
            raise FeedError(f"{path}: has no row of {', '.join(series)}")
        groups = []
        for (day, node), hours in sorted(days.items()):
            if len(hours) != hours_in(day, central()):
                raise FeedError(f"{path}: {node} has {len(hours)} hours on {day}, not {hours_in(day, central())}")
            groups.append(delivery_day(node, day, sorted(hours.items()), options.da_publication_local))
        nodes = sorted({node for _, node in days})
        return imported(path.name, groups, instance, [f"{len(days)} delivery days of {', '.join(nodes)}"])


def _hour(line: Line) -> tuple[date, int]:
    """Delivery day and start [us UTC] of a row's hour."""
    flag = line.text("Repeated Hour Flag")
    if flag not in REPEATED:
        raise line.refused(f"Repeated Hour Flag is {flag!r}, neither Y nor N")
    with line.faults():
        day = read_date(line.text("Delivery Date"))
        hour = read_hour(line.text("Hour Ending"))
        start_us, _ = hour_ending(day, hour, repeated=REPEATED[flag], zone=central())
        return day, start_us
