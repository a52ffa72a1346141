"""Rows of ERCOT's settlement point prices, the same whether they come by the API or as files: time, node, price.

Hours end, in Central prevailing time; DSTFlag Y marks the second passing of the hour that repeats in November
(https://www.ercot.com/mp/data-products/data-product-details?id=NP6-905-CD; N stands on every other row of the year).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from models.records import MINUTE_US, SECOND_US
from streams.errors import FeedError
from streams.feeds.local_time import CENTRAL, hour_ending, quarter_of, read_date, read_hour, read_wall, wall_us
from streams.feeds.power_reading import Market, Prices, node_of
from streams.feeds.reading import each, given, number, text
from streams.fleetfile_errors import shown

SPP_LAG_US = 2 * MINUTE_US
"""A quarter hour's price is posted about two minutes after it: the file for 08:45 was printed at 08:47:01."""

MAX_AHEAD_US = 2 * SECOND_US
"""How far a source's clock may run before ours."""

NODE = ("settlementpoint", "settlementpointname")
HOUR = ("hourending", "deliveryhour")
DST = ("dstflag", "repeatedhourflag")
INTERVAL = ("deliveryinterval",)
CORRECTED = ("sppcorrected",)
CORRECTION_TIME = ("pricecorrectiontime",)
ENERGY_WEIGHTED = "EW"
"""Types LZEW and LZ_DCEW print a load zone's name with another price, weighted by energy: not the zone's price."""


def market(source: str, kind: Literal["rt", "da"]) -> Market:
    """ERCOT's real-time or day-ahead market as one source prints it."""
    return Market(source, "ERCOT", kind, SPP_LAG_US)


@dataclass(frozen=True, slots=True)
class Row:
    """One row, its hour not yet read: that takes the other rows of its day."""

    what: str
    node: str
    found: Mapping[str, object]
    publish_time_us: int | None = None


def is_second_hour(found: Mapping[str, object]) -> bool:
    """Whether a row is of the second passing of the repeated hour: Y or true.

    >>> is_second_hour({"dstflag": "N"}), is_second_hour({"dstflag": True})
    (False, True)
    """
    flag = given(found, DST[0])
    said = {"Y": True, "N": False, True: True, False: False}.get(flag) if isinstance(flag, str | bool) else None
    if said is None:
        raise FeedError(f"dstflag is {shown(flag)}, neither Y nor N")
    return said


def _day_of(found: Mapping[str, object]) -> date | None:
    """A row's day, None where it cannot be read (the row then says so itself)."""
    try:
        return read_date(str(found.get("deliverydate", "")))
    except FeedError:
        return None


def _numbered_days(rows: Iterable[Row]) -> frozenset[date]:
    """Days whose hours are numbered 1 to 25: hour 25 stands in the payload and no row is flagged as repeated."""
    with_25: set[date] = set()
    flagged: set[date] = set()
    for row in rows:
        day = _day_of(row.found)
        if day is None:
            continue
        if str(row.found.get(HOUR[0], "")) in {"25", "25:00"}:
            with_25.add(day)
        flag = row.found.get(DST[0])
        if flag == "Y" or flag is True:
            flagged.add(day)
    return frozenset(with_25 - flagged)


def keep(
    prices: Prices, found: Iterable[tuple[str, Mapping[str, object]]], publish_time_us: int | None = None
) -> list[Row]:
    """The rows of nodes wanted, each with what it is called in a fault."""
    kept: list[Row] = []
    for what, row in found:
        with each(prices.parsed, what):
            node = node_of(row, NODE[0])
            kind = row.get("settlementpointtype", "")
            if isinstance(kind, str) and kind.endswith(ENERGY_WEIGHTED):
                continue
            if prices.wants(node):
                kept.append(Row(what, node, row, publish_time_us))
    return kept


def corrected(prices: Prices, rows: Iterable[Row]) -> list[Row]:
    """Of several corrections of an interval the latest, published at its time of correction (Central)."""
    latest: dict[tuple[str, ...], Row] = {}
    parts = ("deliverydate", HOUR[0], INTERVAL[0], DST[0])
    for row in rows:
        with each(prices.parsed, row.what):
            corrected_us = wall_us(read_wall(text(row.found, CORRECTION_TIME[0])), CENTRAL)
            key = (row.node, *(str(row.found.get(part, "")) for part in parts))
            before = latest.get(key)
            if before is None or (before.publish_time_us or 0) <= corrected_us:
                latest[key] = Row(row.what, row.node, row.found, corrected_us)
    return list(latest.values())


def add_rows(prices: Prices, rows: list[Row], price: str) -> None:
    """Read the rows: an hour each (day ahead), or a quarter hour where the market is real time."""
    numbered = _numbered_days(rows)
    for row in rows:
        with each(prices.parsed, row.what):
            found = row.found
            day, hour = read_date(text(found, "deliverydate")), read_hour(str(given(found, HOUR[0])))
            interval = hour_ending(day, hour, repeated=is_second_hour(found), numbered=day in numbered)
            if prices.market.kind == "rt":
                interval = quarter_of(interval, read_hour(str(given(found, "deliveryinterval"))))
            published = _plausible(prices, interval, row.publish_time_us)
            prices.add(row.node, interval, number(found, price), publish_time_us=published)


def _plausible(prices: Prices, interval: tuple[int, int], publish_time_us: int | None) -> int | None:
    """The time of publication where it can be right: after its interval (real time), and not after it came.

    In the repeated hour the list of documents has printed times an hour off; such a time is left out.
    """
    after_us = interval[1] if prices.market.kind == "rt" else 0
    before_us = prices.raw.receipt_time_us + MAX_AHEAD_US
    return publish_time_us if publish_time_us is not None and after_us <= publish_time_us <= before_us else None
