"""The feeds of an ingest as a table, and what some of their prices say of each other."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

STATES = {"on": "green", "waiting": "yellow", "done": "dim", "off": "dim"}
SHOWN_SERIES = 4
HOURS_S = 2 * 3_600.0
SKEW_S = 2.0
"""A source's clock may run before ours by so much: its prices are of now."""


def ago(seconds: float | None) -> str:
    """An age as people read it; of what is yet to come the time until then.

    >>> ago(3.21), ago(754.0), ago(90_000.0), ago(None), ago(-7_300.0)
    ('3.2 s', '13 min', '25.0 h', '-', 'in 2.0 h')
    """
    if seconds is None:
        return "-"
    if seconds < -SKEW_S:
        return f"in {ago(-seconds)}"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < HOURS_S else f"{seconds / 3_600:.1f} h"


def prices_of(line: dict[str, Any]) -> str:
    """The first series of a feed with their values."""
    shown = [f"{each['series']} {each['value']:,.6g} {each['unit']} ({ago(each['age_s'])})" for each in line["series"]]
    more = len(shown) - SHOWN_SERIES
    return "\n".join(shown[:SHOWN_SERIES] + ([f"and {more} more"] if more > 0 else []))


def table_of(lines: Sequence[dict[str, Any]]) -> Table:
    """All feeds; what is late stands in red."""
    table = Table(box=SIMPLE_HEAD, expand=True, padding=(0, 1))
    for name in ("feed", "state", "heard", "in", "parsed", "refused", "failed"):
        table.add_column(name, justify="left" if name in ("feed", "state") else "right", no_wrap=True)
    table.add_column("last prices, or why not", ratio=1)
    for line in lines:
        said = prices_of(line)
        why = f"late: {', '.join(line['stale'][:SHOWN_SERIES])}" if line["stale"] else line["why"]
        words = Text(said + ("\n" if said and why else ""))
        words.append(why, style="red" if line["stale"] else "yellow" if line["state"] != "off" else "dim")
        counts = [str(line[name]) for name in ("received", "parsed", "rejected", "failures")]
        table.add_row(
            line["feed"], Text(line["state"], style=STATES[line["state"]]), ago(line["age_s"]), *counts, words
        )
    for check in checks_of(lines):
        table.caption = f"{table.caption or ''}{check['name']}: {check['value']:+.2f} {check['unit']} ({check['of']})\n"
    return table


def checks_of(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What prices say of each other: the basis of USDT, published hashprices against one another.

    >>> series = lambda name, value: {"series": name, "value": value, "unit": "", "age_s": 0.0, "late_s": 0.0}
    >>> venues = [series("btc:usd@a", 100.0), series("btc:usd@b", 102.0), series("btc:usdt@binance", 100.5)]
    >>> round(checks_of([{"series": venues}])[0]["value"], 6)
    -0.49505
    """
    values = {each["series"]: each["value"] for line in lines for each in line["series"] if each["late_s"] == 0.0}
    venues = [value for series, value in values.items() if series.startswith("btc:usd@")]
    found: list[dict[str, Any]] = []
    if venues and "btc:usdt@binance" in values:
        basis = 100 * (values["btc:usdt@binance"] / statistics.median(venues) - 1)
        found.append({"name": "USDT basis", "value": basis, "unit": "%", "of": f"binance over {len(venues)} venues"})
    if {"hashprice:luxor", "hashprice:braiins"} <= values.keys():
        gap = 100 * (values["hashprice:luxor"] / values["hashprice:braiins"] - 1)
        found.append({"name": "hashprice", "value": gap, "unit": "%", "of": "luxor over braiins"})
    return found
