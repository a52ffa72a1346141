"""`changeover demo` and `up` as a user runs them: signals on Redis, a second terminal, Ctrl-C, a recording replayed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from streams.archive import check_archive
from streams.running import running_stack, state_file
from streams.wire import Entry, Names, genesis_chain, next_chain
from tests.support.command import ROOT, Command, is_running

FIRST_SIGNAL_S = 60.0
MINERS = ("juniper", "harbor")
DEMO = Names("demo", "main")
FLEET = "streams/demo/fleet"
NUMBERING = ("origin", "generation", "epoch", "seq", "chain", "id", "offset")
LINUX = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="children are listed by /proc, which is Linux's"
)


def is_announced(folder: Path) -> bool:
    """Whether a stack of this folder's user says where it listens."""
    return running_stack(folder / "changeover") is not None


def redis_of(folder: Path) -> redis.Redis:
    """A plain client of the stack that announces itself in a folder."""
    stack = running_stack(folder / "changeover")
    assert stack is not None
    return redis.Redis.from_url(stack.redis_url)


def entries(client: redis.Redis, miner: str, names: Names = DEMO) -> list[Entry]:
    """A miner's stream by a raw XRANGE; its ids must be 1-0, 2-0 ... without a hole."""
    found: Any = client.xrange(names.key(miner, "signals"))
    assert [entry_id for entry_id, _ in found] == [b"%d-0" % number for number in range(1, len(found) + 1)]
    return [
        Entry(int(fields[b"offset"]), number, fields[b"chain"].decode(), fields[b"json"])
        for number, (_, fields) in enumerate(found, start=1)
    ]


def switches(found: list[Entry]) -> list[dict[str, Any]]:
    return [signal for signal in map(orjson.loads, (entry.json for entry in found)) if signal["kind"] == "switch"]


def linked(found: list[Entry]) -> list[set[tuple[str, str]]]:
    """(from, to) of the switches of each decision, in order."""
    decisions: dict[tuple[str, int], set[tuple[str, str]]] = {}
    for each in switches(found):
        decisions.setdefault((each["decision"], each["offset"]), set()).add((each["from"], each["to"]))
    return list(decisions.values())


TO_AI = {("hash", "off"), ("off", "ai")}
BACK = {("off", "hash"), ("ai", "off")}
STOP = {("hash", "off")}


class Demo:
    """One whole run, from the first keypress to Ctrl-C, and what was seen of it meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.recording = folder / "market.log"
        words = ["demo", "--json", "--record", str(self.recording)]
        with Command(words, {}, folder) as command:
            command.until(lambda: is_announced(folder), FIRST_SIGNAL_S)
            with redis_of(folder) as client:
                command.until(lambda: bool(switches(entries(client, "juniper"))), FIRST_SIGNAL_S)
                with Command(["tail", "--json", "--from", "1", *MINERS], {}, folder) as tail:
                    command.until(lambda: set(map(frozenset, linked(entries(client, "juniper")))) >= ALL)
                    self.stored = {miner: entries(client, miner) for miner in MINERS}
                    tail.until(lambda: len(tail.lines) >= sum(map(len, self.stored.values())))
                    tail.interrupt()
            self.children = command.children()
            self.exit_code = command.interrupt()
        self.said = command.said
        self.printed, self.tailed = command.lines, tail.lines
        self.state_file_left = state_file(folder / "changeover").exists()


ALL = {frozenset(TO_AI), frozenset(BACK), frozenset(STOP)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The run that most tests here look at."""
    return Demo(tmp_path_factory.mktemp("demo"))


def by_miner(lines: list[bytes], miner: str) -> list[bytes]:
    """Lines that are signals of a miner, without the line's end."""
    return [line[:-1] for line in lines if orjson.loads(line).get("miner") == miner and b'"seq"' in line]


