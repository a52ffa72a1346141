"""The month so far of one part of a pool: a row of whole numbers that only moves forward. Compiled.

Downtime is counted in microseconds, so that it adds up exactly whatever the order of stops, and a tier begins at its
minute and not a rounding beside it.
"""

from __future__ import annotations

import numpy as np

from models import civil
from models.jit import jit
from models.records import DAY_US
from models.sla.terms import MONTH_US

IN_SERVICE = np.iinfo(np.int64).max

DOWNTIME = np.dtype(
    [
        ("month_start_us", "i8"),
        ("month_us", "i8"),  # its length
        ("downtime_us", "i8"),  # of this month, up to `known_us`
        ("known_us", "i8"),  # log time the row is current at
        ("out_since_us", "i8"),  # IN_SERVICE, or since when service has been out
        ("breach_bits", "i8"),  # bit n: the month n+1 before this one was a breach
    ]
)


@jit
def month_start_us(terms: np.void, now_us: int) -> int:
    """Start of the month of a time [us], by the document's clock."""
    if terms["calendar"] == 1:
        day = now_us // DAY_US
        return civil.day_number(civil.year_of(day), civil.month_of(day), 1) * DAY_US
    anchor_us = terms["anchor_us"]
    return anchor_us + (now_us - anchor_us) // MONTH_US * MONTH_US


@jit
def month_length_us(terms: np.void, start_us: int) -> int:
    """Length of the month that starts then [us]."""
    if terms["calendar"] == 1:
        day = start_us // DAY_US
        year, month = civil.year_of(day), civil.month_of(day)
        following = civil.day_number(year + 1, 1, 1) if month == 12 else civil.day_number(year, month + 1, 1)
        return (following - day) * DAY_US
    return MONTH_US


@jit
def budget_us(below: float, month_us: int) -> int:
    """Downtime a month allows before availability falls below a level [us]: ``(1 - A) * month``, to the microsecond.

    >>> [budget_us(below, MONTH_US) / 60e6 for below in (0.999, 0.995, 0.99)]
    [43.2, 216.0, 432.0]
    """
    return int((1.0 - below) * month_us + 0.5)


@jit
def begin(terms: np.void, row: np.void, now_us: int) -> None:
    """Set a row to a month without downtime, in service."""
    row["month_start_us"] = month_start_us(terms, now_us)
    row["month_us"] = month_length_us(terms, row["month_start_us"])
    row["downtime_us"] = 0
    row["known_us"] = now_us
    row["out_since_us"] = IN_SERVICE
    row["breach_bits"] = 0


@jit
def count(row: np.void, until_us: int) -> None:
    """Count an outage that lasts, up to a time within the month."""
    if row["out_since_us"] < until_us:
        since_us = max(row["out_since_us"], row["known_us"])
        row["downtime_us"] += max(until_us - since_us, 0)
    row["known_us"] = until_us


@jit
def advance(terms: np.void, row: np.void, now_us: int) -> None:
    """Bring a row to a time: count an outage that lasts, close each month that ended. Backward times change nothing.

    A stop over a month's end is split between the two months.
    """
    if now_us <= row["known_us"]:
        return
    end_us = row["month_start_us"] + row["month_us"]
    while now_us >= end_us:
        count(row, end_us)
        breached = 1 if row["downtime_us"] > budget_us(terms["breach_below"], row["month_us"]) else 0
        kept = 1  # as many bits as months may count beside the running one
        for _ in range(terms["within_months"] - 1):
            kept = kept * 2
        row["breach_bits"] = (row["breach_bits"] * 2 + breached) % kept
        row["month_start_us"] = end_us
        row["month_us"] = month_length_us(terms, end_us)
        row["downtime_us"] = 0
        end_us = end_us + row["month_us"]
    count(row, now_us)


@jit
def go_out(terms: np.void, row: np.void, now_us: int) -> None:
    """Note that service is out from now on."""
    advance(terms, row, now_us)
    if row["out_since_us"] == IN_SERVICE:
        row["out_since_us"] = max(now_us, row["known_us"])


@jit
def come_back(terms: np.void, row: np.void, now_us: int) -> None:
    """Note that service is back from now on."""
    advance(terms, row, now_us)
    row["out_since_us"] = IN_SERVICE


@jit
def breaches(row: np.void) -> int:
    """How many of the closed months that count were breaches."""
    bits, found = row["breach_bits"], 0
    while bits > 0:
        found += bits % 2
        bits = bits // 2
    return found
