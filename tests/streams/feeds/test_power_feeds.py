"""Feeds of power prices against servers on loopback: what is asked, in what order, and what is remembered."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest
from aiohttp import web

from streams.errors import FeedError
from streams.feeds import caiso, nyiso
from streams.feeds.ercot_api import CLIENT_ID, ErcotApiOptions
from streams.feeds.ercot_api import SOURCE as ERCOT_API
from streams.feeds.ercot_mis import SOURCE as ERCOT_MIS
from streams.feeds.ercot_mis import SPP, ErcotMisFeed, ErcotMisOptions, next_look_us
from streams.feeds.http import Request, parts_of
from streams.feeds.miso import SOURCE as MISO
from streams.feeds.pjm import SOURCE as PJM
from streams.feeds.pjm import PjmOptions, parse_unverified
from tests.support.appended import fails, run_until
from tests.support.faulty_server import Handler, serving
from tests.support.power import at, zipped
from tests.support.sources import ercot_api as api
from tests.support.sources import ercot_mis as mis
from tests.support.sources import miso, pjm


def files(asked: Sequence[Request]) -> list[str]:
    """The ends of the addresses asked for."""
    return [request.url.rpartition("/")[2] for request in asked]


def test_nyiso_is_asked_for_the_day_of_its_own_clock_and_for_the_last_rows_of_the_day_before() -> None:
    def asked(moment: str) -> list[str]:
        return files(nyiso.Rounds(nyiso.NyisoOptions(nodes=("CAPITL",)))(at(moment)))

    today, before = "20250730realtime_zone.csv", "20250729realtime_zone.csv"
    assert asked("2025-07-30T00:03-04:00") == [before, "20250730damlbmp_zone.csv"]
    assert asked("2025-07-30T00:10-04:00") == [today, before, "20250730damlbmp_zone.csv"]
    assert asked("2025-07-30T03:30Z") == [before, "20250729damlbmp_zone.csv", "20250730damlbmp_zone.csv"]
    assert asked("2025-07-30T12:00-04:00") == [today, "20250730damlbmp_zone.csv", "20250731damlbmp_zone.csv"]


def test_day_ahead_files_are_asked_for_every_ten_minutes() -> None:
    rounds = nyiso.Rounds(nyiso.NyisoOptions(nodes=("CAPITL",)))
    start_us = at("2025-07-30T08:00-04:00")
    assert [len(rounds(start_us + minute * 60_000_000)) for minute in (0, 1, 9, 10, 11)] == [2, 1, 1, 2, 1]
    assert len(nyiso.Rounds(nyiso.NyisoOptions(nodes=("CAPITL",), day_ahead=False))(start_us)) == 1


@pytest.mark.parametrize(
    ("moment", "days"),
    [
        ("2025-07-30T13:32Z", ("20250730T07:00-0000", "20250801T07:00-0000")),
        ("2025-03-09T20:32Z", ("20250309T08:00-0000", "20250311T07:00-0000")),
        ("2024-11-03T20:32Z", ("20241103T07:00-0000", "20241105T08:00-0000")),
    ],
)
def test_caiso_is_asked_for_pacific_days_although_their_hours_change(moment: str, days: tuple[str, str]) -> None:
    real_time, ahead = caiso.Rounds(caiso.CaisoOptions(nodes=("A", "B")))(at(moment))
    assert (ahead.query["startdatetime"], ahead.query["enddatetime"]) == days
    assert real_time.query["node"] == "A,B"
    assert real_time.query["startdatetime"].endswith(":00-0000")
    assert real_time.query["enddatetime"].endswith(":35-0000")


async def test_miso_is_asked_as_a_browser_asks() -> None:
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["User-Agent"])
        return miso.serve(request)

    async with serving(handler) as url:
        out = await run_until(MISO.build(miso.options(url), {}), lambda out: len(out.records) == 1)
    assert seen == ["Mozilla/5.0 (compatible; changeover)"]
    assert orjson.loads(out.notes[0]) == {"nodes": [miso.NODE]}


def pages(totals: Sequence[int], queries: list[dict[str, str]]) -> Handler:
    """A server of one row a page, which says each time how many there are."""

    async def handler(request: web.Request) -> web.StreamResponse:
        queries.append(dict(request.query))
        first = int(request.query["startRow"])
        row = pjm.item(f"2024-02-20T05:{5 * first:02d}:00")
        return web.Response(body=pjm.page(row, total=totals[first - 1]))

    return handler


def one_row_a_page(url: str) -> PjmOptions:
    """Options that make three pages of three rows."""
    return PjmOptions(nodes=("1",), url=url, page_rows=1, pause_s=0.1, verified=False, day_ahead=False)


async def test_pages_of_a_query_are_one_record() -> None:
    queries: list[dict[str, str]] = []
    async with serving(pages((3, 3, 3), queries)) as url:
        out = await run_until(PJM.build(one_row_a_page(url), pjm.KEYS), lambda out: len(out.records) == 1)
    assert [query["startRow"] for query in queries] == ["1", "2", "3"]
    assert queries[0]["pnode_id"] == "1"
    assert "to" in queries[0]["datetime_beginning_utc"]
    assert len(parts_of(out.payloads[0])) == 3
    assert len(parse_unverified(out.records[0]).records) == 3


async def test_pages_of_two_snapshots_are_kept_and_refused() -> None:
    async with serving(pages((3, 4, 4, 4), [])) as url:
        out, fault = await fails(PJM.build(one_row_a_page(url), pjm.KEYS))
    assert isinstance(fault, FeedError)
    assert fault.retriable
    assert "two snapshots" in str(fault)
    assert len(out.records) == 1


async def test_a_wrong_key_of_pjm_is_said_and_never_shown() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return pjm.serve(request)

    async with serving(handler) as url:
        out, fault = await fails(PJM.build(pjm.options(url), {"PJM_API_KEY": "another-key"}))
    assert "check the key" in str(fault)
    assert "another-key" not in str(fault)
    assert out.records == []


class Ercot:
    """ERCOT's API with its token: counts logins, and forgets a token when told."""

    def __init__(self) -> None:
        self.logins = 0
        self.forgotten = False

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """One answer."""
        if request.path == "/token":
            form = await request.post()
            right = form.get("username"), form.get("password")
            expected = api.KEYS["ERCOT_API_USERNAME"], api.KEYS["ERCOT_API_PASSWORD"]
            if right != expected or form.get("client_id") != CLIENT_ID or form.get("response_type") != "id_token":
                said = {"error": "access_denied", "error_description": "AADB2C90225: password is invalid"}
                return web.json_response(said, status=400)
            self.logins += 1
        if self.forgotten and request.path != "/token":
            self.forgotten = False
            return web.json_response({"statusCode": 401, "message": "token expired"}, status=401)
        return api.serve(request)


