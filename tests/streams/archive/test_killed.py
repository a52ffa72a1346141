"""A writing process killed by SIGKILL at moments nobody chose leaves an archive that reads right and goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.archives import faults, log, read

ROOT = Path(__file__).resolve().parents[3]
KILLS = 8


@pytest.mark.guarantee("G1")
def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    folder = tmp_path / "log-0123456789abcdef"
    moments = random.Random(7)
    held = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__).with_name("killed_writer.py")), str(folder)],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        with process, process.stdout as said:
            assert int(said.readline()) == held
            for _ in range(moments.randint(2, 12)):  # as far as it came, not as long as it took: machines differ
                assert said.readline() == b"flushed\n"
            time.sleep(moments.uniform(0.0, 0.05))
            process.kill()
        there = read(folder)
        assert there == log(len(there))
        assert faults(folder) == []
        assert len(there) >= held
        held = len(there)
    assert held > 70
