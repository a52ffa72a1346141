"""Every feed under every fault of its kind of server: it fails as an error that says so, or goes on, and recovers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.feed_faults import HTTP_COLUMNS, SOCKET_COLUMNS, Observed, observe
from tests.support.feeds_page import COMMAND, NAME, page
from tests.support.sources_register import CASES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / NAME
SEEN = ("silent", "reset (1006)", "closed 1000", "closed 1012", "handshake 429", "handshake 503")
"""Faults of a websocket that every feed must notice."""
FAILED = ("429, Retry-After 7", "403", "500", "gzip cut off", "body cut off", "no answer", "reset", "moved elsewhere")
"""Faults of an answer that every feed must notice, with nothing appended."""


@pytest.fixture(scope="module")
def observed() -> Mapping[tuple[str, str], Observed]:
    """What every feed did under every fault."""
    return asyncio.run(observe())


@pytest.mark.listed
def test_every_source_was_tried_under_every_fault_and_recovered(observed: Mapping[tuple[str, str], Observed]) -> None:
    expected = {(case.source, name) for case in CASES if case.serve_socket for name in SOCKET_COLUMNS}
    expected |= {(case.source, name) for case in CASES if case.serve for name in HTTP_COLUMNS}
    assert observed.keys() == expected
    assert [cell for cell, seen in observed.items() if not seen.recovered] == []


@pytest.mark.listed
def test_no_feed_has_a_bug_under_any_fault(observed: Mapping[tuple[str, str], Observed]) -> None:
    assert {cell: seen.behaviour for cell, seen in observed.items() if "BUG" in seen.behaviour} == {}


@pytest.mark.parametrize("fault", [*SEEN, *FAILED])
def test_a_fault_that_must_be_noticed_ends_the_feed(fault: str, observed: Mapping[tuple[str, str], Observed]) -> None:
    found = {cell: seen.behaviour for cell, seen in observed.items() if cell[1] == fault}
    assert {cell: said for cell, said in found.items() if not said.startswith(("again", "stops"))} == {}
    if fault in FAILED:
        assert {cell: said for cell, said in found.items() if "kept" in said} == {}


def test_a_time_to_stay_away_reaches_the_service(observed: Mapping[tuple[str, str], Observed]) -> None:
    found = {cell: seen.behaviour for cell, seen in observed.items() if "429" in cell[1]}
    assert {cell: said for cell, said in found.items() if "after 7 s" not in said} == {}


def test_what_is_no_answer_is_never_a_price(observed: Mapping[tuple[str, str], Observed]) -> None:
    odd = {"XML with 200", "a page with 200", "empty with 200"}
    found = {cell: seen.behaviour for cell, seen in observed.items() if cell[1] in odd}
    assert {cell: said for cell, said in found.items() if "kept" in said or said == "goes on"} == {}


def test_what_is_no_frame_is_refused_in_the_log(observed: Mapping[tuple[str, str], Observed]) -> None:
    found = {cell: seen.behaviour for cell, seen in observed.items() if cell[1] in {"garbage", "binary", "error frame"}}
    assert {cell: said for cell, said in found.items() if not said.endswith(", refused")} == {}


def test_the_page_is_what_this_run_observed(observed: Mapping[tuple[str, str], Observed]) -> None:
    assert PAGE.read_bytes() == page(observed), f"run: {COMMAND}"
