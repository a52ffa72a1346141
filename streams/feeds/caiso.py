"""CAISO OASIS: real-time five-minute and day-ahead prices of chosen nodes, as a zip of one CSV.

A row stands for each component of a price; only the whole, LMP, is a price paid. Times are GMT. An error comes as 200
with an XML document in the zip. Corrections come as other prices of the same intervals: days gone by are read again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, timedelta
from typing import Annotated, Literal

from pydantic import Field

from models.records import HOUR_US, MINUTE_US, SECOND_US
from streams.errors import FeedError
from streams.feeds.contract import Options, Parsed, Source
from streams.feeds.http import PollFeed, Request
from streams.feeds.local_time import PACIFIC, midnight_us, wall_of
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
from streams.feeds.reading import each, iso_us, number, text, unzipped
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

NAME = "caiso"
RT, DA = f"{NAME}:rt", f"{NAME}:da"
FIVE_US = 5 * MINUTE_US
LAG_US = 5 * MINUTE_US
"""Real-time prices are taken to stand in OASIS five minutes after their interval at the latest: none is documented."""

BACK_US = 30 * MINUTE_US
DAY_AHEAD_EVERY_US = 10 * MINUTE_US

PRICE = ("value", "prc", "mw")
"""The price's column: VALUE in real time, PRC in the fifteen-minute market, MW in the day-ahead report."""
COLUMNS = (
    ("intervalstarttimegmt",),
    ("intervalendtimegmt",),
    ("nodeid",),
    ("marketrunid",),
    ("lmptype",),
    ("xmldataitem",),
    PRICE,
)
COMPONENTS = frozenset(("MCC", "MCE", "MCL", "MGHG"))
ERROR = re.compile(rb"<(?:\w+:)?ERR_(CODE|DESC)>([^<]{0,400})<")


class CaisoOptions(PowerOptions):
    """Settings of CAISO's OASIS."""

    url: Annotated[str, Field(description="The query for one report.")] = "https://oasis.caiso.com/oasisapi/SingleZip"
    every_s: Annotated[float, Field(ge=30, le=900, description="Time between rounds of requests [s].")] = 60
    pause_s: Annotated[float, Field(ge=0.1, le=60, description="Least time between requests [s]; 429 under 5.")] = 5.5
    day_ahead: Annotated[bool, Field(description="Whether day-ahead prices are fetched.")] = True
    correction_days: Annotated[
        int, Field(ge=0, le=31, description="Days before today that are read again, for corrections; 0: none.")
    ] = 5
    corrections_every_s: Annotated[
        float, Field(ge=600, le=86_400, description="Time between readings of those days [s].")
    ] = 21_600


def _report(raw: RawRecord) -> bytes:
    """The CSV of an answer. FeedError with the source's words where the zip holds its error document."""
    files = unzipped(raw.payload)
    for name, body in files:
        said = dict(ERROR.findall(body[:65_536]))
        if said or name.lower().endswith(".xml"):
            code, words = (said.get(key, b"?").decode("utf-8", "replace").strip() for key in (b"CODE", b"DESC"))
            raise FeedError(f"OASIS says error {code}: {words}", retriable=True)
    if len(files) != 1:
        raise FeedError(f"the zip holds {len(files)} files, not one CSV")
    return files[0][1]


def _parse(raw: RawRecord, kind: Literal["rt", "da"], run: str, length_us: int) -> Parsed:
    """Prices of one market run, whose intervals have one length."""
    prices = Prices(raw, Market(NAME, "CAISO", kind, LAG_US), Wanted.of(raw.note))
    for line, row in table(_report(raw), COLUMNS):
        with each(prices.parsed, f"line {line}"):
            component = text(row, "lmptype")
            if component in COMPONENTS:
                continue
            node = node_of(row, "nodeid")
            if not prices.wants(node):
                continue
            if component != "LMP" or text(row, "xmldataitem") != "LMP_PRC":
                raise FeedError(f"{shown(component)} of {shown(row['xmldataitem'])} is no price that is known")
            if text(row, "marketrunid") != run:
                raise FeedError(f"market run {shown(row['marketrunid'])} is not {run}")
            interval = iso_us(text(row, "intervalstarttimegmt")), iso_us(text(row, "intervalendtimegmt"))
            if interval[1] - interval[0] != length_us:
                raise FeedError(
                    f"the interval is {(interval[1] - interval[0]) / MINUTE_US:g} min long, not as documented"
                )
            prices.add(node, interval, number(row, PRICE[0]))
    return prices.done()