async def test_one_token_serves_every_request_and_is_never_appended() -> None:
    server = Ercot()
    async with serving(server.handler) as url:
        out = await run_until(ERCOT_API.build(api.options(url), api.KEYS), lambda out: len(out.records) == 2)
    assert server.logins == 1
    assert [record.feed for record in out.records] == ["ercot-api:spp", "ercot-api:dam"]
    assert not any(api.GRANTED.encode() in payload for payload in out.payloads)


async def test_a_token_that_is_refused_is_asked_for_anew() -> None:
    server = Ercot()
    async with serving(server.handler) as url:
        feed = ERCOT_API.build(api.options(url), api.KEYS)
        await run_until(feed, lambda out: len(out.records) == 2)
        server.forgotten = True
        _, fault = await fails(feed)
        assert "check the key" in str(fault)
        options = api.options(url)
        assert isinstance(options, ErcotApiOptions)
        feed._digests.clear()  # type: ignore[attr-defined]  # so that equal answers are appended again
        await run_until(feed, lambda out: len(out.records) >= 1)
    assert server.logins == 2


async def test_a_wrong_password_is_said_and_never_shown() -> None:
    server = Ercot()
    async with serving(server.handler) as url:
        keys = api.KEYS | {"ERCOT_API_PASSWORD": "a wrong password"}
        _, fault = await fails(ERCOT_API.build(api.options(url), keys))
    assert "AADB2C90225" in str(fault)
    assert "a wrong password" not in str(fault)
    assert server.logins == 0


class Files:
    """ERCOT's public files of report 12301."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)
        self.asked: list[str] = []
        self.broken: set[str] = set()

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """A list or a document."""
        if request.path == "/list":
            named = [mis.document(str(number), f"SPPHLZNP6905_{number}_csv") for number in self.numbers]
            return web.Response(body=mis.listed(*named))
        number = request.query["doclookupId"]
        self.asked.append(number)
        return web.Response(body=b"PK broken" if number in self.broken else zipped({"a.csv": mis.SPP_HEADER}))


def of_reports(url: str) -> ErcotMisFeed:
    """The feed of real-time prices alone."""
    options = ErcotMisOptions(
        nodes=("HB_SOUTH",),
        list_url=f"{url}/list",
        document_url=f"{url}/download",
        day_ahead=False,
        corrections=False,
    )
    feed = ERCOT_MIS.build(options, {})
    assert isinstance(feed, ErcotMisFeed)
    return feed


async def test_documents_are_fetched_once_newest_first_and_old_ones_at_the_start_not_at_all() -> None:
    server = Files(*range(101, 111))
    async with serving(server.handler) as url:
        feed = of_reports(url)
        out = await run_until(feed, lambda out: len(out.records) == 5)
        assert server.asked == ["110", "109", "108", "107"]
        assert [record.feed for record in out.records] == ["ercot-mis:list", *["ercot-mis:spp"] * 4]
        assert orjson.loads(out.notes[1])["doc"] == "110"
        assert orjson.loads(out.notes[1])["nodes"] == ["HB_SOUTH"]
        server.numbers = [*range(103, 113)]
        feed._due_us[SPP] = 0
        await run_until(feed, lambda out: len(out.records) == 3)
    assert server.asked[4:] == ["112", "111"]


async def test_a_document_that_cannot_be_read_is_asked_for_three_times_and_then_left() -> None:
    server = Files(101, 102)
    server.broken = {"102"}
    async with serving(server.handler) as url:
        feed = of_reports(url)
        for _ in range(2):
            out, fault = await fails(feed)
            assert "document 102" in str(fault)
            assert b"PK broken" in out.payloads
        await run_until(feed, lambda out: len(out.records) == 2)
    assert server.asked == ["102", "102", "102", "101"]


@pytest.mark.parametrize(
    ("now", "newest", "due"),
    [
        ("08:47:30", "08:47:01", "09:01:15"),
        ("08:46:15", "08:33:40", "08:46:15"),  # the second attempt at 08:30 is not the print of 08:45
        ("08:47:30", "07:47:01", "08:47:30"),  # in the repeated hour a time may be printed an hour too early
    ],
)
def test_the_next_quarter_hour_is_looked_for_when_it_is_due(now: str, newest: str, due: str) -> None:
    moments = [at(f"2025-07-30T{clock}-05:00") for clock in (now, newest, due)]
    assert next_look_us(SPP, moments[0], moments[1]) == moments[2]
