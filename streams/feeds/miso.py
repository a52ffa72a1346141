"""MISO's public market data: real-time ex-post prices of five minutes, and day-ahead ex-post prices by the hour.

Eastern standard time all year, so that every day has 24 hours. A real-time stamp begins its interval, a day-ahead hour
is named by its end. LMP is the whole price; MCC and MLC, congestion and losses, are parts of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import Field

from models.records import HOUR_US, MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Options, Parsed, Source
from streams.feeds.http import PollFeed, Request
from streams.feeds.local_time import EST, midnight_us, read_date, read_wall, wall_us
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
from streams.feeds.reading import each, json_of, looks_like, number, obj, rows, text
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

NAME = "miso"
DA = f"{NAME}:da"
FIVE_US = 5 * MINUTE_US
LAG_US = 5 * MINUTE_US
"""Ex-post prices are computed after their interval; the next five minutes are allowed for that."""

AGENT = "Mozilla/5.0 (compatible; changeover)"
"""An agent that does not look like a browser is answered 403 (https://github.com/gridstatus/gridstatus/issues/725)."""

COLUMNS = ("INTERVAL", "CPNODE", "LMP")
"""INTERVAL begins its five minutes: answers that hold a whole day run from 00:00 and have no stamp of another day
(https://github.com/api-evangelist/miso/blob/main/openapi/miso-marketpricing-api-openapi.yml, recorded 2026-07-27),
and gridstatus reads it so (https://github.com/gridstatus/gridstatus/blob/main/gridstatus/miso.py)."""


DAY_AHEAD = re.compile(
    rb"Day Ahead Market ExPost LMPs[,\s]*?\n([0-9/]{8,10})[,\s]*?\n(.{0,400}?)(?=^Node,)", re.MULTILINE | re.DOTALL
)
"""What stands above a day-ahead file's table: its title, its day, and that its hours are Eastern standard time
(files of 2024 to 2026, see ``documentation``). The file of the ex-ante market has another title."""

STANDARD = b"Eastern Standard Time"
HOURS = tuple((f"he{hour}",) for hour in range(1, 25))
DAY_COLUMNS = (("node",), ("value",), *HOURS)
PARTS = frozenset(("MCC", "MLC"))
LOOKED_FOR_HOUR = 12
"""MISO's own description of its data exchange gives 14:00 Eastern standard time of the day before as the time at which
day-ahead results are there; the file is looked for from noon on."""


class MisoOptions(PowerOptions):
    """Settings of MISO's public market data."""

    url: Annotated[str, Field(description="The current interval.")] = (
        "https://public-api.misoenergy.org/api/MarketPricing/GetRealTimeFiveMinExPost/Current"
    )
    every_s: Annotated[float, Field(ge=60, le=900, description="Time between requests [s]; MISO asks for 60.")] = 60
    pause_s: Annotated[float, Field(ge=0.1, le=60, description="Least time between requests [s].")] = 1.0
    day_ahead: Annotated[bool, Field(description="Whether day-ahead prices are fetched.")] = True
    day_ahead_url: Annotated[str, Field(description="The folder of market reports.")] = (
        "https://docs.misoenergy.org/marketreports"
    )


def parse(raw: RawRecord) -> Parsed:
    """Prices of the current interval. Columns are found by the header: their order is not documented."""
    prices = Prices(raw, Market(NAME, "MISO", "rt", LAG_US), Wanted.of(raw.note))
    answer = obj(json_of(raw.payload), "the answer")
    header = rows(answer.get("headers"), "headers", 100)
    wrong = [name for name in COLUMNS if header.count(name) != 1]
    if wrong:
        raise FeedError(f"headers {shown(header)} lack {', '.join(wrong)} (or have it twice)")
    for place, values in enumerate(rows(answer.get("data"), "data")):
        with each(prices.parsed, f"row {place}"):
            cells = rows(values, "the row", 100)
            if len(cells) != len(header):
                raise FeedError(f"the row has {len(cells)} values, not {len(header)}")
            row = {str(name): cell for name, cell in zip(header, cells, strict=True)}
            node = node_of(row, "CPNODE")
            if prices.wants(node):
                start_us = wall_us(read_wall(text(row, "INTERVAL")), EST)
                prices.add(node, (start_us, start_us + FIVE_US), number(row, "LMP"))
    return prices.done()


def _table_of(payload: bytes) -> tuple[date, int]:
    """The day of a day-ahead file, and where its table begins. FeedError on a file that is none."""
    found = DAY_AHEAD.search(payload[:2_000].replace(b"\r", b" "))
    if found is None:
        kind = looks_like(payload)
        said = f": it is {kind}" if not kind.startswith("cut") else ""
        raise FeedError(f"the file does not begin with the title and the day of day-ahead ex-post prices{said}")
    if STANDARD not in found[2]:
        raise FeedError("the file does not say that its hours are Eastern standard time")
    return read_date(found[1].decode()), found.end()


def parse_da(raw: RawRecord) -> Parsed:
    """Day-ahead ex-post prices of a day: a row for each node and component, a column for each hour ending."""
    wanted = Wanted.of(raw.note)
    prices = Prices(raw, Market(NAME, "MISO", "da"), wanted)
    day, start = _table_of(raw.payload)
    asked = day_asked(wanted)
    if asked not in {None, day}:
        raise FeedError(f"the file is of {day}, not of {asked} as asked")
    midnight = midnight_us(day, EST)
    above = raw.payload[:start].count(b"\n")
    for line, row in table(lines_of(raw.payload[start:], wanted.nodes), DAY_COLUMNS):
        with each(prices.parsed, f"line {line + above}"):
            node, component = node_of(row, "node"), text(row, "value")
            if component in PARTS or not prices.wants(node):
                continue
            if component != "LMP":
                raise FeedError(f"{shown(component)} is no component of a price that is known")
            for hour in range(24):
                with each(prices.parsed, f"line {line + above}, hour ending {hour + 1}"):
                    start_us = midnight + hour * HOUR_US
                    prices.add(node, (start_us, start_us + HOUR_US), number(row, f"he{hour + 1}"))
    return prices.done()


PARSERS = {NAME: parse, DA: parse_da}


class Rounds:
    """What is asked in a round: the current interval, and the day-ahead files that are due."""

    def __init__(self, options: MisoOptions) -> None:
        self._options = options
        self.days = DayFiles(EST, LOOKED_FOR_HOUR)

    def __call__(self, now_us: int) -> list[Request]:
        """Requests of the round that begins now [us UTC]."""
        headers, nodes = {"User-Agent": AGENT}, self._options.nodes
        asked = [Request(feed=NAME, url=self._options.url, headers=headers, note=note_of(nodes))]
        for day, may_be_absent in self.days.due(now_us) if self._options.day_ahead else ():
            url = f"{self._options.day_ahead_url}/{day:%Y%m%d}_da_expost_lmp.csv"
            note = note_of(nodes, day=day.isoformat())
            asked.append(Request(feed=DA, url=url, headers=headers, note=note, may_be_absent=may_be_absent))
        return asked


def _build(options: Options, _: Mapping[str, str]) -> PollFeed:
    """The feed, of nodes that must be named."""
    found = with_nodes(NAME, options, MisoOptions)
    rounds = Rounds(found)
    check = rounds.days.noting(by_feed(PARSERS))
    return PollFeed(NAME, rounds, every_s=found.every_s, pause_s=found.pause_s, only_changes=True, check=check)


SOURCE = Source(
    name=NAME,
    kind="power",
    options=MisoOptions,
    parsers=PARSERS,
    build=_build,
    documentation=(
        "https://public-api.misoenergy.org/",
        "https://www.misoenergy.org/markets-and-operations/RTDataAPIs/",
        "https://github.com/api-evangelist/miso/blob/main/openapi/miso-marketpricing-api-openapi.yml",
        "https://www.misoenergy.org/markets-and-operations/real-time--market-data/market-reports/",
        "https://github.com/api-evangelist/miso/blob/main/collections/miso-day-ahead-api.opencollection.json",
    ),
    etiquette="One request a minute, as MISO asks; a day-ahead file every 10 minutes until it is there, then every 6 h",
    unconfirmed=(
        "Whether INTERVAL begins or ends its five minutes: read as the beginning (files of a day run from 00:00)",
        "Whether a day-ahead file is written anew when its prices are corrected: it is read again every six hours",
    ),
    defaults_on=False,
)
