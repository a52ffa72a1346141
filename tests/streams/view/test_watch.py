"""The outputs: JSON is the bytes on Redis and a summary, lines come once each, and the view of Redis itself."""

from __future__ import annotations

import asyncio
import io

import orjson
import pytest
import redis.asyncio
from rich.console import Console

from streams.connect import open_redis
from streams.errors import WorldError
from streams.settings import load
from streams.sink import RedisSink
from streams.tail import Told
from streams.view.board import Board
from streams.view.reader import Reader, standing
from streams.view.watch import Json, Lines, Screen, View
from streams.wire import Names
from tests.support.demo_log import batches_of


def told(number: int) -> Told:
    """An entry as the follower gives it, with spaces that a second encoding would lose."""
    line = b'{"kind": "switch", "miner": "juniper", "seq": %d, "log_time_us": 0, "site": "s", "load": "l", "text": "t"}'
    return Told("juniper", line % number, orjson.loads(line % number))


REMARK = Told.remark("juniper", "stale", "juniper: nothing from its worker for 10 s")


def test_json_prints_the_exact_bytes_of_signals_no_remarks_and_one_summary() -> None:
    out = io.BytesIO()
    output, board = Json(out.write), Board(Names("demo", "main"))
    output.start()
    output.show(board, [told(1), REMARK, told(2)], 0.0)
    output.show(board, [], 1.0)
    output.end(board, 2.0)
    *signals, summary = out.getvalue().splitlines()
    assert signals == [told(1).json, told(2).json]
    assert orjson.loads(summary)["kind"] == "summary"


def test_lines_print_each_entry_once_and_the_board_every_few_seconds(board: Board) -> None:
    written: list[str] = []
    output = Lines(written.append)
    output.start()
    for second in (10.0, 11.0, 12.0, 15.5):
        output.show(board, [told(1), REMARK] if second == 10.0 else [], second)
    output.end(board, 5.5)
    assert sum(line.startswith("juniper #1 ") for line in written) == 1
    assert sum(line.startswith("-- juniper: nothing") for line in written) == 1
    assert sum(line.startswith("SIMULATED MARKET") for line in written) == 2
    assert written[-1] == "7 signals in 6 s"


def test_the_screen_leaves_the_last_signals_behind(board: Board) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, height=40)
    output = Screen(console, ("a note",))
    output.start()
    output.show(board, [], 10.0)
    output.end(board, 42.0)
    text = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO given above
    assert "7 signals in 42 s" in text
    assert text.rindex("juniper #5") > text.index("Last signals")


@pytest.fixture
async def client(redis_url: str) -> redis.asyncio.Redis:
    """A client of the suite's Redis."""
    return redis.asyncio.Redis.from_url(redis_url)


async def written(client: redis.asyncio.Redis, names: Names, hours: float) -> None:
    """Write what the demo publishes in so many simulated hours."""
    sink = RedisSink(client, names)
    for batch in batches_of(1, hours):
        await sink.register(batch.miner)
        assert (await sink.write(batch)).status in ("OK", "DUPLICATE")


async def test_the_reader_brings_each_entry_once_and_every_site(client: redis.asyncio.Redis, run_names: Names) -> None:
    reader, board = Reader(client, run_names), Board(run_names)
    assert await reader.poll(board, 0.0) == []
    await written(client, run_names, 0.2)
    first = [each.json for each in await reader.poll(board, 3.0)]
    await written(client, run_names, 0.4)
    second = [each.json for each in await reader.poll(board, 6.0)]
    expected = {entry.json for batch in batches_of(1, 0.4) for entry in batch.entries}
    assert len(first) + len(second) == len(expected)
    assert set(first) | set(second) == expected
    assert sorted(board.sites) == [("harbor", "ladder"), ("juniper", "north"), ("juniper", "west-hall")]
    assert board.heads["juniper"].seq == 5
    await client.aclose()


async def test_what_stood_before_the_view_is_not_shown_as_new(client: redis.asyncio.Redis, run_names: Names) -> None:
    await written(client, run_names, 0.2)
    before = await standing(client, run_names)
    assert before == {"juniper": (1, 3), "harbor": (1, 2)}
    await written(client, run_names, 0.4)
    new = await Reader(client, run_names, before).poll(Board(run_names), 0.0)
    assert [(each.miner, each.signal["seq"]) for each in new] == [("juniper", 4), ("juniper", 5)]
    await client.aclose()


async def test_a_view_ends_when_told_and_shows_what_came_last(client: redis.asyncio.Redis, run_names: Names) -> None:
    out, stop = io.BytesIO(), asyncio.Event()
    view = View(Reader(client, run_names), run_names, Json(out.write))
    watching = asyncio.create_task(view.watch(stop, lambda: None))
    stop.set()
    await watching
    await written(client, run_names, 0.2)
    await view.finish()
    assert out.getvalue().count(b"\n") == 5 + 1
    await client.aclose()


async def test_a_view_ends_with_the_error_of_a_service_that_died(client: redis.asyncio.Redis, run_names: Names) -> None:
    def check() -> None:
        raise WorldError("worker ended with exit code 70; it said: HALTED")

    view = View(Reader(client, run_names), run_names, Json(io.BytesIO().write))
    with pytest.raises(WorldError, match="exit code 70"):
        await view.watch(asyncio.Event(), check)
    await client.aclose()


async def test_a_redis_that_is_away_is_waited_for(run_names: Names) -> None:
    away = open_redis(load(environment={"REDIS_URL": "redis://127.0.0.1:1/0"}))
    out = io.BytesIO()
    view = View(Reader(away, run_names), run_names, Json(out.write))
    await view.watch(asyncio.Event(), lambda: None, seconds=0.1)
    await view.finish()
    assert orjson.loads(out.getvalue())["records"] == 0
    await away.aclose()
