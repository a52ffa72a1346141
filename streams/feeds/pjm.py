"""PJM Data Miner 2: real-time prices unverified and verified, and day-ahead prices, of chosen pricing nodes.

Needs a key. Times are UTC without saying so. A verified row has a version: the highest counts. An answer longer than
a page comes in pages, which must be of one state of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Annotated, Literal

from pydantic import Field

from models.records import DAY_US, HOUR_US, MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Appender, Options, Parsed, Source
from streams.feeds.http import Client, Request, joined, parts_of
from streams.feeds.local_time import EASTERN, midnight_us, wall_of
from streams.feeds.power_polling import Rounds
from streams.feeds.power_reading import MOST_NODES, Every, Market, PowerOptions, Prices, Wanted, note_of, with_nodes
from streams.feeds.reading import each, given, integer, iso_us, json_of, number, obj, rows, text
from streams.fleetfile_errors import shown
from streams.now import now_us
from streams.wire import RawRecord

NAME = "pjm"
KEY = "PJM_API_KEY"
FIVE_US = 5 * MINUTE_US
LAG_US = 5 * MINUTE_US
"""Unverified prices are posted every five minutes, so one may come that long after its interval."""

MOST_PAGES = 20


class PjmOptions(PowerOptions):
    """Settings of PJM's Data Miner 2."""

    nodes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9]{1,12}$")], ...],
        Field(max_length=MOST_NODES, description="Numbers of pricing nodes (pnode_id); one at least is needed."),
    ] = ()
    url: Annotated[str, Field(description="The API.")] = "https://api.pjm.com/api/v1"
    every_s: Annotated[float, Field(ge=30, le=900, description="Pause between rounds [s].")] = 60
    pause_s: Annotated[
        float, Field(ge=0.1, le=60, description="Least time between requests [s]; who is no member has six a minute.")
    ] = 10.5
    page_rows: Annotated[int, Field(ge=1, le=50_000, description="Rows of a page; 50,000 is the most.")] = 50_000
    verified: Annotated[bool, Field(description="Whether verified real-time prices are fetched.")] = True
    day_ahead: Annotated[bool, Field(description="Whether day-ahead prices are fetched.")] = True


@dataclass(frozen=True, slots=True)
class Report:
    """One kind of row: where it is asked for, its price and the length of its interval."""

    feed: str
    path: str
    kind: Literal["rt", "da"]
    price: str
    length_us: int
    versioned: bool = True
    every_us: int = 0
    back_us: int = 0


UNVERIFIED = Report(
    f"{NAME}:unverified",
    "rt_unverified_fivemin_lmps",
    "rt",
    "total_lmp_rt",
    FIVE_US,
    versioned=False,
    back_us=HOUR_US // 2,
)
VERIFIED = Report(
    f"{NAME}:verified", "rt_fivemin_hrl_lmps", "rt", "total_lmp_rt", FIVE_US, every_us=HOUR_US, back_us=5 * DAY_US
)
DAY_AHEAD = Report(f"{NAME}:da", "da_hrl_lmps", "da", "total_lmp_da", HOUR_US, every_us=10 * MINUTE_US)


def total_rows(page: Mapping[str, object]) -> int | None:
    """How many rows a query has over all its pages, None where the answer does not say."""
    key = next((name for name in ("totalRows", "TotalRows") if name in page), None)
    return None if key is None else integer(page, key)


def page_of(body: bytes) -> dict[str, object]:
    """One page. FeedError with the source's words where it is an error's document."""
    page = obj(json_of(body), "the answer")
    if "errors" in page or ("message" in page and "items" not in page):
        raise FeedError(f"PJM says {shown(page.get('errors', page.get('message')))}")
    return page


def items_of(payload: bytes) -> list[object]:
    """Rows of an answer, of one page or of pages put together. FeedError where they are not one whole state."""
    bodies = [body for _, body in parts_of(payload)] if payload.lstrip()[:1] == b"[" else [payload]
    pages = [page_of(body) for body in bodies]
    if not pages:
        raise FeedError("the answer has no page")
    totals = {total_rows(page) for page in pages}
    if len(totals) > 1:
        raise FeedError(
            f"pages of two snapshots: they say that there are {sorted(map(str, totals))} rows", retriable=True
        )
    items = [item for page in pages for item in rows(page.get("items"), "items")]
    total = next(iter(totals))
    if total is not None and total != len(items):
        raise FeedError(f"the answer has {len(items)} rows of {total}", retriable=True)
    if len(items) > 100_000:
        raise FeedError(f"the answer has {len(items)} rows, over 100000")
    return items


def _row(found: Mapping[str, object], report: Report) -> tuple[str, tuple[int, int], float, int | None] | None:
    """Name, interval, price and version of a row; None for one that a later version has replaced."""
    start_us = iso_us(text(found, "datetime_beginning_utc"), assume_utc=True)
    interval = start_us, start_us + report.length_us
    if not report.versioned:
        return text(found, "pnode_name").strip(), interval, number(found, report.price), None
    current = given(found, "row_is_current")
    if not isinstance(current, bool):
        raise FeedError(f"row_is_current is {shown(current)}, neither true nor false")
    if not current:
        return None
    version = integer(found, "version_nbr")
    return text(found, "pnode_name").strip(), interval, number(found, report.price), version


