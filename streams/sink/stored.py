"""What lies in Redis, decoded: heads and entries. Whoever reads them, reads them by this."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from streams.errors import DivergedError, WorldError
from streams.wire import Entry, Head


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
        )
    except (KeyError, ValueError) as exc:
        raise WorldError(
            f"{key} was changed by another hand ({exc!r}); restore it, or delete it and the stream beside it and "
            f"run changeover rebuild --new-generation"
        ) from exc


def entry_of(key: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """An entry of a stream.

    Raises:
        DivergedError: it is not as we write it.
    """
    try:
        seq = int(entry_id.partition(b"-")[0])
        return Entry(int(fields[b"offset"]), seq, fields[b"chain"].decode(), fields[b"json"])
    except (KeyError, ValueError) as exc:
        raise DivergedError(f"{key}: entry {entry_id.decode()} is not of ours ({exc!r})") from exc
