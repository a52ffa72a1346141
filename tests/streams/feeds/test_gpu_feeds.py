"""GPU rates: recorded answers are read, goods are never mixed, and each feed keeps its source's limits."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from models.records import GpuRate
from streams.errors import FeedError
from streams.feeds import akash, gpu_models, lambda_cloud, ornn, prime_intellect, runpod, sf_compute, vast
from streams.feeds.contract import Parse
from streams.feeds.http import parts_of
from streams.now import now_us
from streams.wire import RawRecord
from tests.support.appended import Appended, fails, run_until
from tests.support.faulty_server import serving
from tests.support.sources import akash as bids
from tests.support.sources import prime_intellect as prime
from tests.support.sources import runpod as documented
from tests.support.sources import sf_compute as book
from tests.support.sources import vast as market

AT = market.AT
DATA = Path(os.environ.get("CHANGEOVER_DATA", "../shared/data"))
TABLES = (
    gpu_models.VAST,
    gpu_models.RUNPOD,
    gpu_models.LAMBDA,
    gpu_models.AKASH,
    gpu_models.PRIME_INTELLECT,
    gpu_models.SF_COMPUTE,
    gpu_models.ORNN,
)


def recorded(name: str) -> bytes:
    """A recorded or documented answer; the folder of recorded data is not part of the project."""
    file = DATA / "wire" / "gpu" / name
    if not file.is_file():
        pytest.skip(f"recorded answers: {file} is not there; CHANGEOVER_DATA names the folder of recorded data")
    return file.read_bytes()


def rates(parse: Parse, payload: bytes, note: str = "") -> tuple[dict[str, float], list[str]]:
    """Rate by series, and the faults."""
    parsed = parse(RawRecord("test", AT, "test", 1, payload, note=note))
    found = [record for record in parsed.records if isinstance(record, GpuRate)]
    assert len(found) == len(parsed.records)
    return {record.series: record.usd_per_gpu_hour for record in found}, parsed.faults


@pytest.mark.parametrize(
    ("parse", "name", "note", "expected"),
    [
        (runpod.parse_graphql, "runpod_graphql_gpuTypes_2026-08-20.json", "", {}),
        (
            runpod.parse_catalog,
            "runpod_v2_catalog_gpus_2026-08-20.json",
            "",
            {
                "gpu:RTX-4090@runpod-secure": 0.74,
                "gpu:RTX-4090@runpod-community": 0.34,
                "gpu:MI300X@runpod-secure": 2.39,
                "gpu:MI300X@runpod-community": 0.5,
                "gpu:H100-NVL@runpod-secure": 2.59,
                "gpu:H100-NVL@runpod-community": 1.39,
            },
        ),
        (akash.parse, "akash_gpu_prices_test_2026-07.json", "", {"gpu:H100-SXM@akash": 2.5}),
        (lambda_cloud.parse, "lambda_instance_types_docs.json", "", {}),
        (ornn.parse, "ornn_daily_index_simple.json", "H100 SXM", {"gpu:H100-SXM:index@ornn": 1.66}),
        (sf_compute.parse, "sfcompute_orderbook_quote.json", "H100", {"gpu:H100-SXM:spot@sfcompute": 0.1775}),
    ],
)
def test_recorded_answers_are_read(parse: Parse, name: str, note: str, expected: dict[str, float]) -> None:
    assert rates(parse, recorded(name), note) == (expected, [])


def test_a_gpu_listed_twice_gives_nothing() -> None:
    """Two rows may be one GPU under two spellings of its interface."""
    twice = bids.prices(bids.H100, bids.model("h100", "80Gi", "SXM", 2.0), bids.A100).body
    found, (fault,) = rates(akash.parse, twice)
    assert found == {"gpu:A100-SXM-80@akash": 1.84}
    assert "H100-SXM: listed 2 times" in fault
    found, (fault,) = rates(runpod.parse_graphql, documented.graphql(documented.SXM, documented.SXM).body)
    assert found == {}
    assert "H100-SXM: listed 2 times" in fault


def test_a_crossed_order_book_gives_nothing() -> None:
    crossed = book.quote({"best_bid": book.ASK, "best_ask": book.BID})
    with pytest.raises(FeedError, match=r"best_bid 16\.4 is above best_ask 15\.2"):
        sf_compute.parse(crossed.raw())


def test_one_recorded_offer_is_too_few_for_a_median() -> None:
    note = orjson.dumps({"gpu_name": "RTX 4090", "limit": 1_000}).decode()
    found, (fault,) = rates(vast.parse, recorded("vast_bundles_offer_2024-07.json"), note)
    assert found == {}
    assert "RTX-4090: 1 machines" in fault


def test_every_model_of_a_table_is_one_of_ours() -> None:
    known = {*gpu_models.MODELS, *gpu_models.BY_MEMORY, gpu_models.AMBIGUOUS}
    for table in TABLES:
        assert set(table.values()) <= known
        assert len({name.casefold() for name in table}) == len(table)


@pytest.mark.parametrize("name", ["H100 SXM5", "H100SXM", "NVIDIA H100 SXM", "", "GH100 SXM", "H100 SXM / H200"])
def test_a_spelling_is_matched_whole_or_not_at_all(name: str) -> None:
    assert gpu_models.model_of(gpu_models.VAST, name) is None


@pytest.mark.parametrize(("table", "name"), [(gpu_models.VAST, "A100"), (gpu_models.LAMBDA, "H100 (80 GB)")])
def test_a_spelling_that_could_be_two_is_refused(table: dict[str, str], name: str) -> None:
    with pytest.raises(FeedError, match="more than one model"):
        gpu_models.model_of(table, name)


@pytest.mark.parametrize(("memory_gb", "model"), [(39.6, "A100-SXM-40"), (79.3, "A100-SXM-80"), (80.0, "A100-SXM-80")])
def test_memory_tells_two_a100_apart(memory_gb: float, model: str) -> None:
    assert gpu_models.model_of(gpu_models.VAST, "A100 SXM4", memory_gb) == model
    for unclear in (None, 60.0, 160.0):
        with pytest.raises(FeedError, match="more than one model"):
            gpu_models.model_of(gpu_models.VAST, "A100 SXM4", unclear)


def test_the_order_of_offers_and_of_slices_changes_no_median() -> None:
    offers = [*market.SLICES, *market.THREE[1:], *market.OTHERS]
    for turned in range(len(offers)):
        payload = orjson.dumps({"offers": offers[turned:] + offers[:turned]})
        assert rates(vast.parse, payload, market.NOTE) == ({"gpu:H100-SXM@vast": 2.25}, [])


async def test_each_search_names_its_gpu_and_once_the_quota_is_used_up_nothing_is_asked() -> None:
    asked: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(orjson.loads(await request.read()))
        if len(asked) == 3:
            return web.json_response({"success": False, "error": "search_quota_exceeded"}, status=429)
        return market.serve(request)

    async with serving(handler) as url:
        options = market.options(url).model_copy(update={"gpu_names": ("H100 SXM", "B200", "H200")})
        options = vast.VastOptions.model_validate(options.model_dump())
        feed = vast.VastFeed(options, pause_s=0.0)
        out, fault = await fails(feed)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(feed.run(Appended()), 0.2)
    assert "search_quota_exceeded" in str(fault)
    assert [each["gpu_name"] for each in asked] == [{"in": ["H100 SXM"]}, {"in": ["B200"]}, {"in": ["H200"]}]
    assert [orjson.loads(note)["gpu_name"] for note in out.notes] == ["H100 SXM", "B200"]
    assert rates(vast.parse, out.payloads[0], out.notes[0])[0] == {"gpu:H100-SXM@vast": 2.25}


async def test_other_refusals_do_not_stop_the_searches_for_the_day() -> None:
    asked = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        await request.read()
        return web.Response(status=500) if asked == 1 else market.serve(request)

    async with serving(handler) as url:
        feed = vast.VastFeed(market.options(url), pause_s=0.0)
        await fails(feed)
        out = await run_until(feed, lambda out: bool(out.records))
    assert len(out.records) == 1


def test_the_quota_begins_anew_after_midnight_utc() -> None:
    now = now_us()
    assert 0 < vast.reopens_us(now) - now <= 86_460_000_000
    assert vast.reopens_us(now) % 86_400_000_000 == 60_000_000


async def test_all_pages_of_prime_intellect_are_one_record() -> None:
    listed = [prime.row(f"provider-{place % 7}", 1, 2.0 + place % 3) for place in range(250)]

    async def handler(request: web.Request) -> web.StreamResponse:
        page = int(request.query["page"])
        return web.json_response({"items": listed[100 * (page - 1) : 100 * page], "totalCount": 250})

    async with serving(handler) as url:
        feed = prime_intellect.PrimeIntellectFeed(prime.options(url), prime.KEY, pause_s=0.0)
        out = await run_until(feed, lambda out: bool(out.records))
    (record,) = out.records
    assert [name for name, _ in parts_of(record.payload)] == ["page 1", "page 2", "page 3"]
    found, faults = rates(prime_intellect.parse, record.payload)
    assert len(found) == 7
    assert faults == []


@pytest.mark.parametrize("body", [b"<html>busy</html>", b'{"items":[],"totalCount":9}', b'{"detail":"no"}', b"[]"])
async def test_a_page_that_cannot_be_used_is_appended_and_ends_the_poll(body: bytes) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    async with serving(handler) as url:
        out, fault = await fails(prime_intellect.PrimeIntellectFeed(prime.options(url), prime.KEY, pause_s=0.0))
    assert [parts_of(payload) for payload in out.payloads] == [[("page 1", body)]]
    assert isinstance(fault, FeedError)
    assert fault.retriable


@pytest.mark.parametrize("api", ["graphql", "catalog"])
async def test_both_interfaces_of_runpod_can_be_asked(api: str) -> None:
    asked: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        asked.append(request.headers.get("Authorization"))
        return documented.serve(request)

    async with serving(handler) as url:
        options = runpod.RunpodOptions.model_validate(documented.options(url).model_dump() | {"api": api})
        out = await run_until(runpod.build(options, {"RUNPOD_API_KEY": "abc"}), lambda out: bool(out.records))
    (record,) = out.records
    assert record.feed == f"runpod:{api}"
    assert "gpu:B200-SXM@runpod-secure" in rates(runpod.SOURCE.parsers[record.feed], record.payload)[0]
    assert asked == ["Bearer abc"]
