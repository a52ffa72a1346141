"""Everything that `changeover check security` looks at, in one list."""

from __future__ import annotations

import asyncio
from pathlib import Path

from streams.security.findings import Finding, about_http, about_secrets
from streams.security.kafka_findings import kafka_findings
from streams.security.redis_findings import redis_findings
from streams.settings import SETTINGS_FILE, Settings, process_environment, read_toml


async def look(settings: Settings, file: Path | None) -> list[Finding]:
    """What is open and what is closed: settings and files, health and metrics, Redis, Kafka."""
    environment = process_environment()
    if file is None and environment.get(SETTINGS_FILE):
        file = Path(environment[SETTINGS_FILE])
    found = [*about_secrets(settings, file, {} if file is None else read_toml(file), environment)]
    found += about_http(settings)
    redis, kafka = await asyncio.gather(redis_findings(settings), kafka_findings(settings))
    return [*found, *redis, *kafka]
