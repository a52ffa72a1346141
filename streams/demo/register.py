"""Makes the demo feed, with a recording of it where one is wanted."""

from __future__ import annotations

import itertools
from pathlib import Path

from streams.demo.feed import DemoFeed, Keep
from streams.demo.market import MarketEvent
from streams.history.recording import RecordingWriter
from streams.wire import RawRecord

INSTANCE = "demo"


def demo_feed(seed: int, speed: float, record: Path | None = None) -> DemoFeed:
    """The feed of a seed at a speed [simulated seconds per real second]. A recording is begun at once.

    Raises:
        SettingsError: the speed is out of range, or the recording's path exists already or cannot be written.
    """
    return DemoFeed(seed, speed, None if record is None else recorder(record))


def recorder(path: Path) -> Keep:
    """What writes each event to a new recording, as the demo's own record."""
    writer, numbers = RecordingWriter(path), itertools.count()

    def keep(event: MarketEvent) -> None:
        writer.append(RawRecord(event.feed, event.receipt_time_us, INSTANCE, next(numbers), event.payload))

    return keep
