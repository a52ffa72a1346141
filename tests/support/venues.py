"""What the fake venues share: reading a subscription, the time as venues write it, sending JSON."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import orjson
from aiohttp import web

PERIOD_S = 0.01
"""Time between the ticks of a fake venue [s]."""


async def subscription(socket: web.WebSocketResponse) -> dict[str, object]:
    """The next frame of the client, as an object."""
    found: object = orjson.loads(await socket.receive_str())
    return found if isinstance(found, dict) else {}


async def send(socket: web.WebSocketResponse, frame: bytes | object) -> None:
    """Send a frame."""
    await socket.send_str((frame if isinstance(frame, bytes) else orjson.dumps(frame)).decode())


def now_us() -> int:
    """The time [us UTC]."""
    return time.time_ns() // 1_000


def iso_now() -> str:
    """The time in ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
