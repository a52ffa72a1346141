"""Plans and bounds compiled and uncompiled, whatever the hash seed: the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.plans_digest import digest

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 40


@pytest.mark.guarantee("G2")
@pytest.mark.listed
@pytest.mark.parametrize("seed", [1, 77])
def test_uncompiled_processes_plan_to_the_same_bits(seed: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.support.plans_digest", str(SEEDS)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == digest(SEEDS)
