"""A recorded feed read back, so that a subscriber can back-test the feed itself: the same records, from a file."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from streams.client.records import Signal, signal_of
from streams.errors import DivergedError, WorldError
from streams.wire import Entry, next_chain


def read_recorded(path: str | Path) -> Iterator[Signal]:
    """The signals of a file with one JSON object a line, in its order, each with its position; ``.gz`` is unpacked.

    ``changeover replay --out FILE`` and ``changeover tail --json`` write such files, byte for byte as published. Lines
    without a number (remarks, a summary) are passed over. Nothing counts as expired: in a back-test the clock is yours,
    so compare ``valid_until_us`` with it.

    Raises:
        WorldError: the file cannot be read, a line is no JSON object (perhaps cut), or a number of a miner is missing.
        DivergedError: the bytes of a line do not carry on the chain of the one before.
    """
    path = Path(path)
    chains: dict[str, tuple[int, int, str]] = {}
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                json = line.rstrip(b"\r\n")
                if json:
                    found = _signal(f"{path}:{number}", json, chains)
                    if found is not None:
                        yield found
    except OSError as fault:
        raise WorldError(f"{path}: {fault.strerror or fault}: name a recorded feed that can be read") from fault


def _opened(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _signal(place: str, json: bytes, chains: dict[str, tuple[int, int, str]]) -> Signal | None:
    """A line's signal, checked against the last one of its miner and generation."""
    try:
        document = orjson.loads(json)
    except orjson.JSONDecodeError as fault:
        raise WorldError(f"{place}: no JSON ({fault}); if it is the last line, the recording was cut there") from fault
    if not isinstance(document, dict) or "seq" not in document:
        return None
    try:
        miner, generation, seq = str(document["miner"]), int(document["generation"]), int(document["seq"])
        offset, before = int(document["offset"]), str(document["chain"])
    except (KeyError, TypeError, ValueError) as fault:
        raise WorldError(f"{place}: this is no numbered signal ({fault!r})") from fault
    last_generation, last_seq, chain = chains.get(miner, (generation, seq - 1, before))
    if generation == last_generation:
        if seq != last_seq + 1:
            raise WorldError(f"{place}: after entry {last_seq} of {miner} comes entry {seq}")
        if before != chain:
            raise DivergedError(f"{place}: entry {seq} of {miner} does not carry on the chain of entry {last_seq}")
    after = next_chain(before, json)
    chains[miner] = (generation, seq, after)
    return signal_of(miner, Entry(offset, seq, after, json), document)
