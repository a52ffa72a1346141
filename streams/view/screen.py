"""The board as people read it: tables for a terminal, plain lines for anything else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypedDict

from rich.box import SIMPLE_HEAD, Box
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from models.records import SECOND_US
from streams.view.board import Board, Document


class TableStyle(TypedDict):
    """What both tables look like."""

    title_justify: JustifyMethod
    box: Box
    padding: tuple[int, int]
    expand: bool


SIMULATED = "SIMULATED MARKET"
TABLE: TableStyle = {"title_justify": "left", "box": SIMPLE_HEAD, "padding": (0, 0), "expand": True}
MODE_STYLES = {"hash": "green", "ai": "cyan", "off": "dim"}


def clock(time_us: int) -> str:
    """A time as people read it, UTC; log time is 0 before the first tick.

    >>> clock(1_767_571_200_000_000), clock(0)
    ('2026-01-05 00:00:00', 'before any tick')
    """
    if time_us == 0:
        return "before any tick"
    return datetime.fromtimestamp(time_us / SECOND_US, UTC).strftime("%Y-%m-%d %H:%M:%S")


def number(value: float | None, digits: int = 2) -> str:
    """A number, a dash where there is none.

    >>> number(1234.5), number(None)
    ('1,234.50', '-')
    """
    return "-" if value is None else f"{value:,.{digits}f}"


def title(board: Board) -> str:
    """What is shown: the origin, and for a demo that nothing of it is real."""
    if board.names.origin == "demo":
        return f"{SIMULATED} (origin demo, run {board.names.run}): no price here is real"
    run = f", run {board.names.run}" if board.names.run else ""
    return f"origin {board.names.origin}{run}"


def status(board: Board, at_s: float) -> str:
    """Log time, heartbeat, rates and degraded series in one line."""
    age_s = board.heartbeat_s(at_s)
    if age_s is None:
        beat = "waiting for the first tick"
    else:
        beat = f"heartbeat {age_s:.1f} s" + (" STALE: the log stands still" if board.stale(at_s) else "")
    records, signals = board.rates
    degraded = ", ".join(board.degraded) or "none"
    return (
        f"log time {clock(board.log_time_us)} UTC | {beat} | {records:.0f} records/s | {signals:.1f} signals/s | "
        f"{sum(board.signals.values())} signals | degraded: {degraded}"
    )


def site_line(miner: str, site: str, document: Document) -> str:
    """A site in one line, its loads in the order of its fleet."""
    loads = "  ".join(
        f"{load['load']} {load['mode']} {number(load['mw'], 1)} MW at {number(load['margin_usd_per_mwh'])}"
        for load in document["loads"]
    )
    return (
        f"{miner}/{site}: power {number(document['power_usd_per_mwh'])} USD/MWh, "
        f"{number(document['mw_running'], 1)} of {number(document['mw_cap'], 1)} MW, "
        f"hashing less AI {relative(document)} USD/MWh: {loads}"
    )


def relative(document: Document) -> str:
    """The site's relative return [USD/MWh], ``ref`` where one side is the reference load; a dash where none."""
    found = document.get("relative_return")
    if not found or found.get("usd_per_mwh") is None:
        return "-"
    reference = " ref" if found.get("basis") == "reference" else ""
    return f"{number(found['usd_per_mwh'])}{reference}"


def entry_line(document: Document) -> str:
    """A numbered entry in one line: who, which number, when, what, why."""
    parts = (entry_place(document), clock(document["log_time_us"]), entry_load(document), document["text"])
    return "  ".join(part for part in parts if part)


def entry_place(document: Document) -> str:
    """Miner and number of an entry."""
    return f"{document['miner']} #{document['seq']}"


def entry_load(document: Document) -> str:
    """The load or site an entry is about; empty for one that is about the whole stream."""
    return "/".join(name for name in (document["site"], document["load"]) if name)


def log_order(document: Document) -> tuple[int, str, int]:
    """Place of an entry among those of all miners."""
    return int(document["offset"]), str(document["miner"]), int(document["seq"])


def render(board: Board, at_s: float, notes: tuple[str, ...] = ()) -> RenderableType:
    """The whole screen. The signals stand above the sites: a low terminal cuts off what is below."""
    style = "bold black on yellow" if board.names.origin == "demo" else "bold"
    head: list[RenderableType] = [Text(title(board), style=style), Text(status(board, at_s))]
    head += [Text(note, style="dim") for note in (*notes, "Ctrl-C stops everything.")]
    return Group(*head, signals(board), sites(board))


def sites(board: Board) -> Table:
    """Every load of every site: mode, MW, margin; beside the site its power and relative return."""
    table = Table(title="Sites (USD/MWh at the meter; hash - AI is the relative return)", **TABLE)
    table.add_column("site")  # the one that folds where the terminal is narrow
    for name in ("load", "mode"):
        table.add_column(name, no_wrap=True)
    for name in ("MW", "margin", "power", "of cap", "hash - AI"):
        table.add_column(name, justify="right", no_wrap=True)
    for miner, site, document in board.rows():
        power = number(document["power_usd_per_mwh"])
        cap = f"{number(document['mw_running'], 1)}/{number(document['mw_cap'], 1)}"
        first = [power, cap, relative(document)]
        for index, load in enumerate(document["loads"]):
            table.add_row(
                f"{miner}/{site}" if index == 0 else "",
                load["load"],
                Text(load["mode"], style=MODE_STYLES.get(load["mode"], "")),
                number(load["mw"], 1),
                number(load["margin_usd_per_mwh"]) + (" degraded" if load.get("degraded") else ""),
                *(first if index == 0 else ("", "", "")),
            )
        table.add_section()
    return table


def signals(board: Board) -> Table:
    """The last signals, the newest first."""
    table = Table(title="Last signals", **TABLE)
    for name in ("signal", "UTC", "load"):
        table.add_column(name, no_wrap=True)
    table.add_column("what and why", ratio=1)
    for document in sorted(board.recent, key=log_order, reverse=True):
        when = clock(document["log_time_us"])[-8:]
        table.add_row(entry_place(document), when, entry_load(document), Text(str(document["text"])))
    return table


def plain_lines(board: Board, at_s: float) -> Iterator[str]:
    """The board as a few lines, for an output that is not a terminal."""
    yield f"{title(board)} | {status(board, at_s)}"
    for miner, site, document in board.rows():
        yield site_line(miner, site, document)
