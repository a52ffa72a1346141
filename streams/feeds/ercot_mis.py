"""ERCOT's public files, without a key: a list of documents for each report, each document a zip of one CSV."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from models.records import HOUR_US, MINUTE_US, SECOND_US
from streams.errors import FeedError
from streams.feeds.contract import Appender, Options, Parsed, Source
from streams.feeds.ercot_documents import Document, documents
from streams.feeds.ercot_prices import (
    CORRECTED,
    CORRECTION_TIME,
    DST,
    HOUR,
    INTERVAL,
    NODE,
    add_rows,
    corrected,
    keep,
    market,
)
from streams.feeds.http import Client, Request
from streams.feeds.local_time import QUARTER_US
from streams.feeds.power_reading import PowerOptions, Prices, Wanted, note_of, table, with_nodes
from streams.feeds.reading import iso_us, unzipped
from streams.now import now_us
from streams.wire import RawRecord

NAME = "ercot-mis"
LIST = f"{NAME}:list"
MOST_TRIES = 3
MOST_DOCUMENTS_OF_A_LOOK = 12
POSTED_AFTER_US = 75 * SECOND_US
"""A quarter hour's file is looked for from here on: the one for 08:45 was printed at 08:47:01."""


class ErcotMisOptions(PowerOptions):
    """Settings of ERCOT's public files."""

    list_url: Annotated[str, Field(description="List of documents of a report.")] = (
        "https://www.ercot.com/misapp/servlets/IceDocListJsonWS"
    )
    document_url: Annotated[str, Field(description="Download of one document.")] = (
        "https://www.ercot.com/misdownload/servlets/mirDownload"
    )
    every_s: Annotated[float, Field(ge=15, le=900, description="Time between looks for a new quarter hour [s].")] = 30
    day_ahead: Annotated[bool, Field(description="Whether day-ahead prices are fetched.")] = True
    corrections: Annotated[bool, Field(description="Whether corrections of printed prices are fetched.")] = True


@dataclass(frozen=True, slots=True)
class Report:
    """One kind of document: its number, its parser, what its names hold, how often a new one is looked for [us]."""

    number: str
    feed: str
    named: str
    every_us: int
    first: int
    """How many of the newest are fetched at the start; what is older is left."""


SPP = Report("12301", f"{NAME}:spp", "", 0, 4)
DAM = Report("12331", f"{NAME}:dam", "", 10 * MINUTE_US, 2)
SPP_CORRECTIONS = Report("13045", f"{NAME}:spp-corrections", "RTM_SPP", HOUR_US, 4)
DAM_CORRECTIONS = Report("13044", f"{NAME}:dam-corrections", "DAM_SPP", HOUR_US, 4)


def parse_list(raw: RawRecord) -> Parsed:
    """A list of documents says nothing about a price; FeedError where it is none."""
    documents(raw.payload, "")
    return Parsed()


def _published(wanted: Wanted) -> int | None:
    """When the list said the document was published [us UTC]."""
    said = wanted.context.get("published")
    try:
        return iso_us(said) if isinstance(said, str) and said else None
    except FeedError:
        return None


COLUMNS = (("deliverydate",), HOUR, NODE, DST)


