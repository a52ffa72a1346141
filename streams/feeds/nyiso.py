"""NYISO's public files: zonal prices of a day, rewritten every five minutes, and those of the day-ahead market.

Eastern prevailing time. A real-time stamp ends its interval, a day-ahead stamp begins its hour. LBMP is the whole
price; the sign of its congestion is reversed: LBMP = energy + losses - congestion.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from models.records import HOUR_US, MINUTE_US, SECOND_US
from streams.errors import FeedError
from streams.feeds.contract import Options, Parsed, Source
from streams.feeds.http import PollFeed, Request
from streams.feeds.local_time import EASTERN, is_repeated, read_wall, wall_of, wall_us
from streams.feeds.power_reading import (
    Every,
    Market,
    PowerOptions,
    Prices,
    Wanted,
    by_feed,
    node_of,
    note_of,
    table,
    with_nodes,
)
from streams.feeds.reading import each, number, text
from streams.wire import RawRecord

NAME = "nyiso"
RT, DA = f"{NAME}:rt", f"{NAME}:da"
FIVE_US = 5 * MINUTE_US
LAG_US = 5 * MINUTE_US
"""The file of the day is rewritten every five minutes, so a price may stand in it that long after its interval."""

AHEAD_US = 2 * SECOND_US
DAY_AHEAD_EVERY_US = 10 * MINUTE_US
FIRST_ROW_MIN, LAST_ROW_MIN = 6, 20
"""Minutes after midnight until which a new day's file may not be there, and the last rows of the old may yet come."""

PUBLISHED_HOUR = 12
"""From this hour on, Eastern, the day-ahead file of tomorrow is looked for; until it is there nothing is wrong."""

LBMP, LOSSES, CONGESTION = "lbmpmwhr", "marginalcostlossesmwhr", "marginalcostcongestionmwhr"
COLUMNS = (("timestamp",), ("name",), ("ptid",), (LBMP,), (LOSSES,), (CONGESTION, "marginalcostcongestionmwh"))

OUTSIDE = frozenset(("H Q", "NPX", "O H", "PJM"))
"""Neighbours, priced by rules of their own at the border: their energy is not compared."""

ENERGY_TOLERANCE_USD = 0.10
"""Energy is one price for the whole state; three figures rounded to a cent can make it differ by two cents."""


class NyisoOptions(PowerOptions):
    """Settings of NYISO's public files."""

    url: Annotated[str, Field(description="The folder of public CSV files.")] = "https://mis.nyiso.com/public/csv"
    every_s: Annotated[float, Field(ge=15, le=900, description="Time between rounds of requests [s].")] = 60
    pause_s: Annotated[float, Field(ge=0.1, le=60, description="Least time between requests [s].")] = 1.0
    day_ahead: Annotated[bool, Field(description="Whether day-ahead prices are fetched.")] = True


def energy_usd_per_mwh(lbmp: float, losses: float, congestion: float) -> float:
    """Energy component of a price [USD/MWh]: LBMP - losses + congestion, as NYISO's congestion has the sign reversed.

    Two zones of one interval, one with congestion, have the same energy:

    >>> round(energy_usd_per_mwh(23.31, 1.29, -7.50), 2), round(energy_usd_per_mwh(15.03, 0.51, 0.0), 2)
    (14.52, 14.52)
    """
    return lbmp - losses + congestion


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file, in the order of the file."""

    what: str
    zone: str
    wall: datetime
    lbmp: float
    energy: float


class Passing:
    """Which passing of the repeated hour a zone's stamps are of, by their order in the file.

    Rows of a zone run forward; where they step back an hour the second passing has begun, and a stamp seen before is
    of the second.
    """

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}
        self._second: set[str] = set()
        self._seen: set[tuple[str, datetime]] = set()

    def us(self, zone: str, wall: datetime) -> int:
        """The moment of a stamp [us UTC]."""
        before = self._last.get(zone)
        self._last[zone] = wall
        if not is_repeated(wall, EASTERN):
            return wall_us(wall, EASTERN)
        if before is not None and wall < before:
            self._second.add(zone)
        second = zone in self._second or (zone, wall) in self._seen
        self._seen.add((zone, wall))
        return wall_us(wall, EASTERN, second_time=second)


def _rows(prices: Prices, body: bytes) -> list[Row]:
    """Rows of a file that can be read; of those that cannot only the wanted are faults."""
    found: list[Row] = []
    unwanted = Parsed()
    for line, row in table(body, COLUMNS):
        what = f"line {line}"
        with each(prices.parsed, what):
            zone = node_of(row, "name")
            with each(prices.parsed if prices.wants(zone) else unwanted, what):
                wall = read_wall(text(row, "timestamp"))
                lbmp = number(row, LBMP)
                energy = energy_usd_per_mwh(lbmp, number(row, LOSSES), number(row, CONGESTION))
                found.append(Row(what, zone, wall, lbmp, energy))
    return found


def energies(rows: Iterable[Row]) -> dict[datetime, float]:
    """Energy of each stamp with three zones or more [USD/MWh]: what most zones agree on."""
    by_stamp: dict[datetime, list[float]] = {}
    for row in rows:
        if row.zone not in OUTSIDE:
            by_stamp.setdefault(row.wall, []).append(row.energy)
    return {stamp: statistics.median_low(found) for stamp, found in by_stamp.items() if len(found) >= 3}


def _check(row: Row, agreed: Mapping[datetime, float]) -> None:
    """FeedError where a row's components cannot be those of its price."""
    if row.zone in OUTSIDE or is_repeated(row.wall, EASTERN) or row.wall not in agreed:
        return
    if abs(row.energy - agreed[row.wall]) > ENERGY_TOLERANCE_USD:
        raise FeedError(
            f"energy of {row.energy:.2f} USD/MWh (LBMP - losses + congestion) where other zones have "
            f"{agreed[row.wall]:.2f}: the row is impossible"
        )


