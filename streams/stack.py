"""What `up` and `demo` start: broker and Redis (embedded, or the operator's) and our services over them.

Light to import, so that everything is under way before the rest of the command is loaded.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from streams.archive import is_installed
from streams.children import Services
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.errors import SettingsError
from streams.running import RunningStack, state_file
from streams.settings import Settings

Say = Callable[[str], None]


class Stack:
    """A context manager: on leaving it nothing that it started is left.

    ``say`` is told what is being started. ``overrides`` is what our services find in their environment beside the
    addresses.
    """

    def __init__(self, settings: Settings, say: Say, overrides: dict[str, str]) -> None:
        given = "brokers" in settings.kafka.model_fields_set, "url" in settings.redis.model_fields_set
        if given[0] != given[1]:
            raise SettingsError(
                "KAFKA_BROKERS and REDIS_URL: set both, or neither and both are started here; one that lasts beside "
                "one that does not would be of another log at the next start"
            )
        self.settings = settings
        self.is_embedded = not given[0]
        if self.is_embedded and (settings.kafka.security != "PLAINTEXT" or settings.redis.password is not None):
            raise SettingsError(
                "a login for Kafka or Redis is set, and no server that knows it: set KAFKA_BROKERS and REDIS_URL too, "
                "or unset it; what is started here has no logins"
            )
        self._say = say
        self._overrides = overrides
        self._broker = EmbeddedBroker(binary=settings.embedded.broker_binary)
        self._redis = EmbeddedRedis(binary=settings.embedded.redis_binary)
        self.services = Services(overrides)

    def __enter__(self) -> Self:
        """Start broker and Redis where none are set."""
        if not self.is_embedded:
            self._say(f"using Kafka at {self.settings.kafka.bootstrap}, Redis at {self.settings.redis.masked}")
            return self
        try:
            self._say("starting an embedded broker and Redis on loopback; both are in memory and end with this command")
            brokers, url = self._broker.start(), self._redis.start()
        except BaseException:  # also Ctrl-C while they start
            self._stop_servers()
            raise
        kafka = self.settings.kafka.model_copy(update={"brokers": (brokers,)})
        redis = self.settings.redis.model_copy(update={"url": SecretStr(url)})
        self.settings = self.settings.model_copy(update={"kafka": kafka, "redis": redis})
        self.services = Services({**self._overrides, "KAFKA_BROKERS": brokers, "REDIS_URL": url})
        self._say(f"broker at {brokers}, Redis at {url}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything that was started."""
        self.forget()
        self.services.stop()
        self._stop_servers()

    def start_recorder(self) -> None:
        """Start who keeps the log as files, where pyarrow is installed; first, so that it is the last to stop."""
        if is_installed():
            self._say(f"recording the log to {self.settings.archive_folder} ([archive] on = false leaves it out)")
            self.services.start("recorder")
        else:
            self._say("not recording the log: pyarrow is not installed (pip install 'changeover[archive]')")

    def start_readers(self) -> None:
        """Start who reads the log; they wait until it is prepared."""
        compiles = self.settings.engine.compiled
        self._say(
            "starting worker and agents" + ("; a first start compiles the engine for a while" if compiles else "")
        )
        self.services.start("worker")
        self.services.start("agents")

    def start_ingest(self) -> None:
        """Start who fills the log, once the worker reads it.

        Raises:
            WorldError: worker or ingest died or does not get ready, with its last lines.
        """
        self.services.wait_ready("worker")
        self.services.start("ingest")
        self.services.wait_ready("ingest")
        self._say("health and metrics: " + ", ".join(f"{name} :{port}" for name, port in self.services.ports.items()))

    def announce(self) -> None:
        """Let other commands on this machine find an embedded stack. Addresses the operator set are not written."""
        if not self.is_embedded:
            return
        run = self.settings.run
        stack = RunningStack(
            redis_url=self.settings.redis.url.get_secret_value(),
            kafka_brokers=self.settings.kafka.bootstrap,
            origin=run.origin,
            run=run.name,
            pid=os.getpid(),
            ports=self.services.ports,
        )
        file = state_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(f".{stack.pid}")
        new.write_text(stack.model_dump_json() + "\n")
        new.replace(file)

    def forget(self) -> None:
        """Take the announcement back, unless another stack has replaced it."""
        file = state_file()
        with contextlib.suppress(OSError, ValueError):
            if RunningStack.model_validate_json(file.read_bytes()).pid == os.getpid():
                file.unlink()

    def _stop_servers(self) -> None:
        self._redis.stop()
        self._broker.stop()


def settings_overrides(file: Path | None) -> dict[str, str]:
    """What lets our services read the same settings file."""
    return {} if file is None else {"CHANGEOVER_SETTINGS": str(file.resolve())}
