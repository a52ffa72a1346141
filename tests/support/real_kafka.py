"""A real Apache Kafka of one node for the suite: official jars by Maven, KRaft, loopback, a folder of its own."""

from __future__ import annotations

import base64
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from streams.embedded.broker import Broker, answers_metadata
from streams.embedded.child import LOOPBACK, Child, free_port
from streams.log.connection import Capabilities

POM = Path(__file__).parent / "kafka" / "pom.xml"
JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
DOWNLOAD_S = 300
FORMAT_S = 60
READY_S = 150.0

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller}{listeners}
advertised.listeners=BROKER://{host}:{port}{advertised}
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=16777216
"""


class UnavailableError(Exception):
    """Real Kafka cannot run on this machine; the text is the reason of the skip."""


def pinned_version() -> str:
    """The version of Kafka in the pom."""
    return str(re.findall(r"<kafka.version>([0-9.]+)</kafka.version>", POM.read_text())[0])


def missing_programs() -> list[str]:
    """Which programs real Kafka needs and this machine lacks."""
    return [name for name in ("java", "mvn") if shutil.which(name) is None]


def cache_folder() -> Path:
    """Where the jars are kept between runs."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "changeover-tests" / f"kafka-{pinned_version()}"


def server_jars() -> Path:
    """The folder of the server's jars, filled by Maven at first use.

    Raises:
        UnavailableError: Java or Maven is missing, or Maven cannot reach its repository.
    """
    missing = missing_programs()
    if missing:
        raise UnavailableError(f"real Apache Kafka needs {' and '.join(missing)} on PATH")
    jars = cache_folder()
    jars.parent.mkdir(parents=True, exist_ok=True)
    with (jars.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come here at once
        if not jars.is_dir():
            with tempfile.TemporaryDirectory(dir=jars.parent) as folder:
                copy_jars(Path(folder) / "jars")
                (Path(folder) / "jars").rename(jars)
    return jars


def copy_jars(target: Path) -> None:
    """Let Maven copy the jars."""
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False)
    if done.returncode != 0 or not target.is_dir():
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise UnavailableError(f"Maven could not fetch Apache Kafka {pinned_version()}: {' '.join(lines[:2])[:300]}")


class RealKafka(Broker):
    """One KRaft node on free loopback ports. After a kill or a stop, start() brings it back with its log.

    ``ways``: listeners of names of their own, each with the port that it listens on and the one it tells its clients:
    there a proxy may stand before it.
    """

    capabilities = Capabilities(idempotent=True, long_poll=True)

    def __init__(self, ways: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.ways = dict(ways or {})
        self.folder = Path(tempfile.mkdtemp(prefix="changeover-kafka-"))
        self.port = free_port()
        self._controller = free_port()
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """``host:port``."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive()

    def _java(self) -> list[str]:
        return [str(shutil.which("java")), *JAVA, "-cp", f"{server_jars()}/*"]

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _format(self) -> None:
        ways = self.ways.items()
        self._properties.write_text(
            PROPERTIES.format(
                host=LOOPBACK,
                port=self.port,
                controller=self._controller,
                folder=self.folder,
                protocols="".join(f",{name.upper()}:PLAINTEXT" for name in self.ways),
                listeners="".join(f",{name.upper()}://{LOOPBACK}:{port}" for name, (port, _) in ways),
                advertised="".join(f",{name.upper()}://{LOOPBACK}:{told}" for name, (_, told) in ways),
            )
        )
        # An id that begins with "-" would read as an option.
        cluster = base64.b64encode(uuid.uuid4().bytes, altchars=b"xy").decode().rstrip("=")
        command = [*self._java(), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties)]
        subprocess.run(command, capture_output=True, timeout=FORMAT_S, check=True)

    def start(self) -> str:
        """Start it and wait for its metadata."""
        if not self._properties.exists():
            self._format()
        self._child = Child("kafka", [*self._java(), "kafka.Kafka", str(self._properties)], self.folder)
        self._child.start()
        self._child.wait_ready(lambda: answers_metadata(self.port), READY_S)
        return self.bootstrap

    def pause(self) -> None:
        """Stop it and keep its log for the next start."""
        if self._child is not None:
            self._child.stop(20.0)

    def kill(self) -> None:
        """End it as a crash would and keep its log for the next start."""
        if self._child is not None:
            self._child.kill()

    def lose_log(self) -> None:
        """Forget everything it held; it must not run."""
        shutil.rmtree(self.folder / "data")
        self._properties.unlink()

    def stop(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
