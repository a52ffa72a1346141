"""What parsers of power prices share: the wanted nodes in a record's note, tables with spellings that vary, one check.

A market's file holds thousands of nodes and a parser knows no options, so the feed writes the nodes wanted into the
note of each record, as JSON ``{"nodes": [...]}``, with whatever else of the request the payload lacks.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

import orjson
from pydantic import Field

from models.records import PowerPrice
from streams.errors import FeedError, SettingsError
from streams.feeds.contract import MAX_NOTE, Options, Parse, Parsed, chosen
from streams.feeds.reading import RAGGED, csv_rows, csv_start, json_of, obj, rows, text
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

MOST_ROWS = 100_000
MOST_NODES = 64
NODE = re.compile(r"[^\x00-\x1f\x7f:]{1,40}")

Node = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f:]{1,40}$")]
Nodes = Annotated[
    tuple[Node, ...],
    Field(max_length=MOST_NODES, description="Nodes to keep, as the market spells them; one at least is needed."),
]


def note_of(nodes: Sequence[str], **context: str) -> str:
    """A note that names the nodes wanted and what else the payload lacks.

    >>> note_of(("HB_SOUTH",), doc="1078")
    '{"nodes":["HB_SOUTH"],"doc":"1078"}'
    """
    note = orjson.dumps({"nodes": list(nodes), **context}).decode()
    if len(note) > MAX_NOTE:
        raise SettingsError(f"{len(nodes)} nodes fill a note of {len(note)} characters, over {MAX_NOTE}: name fewer")
    return note


class PowerOptions(Options):
    """What every source of power prices has: the nodes to keep."""

    nodes: Nodes = ()


ChosenPower = TypeVar("ChosenPower", bound=PowerOptions)


def with_nodes(name: str, options: Options, kind: type[ChosenPower]) -> ChosenPower:
    """The options as those of one source. SettingsError where they name no node, TypeError where they are another's."""
    found = chosen(options, kind)
    if not found.nodes:
        raise SettingsError(f"[feeds.{name}] nodes is empty: name the nodes whose prices are wanted")
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a note says: the nodes to keep (None: all) and the request's context."""

    nodes: frozenset[str] | None
    context: Mapping[str, object]

    @classmethod
    def of(cls, note: str) -> Wanted:
        """Read a note; an empty one wants every node. FeedError on a note that is none of ours."""
        if not note:
            return cls(None, {})
        found = obj(json_of(note.encode("utf-8", "replace")), "the note")
        nodes = [node for node in rows(found.get("nodes", []), "nodes of the note") if isinstance(node, str)]
        return cls(frozenset(nodes) or None, found)


@dataclass(frozen=True, slots=True)
class Market:
    """One market's print: who runs it, which of the two, and how late it comes.

    ``lag_us``: how long after its interval a real-time price is published [us].
    """

    source: str
    iso: str
    kind: Literal["rt", "da"]
    lag_us: int = 0

    def price(
        self,
        node: str,
        interval: tuple[int, int],
        usd_per_mwh: float,
        receipt_time_us: int,
        *,
        publish_time_us: int | None = None,
        revision: int | None = None,
    ) -> PowerPrice:
        """The record of a price over (start, end) [us UTC]. The next is due one interval and the lag after its end."""
        start_us, end_us = interval
        if not NODE.fullmatch(node):
            raise FeedError(f"node {shown(node)} is no name of a node")
        return PowerPrice(
            series=f"power:{self.iso}:{node}:{self.kind}",
            source=self.source,
            event_time_us=start_us,
            receipt_time_us=receipt_time_us,
            next_due_us=end_us if self.kind == "da" else 2 * end_us - start_us + self.lag_us,
            publish_time_us=publish_time_us,
            revision=revision,
            end_time_us=end_us,
            usd_per_mwh=usd_per_mwh,
        )


