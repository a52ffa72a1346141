"""A real Apache Kafka that lets nobody in without TLS and a login, and nobody do what no access list allows."""

from __future__ import annotations

import secrets
import shlex
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from streams.embedded.child import LOOPBACK, Child, free_port
from streams.log.connection import Connection
from streams.tls import Tls
from tests.support.certificates import Authority
from tests.support.real_kafka import READY_S, RealKafka
from tests.support.redis_server import listens

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listener.security.protocol.map=CLIENT:SASL_SSL,BROKER:SSL,CONTROLLER:SSL
listeners=CLIENT://{host}:{port},BROKER://{host}:{mutual},CONTROLLER://{host}:{controller}
advertised.listeners=CLIENT://{host}:{port},BROKER://{host}:{mutual}
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
ssl.client.auth=required
listener.name.client.ssl.client.auth=none
ssl.principal.mapping.rules=RULE:^CN=([a-z0-9-]+)$/$1/
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:admin
allow.everyone.if.no.acl.found=false
log.dirs={folder}/data
auto.create.topics.enable={auto_create}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
"""

PROGRAM_S = 120
CLASSES = {
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
}


class SecuredKafka(RealKafka):
    """``port`` takes SCRAM over TLS, ``mutual`` certificates of clients. Its users are made with it."""

    def __init__(self, authority: Authority, users: Iterable[str], *, auto_create: bool = False) -> None:
        super().__init__()
        self.authority = authority
        self.mutual = free_port()
        self.passwords = {user: secrets.token_urlsafe(24) for user in ("admin", *users)}
        self._auto_create = auto_create

    def _format(self) -> None:
        self._properties.write_text(
            PROPERTIES.format(
                host=LOOPBACK,
                port=self.port,
                mutual=self.mutual,
                controller=self._controller,
                folder=self.folder,
                keystore=self.authority.sign("broker").both(),
                truststore=self.authority.ca,
                auto_create=str(self._auto_create).lower(),
            )
        )
        words = ["format", "-t", secrets.token_hex(11), "-c", str(self._properties)]
        for user, password in self.passwords.items():
            words += ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
        self._run("kafka.tools.StorageTool", words)

    def _run(self, program: str, words: list[str]) -> str:
        done = subprocess.run(
            [*self._java(), "-XX:TieredStopAtLevel=1", program, *words],
            capture_output=True,
            text=True,
            timeout=PROGRAM_S,
            check=False,
        )
        assert done.returncode == 0, f"{program} {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> str:
        """Start it and wait until it takes connections."""
        if not self._properties.exists():
            self._format()
        self._child = Child("kafka", [*self._java(), "kafka.Kafka", str(self._properties)], self.folder)
        self._child.start()
        self._child.wait_ready(lambda: listens(self.port), READY_S)
        return self.bootstrap

    def connection(self, user: str, password: str | None = None, tls: Tls | None = None) -> Connection:
        """How a user reaches it by SCRAM."""
        return Connection(
            bootstrap=self.bootstrap,
            security="SASL_SSL",
            user=user,
            password=self.passwords[user] if password is None else password,
            tls=tls or Tls(ca_file=self.authority.ca),
        )

    def with_certificate(self, user: str, authority: Authority | None = None) -> Connection:
        """How a user reaches it by a certificate."""
        made = (authority or self.authority).sign(user)
        tls = Tls(ca_file=self.authority.ca, cert_file=made.cert, key_file=made.key)
        return Connection(bootstrap=f"{LOOPBACK}:{self.mutual}", security="SSL", tls=tls)

    def environment(self, user: str, folder: Path) -> dict[str, str]:
        """Settings of a service under a user's login, its password in a file."""
        kept = folder / f"kafka-{user}.password"
        kept.write_text(self.passwords[user] + "\n")
        kept.chmod(0o600)
        return {
            "KAFKA_BROKERS": self.bootstrap,
            "CHANGEOVER_KAFKA_SECURITY": "SASL_SSL",
            "CHANGEOVER_KAFKA_USER": user,
            "CHANGEOVER_KAFKA_PASSWORD_FILE": str(kept),
            "CHANGEOVER_KAFKA_CA_FILE": str(self.authority.ca),
        }

    def admin_properties(self) -> Path:
        """Client settings of the admin, as Kafka's programs read them."""
        login = f'username="admin" password="{self.passwords["admin"]}"'
        path = self.folder / "admin.properties"
        path.write_text(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
            f"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required {login};\n"
            f"ssl.truststore.type=PEM\nssl.truststore.location={self.authority.ca}\n"
        )
        path.chmod(0o600)
        return path

    def call(self, lines: Iterable[str]) -> None:
        """Run lines of Kafka's own programs, some at a time: each is a Java of its own."""
        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(self._call, lines):
                pass

    def _call(self, line: str) -> str:
        program, *words = shlex.split(line)
        return self._run(CLASSES[program], words)
