"""Day-ahead files and days gone by: what is asked for when, what is looked at again, and the hours they hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest
from aiohttp import web

from models.records import MINUTE_US, PowerPrice
from streams.errors import FeedError
from streams.feeds import caiso, miso, nyiso, spp
from streams.feeds.contract import Parse
from streams.feeds.ercot_api import SOURCE as ERCOT_API
from streams.feeds.ercot_api import parse_spp_corrections
from streams.feeds.http import Request
from streams.feeds.local_time import CENTRAL
from streams.feeds.power_days import DayFiles
from streams.feeds.power_reading import lines_of, note_of
from streams.wire import RawRecord
from tests.support.appended import run_until
from tests.support.faulty_server import Handler, serving
from tests.support.power import at
from tests.support.sources import ercot_api as api
from tests.support.sources import miso as miso_case
from tests.support.sources import spp as spp_case
from tests.support.sources_contract import Case

TODAY, TOMORROW = date(2026, 7, 28), date(2026, 7, 29)


def prices(parser: Parse, feed: str, body: bytes, received: str) -> Mapping[str, float]:
    """Start of each interval found -> its price; nothing may be refused."""
    parsed = parser(RawRecord(feed, at(received), "test", 1, body))
    assert parsed.faults == []
    records = [record for record in parsed.records if isinstance(record, PowerPrice)]
    assert len({record.event_time_us for record in records}) == len(records) == len(parsed.records)
    return {f"{record.event_time_us}": record.usd_per_mwh for record in records}


def of(found: Mapping[str, float], start: str) -> float:
    """The price of the interval that begins at a moment."""
    return found[f"{at(start)}"]


def test_hour_ending_1_of_miso_begins_at_midnight_eastern_standard_time_in_summer_too() -> None:
    body = miso_case.ahead("07/28/2026", miso_case.day_row(miso_case.NODE, "LMP", *range(1, 25)))
    found = prices(miso.parse_da, "miso:da", body, "2026-07-27T19:30Z")
    assert len(found) == 24
    assert of(found, "2026-07-28T01:00-04:00") == 1.0
    assert of(found, "2026-07-29T00:00-04:00") == 24.0


@pytest.mark.parametrize("day", ["03/08/2026", "11/01/2026"])
def test_a_day_of_miso_has_24_hours_when_clocks_change(day: str) -> None:
    body = miso_case.ahead(day, miso_case.day_row(miso_case.NODE, "LMP", *range(1, 25)))
    found = prices(miso.parse_da, "miso:da", body, "2026-12-01T00:00Z")
    month, number, year = day.split("/")
    assert [of(found, f"{year}-{month}-{number}T{hour - 1:02d}:00-05:00") for hour in range(1, 25)] == list(
        range(1, 25)
    )


def test_the_hours_of_spp_are_those_of_gmt_on_days_of_23_and_25_hours() -> None:
    spring = prices(spp.parse_da, "spp:da", without_aec(spp_case.day_of(spp_case.SPRING)), "2026-03-07T20:00Z")
    assert len(spring) == 23
    assert (of(spring, "2026-03-08T00:00-06:00"), of(spring, "2026-03-08T03:00-05:00")) == (-12.5, 22.25)
    autumn = prices(spp.parse_da, "spp:da", without_aec(spp_case.day_of(spp_case.AUTUMN)), "2026-10-31T19:00Z")
    assert len(autumn) == 25
    assert (of(autumn, "2026-11-01T01:00-05:00"), of(autumn, "2026-11-01T01:00-06:00")) == (21.25, 22.25)


def without_aec(body: bytes) -> bytes:
    """A file without its other location."""
    return lines_of(body, [spp_case.NORTH])


def test_lines_that_name_no_wanted_node_are_not_read_and_no_number_of_a_line_moves() -> None:
    body = b"Settlement Location,GMTIntervalEnd,LMP\nA,x,1\nB,07/28/2026 06:00:00,\nA,x,2\n"
    parsed = spp.parse_da(RawRecord("spp:da", 0, "test", 1, body, note=note_of(("B",))))
    assert parsed.faults == ["line 3: lmp has no value"]
    assert lines_of(body, None) == lines_of(body, ['"quoted"']) == body


def test_a_day_file_is_asked_for_every_ten_minutes_until_it_was_read_and_then_every_six_hours() -> None:
    days = DayFiles(CENTRAL, 12)
    note = days.noting(spp.parse_da)

    def due(moment: str) -> list[tuple[date, bool]]:
        return days.due(at(f"2026-07-28T{moment}-05:00"))

    def read(day: date) -> None:
        note(RawRecord("spp:da", at("2026-07-28T09:00-05:00"), "test", 1, spp_case.day_of(day), note=asked(day)))

    assert due("09:00") == [(TODAY, False)]
    assert due("09:09") == []
    assert due("09:10") == [(TODAY, False)]
    read(TODAY)
    assert due("11:59") == []
    assert due("12:00") == [(TOMORROW, True)]
    assert due("12:10") == [(TOMORROW, True)]
    read(TOMORROW)
    assert due("15:09") == []
    assert due("15:10") == [(TODAY, False)]
    assert due("18:10") == [(TOMORROW, True)]
    assert days.due(at("2026-07-29T00:00-05:00")) == []
    assert days.due(at("2026-07-29T00:10-05:00")) == [(TOMORROW, False)]


def asked(day: date) -> str:
    """The note of a request for a day's file."""
    return note_of((spp_case.NORTH,), day=day.isoformat())


