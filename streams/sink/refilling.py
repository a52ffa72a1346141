"""Filling a lost stream from a copy: what the function in Redis is given, and what its answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.errors import DivergedError, WorldError
from streams.wire import Entry, Head


def refill_arguments(entries: Sequence[Entry], head: Head | None) -> list[Any]:
    """Arguments of ``refill`` in the order in which ``upkeep.lua`` reads them.

    >>> refill_arguments([Entry(7, 1, "c", b"{}")], None)
    [1, 1, 7, 'c', b'{}', 0]
    """
    arguments: list[Any] = [len(entries)]
    for entry in entries:
        arguments += (entry.seq, entry.offset, entry.chain, entry.json)
    if head is None:
        return [*arguments, 0]
    made = (head.generation, head.epoch, head.offset, head.raw_hash, head.log_time_us, head.model_version)
    return [*arguments, 1, *made]


def refilled(miner: str, answer: Sequence[bytes]) -> bool:
    """Whether the entries were taken; False where the stream has a head already.

    Raises:
        DivergedError: a stored entry is another than the copy's.
        WorldError: entries are missing between what is stored and the copy.
    """
    word, *details = [part.decode() for part in answer]
    if word == "DIVERGED":
        seq, given, stored = details
        raise DivergedError(other_entry(miner, int(seq), given, stored))
    if word == "HOLE":
        raise WorldError(hole(miner, *(int(part) for part in details)))
    return word == "DONE"


def other_entry(miner: str, seq: int, given: str, stored: str) -> str:
    """What is said where a stored entry differs from its copy."""
    return (
        f"DIVERGED: {miner}: entry {seq} has chain {given} in topic signals and {stored} in Redis, whose stream has no "
        "head: one of the two was changed; delete the stream in Redis to fill it from the topic again"
    )


def hole(miner: str, last: int, following: int) -> str:
    """What is said where a copy does not carry on."""
    return f"{miner}: after entry {last} the copy goes on with entry {following}: topic signals lacks what is between"
