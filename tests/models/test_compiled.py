"""Compiled and uncompiled, whatever the hash seed: random histories give the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.histories import digest

ROOT = Path(__file__).resolve().parents[2]
FIRST, COUNT = 0, 16


@pytest.mark.guarantee("G2")
@pytest.mark.listed
@pytest.mark.parametrize("seed", [1, 77])
def test_uncompiled_processes_give_the_signals_and_states_of_the_compiled_one(seed: int) -> None:
    """Caps, curves, contracts, failures, dates, corrections, jumps of the clock, changes of fleet and configuration."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.support.histories", str(FIRST), str(COUNT)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed, signals = done.stdout.split()
    assert (printed, int(signals)) == digest(FIRST, COUNT)
    assert int(signals) > 400
