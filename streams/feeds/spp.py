"""SPP's public files: prices at every settlement location, of the latest five minutes and of a day ahead by the hour.

GMTIntervalEnd ends its interval, in GMT; the local stamp beside it, Central prevailing time, is not read. LMP is the
whole price: LMP = MEC + MCC + MLC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Annotated

from pydantic import Field

from models.records import HOUR_US, MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Options, Parsed, Source
from streams.feeds.http import PollFeed, Request
from streams.feeds.local_time import CENTRAL, read_wall, utc_us, wall_of
from streams.feeds.power_days import DayFiles, day_asked
from streams.feeds.power_reading import (
    Market,
    PowerOptions,
    Prices,
    Wanted,
    by_feed,
    lines_of,
    node_of,
    note_of,
    table,
    with_nodes,
)
from streams.feeds.reading import each, number, text
from streams.wire import RawRecord

NAME = "spp"
DA = f"{NAME}:da"
FIVE_US = 5 * MINUTE_US
LAG_US = 5 * MINUTE_US
"""How late the latest interval is posted is not documented; five minutes are allowed for."""

COLUMNS = (("gmtintervalend", "gmtinterval"), ("settlementlocation", "settlementlocationname"), ("lmp",))
"""Spellings seen: ``GMTIntervalEnd`` and ``GMT Interval``, ``Settlement Location`` with and without ``Name``."""

LOOKED_FOR_HOUR = 12
"""Results are posted in the early afternoon, Central, of the day before (14:00 by the timetable of 2016,
https://rtowww.com/24495-spp-moving-to-9-30-day-ahead-close); the file is looked for from noon on."""


class SppOptions(PowerOptions):
    """Settings of SPP's public files."""

    url: Annotated[str, Field(description="Download of a file.")] = (
        "https://portal.spp.org/file-browser-api/download/rtbm-lmp-by-location"
    )
    path: Annotated[str, Field(description="The file of the latest interval.")] = "/RTBM-LMP-SL-latestInterval.csv"
    every_s: Annotated[float, Field(ge=30, le=900, description="Time between requests [s].")] = 60
    pause_s: Annotated[float, Field(ge=0.1, le=60, description="Least time between requests [s].")] = 1.0
    day_ahead: Annotated[bool, Field(description="Whether day-ahead prices are fetched.")] = True
    day_ahead_url: Annotated[str, Field(description="Download of a day-ahead file.")] = (
        "https://portal.spp.org/file-browser-api/download/da-lmp-by-settlement-location"
    )


def parse(raw: RawRecord) -> Parsed:
    """Prices of the intervals in a file (one, as a rule)."""
    prices = Prices(raw, Market(NAME, "SPP", "rt", LAG_US), Wanted.of(raw.note))
    for line, row in table(raw.payload, COLUMNS):
        with each(prices.parsed, f"line {line}"):
            node = node_of(row, "settlementlocation")
            if prices.wants(node):
                end_us = utc_us(read_wall(text(row, "gmtintervalend")).replace(tzinfo=UTC))
                prices.add(node, (end_us - FIVE_US, end_us), number(row, "lmp"))
    return prices.done()


def parse_da(raw: RawRecord) -> Parsed:
    """Day-ahead prices of a day, by the hour: 24 of them, 23 and 25 where Central clocks change."""
    wanted = Wanted.of(raw.note)
    prices = Prices(raw, Market(NAME, "SPP", "da"), wanted)
    asked = day_asked(wanted)
    for line, row in table(lines_of(raw.payload, wanted.nodes), COLUMNS):
        with each(prices.parsed, f"line {line}"):
            node = node_of(row, "settlementlocation")
            if not prices.wants(node):
                continue
            end_us = utc_us(read_wall(text(row, "gmtintervalend")).replace(tzinfo=UTC))
            if end_us % HOUR_US:
                raise FeedError(f"{row['gmtintervalend']} ends no hour")
            day = wall_of(end_us - HOUR_US, CENTRAL).date()
            if asked not in {None, day}:
                raise FeedError(f"an hour of {day}, not of {asked} as asked")
            prices.add(node, (end_us - HOUR_US, end_us), number(row, "lmp"))
    return prices.done()


PARSERS = {NAME: parse, DA: parse_da}


class Rounds:
    """What is asked in a round: the latest interval, and the day-ahead files that are due."""

    def __init__(self, options: SppOptions) -> None:
        self._options = options
        self.days = DayFiles(CENTRAL, LOOKED_FOR_HOUR)

    def __call__(self, now_us: int) -> list[Request]:
        """Requests of the round that begins now [us UTC]."""
        found = self._options
        asked = [Request(feed=NAME, url=found.url, query={"path": found.path}, note=note_of(found.nodes))]
        for day, may_be_absent in self.days.due(now_us) if found.day_ahead else ():
            query = {"path": f"/{day:%Y}/{day:%m}/By_Day/DA-LMP-SL-{day:%Y%m%d}0100.csv"}
            note = note_of(found.nodes, day=day.isoformat())
            asked.append(Request(feed=DA, url=found.day_ahead_url, query=query, note=note, may_be_absent=may_be_absent))
        return asked


def _build(options: Options, _: Mapping[str, str]) -> PollFeed:
    """The feed, of settlement locations that must be named."""
    found = with_nodes(NAME, options, SppOptions)
    rounds = Rounds(found)
    check = rounds.days.noting(by_feed(PARSERS))
    return PollFeed(NAME, rounds, every_s=found.every_s, pause_s=found.pause_s, only_changes=True, check=check)


SOURCE = Source(
    name=NAME,
    kind="power",
    options=SppOptions,
    parsers=PARSERS,
    build=_build,
    documentation=(
        "https://portal.spp.org/pages/rtbm-lmp-by-location",
        "https://portal.spp.org/pages/da-lmp-by-settlement-location",
        "https://www.spp.org/documents/28853/spp%20public%20data%20access%2020230707.pdf",
        "https://github.com/gridstatus/gridstatus/blob/main/gridstatus/spp.py",
    ),
    etiquette="No limit is documented; a file a minute; one of a day ahead every 10 min until it is there, then 6 h",
    unconfirmed=(
        "SPP formally supports its FTP server; the portal's address of the same file is what clients use",
        "A location under two balancing areas (column BAA) with two prices: the second is refused",
        "Whether a day-ahead file is written anew when its prices are corrected: it is read again every six hours",
    ),
    defaults_on=False,
)
