"""SPP's public files: real-time prices of five minutes at every settlement location, the latest interval.

GMTIntervalEnd ends its interval, in GMT; the local stamp beside it is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Annotated

from pydantic import Field

from models.records import MINUTE_US
from streams.feeds.contract import Options, Parsed, Source
from streams.feeds.http import PollFeed, Request
from streams.feeds.local_time import read_wall, utc_us
from streams.feeds.power_reading import Market, PowerOptions, Prices, Wanted, node_of, note_of, table, with_nodes
from streams.feeds.reading import each, number, text
from streams.wire import RawRecord

NAME = "spp"
FIVE_US = 5 * MINUTE_US
LAG_US = 5 * MINUTE_US
"""How late the latest interval is posted is not documented; five minutes are allowed for."""

COLUMNS = (("gmtintervalend", "gmtinterval"), ("settlementlocation", "settlementlocationname"), ("lmp",))
"""Spellings seen: ``GMTIntervalEnd`` and ``GMT Interval``, ``Settlement Location`` with and without ``Name``."""


class SppOptions(PowerOptions):
    """Settings of SPP's public files."""

    url: Annotated[str, Field(description="Download of a file.")] = (
        "https://portal.spp.org/file-browser-api/download/rtbm-lmp-by-location"
    )
    path: Annotated[str, Field(description="The file of the latest interval.")] = "/RTBM-LMP-SL-latestInterval.csv"
    every_s: Annotated[float, Field(ge=30, le=900, description="Time between requests [s].")] = 60


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


def _build(options: Options, _: Mapping[str, str]) -> PollFeed:
    """The feed, of settlement locations that must be named."""
    found = with_nodes(NAME, options, SppOptions)
    note = note_of(found.nodes)
    request = Request(feed=NAME, url=found.url, query={"path": found.path}, note=note)
    return PollFeed(NAME, lambda _: [request], every_s=found.every_s, only_changes=True, check=parse)


SOURCE = Source(
    name=NAME,
    kind="power",
    options=SppOptions,
    parsers={NAME: parse},
    build=_build,
    documentation=(
        "https://portal.spp.org/pages/rtbm-lmp-by-location",
        "https://www.spp.org/documents/28853/spp%20public%20data%20access%2020230707.pdf",
        "https://github.com/gridstatus/gridstatus/blob/main/gridstatus/spp.py",
    ),
    etiquette="No limit is documented; one file a minute at most",
    unconfirmed=(
        "SPP formally supports its FTP server; the portal's address of the same file is what clients use",
        "A location under two balancing areas (column BAA) with two prices: the second is refused",
    ),
    defaults_on=False,
)
