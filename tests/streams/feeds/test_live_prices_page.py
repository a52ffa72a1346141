"""The pages on live prices are true: their curves run and give what the table says, their limits are the defaults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from models.records import DecidingConfig
from streams.cli import main
from streams.feed_book import FeedEntry, figure
from streams.register import feeds_for
from streams.settings import load
from tests.support.appended import run_until
from tests.support.served import served

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "how-to" / "live-prices.md").read_text()
GATE = (DOCS / "concepts" / "the-gate.md").read_text()
HOST = "https://prices.example.com"
TOKEN = "token-of-the-test"  # noqa: S105 of a local server
POWER, GPU = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def answer(request: web.Request) -> web.StreamResponse:
    """The desk's server of the page; the power price is for those who have the token."""
    if request.path == "/gpu" and "Authorization" not in request.headers:
        return web.json_response(json.loads(GPU))
    if request.path == "/power/hub" and request.headers.get("Authorization") == f"Bearer {TOKEN}":
        return web.json_response(json.loads(POWER))
    return web.Response(status=403)


def settings_file(folder: Path, url: str) -> Path:
    """The page's settings, asking a local server."""
    (block,) = re.findall(r"^```toml\n# curves\.toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = folder / "curves.toml"
    file.write_text(block.replace(HOST, url))
    return file


def told() -> dict[str, tuple[float, str]]:
    """Series -> value and unit, as the page's table has them."""
    found = re.findall(r"^\| `[\w-]+` \| `(\S+)` \| (\S+) (\S+) \|", PAGE, re.MULTILINE)
    return {series: (float(value), unit) for series, value, unit in found}


async def test_the_curves_of_the_page_give_what_it_says(tmp_path: Path) -> None:
    with served({"desk": answer}) as urls:
        settings = load(settings_file(tmp_path, urls["desk"]), {"HTTP_JSON_TOKEN": TOKEN})
        appended = await run_until(feeds_for(settings).running["http-json"](), lambda out: len(out.records) >= 3)
    entry = FeedEntry("http-json")
    for raw in appended.records:
        entry.hear(raw)
    assert (entry.rejected, entry.why) == (0, "")
    assert {series: figure(latest) for series, latest in entry.latest.items()} == told()
    assert len(told()) == 3


def test_the_curves_of_the_page_pass_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CHANGEOVER_SOURCES")
    monkeypatch.setenv("HTTP_JSON_TOKEN", TOKEN)
    with served({"desk": answer}) as urls:
        file = settings_file(tmp_path, urls["desk"])
        assert main(["check", "feeds", "http-json", "--settings", str(file), "--json"]) == 0
    (check,) = orjson.loads(capsys.readouterr().out)["checks"]
    assert (check["state"], check["series"] in told()) == ("ok", True)


def test_the_other_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n# live\.toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "live.toml"
    file.write_text(block)
    plan = feeds_for(load(file, {}))
    assert "nyiso" in plan.running
    assert "switched off" in plan.off["binance"]


def test_the_limits_on_the_gates_page_are_the_defaults() -> None:
    found = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", GATE, re.MULTILINE)
    assert {key: float(value) for key, value in found} == {
        key: float(getattr(DecidingConfig(), key)) for key, _ in found
    }
    assert len(found) == 11
