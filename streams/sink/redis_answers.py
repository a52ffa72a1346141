"""What Redis answers, read: replies of the sink's functions, heads, stored entries, functions that were lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import orjson
from redis.exceptions import ResponseError

from streams.errors import DivergedError, WorldError
from streams.sink.redis_errors import FUNCTION_LOST
from streams.sink.rules import describe
from streams.wire import NO_OFFSET, Entry, Head, SinkBatch, SinkReply, Status


def function_lost(answer: object) -> bool:
    """Whether Redis no longer has the sink's functions."""
    return isinstance(answer, ResponseError) and FUNCTION_LOST in str(answer)


def behind_a_lost_call(miners: Sequence[str], answers: Sequence[object]) -> list[int]:
    """Places to ask again: calls that found no function, and all behind them of the same miner, to keep the order."""
    lost: set[str] = set()
    places = []
    for place, (miner, answer) in enumerate(zip(miners, answers, strict=True)):
        if function_lost(answer):
            lost.add(miner)
        if miner in lost:
            places.append(place)
    return places


def deed(batch: SinkBatch) -> str:
    """What is being done with a batch, for messages."""
    return f"write {batch.miner}, offsets {batch.from_offset} to {batch.to_offset}"


def malformed(batch: SinkBatch, wrong: str) -> SinkReply:
    """The reply to a batch that no honest worker can have made."""
    return SinkReply("REFUSED", 0, NO_OFFSET, 0, describe(batch.miner, ("malformed", wrong)))


def reply_of(miner: str, answer: list[bytes]) -> SinkReply:
    """The reply of the write function."""
    status, appended, offset, seq, *reason = [part.decode(errors="replace") for part in answer]
    return SinkReply(cast("Status", status), int(appended), int(offset), int(seq), describe(miner, reason))


def entry_of(key: str, entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    """An entry as Redis stores it. DivergedError where another hand wrote it."""
    try:
        seq = int(entry_id.partition(b"-")[0])
        return Entry(int(fields[b"offset"]), seq, fields[b"chain"].decode(), fields[b"json"])
    except (KeyError, ValueError) as exc:
        raise DivergedError(f"{key}: entry {entry_id.decode()} is not of ours ({exc!r})") from exc


def head_of(key: str, found: Mapping[bytes, bytes]) -> Head | None:
    """A head from its hash, None where there is none.

    Raises:
        WorldError: it is not as we write it.
    """
    if not found:
        return None
    fields = {name.decode(): value.decode() for name, value in found.items()}
    try:
        return Head(
            generation=int(fields["generation"]),
            epoch=int(fields["epoch"]),
            offset=int(fields["offset"]),
            raw_hash=fields["raw_hash"],
            seq=int(fields["seq"]),
            chain=fields["chain"],
            oldest_seq=int(fields["oldest"]),
            log_time_us=int(fields["log_time_us"]),
            model_version=fields["model"],
            degraded=tuple(orjson.loads(fields["degraded"])),
            unconfirmed=tuple(orjson.loads(fields.get("unconfirmed", "[]"))),
        )
    except (KeyError, ValueError) as exc:
        raise WorldError(
            f"{key} was changed by another hand ({exc!r}); restore it, or delete it and the stream beside it and "
            f"run changeover rebuild --new-generation"
        ) from exc
