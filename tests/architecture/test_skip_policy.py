"""The suite's own rule: a proof that did not run is named, and CI does not pass without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skips import refuses_skips

ROOT = Path(__file__).parents[2]

CONFTEST = """
import os
from tests.support.skips import SkipPolicy, refuses_skips

def pytest_configure(config):
    config.addinivalue_line("markers", "guarantee(name): x")
    config.addinivalue_line("markers", "listed: x")
    config.pluginmanager.register(SkipPolicy(refuse=refuses_skips(os.environ)))
"""

TESTS = """
import pytest

def test_runs():
    pass

@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("broker", ["embedded", "kafka"])
def test_no_signal_is_lost(broker):
    if broker == "kafka":
        pytest.skip("kafka: java is not on PATH")

@pytest.mark.skipif(True, reason="only on a full moon")
def test_of_no_consequence():
    pass
"""

LISTED = """
import pytest

@pytest.fixture
def absent():
    pytest.skip("the history is not there")

@pytest.mark.listed
def test_the_spike(absent):
    pass
"""


def run(folder: Path, tests: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_sample.py").write_text(tests)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment |= variables
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "no:cacheprovider", "-c", "/dev/null"]
    return subprocess.run(
        [*command, *arguments, "--rootdir", str(folder), str(folder)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_skipped_guarantee_is_named_with_its_reason_and_test(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, TESTS, *arguments)
    assert done.returncode == 0, done.stdout
    assert "2 tests ran, 2 were skipped, 1 of those prove something" in done.stdout
    assert "not proven here: G1 because kafka: java is not on PATH" in done.stdout
    assert "    test_sample.py::test_no_signal_is_lost[kafka]" in done.stdout
    assert "full moon" not in done.stdout.split("not proven here", 1)[1].split("short test summary")[0]


@pytest.mark.parametrize("variable", ["CI", "CHANGEOVER_REFUSE_SKIPS"])
def test_ci_fails_where_a_guarantee_was_skipped(tmp_path: Path, variable: str) -> None:
    done = run(tmp_path, TESTS, "-n", "1", **{variable: "1"})
    assert done.returncode == 1, done.stdout
    assert "does not accept skipped proofs" in done.stdout
    assert "test_no_signal_is_lost[kafka]" in done.stdout


def test_ci_fails_where_a_listed_proof_was_skipped_by_a_fixture(tmp_path: Path) -> None:
    done = run(tmp_path, LISTED, CI="1")
    assert done.returncode == 1, done.stdout
    assert "not proven here: listed because the history is not there" in done.stdout


def test_ci_accepts_a_skip_of_a_test_that_proves_nothing_promised(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS, "-k", "runs or consequence", CI="true")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_an_empty_or_false_variable_does_not_refuse_skips(value: str) -> None:
    assert not refuses_skips({"CI": value})
