"""Where a stack started on this machine by `up` or `demo` listens: the state file they write and others find."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from streams.settings import Settings, state_folder
from streams.wire import Origin


class RunningStack(BaseModel):
    """The content of ``embedded.json`` in the state folder. ``ports``: health and metrics of each service."""

    model_config = ConfigDict(frozen=True)

    redis_url: str
    kafka_brokers: str
    origin: Origin
    run: str
    pid: int
    ports: dict[str, int] = {}

    def fill(self, settings: Settings) -> Settings:
        """The settings with this stack's addresses and names where none are set."""
        kafka, redis, run = settings.kafka, settings.redis, settings.run
        if "brokers" not in kafka.model_fields_set:
            kafka = kafka.model_copy(update={"brokers": tuple(self.kafka_brokers.split(","))})
        if "url" not in redis.model_fields_set:
            redis = redis.model_copy(update={"url": SecretStr(self.redis_url)})
        if not {"origin", "name"} & run.model_fields_set:
            run = run.model_copy(update={"origin": self.origin, "name": self.run or "main"})
        return settings.model_copy(update={"kafka": kafka, "redis": redis, "run": run})


def state_file(folder: Path | None = None) -> Path:
    """The state file."""
    return (folder or state_folder()) / "embedded.json"


def running_stack(folder: Path | None = None) -> RunningStack | None:
    """The stack that runs here; None where no file says so, or the process it names is gone."""
    try:
        stack = RunningStack.model_validate(orjson.loads(state_file(folder).read_bytes()))
        os.kill(stack.pid, 0)  # signal 0 only asks whether the process is there
    except (OSError, ValueError, ValidationError):
        return None
    return stack