def test_a_file_without_the_nodes_wanted_does_not_count_as_read() -> None:
    days = DayFiles(CENTRAL, 12)
    start_us = at("2026-07-28T09:00-05:00")
    assert len(days.due(start_us)) == 1
    header = f"{spp_case.DAY_HEADER}\n".encode()
    parsed = days.noting(spp.parse_da)(RawRecord("spp:da", start_us, "test", 1, header, note=asked(TODAY)))
    assert parsed.records == []
    assert len(days.due(start_us + 10 * MINUTE_US)) == 1


@pytest.mark.parametrize("day", ["soon", "", "2026-13-01"])
def test_a_note_that_names_no_date_is_refused(day: str) -> None:
    note = note_of((spp_case.NORTH,), day=day)
    with pytest.raises(FeedError):
        spp.parse_da(RawRecord("spp:da", 0, "test", 1, spp_case.day_of(TODAY), note=note))


def test_files_are_named_by_the_day_of_the_markets_own_clock() -> None:
    moment_us = at("2026-07-29T04:30Z")
    by_miso = miso.Rounds(miso.MisoOptions(nodes=("INDIANA.HUB",)))(moment_us)
    by_spp = spp.Rounds(spp.SppOptions(nodes=("SPPNORTH_HUB",)))(moment_us)
    assert [request.url.rpartition("/")[2] for request in by_miso[1:]] == [
        "20260728_da_expost_lmp.csv",
        "20260729_da_expost_lmp.csv",
    ]
    assert [request.query["path"] for request in by_spp[1:]] == [
        "/2026/07/By_Day/DA-LMP-SL-202607280100.csv",
        "/2026/07/By_Day/DA-LMP-SL-202607290100.csv",
    ]
    assert [request.may_be_absent for request in (*by_miso, *by_spp)] == [False, False, True] * 2
    assert len(miso.Rounds(miso.MisoOptions(nodes=("INDIANA.HUB",), day_ahead=False))(moment_us)) == 1
    assert len(spp.Rounds(spp.SppOptions(nodes=("SPPNORTH_HUB",), day_ahead=False))(moment_us)) == 1


def test_the_day_ahead_file_of_tomorrow_may_not_be_there_at_nyiso_either() -> None:
    requests = nyiso.Rounds(nyiso.NyisoOptions(nodes=("CAPITL",)))(at("2025-07-30T12:00-04:00"))
    assert [request.may_be_absent for request in requests] == [False, False, True]


