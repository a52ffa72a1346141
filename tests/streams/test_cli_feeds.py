"""`changeover check feeds` and `changeover feeds` against servers of our own: states, words, exit codes, JSON."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.cli import main
from streams.cli.check import feeds as check_command
from streams.cli.feeds import feeds as feeds_command
from streams.embedded.child import free_port
from streams.feed_book import FeedLine, SeriesLine
from streams.feed_check import Check, check_all
from streams.feeds.contract import Appender
from streams.health import Health, HealthServer
from streams.ingest import IngestProcess
from streams.register import FeedPlan
from streams.settings import Settings
from streams.wire import RawRecord
from tests.support.served import broken, case_of, documented, mute, served, table_of
from tests.support.sources.http_json import AT, curve

Captured = pytest.CaptureFixture[str]
WELL = ("kraken", "runpod", "miso")
FAILING = {"bitstamp": mute, "braiins": broken}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing set outside, no stack found on this machine."""
    for name in list(os.environ):
        if name.startswith("CHANGEOVER_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def settings_file(tmp_path: Path) -> Iterator[Path]:
    """Settings under which each source asks a server of ours or is off."""
    with served({name: documented(name) for name in WELL} | FAILING) as urls:
        names = [*urls, "lambda-cloud"]
        file = tmp_path / "settings.toml"
        tables = [table_of(name, case_of(name).options(url)) for name, url in urls.items()]
        file.write_text("\n".join([f"[ingest]\nsources = {json.dumps(names)}\n", *tables]))
        yield file


def checked(captured: Captured) -> dict[str, dict[str, Any]]:
    """What was printed as JSON, by source."""
    return {each["source"]: each for each in json.loads(captured.readouterr().out)["checks"]}


def test_each_source_is_tried_and_told_by_its_state(settings_file: Path, capsys: Captured) -> None:
    words = ["check", "feeds", "--within", "2", "--settings", str(settings_file), "--json"]
    assert main(words) == 1
    found = checked(capsys)
    assert {name: found[name]["state"] for name in (*WELL, *FAILING, "lambda-cloud", "coinbase")} == {
        **dict.fromkeys(WELL, "ok"),
        "bitstamp": "silent",
        "braiins": "failed",
        "lambda-cloud": "off",
        "coinbase": "off",
    }
    kraken = found["kraken"]
    assert (kraken["series"], kraken["unit"], kraken["reachable"]) == ("btc:usd@kraken", "USD", True)
    assert 64_000 < kraken["value"] < 66_000
    assert 0 <= kraken["age_s"] < 5
    assert 0 < kraken["latency_s"] < 2
    assert found["bitstamp"]["says"] == "nothing that holds a price came within 2 s"
    assert "500" in found["braiins"]["says"]
    assert found["lambda-cloud"]["says"] == "no key: set LAMBDA_API_KEY to use it"
    assert found["coinbase"]["says"] == "not among the sources of CHANGEOVER_SOURCES or [ingest]"
    assert "INTERVAL" in found["miso"]["unconfirmed"][0]


def test_sources_named_are_tried_alone_and_0_says_that_those_on_are_well(settings_file: Path, capsys: Captured) -> None:
    words = ["check", "feeds", *WELL, "lambda-cloud", "--settings", str(settings_file), "--json"]
    assert main(words) == 0
    assert list(checked(capsys)) == [*WELL, "lambda-cloud"]


def test_the_table_shows_what_to_do_and_what_is_not_confirmed(settings_file: Path, capsys: Captured) -> None:
    words = ["check", "feeds", "miso", "bitstamp", "lambda-cloud", "--within", "1", "--settings", str(settings_file)]
    assert main(words) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(r"miso ok .*power:MISO", shown)
    assert "unconfirmed: Whether INTERVAL" in shown
    assert re.search(r"bitstamp silent .*nothing that holds a price came within 1 s", shown)
    assert re.search(r"lambda-cloud off .*no key: set LAMBDA_API_KEY", shown)


def test_a_server_that_is_not_there_is_failed_and_the_words_say_where_to_look(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(table_of("kraken", case_of("kraken").options(f"http://127.0.0.1:{free_port()}")))
    assert main(["check", "feeds", "kraken", "--settings", str(file), "--json"]) == 1
    kraken = checked(capsys)["kraken"]
    assert (kraken["state"], kraken["reachable"], kraken["latency_s"]) == ("failed", False, None)
    assert "look at this machine's network, its proxy, and url in [feeds.kraken]" in kraken["says"]


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("", ["krakn"], "there is no source 'krakn'; did you mean kraken?"),
        ("[feeds.krakn]\n", [], "there is no source [feeds.krakn]"),
        ("[feeds.kraken]\nevery = 1\n", [], "[feeds.kraken] has no key 'every'"),
        ("", ["kraken", "--within", "0"], "--within"),
    ],
)
def test_what_cannot_be_tried_is_2(text: str, words: list[str], said: str, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    assert main(["check", "feeds", *words, "--settings", str(file)]) == 2
    assert said in capsys.readouterr().err


def test_a_wrong_curve_is_told_by_its_place_and_meaning(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[[feeds.http-json.curves]]\nname = "hub"\nurl = "ftp://x"\npointer = "/p"\n')
    assert main(["check", "feeds", "http-json", "--settings", str(file)]) == 2
    said = capsys.readouterr().err
    assert "[feeds.http-json] curves.0.url" in said
    assert "curves.0.kind" in said


@contextmanager
def answering(health: Health) -> Iterator[int]:
    """The port at which a service's health is told, in a thread of its own."""
    port, ready, loop = free_port(), threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        server = HealthServer(health, "127.0.0.1", port)
        await server.start()
        ready.set()
        await done.wait()
        await server.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield port
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()


def heard() -> IngestProcess:
    """An ingest that heard two sources, one of them long ago, and runs no third."""

    async def make() -> IngestProcess:
        return IngestProcess(Settings())

    process = asyncio.run(make())
    for name in ("kraken", "bitstamp"):
        process.began(name)
        for payload in (*case_of(name).payloads[:1], *case_of(name).ignored[:1], *case_of(name).refused[:1]):
            process.heard(name, payload.raw())
    note = curve("pool", kind="utilisation", unit="fraction", interval_s=None).note
    process.began("http-json")
    process.heard("http-json", RawRecord("http-json", AT, "", 0, b'{"price": 0.5}', note=note))
    process.failed("bitstamp", "closed by the source, code 1012")
    process.book.off("luxor", "no key: set LUXOR_API_KEY to use it")
    return process


def test_feeds_tells_once_what_ingest_knows_of_each(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    process = heard()
    with answering(process.health) as port:
        monkeypatch.setenv("CHANGEOVER_HTTP_PORT", str(port))
        assert main(["feeds", "--once", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert main(["feeds", "--once"]) == 0
    assert document["checks"] == []
    lines = {line["feed"]: line for line in document["feeds"]}
    assert [line["state"] for line in document["feeds"]] == ["on", "on", "waiting", "off"]
    kraken = lines["kraken"]
    counts = tuple(kraken[key] for key in ("received", "parsed", "ignored", "rejected", "failures"))
    assert counts == (3, 1, 1, 1, 0)
    assert [(each["series"], each["value"], each["unit"]) for each in kraken["series"]] == [
        ("btc:usd@kraken", 64_281.7, "USD")
    ]
    assert lines["http-json"]["stale"] == ["utilisation:http-json.pool"]
    assert lines["bitstamp"]["why"] == "closed by the source, code 1012"
    assert (lines["luxor"]["age_s"], lines["luxor"]["series"]) == (None, [])
    shown = " ".join(capsys.readouterr().out.split())
    assert "btc:usd@kraken 64,281.7 USD" in shown
    assert "late: utilisation:http-json.pool" in shown
    assert "no key: set LUXOR_API_KEY to use it" in shown


def test_without_an_ingest_feeds_is_one_line_and_1(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGEOVER_HTTP_PORT", str(free_port()))
    assert main(["feeds", "--once"]) == 1
    assert "no ingest answers at http://127.0.0.1:" in capsys.readouterr().err


def test_another_service_in_its_place_is_named(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(Health("worker")) as port:
        monkeypatch.setenv("CHANGEOVER_HTTP_PORT", str(port))
        assert main(["feeds", "--once"]) == 1
    assert "is not an ingest's" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (check_command, {"checks", *Check.__annotations__}),
        (feeds_command, {"feeds", "checks", *FeedLine.__annotations__, *SeriesLine.__annotations__}),
    ],
)
def test_the_help_names_every_key_of_the_json(command: Any, keys: set[str]) -> None:
    documented_keys = set(re.findall(r"\w+", command.__doc__.partition("Keys with --json:")[2]))
    assert keys - documented_keys == set()


async def test_a_source_with_a_bug_has_its_own_line_and_the_others_theirs() -> None:
    class Buggy:
        name = "kraken"

        async def run(self, out: Appender) -> None:
            del out
            raise KeyError("ours")

    plan = FeedPlan(running={"kraken": Buggy}, off={"bitstamp": "switched off"})
    wrong, off = await check_all(plan, 5.0, ("kraken", "bitstamp"))
    assert (wrong["state"], off["state"]) == ("failed", "off")
    assert "a bug of this source" in wrong["says"]
