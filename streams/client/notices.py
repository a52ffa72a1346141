"""Remarks of the client itself: what happened to a stream that no entry of it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from streams.client.records import Position


@dataclass(frozen=True, slots=True)
class Reset:
    """Numbering began anew: what follows is of ``generation``, from entry 1. ``before``: where the old one was left.

    What the old generation holds beyond ``before`` is void; the set-aside stream keeps it.
    """

    miner: str
    generation: int
    before: Position


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries ``first`` to ``last`` of a generation were trimmed before they were read; they cannot be had from Redis.

    The topic ``signals`` and a replay of the log have them. The chain cannot be checked across the gap.
    """

    miner: str
    generation: int
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many entries are missing."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Stale:
    """A miner's heartbeat stood still for ``silent_s`` by the client's own clock: trust no mode until it is heard.

    ``reason``: ``redis`` cannot be reached, or ``worker``: Redis answers and nothing moves.
    """

    miner: str
    silent_s: float
    log_time_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Alive:
    """A miner that was stale is heard again; ``log_time_us`` is its heartbeat [us UTC]."""

    miner: str
    log_time_us: int


@dataclass(frozen=True, slots=True)
class Rewound:
    """Redis came back older than what was read (``seq`` < ``read_seq``).

    Nothing is handed over twice: the worker writes the same entries again, and the chain proves that they are the same.
    """

    miner: str
    generation: int
    seq: int
    read_seq: int


Notice: TypeAlias = Reset | Gap | Stale | Alive | Rewound