def _csv(raw: RawRecord, columns: Sequence[Sequence[str]]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Rows of the one CSV in a zip."""
    files = unzipped(raw.payload)
    if len(files) != 1:
        raise FeedError(f"the zip holds {len(files)} files, not one CSV")
    for line, row in table(files[0][1], columns):
        yield f"line {line}", row


def _parse(raw: RawRecord, kind: Literal["rt", "da"]) -> Parsed:
    """Prices as first printed."""
    prices = Prices(raw, market(NAME, kind), Wanted.of(raw.note))
    columns = (*COLUMNS, *((INTERVAL,) if kind == "rt" else ()), ("settlementpointprice",))
    found = keep(prices, _csv(raw, columns), _published(prices.wanted))
    add_rows(prices, found, "settlementpointprice")
    return prices.done()


def parse_spp(raw: RawRecord) -> Parsed:
    """Real-time prices of a quarter hour (NP6-905-CD)."""
    return _parse(raw, "rt")


def parse_dam(raw: RawRecord) -> Parsed:
    """Day-ahead prices of a day (NP4-190-CD)."""
    return _parse(raw, "da")


def _parse_corrections(raw: RawRecord, kind: Literal["rt", "da"]) -> Parsed:
    """Corrected prices: of several corrections of an interval the latest counts. A node not corrected is no fault."""
    prices = Prices(raw, market(NAME, kind), Wanted.of(raw.note))
    columns = (*COLUMNS, *((INTERVAL,) if kind == "rt" else ()), CORRECTED, CORRECTION_TIME)
    add_rows(prices, corrected(prices, keep(prices, _csv(raw, columns))), CORRECTED[0])
    return prices.done(all_expected=False)


def parse_spp_corrections(raw: RawRecord) -> Parsed:
    """Corrected real-time prices (NP4-197-M)."""
    return _parse_corrections(raw, "rt")


def parse_dam_corrections(raw: RawRecord) -> Parsed:
    """Corrected day-ahead prices (NP4-196-M)."""
    return _parse_corrections(raw, "da")


PARSERS = {
    LIST: parse_list,
    SPP.feed: parse_spp,
    DAM.feed: parse_dam,
    SPP_CORRECTIONS.feed: parse_spp_corrections,
    DAM_CORRECTIONS.feed: parse_dam_corrections,
}


class ErcotMisFeed:
    """Looks at each report's list when a new document is due and fetches those it has not, newest first.

    Which documents were fetched is remembered over new starts of the feed. A list equal to the last one is not
    appended again: it names a month of documents and says nothing new.
    """

    def __init__(self, options: ErcotMisOptions) -> None:
        self.name = NAME
        self._options = options
        self._client = Client(NAME, timeout_s=60.0)
        self._reports = [SPP]
        self._reports += [DAM] if options.day_ahead else []
        self._reports += [SPP_CORRECTIONS] if options.corrections else []
        self._reports += [DAM_CORRECTIONS] if options.corrections and options.day_ahead else []
        self._fetched: dict[Report, set[str]] = {}
        self._tries: dict[str, int] = {}
        self._lists: dict[Report, bytes] = {}
        self._due_us = dict.fromkeys(self._reports, 0)

    async def run(self, out: Appender) -> None:
        """Look until cancelled. FeedError at the end of a round in which something failed."""
        async with self._client as client:
            while True:
                failures: list[FeedError] = []
                for report in self._reports:
                    if now_us() < self._due_us[report]:
                        continue
                    try:
                        await self._look(client, out, report)
                    except FeedError as fault:
                        failures.append(fault)
                if failures:
                    raise failures[0]
                await asyncio.sleep(self._options.every_s)

    async def _look(self, client: Client, out: Appender, report: Report) -> None:
        """One list and its new documents."""
        note = note_of((), report=report.number)
        query = {"reportTypeId": report.number}
        answer = await client.fetch(Request(feed=LIST, url=self._options.list_url, query=query, note=note))
        if self._lists.get(report) != answer.body:
            await out.append(LIST, answer.receipt_time_us, answer.body, note)
            self._lists[report] = answer.body
        try:
            listed = documents(answer.body, report.named)
        except FeedError as fault:
            raise FeedError(f"list of report {report.number}: {fault}", retriable=True) from fault
        known = self._fetched.setdefault(report, {document.number for document in listed[report.first :]})
        known &= {document.number for document in listed}
        new = [document for document in listed if document.number not in known][:MOST_DOCUMENTS_OF_A_LOOK]
        for document in new:
            try:
                await self._document(client, out, report, document)
            except FeedError as fault:
                if fault.retriable or self._try(document) < MOST_TRIES:
                    raise
            known.add(document.number)
            self._tries.pop(document.number, None)
        newest_us = listed[0].order[0] if listed else 0
        self._due_us[report] = next_look_us(report, now_us(), newest_us)

    def _try(self, document: Document) -> int:
        """How often a document could not be read, this time included."""
        self._tries[document.number] = self._tries.get(document.number, 0) + 1
        return self._tries[document.number]

    async def _document(self, client: Client, out: Appender, report: Report, document: Document) -> None:
        """Fetch and append one document. FeedError where it cannot be read: it may be whole the next time."""
        context = {"doc": document.number, "name": document.name, "published": document.published}
        note = note_of(self._options.nodes, **context)
        query = {"doclookupId": document.number}
        request = Request(feed=report.feed, url=self._options.document_url, query=query, note=note)
        answer = await client.fetch(request)
        await out.append(report.feed, answer.receipt_time_us, answer.body, note)
        raw = RawRecord(report.feed, answer.receipt_time_us, "", 0, answer.body, note=note)
        try:
            PARSERS[report.feed](raw)
        except (FeedError, ValueError) as fault:
            raise FeedError(f"document {document.number} ({document.name}): {fault}") from fault


def next_look_us(report: Report, now: int, newest_us: int) -> int:
    """When a report is looked at again [us UTC], its newest document being of ``newest_us``.

    Quarter hours: at once until one is there that was printed after the last quarter hour ended, then not before the
    next is due. A second attempt at an older one does not count, nor does a time printed an hour too early.
    """
    quarter_us = now // QUARTER_US * QUARTER_US
    if report is SPP and newest_us > quarter_us:
        return quarter_us + QUARTER_US + POSTED_AFTER_US
    return now + report.every_us


def _build(options: Options, _: Mapping[str, str]) -> ErcotMisFeed:
    """The feed, of nodes that must be named."""
    found = with_nodes(NAME, options, ErcotMisOptions)
    return ErcotMisFeed(found)


SOURCE = Source(
    name=NAME,
    kind="power",
    options=ErcotMisOptions,
    parsers=PARSERS,
    build=_build,
    documentation=(
        "https://www.ercot.com/mp/data-products/data-product-details?id=NP6-905-CD",
        "https://www.ercot.com/mp/data-products/data-product-details?id=NP4-190-CD",
        "https://www.ercot.com/mktinfo/prices",
        "https://github.com/gridstatus/gridstatus/blob/main/gridstatus/ercot.py",
    ),
    etiquette="No limit is documented; a list is asked for only while a new document is due, each document once",
    unconfirmed=(
        "Columns of the correction files (as a client renames them): no file is at hand",
        "Which row of the repeated hour has DSTFlag Y: read as the second, as documented for the hourly load files",
    ),
    defaults_on=False,
)