@LINUX
@pytest.mark.listed
def test_the_demo_shows_each_kind_of_switch_with_its_reason(demo: Demo) -> None:
    decisions = linked(demo.stored["juniper"])
    assert decisions.index(TO_AI) < decisions.index(BACK) < decisions.index(STOP)
    for each in switches(demo.stored["juniper"]) + switches(demo.stored["harbor"]):
        assert each["origin"] == "demo"
        assert each["text"]
        assert each["why"]["groups"] or each["forecast"]  # a plan may turn because other hours lie ahead


@LINUX
@pytest.mark.listed
def test_the_streams_on_redis_have_no_hole_and_carry_their_chain(demo: Demo) -> None:
    for miner, stored in demo.stored.items():
        chain = genesis_chain(miner, 1)
        for entry in stored:
            assert orjson.loads(entry.json)["chain"] == chain
            chain = next_chain(chain, entry.json)
            assert entry.chain == chain


@LINUX
@pytest.mark.listed
def test_a_second_terminal_prints_the_same_signals(demo: Demo) -> None:
    for miner, stored in demo.stored.items():
        assert by_miner(demo.tailed, miner)[: len(stored)] == [entry.json for entry in stored]


@LINUX
def test_json_is_the_bytes_on_redis_and_a_summary_at_the_end(demo: Demo) -> None:
    for miner, stored in demo.stored.items():
        assert by_miner(demo.printed, miner)[: len(stored)] == [entry.json for entry in stored]
    *signals, last = map(orjson.loads, demo.printed)
    assert all(signal["schema"] == 1 for signal in signals)
    assert last["kind"] == "summary"
    assert last["signals"] == len(signals) == sum(miner["seq"] for miner in last["miners"].values())


@LINUX
@pytest.mark.listed
def test_ctrl_c_ends_with_0_and_leaves_no_process_and_no_state_file(demo: Demo) -> None:
    assert demo.exit_code == 0, demo.said
    lines = " ".join(demo.children.values())
    assert all(word in lines for word in ("worker", "agents", "ingest", "broker", "valkey"))
    assert [line for pid, line in demo.children.items() if is_running(pid)] == []
    assert not demo.state_file_left


@LINUX
def test_the_demo_says_that_it_is_simulated_and_scripted(demo: Demo) -> None:
    assert "SIMULATED: no price of this run is real." in demo.said
    assert "The first simulated hour is scripted" in demo.said


