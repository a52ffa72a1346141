"""What people see: the label of a simulation, every site and load, the last signals with their reasons."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from streams.view.board import Board
from streams.view.screen import entry_line, plain_lines, render
from streams.wire import Names


def drawn(board: Board, at_s: float = 10.5, width: int = 140) -> str:
    """The screen as text."""
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(render(board, at_s, ("a note",)))
    return console.export_text()


def row_of(text: str, *words: str) -> str:
    """The one line that holds all the words."""
    (line,) = (line for line in text.splitlines() if all(word in line for word in words))
    return line


def test_a_demo_is_labelled_as_simulated_and_a_live_run_is_not(make_board: Callable[[Names], Board]) -> None:
    assert drawn(make_board(Names("demo", "main"))).startswith("SIMULATED MARKET")
    live = drawn(make_board(Names("live")))
    assert live.startswith("origin live")
    assert "SIMULATED" not in live


def test_the_status_line_holds_log_time_heartbeat_rates_and_health(board: Board) -> None:
    line = row_of(drawn(board), "log time")
    assert "log time 2026-01-05 00:23:48 UTC" in line
    assert "heartbeat 0.5 s" in line
    assert f"{board.records / 5:.0f} records/s" in line
    assert "1.4 signals/s" in line
    assert "degraded: none" in line
    assert "STALE" not in line


def test_a_log_that_stands_still_says_stale(board: Board) -> None:
    assert "STALE: the log stands still" in drawn(board, at_s=20.0)


def test_degraded_series_are_named(board: Board) -> None:
    board.put_head("juniper", replace(board.heads["juniper"], degraded=("btc:usd",)), 10.0)
    assert "degraded: btc:usd" in drawn(board)


def test_every_load_stands_with_mode_megawatts_and_margin(board: Board) -> None:
    text = drawn(board)
    for _, _, document in board.rows():
        for load in document["loads"]:
            row = row_of(text[text.index("Sites") :], f" {load['load']} ")
            assert load["mode"] in row
            assert f"{load['mw']:.1f}" in row
            assert f"{load['margin_usd_per_mwh']:,.2f}" in row


def test_a_site_shows_its_power_its_cap_and_its_relative_return_with_the_basis(board: Board) -> None:
    text = drawn(board)
    ladder = board.sites["harbor", "ladder"]
    row = row_of(text, "harbor/ladder")
    assert f"{ladder['power_usd_per_mwh']:.2f}" in row
    assert "4.0/5.0" in row
    assert f"{ladder['relative_return']['usd_per_mwh']:,.2f} ref" in row
    assert " ref" not in row_of(text, "juniper/north")


def test_a_load_that_cannot_be_valued_shows_a_dash_and_degraded(board: Board) -> None:
    site = dict(board.sites["harbor", "ladder"])
    site["loads"] = [{**site["loads"][0], "margin_usd_per_mwh": None, "degraded": True}]
    board.put_site("harbor", "ladder", site)
    row = row_of(drawn(board), "t13")
    assert "- degraded" in row


def test_the_signals_stand_newest_first_with_number_load_change_and_reason(board: Board) -> None:
    text = drawn(board)
    row = row_of(text, "juniper #5")
    assert "00:22:24" in row
    assert "north/s21" in row
    assert "off -> hash, 4.00 MW" in row
    assert "moved most by utilisation" in row
    assert text.index("juniper #5") < text.index("juniper #2") < text.index("harbor #2") < text.index("juniper #1")


@pytest.mark.parametrize("width", [80, 200])
def test_no_figure_is_cut_off_on_a_narrow_terminal(board: Board, width: int) -> None:
    text = drawn(board, width=width)
    for _, _, document in board.rows():
        assert f"{document['relative_return']['usd_per_mwh']:,.2f}" in text
        assert all(f"{load['margin_usd_per_mwh']:,.2f}" in text for load in document["loads"])


def test_the_screen_stands_before_anything_is_published() -> None:
    text = drawn(Board(Names("demo", "main")))
    assert "waiting for the first tick" in text
    assert "before any tick" in text


def test_plain_lines_say_the_same_without_a_terminal(board: Board) -> None:
    lines = list(plain_lines(board, 10.5))
    assert lines[0].startswith("SIMULATED MARKET")
    assert [line.partition(":")[0] for line in lines[1:]] == ["harbor/ladder", "juniper/north", "juniper/west-hall"]
    assert "h100-spot off 2.2 MW at -242.76" in lines[2]


def test_an_entry_is_one_line_whatever_its_kind(board: Board) -> None:
    lines = [entry_line(document) for document in board.recent]
    assert lines[0] == "harbor #1  2026-01-05 00:00:00  " + str(board.recent[0]["text"])
    assert all("\n" not in line for line in lines)
    quality = {
        "miner": "harbor",
        "seq": 9,
        "log_time_us": 0,
        "site": "ladder",
        "load": "",
        "text": "btc:usd is stale",
    }
    assert entry_line(quality) == "harbor #9  before any tick  ladder  btc:usd is stale"