def parse_rt(raw: RawRecord) -> Parsed:
    """Real-time prices of a day so far. A row ends at its stamp and begins at the one before, five minutes at most.

    Rows that begin after receipt are forecasts of the look-ahead run in the same file, and no prices.
    """
    prices = Prices(raw, Market(NAME, "NYISO", "rt", LAG_US), Wanted.of(raw.note))
    found = _rows(prices, raw.payload)
    agreed, passing = energies(found), Passing()
    ends: dict[str, int] = {}
    for row in found:
        if not prices.wants(row.zone):
            continue
        with each(prices.parsed, row.what):
            end_us = passing.us(row.zone, row.wall)
            before_us = ends.get(row.zone, 0)
            start_us = max(before_us, end_us - FIVE_US) if before_us < end_us else end_us - FIVE_US
            ends[row.zone] = max(before_us, end_us)
            if start_us > raw.receipt_time_us + AHEAD_US:
                continue
            _check(row, agreed)
            prices.add(row.zone, (start_us, end_us), row.lbmp)
    return prices.done()


def parse_da(raw: RawRecord) -> Parsed:
    """Day-ahead prices of a day: each stamp begins its hour."""
    prices = Prices(raw, Market(NAME, "NYISO", "da"), Wanted.of(raw.note))
    found = _rows(prices, raw.payload)
    agreed, passing = energies(found), Passing()
    for row in found:
        if not prices.wants(row.zone):
            continue
        with each(prices.parsed, row.what):
            start_us = passing.us(row.zone, row.wall)
            if row.wall.minute or row.wall.second:
                raise FeedError(f"{row.wall} begins no hour")
            _check(row, agreed)
            prices.add(row.zone, (start_us, start_us + HOUR_US), row.lbmp)
    return prices.done()


PARSERS = {RT: parse_rt, DA: parse_da}


class Rounds:
    """What is asked in a round: the file of today; every ten minutes the day-ahead files of today and tomorrow."""

    def __init__(self, options: NyisoOptions) -> None:
        self._options = options
        self._note = note_of(options.nodes)
        self._day_ahead = Every(DAY_AHEAD_EVERY_US)

    def __call__(self, now_us: int) -> list[Request]:
        """Requests of the round that begins now [us UTC]."""
        now = wall_of(now_us, EASTERN)
        yesterday, tomorrow = now - timedelta(days=1), now + timedelta(days=1)
        minutes = now.hour * 60 + now.minute
        days = [yesterday] if minutes < FIRST_ROW_MIN else [now, yesterday] if minutes < LAST_ROW_MIN else [now]
        asked = [self._file(RT, "realtime", "realtime_zone", day) for day in days]
        if self._options.day_ahead and self._day_ahead.is_due(now_us):
            days = [now, tomorrow] if now.hour >= PUBLISHED_HOUR else [now]
            asked += [self._file(DA, "damlbmp", "damlbmp_zone", day, may_be_absent=day > now) for day in days]
        return asked

    def _file(self, feed: str, folder: str, report: str, day: datetime, *, may_be_absent: bool = False) -> Request:
        """The file of a report of a day."""
        url = f"{self._options.url}/{folder}/{day:%Y%m%d}{report}.csv"
        return Request(feed=feed, url=url, note=self._note, may_be_absent=may_be_absent)


def _build(options: Options, _: Mapping[str, str]) -> PollFeed:
    """The feed, of zones that must be named."""
    found = with_nodes(NAME, options, NyisoOptions)
    return PollFeed(
        NAME,
        Rounds(found),
        every_s=found.every_s,
        pause_s=found.pause_s,
        only_changes=True,
        check=by_feed(PARSERS),
    )


SOURCE = Source(
    name=NAME,
    kind="power",
    options=NyisoOptions,
    parsers=PARSERS,
    build=_build,
    documentation=(
        "https://mis.nyiso.com/public/P-24Alist.htm",
        "https://mis.nyiso.com/public/P-2Alist.htm",
        "https://github.com/api-evangelist/nyiso/blob/main/json-schema/nyiso-realtime-zone-schema.json",
    ),
    etiquette="No limit is documented; a second between requests, a file of five minutes asked for once a minute",
    unconfirmed=(
        "A row of the look-ahead run whose interval has just begun cannot be told from the final one that replaces it",
    ),
    defaults_on=False,
)
