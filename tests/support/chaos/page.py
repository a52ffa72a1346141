"""The page of faults: ``python -m tests.support.chaos.page docs/reference`` writes it from the faults themselves."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.chaos.faults import KINDS

NAME = "chaos.md"
COMMAND = "python -m tests.support.chaos.page docs/reference"
INTRODUCTION = f"""\
# Faults that the feed survives

This page is generated: `{COMMAND}`.

`make chaos` runs the services as processes on a real Apache Kafka and a real Redis that writes every change to its
file, feeds them with a source that counts its steps, and breaks something six times in each run. Which faults, where
and how deep is made of the run's seed: `make chaos RUNS=1 SEED=<seed>` plays one again. Each process reaches Kafka and
Redis by a way of its own through a proxy, and a desk follows with the client during the whole run.

After each run:

- the stream in Redis equals, byte for byte, the offline replay of the log that was left, and its numbers have no hole;
- the desk was handed exactly these entries, each once and in order, and none as live whose time was over by the log's
  clock as its client knew it;
- whoever reads topic `signals` and takes each number once has exactly these entries;
- where a recorder ran, its archive holds exactly the records of the log;
- steps that the log had acknowledged and no longer holds are counted apart, and only a cut of the log's file explains
  them;
- a new generation was begun only after LOG_CHANGED.

A log that lost its end *and* a Redis that lost entries before they were copied are two losses at once: the same numbers
may then be given to other entries. The desk's client stops with a broken chain then; the run is counted as such.

"""


def page() -> str:
    """The page as it is committed."""
    weights = sum(kind.weight for kind in KINDS)
    rows = [
        f"| {kind.fault.__name__} | {(kind.fault.__doc__ or '').strip()} | {kind.strikes} | {kind.holds} "
        f"| {100 * kind.weight / weights:.0f} % |"
        for kind in KINDS
    ]
    head = ["| fault | what happens | where it strikes | what must hold besides | share |", "|---|---|---|---|---|"]
    return INTRODUCTION + "\n".join([*head, *rows, ""])


if __name__ == "__main__":
    (Path(sys.argv[1]) / NAME).write_text(page(), encoding="utf-8")