def answering(case: Case) -> Handler:
    """The case's documented server."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert case.serve is not None
        return case.serve(request)

    return handler


@pytest.mark.parametrize("case", [miso_case.CASE, spp_case.CASE], ids=["miso", "spp"])
async def test_a_feed_brings_both_markets_and_goes_on_while_tomorrow_is_not_there(case: Case) -> None:
    source = {"miso": miso.SOURCE, "spp": spp.SOURCE}[case.source]
    async with serving(answering(case)) as url:
        out = await run_until(source.build(case.options(url), {}), lambda out: len(out.records) == 2)
    assert [record.feed for record in out.records] == [case.source, f"{case.source}:da"]
    found = [record for raw in out.records for record in source.parsers[raw.feed](raw).records]
    assert {record.series.rpartition(":")[2] for record in found if isinstance(record, PowerPrice)} == {"rt", "da"}


def rounds_of(options: caiso.CaisoOptions, moment: str, minutes: int) -> list[Request]:
    """What CAISO is asked for from a moment on, a round a minute."""
    rounds, start_us = caiso.Rounds(options), at(moment)
    return [request for minute in range(minutes) for request in rounds(start_us + minute * MINUTE_US)]


def test_days_gone_by_are_read_again_one_report_in_a_round_so_that_real_time_is_never_late() -> None:
    options = caiso.CaisoOptions(nodes=("TH_NP15_GEN-APND",), correction_days=2, corrections_every_s=3_600)
    rounds, start_us = caiso.Rounds(options), at("2025-03-10T18:00Z")
    asked = [rounds(start_us + minute * MINUTE_US) for minute in range(66)]
    assert max(len(requests) for requests in asked) == 2
    again = [
        (request.query["queryname"], request.query["startdatetime"], request.query["enddatetime"])
        for requests in asked[1:]
        for request in requests[1:]
        if request.query["enddatetime"] <= "20250310T07:00-0000"
    ]
    days = [("20250309T08:00-0000", "20250310T07:00-0000"), ("20250308T08:00-0000", "20250309T08:00-0000")]
    once = [(report, *day) for day in days for report in ("PRC_INTVL_LMP", "PRC_LMP")]
    assert again == once + once


def test_without_days_to_correct_nothing_gone_by_is_read_again() -> None:
    options = caiso.CaisoOptions(nodes=("TH_NP15_GEN-APND",), correction_days=0, day_ahead=False)
    assert len(rounds_of(options, "2025-07-18T18:00Z", 60)) == 60
    corrected = caiso.CaisoOptions(nodes=("TH_NP15_GEN-APND",), correction_days=3, day_ahead=False)
    assert len(rounds_of(corrected, "2025-07-18T18:00Z", 60)) == 63


async def test_with_a_key_of_ercot_corrections_are_asked_for_too_one_in_a_round() -> None:
    queries: list[Mapping[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if "corrections" in request.path:
            queries.append(request.query)
        return api.serve(request)

    async with serving(handler) as url:
        options = api.options(url).model_copy(update={"every_s": 0.01})
        out = await run_until(ERCOT_API.build(options, api.KEYS), lambda out: len(out.records) == 4)
    expected = ["ercot-api:spp", "ercot-api:dam", "ercot-api:spp-corrections", "ercot-api:dam-corrections"]
    assert [record.feed for record in out.records] == expected
    days = [
        (date.fromisoformat(query["deliveryDateTo"]) - date.fromisoformat(query["deliveryDateFrom"])).days
        for query in queries
    ]
    assert days[0] in {30, 31}
    assert days[1] == days[0] + 1


def test_of_several_corrections_of_ercot_the_latest_counts_whatever_their_order() -> None:
    rows: list[list[object]] = [
        ["2025-07-30", 9, 3, "HB_SOUTH", "HU", -18.4, -18.02, "2025-07-31T09:30:12", False],
        ["2025-07-30", 9, 3, "HB_SOUTH", "HU", -20.51, -18.4, "2025-07-30T15:00:00", False],
    ]
    for body in (api.answer(api.SPP_CORRECTED, *rows), api.answer(api.SPP_CORRECTED, *rows[::-1])):
        found = prices(parse_spp_corrections, "ercot-api:spp-corrections", body, "2025-08-01T00:00Z")
        assert found == {f"{at('2025-07-30T08:30-05:00')}": -18.02}
