"""The stage on which services are tested, on each broker of this run."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.warm_up import warm_up
from streams.wire import Names
from tests.support.stage import Stage


@pytest.fixture(scope="session")
def compiled() -> None:
    """The engine compiled, before any test waits for something."""
    warm_up()


@pytest.fixture
def stage(kafka: str, redis_url: str, run_names: Names, tmp_path: Path, compiled: None) -> Stage:
    """A broker, the suite's Redis, names and a folder of this test's own."""
    del compiled  # only the order matters
    return Stage(kafka, redis_url, run_names, tmp_path)