@LINUX
@pytest.mark.guarantee("G2")
def test_the_recorded_market_replays_to_the_same_signals(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "replayed.jsonl"
    words = ["replay", str(demo.recording), "--miners", FLEET, "--out", str(out), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *words],
        env={"PATH": os.environ["PATH"], "CHANGEOVER_COMPILED": "0", "XDG_CACHE_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert orjson.loads(done.stdout)["rejected"] == 0
    replayed = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    for miner in MINERS:
        live = [content(each) for each in switches(demo.stored[miner])]
        again = [content(each) for each in replayed if each["miner"] == miner and each["kind"] == "switch"]
        assert len(live) >= 5
        assert again[: len(live)] == live


def content(switch: dict[str, Any]) -> dict[str, Any]:
    """What a digest covers."""
    return {key: value for key, value in switch.items() if key not in NUMBERING}


@LINUX
def test_a_service_that_dies_is_reported_with_its_last_lines_and_everything_ends(tmp_path: Path) -> None:
    with Command(["demo", "--speed", "300"], {}, tmp_path) as command:
        command.until(lambda: any(b"juniper #1" in line for line in command.lines))
        children = command.children()
        (worker,) = (pid for pid, line in children.items() if line.rstrip().endswith("streams.cli worker"))
        os.kill(worker, signal.SIGKILL)
        assert command.wait() == 1
    assert "worker ended with exit code -9" in command.said
    assert "Traceback" not in command.said
    assert [line for pid, line in children.items() if is_running(pid)] == []


@LINUX
def test_a_killed_demo_leaves_no_process(tmp_path: Path) -> None:
    with Command(["demo", "--json"], {}, tmp_path) as command:
        command.until(lambda: is_announced(tmp_path))
        children = command.children()
        os.kill(command.pid, signal.SIGKILL)
        command.wait()
    deadline = time.monotonic() + 20
    while any(map(is_running, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [line for pid, line in children.items() if is_running(pid)] == []


def test_a_demo_on_given_servers_ends_by_itself_and_takes_its_topics_and_keys_along(
    kafka: str, redis_url: str, tmp_path: Path
) -> None:
    given = {"KAFKA_BROKERS": kafka, "REDIS_URL": redis_url, "CHANGEOVER_RUN": f"given-{os.getpid()}"}
    with Command(["demo", "--json", "--seconds", "8", "--speed", "120"], given, tmp_path) as command:
        assert command.wait() == 0, command.said
    *signals, summary = map(orjson.loads, command.lines)
    assert summary["run"] == given["CHANGEOVER_RUN"]
    assert {("hash", "off"), ("off", "ai")} <= {(each.get("from"), each.get("to")) for each in signals}
    assert not is_announced(tmp_path)
    with redis.Redis.from_url(redis_url) as client:
        assert list(client.scan_iter(f"{Names('demo', given['CHANGEOVER_RUN']).prefix}*")) == []


@pytest.mark.parametrize(
    ("words", "environment", "refusal"),
    [
        (["--speed", "0"], {}, "--speed 0: simulated seconds per real second, from 1 to 3600"),
        (["--record", "pyproject.toml"], {}, "pyproject.toml: exists already"),
        ([], {"REDIS_URL": "redis://127.0.0.1:1/0"}, "set both, or neither"),
        ([], {"CHANGEOVER_REDIS_PASSWORD": "x"}, "no server that knows it"),
        ([], {"CHANGEOVER_KAFKA_SECURITY": "SSL"}, "no server that knows it"),
        ([], {"CHANGEOVER_BROKER_BINARY": "no-such-broker"}, "CHANGEOVER_BROKER_BINARY"),
    ],
)
def test_what_cannot_run_is_refused_in_one_line(
    words: list[str], environment: dict[str, str], refusal: str, tmp_path: Path
) -> None:
    with Command(["demo", *words], environment, tmp_path) as command:
        assert command.wait() == 2
    assert refusal in command.said
    assert "Traceback" not in command.said


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Command, redis.Redis]]:
    """`changeover up` on the shipped capped site, uncompiled so that it starts at once."""
    words = ["up", "--json", "--miners", "deploy/examples/capped.toml"]
    with Command(words, {"CHANGEOVER_COMPILED": "0"}, tmp_path) as command:
        command.until(lambda: is_announced(tmp_path))
        with redis_of(tmp_path) as client:
            yield command, client


def log_time_us(client: redis.Redis, head: str) -> int:
    """Log time of a head [us]."""
    found: Any = client.hget(head, "log_time_us")
    return int(found or 0)


def test_up_runs_live_says_which_series_no_source_brings_applies_the_fleet_and_records(
    live: tuple[Command, redis.Redis], tmp_path: Path
) -> None:
    command, client = live
    names = Names("live")
    command.until(lambda: bool(client.smembers(names.miners)))
    (miner,) = (each.decode() for each in client.sscan_iter(names.miners))
    first_us = log_time_us(client, names.key(miner, "head"))
    command.until(lambda: log_time_us(client, names.key(miner, "head")) > first_us + 1_000_000)
    assert command.interrupt() == 0
    assert "Prices from no source" in command.said
    archive = tmp_path / "changeover" / "archive"
    assert f"recording the log to {archive} ([archive] on = false leaves it out)" in command.said
    checked = check_archive(archive)
    assert checked.faults == []
    assert checked.records > 4
    *signals, summary = map(orjson.loads, command.lines)
    assert summary["origin"] == "live"
    assert signals[0]["kind"] == "epoch"


def test_up_refuses_an_origin_that_is_not_live(tmp_path: Path) -> None:
    with Command(["up"], {"CHANGEOVER_ORIGIN": "demo"}, tmp_path) as command:
        assert command.wait() == 2
    assert "`changeover demo` simulates" in command.said