def parse_rt(raw: RawRecord) -> Parsed:
    """Five-minute prices (PRC_INTVL_LMP of the run RTM)."""
    return _parse(raw, "rt", "RTM", FIVE_US)


def parse_da(raw: RawRecord) -> Parsed:
    """Day-ahead prices by the hour (PRC_LMP of the run DAM)."""
    return _parse(raw, "da", "DAM", HOUR_US)


PARSERS = {RT: parse_rt, DA: parse_da}
REPORTS = {RT: ("PRC_INTVL_LMP", "3", "RTM"), DA: ("PRC_LMP", "12", "DAM")}
"""Report, its version and the market run, by the parser that reads it."""


def gmt(us: int) -> str:
    """A moment as OASIS takes it.

    >>> gmt(1_753_882_200_000_000)
    '20250730T13:30-0000'
    """
    return f"{wall_of(us, UTC):%Y%m%dT%H:%M}-0000"


def days(first: date, count: int) -> tuple[str, str]:
    """Start and end of Pacific days, as OASIS takes them.

    >>> days(date(2025, 3, 9), 1)
    ('20250309T08:00-0000', '20250310T07:00-0000')
    """
    return gmt(midnight_us(first, PACIFIC)), gmt(midnight_us(first + timedelta(days=count), PACIFIC))


class Rounds:
    """What is asked in a round: the last half hour in real time; every ten minutes today and tomorrow, day ahead.

    Now and then also the days gone by, for corrections: one report of one day in a round, as each request has to wait
    for its turn and real time comes first.
    """

    def __init__(self, options: CaisoOptions) -> None:
        self._options = options
        self._note = note_of(options.nodes)
        self._day_ahead = Every(DAY_AHEAD_EVERY_US)
        self._corrections = Every(int(options.corrections_every_s * SECOND_US))
        self._again: list[tuple[str, date]] = []

    def __call__(self, now_us: int) -> list[Request]:
        """Requests of the round that begins now [us UTC]."""
        interval_us = now_us // FIVE_US * FIVE_US
        window = gmt(interval_us - BACK_US), gmt(interval_us + FIVE_US)
        today = wall_of(now_us, PACIFIC).date()
        asked = [self._request(RT, window)]
        if self._options.day_ahead and self._day_ahead.is_due(now_us):
            asked.append(self._request(DA, days(today, 2)))
        if self._options.correction_days and self._corrections.is_due(now_us):
            feeds = (RT, DA) if self._options.day_ahead else (RT,)
            back = range(1, self._options.correction_days + 1)
            self._again = [(feed, today - timedelta(days=ago)) for ago in back for feed in feeds]
        elif self._again:
            feed, day = self._again.pop(0)
            asked.append(self._request(feed, days(day, 1)))
        return asked

    def _request(self, feed: str, window: tuple[str, str]) -> Request:
        """One report over a window, as CSV."""
        report, version, run = REPORTS[feed]
        query = {
            "resultformat": "6",
            "queryname": report,
            "version": version,
            "market_run_id": run,
            "node": ",".join(self._options.nodes),
            "startdatetime": window[0],
            "enddatetime": window[1],
        }
        return Request(feed=feed, url=self._options.url, query=query, note=self._note)


def _build(options: Options, _: Mapping[str, str]) -> PollFeed:
    """The feed, of nodes that must be named."""
    found = with_nodes(NAME, options, CaisoOptions)
    return PollFeed(
        NAME, Rounds(found), every_s=found.every_s, pause_s=found.pause_s, timeout_s=60.0, check=by_feed(PARSERS)
    )


SOURCE = Source(
    name=NAME,
    kind="power",
    options=CaisoOptions,
    parsers=PARSERS,
    build=_build,
    documentation=(
        "https://www.caiso.com/documents/oasisapispecification.pdf",
        "https://www.caiso.com/documents/oasis-frequently-asked-questions.pdf",
        "https://github.com/gridstatus/gridstatus/pull/900",
    ),
    etiquette="One request in 5.5 s: OASIS answers 429 below 5 s and asks to wait 5 s",
    unconfirmed=(
        "How late real-time prices stand in OASIS: five minutes are allowed for",
        "How far back corrections reach: five days are read again every six hours; sources say 3 to 14",
        "How many nodes one query takes: all nodes named are asked for in one",
        "PRC_CORR_GRP, which lists what was corrected, gives no price by node and is not fetched",
    ),
    defaults_on=False,
)