def _parse(raw: RawRecord, report: Report) -> Parsed:
    """Prices of one kind. A row twice means that its pages are of two states of the data: the whole is refused."""
    prices = Prices(raw, Market(NAME, "PJM", report.kind, LAG_US), Wanted.of(raw.note))
    names: dict[str, str] = {}
    seen: set[tuple[str, int, int | None]] = set()
    twice = ""
    for place, item in enumerate(items_of(raw.payload)):
        with each(prices.parsed, f"row {place}"):
            found = obj(item, "the row")
            node = str(integer(found, "pnode_id"))
            read = _row(found, report) if prices.wants(node) else None
            if read is None:
                continue
            name, interval, price, version = read
            if names.setdefault(name, node) != node:
                raise FeedError(f"nodes {names[name]} and {node} have one name, {name}: name one of them")
            key = node, interval[0], version
            twice = f"{name} at {text(found, 'datetime_beginning_utc')}" if key in seen else twice
            seen.add(key)
            prices.add(name, interval, price, revision=version)
    if twice:
        raise FeedError(f"the answer has {twice} twice: its pages are of two snapshots", retriable=True)
    return prices.done(all_expected=report is not VERIFIED)


def parse_unverified(raw: RawRecord) -> Parsed:
    """Unverified five-minute prices, minutes old."""
    return _parse(raw, UNVERIFIED)


def parse_verified(raw: RawRecord) -> Parsed:
    """Verified five-minute prices, of the business day before."""
    return _parse(raw, VERIFIED)


def parse_day_ahead(raw: RawRecord) -> Parsed:
    """Day-ahead prices by the hour."""
    return _parse(raw, DAY_AHEAD)


PARSERS = {UNVERIFIED.feed: parse_unverified, VERIFIED.feed: parse_verified, DAY_AHEAD.feed: parse_day_ahead}


class PjmFeed(Rounds):
    """Asks for each report over its window, all pages of it."""

    def __init__(self, options: PjmOptions, key: str) -> None:
        super().__init__(NAME, PARSERS, every_s=options.every_s, pause_s=options.pause_s)
        self._options = options
        self._headers = {"Ocp-Apim-Subscription-Key": key}
        self._note = note_of(options.nodes)
        wanted = {UNVERIFIED: True, VERIFIED: options.verified, DAY_AHEAD: options.day_ahead}
        self._due = {report: Every(report.every_us) for report, yes in wanted.items() if yes}

    async def go_round(self, client: Client, out: Appender) -> None:
        """Every report that is due. FeedError where one could not be had; it is then asked for in the next round."""
        for report, due in self._due.items():
            if due.is_due(now_us()):
                try:
                    await self._report(client, out, report)
                except FeedError:
                    due.again()
                    raise

    async def _report(self, client: Client, out: Appender, report: Report) -> None:
        """All pages of a report, as one record."""
        pages: list[tuple[str, bytes]] = []
        window, first, received_us = window_of(report, now_us()), 1, 0
        while len(pages) < MOST_PAGES:
            query = {
                "rowCount": str(self._options.page_rows),
                "startRow": str(first),
                "sort": "datetime_beginning_utc",
                "order": "asc",
                "datetime_beginning_utc": window,
                "pnode_id": ";".join(self._options.nodes),
                **({"row_is_current": "TRUE"} if report.versioned else {}),
            }
            url = f"{self._options.url}/{report.path}"
            answer = await client.fetch(Request(feed=report.feed, url=url, headers=self._headers, query=query))
            pages.append((f"rows from {first}", answer.body))
            received_us = answer.receipt_time_us
            first += self._options.page_rows
            if not has_more(answer.body, first):
                break
        payload = pages[0][1] if len(pages) == 1 else joined(pages)
        await self.keep(out, report.path, RawRecord(report.feed, received_us, "", 0, payload, note=self._note))


def has_more(body: bytes, first: int) -> bool:
    """Whether a page says that there are rows from ``first`` on; one that cannot be read ends the pages."""
    try:
        total = total_rows(page_of(body))
    except FeedError:
        return False
    return total is not None and total >= first


def window_of(report: Report, now: int) -> str:
    """The times a report is asked for at a moment [us UTC], as PJM takes them.

    >>> window_of(UNVERIFIED, 1_753_882_200_000_000)
    '07/30/2025 13:00to07/30/2025 13:35'
    """
    if report.kind == "da":
        today = wall_of(now, EASTERN).date()
        from_us, to_us = midnight_us(today, EASTERN), midnight_us(today + timedelta(days=2), EASTERN)
    else:
        from_us, to_us = now - report.back_us, now + FIVE_US
    return "to".join(f"{wall_of(us, UTC):%m/%d/%Y %H:%M}" for us in (from_us, to_us))


def _build(options: Options, keys: Mapping[str, str]) -> PjmFeed:
    """The feed, of nodes that must be named."""
    found = with_nodes(NAME, options, PjmOptions)
    return PjmFeed(found, keys[KEY])


SOURCE = Source(
    name=NAME,
    kind="power",
    options=PjmOptions,
    parsers=PARSERS,
    build=_build,
    keys=(KEY,),
    documentation=(
        "https://www.pjm.com/-/media/DotCom/etools/data-miner-2/data-miner-2-api-guide.ashx",
        "https://dataminer2.pjm.com/feed/rt_unverified_fivemin_lmps/definition",
        "https://dataminer2.pjm.com/feed/rt_fivemin_hrl_lmps/definition",
        "https://dataminer2.pjm.com/feed/da_hrl_lmps/definition",
    ),
    etiquette="One request in 10.5 s: six connections a minute for who is no member, 600 for members",
    unconfirmed=(
        "How long after its interval an unverified price is posted: five minutes are allowed for",
        "Six connections a minute for who is no member: as clients say, the guide names 600 for members",
    ),
    defaults_on=False,
)
