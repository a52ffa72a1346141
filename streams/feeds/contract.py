"""What a feed is: a name and a `run` that appends what its source says. Feeds know neither Kafka nor Redis.

A feed reads one source. It turns nothing into decisions and keeps no state a restart would miss: the ingest service
starts `run` again, after a growing pause, whenever it ends or raises, and starts every feed by itself, so one that
fails never touches another.
"""

from __future__ import annotations

from typing import Protocol


class Appender(Protocol):
    """Where a feed puts what it received."""

    async def append(self, feed: str, receipt_time_us: int, payload: bytes) -> None:
        """Append one payload to the raw log, unchanged.

        Call it once for each thing received, in the order received, and await it: it waits while the log is full.
        ``feed`` names the parser of ``payload``; ``receipt_time_us`` [us UTC] is the moment the payload arrived, read
        from the clock once, by the feed. Never append what was not received: no filled gaps, no repeats on a timer.
        A payload larger than the log takes is refused with :class:`streams.errors.FeedError`.
        """
        ...


class Feed(Protocol):
    """One source."""

    @property
    def name(self) -> str:
        """A key (lower-case letters, digits, hyphens): it stands in logs, metrics and settings."""
        ...

    async def run(self, out: Appender) -> None:
        """Listen to or poll the source until cancelled, appending what it says.

        Called once at the start and again after every end. Raise :class:`streams.errors.FeedError` when the source
        cannot be used: it is logged in one line and tried again. Return when the source has nothing more to say for
        ever (a finished recording); the feed is then left alone. The usual mistake is to catch everything and go on
        silently: let it out, the service counts it.
        """
        ...
