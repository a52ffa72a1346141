"""What the view knows: heartbeat by the reader's own clock, rates over a window, a summary of the run."""

from __future__ import annotations

from dataclasses import replace

import orjson

from models.records import SECOND_US
from streams.demo.market import START_US
from streams.view.board import RATE_WINDOW_S, RECENT_SIGNALS, STALE_S, Board
from streams.wire import Names


def test_nothing_is_claimed_before_anything_is_read() -> None:
    board = Board(Names("live"))
    assert board.heartbeat_s(5.0) is None
    assert not board.stale(1e9)
    assert board.rates == (0.0, 0.0)
    assert board.summary(0.0)["miners"] == {}


def test_the_heartbeat_is_the_time_since_log_time_moved_not_since_it_was_read(board: Board) -> None:
    head = board.heads["juniper"]
    board.put_head("juniper", head, 12.0)
    assert board.heartbeat_s(12.5) == 2.5
    board.put_head("juniper", replace(head, log_time_us=head.log_time_us + SECOND_US), 12.6)
    assert board.heartbeat_s(12.6) == 0.0


def test_a_log_that_stands_still_is_stale(board: Board) -> None:
    assert not board.stale(10.0 + STALE_S)
    assert board.stale(10.1 + STALE_S)


def test_records_are_counted_from_the_furthest_head(board: Board) -> None:
    head = board.heads["juniper"]
    board.put_head("harbor", replace(head, offset=head.offset - 5), 10.0)
    assert board.records == head.offset + 1


def test_rates_are_those_of_the_window_and_forget_what_lies_before_it(board: Board) -> None:
    records = board.records
    assert board.rates == (records / 5.0, sum(board.signals.values()) / 5.0)
    for tenth in range(101, 201):
        board.sample(tenth / 10)
    assert board.rates == (0.0, 0.0)
    assert len(board.samples) <= RATE_WINDOW_S * 10 + 2


def test_the_last_signals_are_kept_and_all_are_counted(board: Board) -> None:
    total = sum(board.signals.values())
    for number in range(RECENT_SIGNALS + 5):
        board.put_entry({"miner": "juniper", "seq": number})
    assert sum(board.signals.values()) == total + RECENT_SIGNALS + 5
    assert [entry["seq"] for entry in board.recent] == list(range(5, RECENT_SIGNALS + 5))


def test_the_summary_says_what_the_run_came_to(board: Board) -> None:
    summary = orjson.loads(orjson.dumps(board.summary(12.3456)))
    assert summary["kind"] == "summary"
    assert summary["origin"] == "demo"
    assert summary["run"] == "main"
    assert summary["seconds"] == 12.346
    assert summary["log_time_us"] > START_US
    assert summary["signals"] == sum(miner["seq"] for miner in summary["miners"].values()) == 7
    assert summary["degraded"] == []


def test_degraded_series_of_all_miners_are_named_once(board: Board) -> None:
    for miner in ("juniper", "harbor"):
        board.put_head(miner, replace(board.heads[miner], degraded=("btc:usd", f"power:{miner}:rt")), 11.0)
    assert board.degraded == ["btc:usd", "power:harbor:rt", "power:juniper:rt"]