@dataclass(slots=True)
class Prices:
    """Prices of one payload as they are found: only nodes wanted, no interval twice with two prices."""

    raw: RawRecord
    market: Market
    wanted: Wanted
    parsed: Parsed = field(default_factory=Parsed)
    _found: set[str] = field(default_factory=set)
    _printed: dict[tuple[str, int, int, int | None], float] = field(default_factory=dict)

    def wants(self, node: str) -> bool:
        """Whether a row's node is kept; it then counts as found, whatever is wrong with the row."""
        if self.wanted.nodes is not None and node not in self.wanted.nodes:
            return False
        self._found.add(node)
        return True

    def add(
        self,
        node: str,
        interval: tuple[int, int],
        usd_per_mwh: float,
        *,
        publish_time_us: int | None = None,
        revision: int | None = None,
    ) -> None:
        """Keep a price. FeedError or ValueError where it cannot be, or stands beside another for the same interval."""
        key = (node, *interval, revision)
        before = self._printed.get(key)
        if before is not None:
            if before != usd_per_mwh:
                raise FeedError(f"{node} is printed twice for one interval, at {before} and at {usd_per_mwh}")
            return
        receipt_us = self.raw.receipt_time_us
        record = self.market.price(
            node, interval, usd_per_mwh, receipt_us, publish_time_us=publish_time_us, revision=revision
        )
        self._printed[key] = usd_per_mwh
        self.parsed.records.append(record)

    def done(self, *, all_expected: bool = True) -> Parsed:
        """What was found; each node wanted and absent is a fault where ``all_expected``."""
        if all_expected and self.wanted.nodes is not None:
            absent = sorted(self.wanted.nodes - self._found)
            self.parsed.faults.extend(f"{node} is not in this payload: check its spelling" for node in absent)
        return self.parsed


def plain(name: str) -> str:
    """A column's name without case, spaces and signs: spellings of it vary between files.

    >>> plain("GMT Interval"), plain("SettlementPoint")
    ('gmtinterval', 'settlementpoint')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def table(body: bytes, required: Sequence[Sequence[str]]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and row of each row of a CSV, under the first plain name of each column's ``required`` spellings.

    Columns not required keep their plain name. FeedError where a required column is missing or stands twice, and
    over 100,000 rows.
    """
    start = body[:65_536].lstrip(b"\xef\xbb\xbf \t\r\n").split(b"\n", 1)[0].decode("utf-8", "replace")
    try:
        header = [name.strip() for name in next(csv.reader([start.rstrip("\r")]), [])]
    except csv.Error as fault:
        raise FeedError(f"the CSV's header is broken: {fault}") from fault
    names: dict[str, str] = {name: plain(name) for name in header}
    exact: list[str] = []
    for spellings in required:
        found = [name for name in header if plain(name) in spellings]
        if len(found) != 1:
            problem = "lacks" if not found else "has twice"
            raise FeedError(f"the CSV's header {problem} {spellings[0]}; {csv_start(body)}")
        names[found[0]] = spellings[0]
        exact.append(found[0])
    for count, (line, row) in enumerate(csv_rows(body, exact)):
        if count >= MOST_ROWS:
            raise FeedError(f"the CSV has more than {MOST_ROWS} rows")
        yield line, row if RAGGED in row else {names.get(name) or plain(name): value for name, value in row.items()}


def lines_of(body: bytes, nodes: Collection[str] | None, *, header: int = 1) -> bytes:
    r"""The file with every line emptied that names none of the nodes (None: all are kept), below ``header`` lines.

    A file of a day holds forty thousand rows and a fleet reads one node of it: lines are compared a hundred times
    faster than they are read. Numbers of lines stay as they were.

    >>> lines_of(b"Node,LMP\nHUB,21.5\nZONE,20\nHUB,22\n", ["HUB"])
    b'Node,LMP\nHUB,21.5\n\nHUB,22\n'
    """
    if not nodes or any('"' in node for node in nodes):  # a quote is written twice in a file
        return body
    wanted = [node.encode() for node in nodes]
    lines = body.split(b"\n")
    kept = (line if any(node in line for node in wanted) else b"" for line in lines[header:])
    return b"\n".join([*lines[:header], *kept])


def node_of(row: Mapping[str, object], key: str) -> str:
    """A row's node, without spaces around it. FeedError where it has none."""
    return text(row, key).strip()


def by_feed(parsers: Mapping[str, Parse]) -> Parse:
    """One check for a feed of several kinds of payload: the parser that a record's header names."""

    def check(raw: RawRecord) -> Parsed:
        return parsers[raw.feed](raw)

    return check


class Every:
    """Something done again once a period has passed; first at once."""

    def __init__(self, period_us: int) -> None:
        self._period_us = period_us
        self._due_us = 0

    def is_due(self, now_us: int) -> bool:
        """Whether it is due [us UTC]; then the period begins anew."""
        if now_us < self._due_us:
            return False
        self._due_us = now_us + self._period_us
        return True

    def again(self) -> None:
        """Make it due at once: it failed."""
        self._due_us = 0
