"""Polling against a real server: whole answers are appended, every other ending is one error that says what to do."""

from __future__ import annotations

import gzip
import time

import pytest
from aiohttp import web

from streams.errors import FeedError
from streams.feeds.contract import Parsed
from streams.feeds.http import Client, PollFeed, Request, joined, parts_of
from streams.feeds.reading import json_of
from streams.wire import MAX_MESSAGE_BYTES, RawRecord
from tests.support.appended import fails, run_until
from tests.support.faulty_server import Handler, serving

KEY = "key-of-the-source-123"


def answering(response: web.Response) -> Handler:
    """A server of one answer."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(
            status=response.status, body=response.body, headers=response.headers, reason=response.reason
        )

    return handler


async def refusal(handler: Handler, **request: str) -> FeedError:
    """The error that a request ends in."""
    async with serving(handler) as url, Client("test", timeout_s=5.0) as client:
        with pytest.raises(FeedError) as caught:
            await client.fetch(
                Request(feed="test", url=url + "/prices", headers={"X-Key": KEY}, query={"q": "1"} | request)
            )
    assert KEY not in str(caught.value)
    return caught.value


async def test_an_answer_comes_whole_with_the_moment_of_its_last_byte() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.headers["User-Agent"] == "changeover"
        assert request.headers["X-Key"] == KEY
        return web.json_response({"path": request.path, "q": request.query["q"], "method": request.method})

    before_us = time.time_ns() // 1000
    async with serving(handler) as url, Client("test") as client:
        request = Request(feed="test", url=url + "/v1/a%20b", headers={"X-Key": KEY}, query={"q": "x y&z"})
        answer = await client.fetch(request)
    assert json_of(answer.body) == {"path": "/v1/a b", "q": "x y&z", "method": "GET"}
    assert before_us <= answer.receipt_time_us <= time.time_ns() // 1000
    assert KEY not in repr(answer)


async def test_gzip_is_inflated_and_a_part_of_it_is_refused() -> None:
    packed = gzip.compress(b"x" * 5_000)
    zipped = {"Content-Encoding": "gzip"}
    async with serving(answering(web.Response(body=packed, headers=zipped))) as url, Client("test") as client:
        assert (await client.fetch(Request(feed="test", url=url))).body == b"x" * 5_000
    cut = await refusal(answering(web.Response(body=packed[:-9], headers=zipped)))
    broken = await refusal(answering(web.Response(body=b"\x1f\x8b" + bytes(30), headers=zipped)))
    bomb = await refusal(answering(web.Response(body=gzip.compress(bytes(MAX_MESSAGE_BYTES + 1)), headers=zipped)))
    assert "gzip is broken: it is cut off" in str(cut)
    assert "gzip is broken" in str(broken)
    assert "holds more than 16777216 bytes" in str(bomb)
    assert cut.retriable


@pytest.mark.parametrize(
    ("status", "said", "retriable"),
    [
        (401, "check the key", False),
        (403, "check the key", False),
        (404, "check the address", False),
        (429, "asked too often", True),
        (451, "not offered where", False),
        (500, "500 Internal", True),
        (503, "503 Service", True),
    ],
)
async def test_a_status_says_what_to_do(status: int, said: str, retriable: bool) -> None:
    response = web.Response(status=status, text=f"no: {KEY}\nis wrong", headers={"Retry-After": "7"})
    fault = await refusal(answering(response))
    assert said in str(fault)
    assert "no: *** is wrong" in str(fault)
    assert fault.retriable is retriable
    assert fault.retry_after_s == (7.0 if status in {429, 503} else None)


async def test_a_page_in_place_of_an_error_is_named_and_not_quoted() -> None:
    fault = await refusal(answering(web.Response(status=502, text="<html>" + "x" * 9_000)))
    assert str(fault).endswith("502 Bad Gateway: an HTML page")


async def test_a_body_shorter_than_announced_is_refused() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    fault = await refusal(handler)
    assert fault.retriable
    assert "GET http://127.0.0.1" in str(fault)


async def test_a_source_that_is_not_there_is_one_line() -> None:
    async with Client("test", timeout_s=5.0) as client:
        with pytest.raises(FeedError, match=r"GET http://127\.0\.0\.1:9/prices: Client") as caught:
            await client.fetch(Request(feed="test", url="http://127.0.0.1:9/prices?key=secret-secret"))
    assert "secret" not in str(caught.value)
    assert caught.value.retriable


async def test_a_request_with_a_key_is_not_sent_to_another_host() -> None:
    fault = await refusal(answering(web.Response(status=302, headers={"Location": "https://elsewhere.example/x?a=1"})))
    assert "moved to https://elsewhere.example/x, which is not followed" in str(fault)


async def test_the_pause_between_requests_is_kept_and_so_is_retry_after() -> None:
    moments: list[float] = []

    async def handler(_: web.Request) -> web.StreamResponse:
        moments.append(time.monotonic())
        return web.Response(status=429, headers={"Retry-After": "1"}) if len(moments) == 2 else web.Response(text="{}")

    client = Client("test", pause_s=0.2)
    async with serving(handler) as url:
        request = Request(feed="test", url=url)
        async with client:
            await client.fetch(request)
            with pytest.raises(FeedError):
                await client.fetch(request)
        async with client:  # a new start of the feed
            await client.fetch(request)
    assert moments[1] - moments[0] > 0.19
    assert moments[2] - moments[1] > 0.99


async def test_a_round_appends_what_came_and_reports_what_failed_at_its_end() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500) if request.path == "/b" else web.Response(text=request.path)

    async with serving(handler) as url:
        feed = PollFeed(
            "test", lambda _: [Request(feed="test", url=url + path) for path in ("/a", "/b", "/c")], every_s=9
        )
        out, fault = await fails(feed)
    assert out.payloads == [b"/a", b"/c"]
    assert "/b: 500" in str(fault)


async def test_an_answer_that_its_parser_refuses_is_appended_and_reported() -> None:
    def check(raw: RawRecord) -> Parsed:
        json_of(raw.payload)
        return Parsed()

    async with serving(answering(web.Response(text="<html>busy"))) as url:
        feed = PollFeed("test", lambda _: [Request(feed="test", url=url, note="page=1")], every_s=9, check=check)
        out, fault = await fails(feed)
    assert (out.payloads, out.notes) == ([b"<html>busy"], ["page=1"])
    assert isinstance(fault, FeedError)
    assert fault.retriable
    assert "not JSON but an HTML page" in str(fault)


@pytest.mark.parametrize(
    ("only_changes", "expected"), [(False, [b"0", b"0", b"1", b"1"]), (True, [b"0", b"1", b"2", b"3"])]
)
async def test_an_answer_equal_to_the_last_is_appended_or_not(only_changes: bool, expected: list[bytes]) -> None:
    asked = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.Response(text=str((asked - 1) // 2))

    async with serving(handler) as url:
        requests = [Request(feed="test", url=url)]
        feed = PollFeed("test", lambda _: requests, every_s=0.01, only_changes=only_changes)
        out = await run_until(feed, lambda out: len(out.records) >= 4)
    assert out.payloads[:4] == expected


async def test_an_answer_is_compared_with_the_last_one_of_its_address_whatever_was_asked_between() -> None:
    rounds = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text="old" if rounds < 9 else "new")

    def requests(_: int) -> list[Request]:
        nonlocal rounds
        rounds += 1
        seldom = ["seldom"] if rounds % 3 == 1 else []
        return [Request(feed="test", url=f"{url}/{name}", note=name) for name in ("often", *seldom)]

    async with serving(handler) as url:
        feed = PollFeed("test", requests, every_s=0.01, only_changes=True)
        out = await run_until(feed, lambda out: len(out.records) == 3)
    assert list(zip(out.notes, out.payloads, strict=True)) == [
        ("often", b"old"),
        ("seldom", b"old"),
        ("often", b"new"),
    ]


async def test_a_file_that_is_not_there_yet_is_no_failure_where_that_may_be() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        there = request.path != "/tomorrow" or len(asked) > 4
        return web.Response(text=request.path) if there else web.Response(status=404)

    def requests(_: int) -> list[Request]:
        tomorrow = Request(feed="test", url=f"{url}/tomorrow", may_be_absent=True)
        return [tomorrow, Request(feed="test", url=f"{url}/today")]

    async with serving(handler) as url:
        feed = PollFeed("test", requests, every_s=0.01, only_changes=True)
        out = await run_until(feed, lambda out: len(out.records) == 2)
        assert out.payloads == [b"/today", b"/tomorrow"]
        gone = PollFeed("test", lambda _: [Request(feed="test", url=f"{url}/tomorrow")], every_s=9)
        asked.clear()
        _, fault = await fails(gone)
    assert "check the address" in str(fault)


@pytest.mark.parametrize(
    "payload", [b"{}", b"[1]", b'[["a","rot13","x"]]', b'[["a","base64","%"]]', b"", b'[["a","utf-8"]]']
)
def test_a_payload_that_was_not_joined_is_refused(payload: bytes) -> None:
    with pytest.raises(FeedError):
        parts_of(payload)


def test_joined_answers_come_apart_to_the_byte() -> None:
    parts = [("a", b'{"x":"\xc3\xa9"}'), ("b", bytes(range(256))), ("", b"")]
    assert parts_of(joined(parts)) == parts
