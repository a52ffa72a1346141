"""The figures of many runs of chaos in one line: ``python -m tests.support.chaos.figures FILE``, which is removed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path


def summed(lines: list[str]) -> str:
    """What all runs together did.

    >>> summed(['{"seed": 1, "faults": {"worker_killed": 2}, "entries": 10, "lost": 0, "new_generations": 0}'])
    '1 runs, 2 faults (worker_killed 2), 10 entries compared byte for byte, 0 steps lost before the log, 0 rebuilds'
    """
    runs = [json.loads(line) for line in lines]
    faults: Counter[str] = Counter()
    for run in runs:
        faults.update(run["faults"])
    told = ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    entries, lost, rebuilds = (sum(run[name] for run in runs) for name in ("entries", "lost", "new_generations"))
    return (
        f"{len(runs)} runs, {faults.total()} faults ({told}), {entries} entries compared byte for byte, "
        f"{lost} steps lost before the log, {rebuilds} rebuilds"
    )


if __name__ == "__main__":
    file = Path(sys.argv[1])
    sys.stdout.write(summed(file.read_text(encoding="utf-8").splitlines()) + "\n")
    file.unlink()
