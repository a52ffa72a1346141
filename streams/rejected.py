"""What topic `rejected` holds: a record nothing could be made of, with the reason. Keyed, so that repeats are one."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.step import Rejected

MAX_PAYLOAD_BYTES = 64 * 1024


def rejected_message(
    topic: str, offset: int, feed: str, reason: str, payload: bytes, receipt_time_us: int
) -> tuple[bytes, bytes]:
    """Key and value of the message about one rejected record.

    The key is ``<topic>:<offset>`` of the record: a worker that restarts says the same again, under the same key. The
    payload is base64, cut at 64 KiB; ``payload_bytes`` is its full length.

    >>> rejected_message("raw", 7, "observation", "not JSON", b"{", 1)[0]
    b'raw:7'
    >>> rejected_message("raw", 7, "observation", "not JSON", b"{", 1)[1]
    b'{"schema":1,"topic":"raw","offset":7,"feed":"observation","receipt_time_us":1,"reason":"not JSON",\
"payload_bytes":1,"payload":"ew=="}'
    """
    value = {
        "schema": 1,
        "topic": topic,
        "offset": offset,
        "feed": feed,
        "receipt_time_us": receipt_time_us,
        "reason": reason,
        "payload_bytes": len(payload),
        "payload": base64.b64encode(payload[:MAX_PAYLOAD_BYTES]).decode(),
    }
    return f"{topic}:{offset}".encode(), orjson.dumps(value)


def messages_of(topic: str, rejected: Iterable[Rejected]) -> list[tuple[bytes, bytes]]:
    """Key and value for each record of the log that was put aside."""
    return [
        rejected_message(topic, of.offset, of.feed, each.reason, of.payload, of.receipt_time_us)
        for each, of in ((each, each.record) for each in rejected)
    ]
