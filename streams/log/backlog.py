"""What waits for the broker: records in order, bounded in number and bytes, ticks dropped once stale. No I/O here."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streams.errors import WorldError
from streams.wire import MAX_MESSAGE_BYTES

OVERHEAD_BYTES = 128  # framing of a batch and a record, generously
HEADER_BYTES = 12  # framing of one header, generously


class RecordTooLargeError(WorldError):
    """A record is larger than the log takes; it names both sizes."""


class QueueFullError(WorldError):
    """The broker has been away for so long that nothing more can be kept in memory."""


class StaleTickError(WorldError):
    """A tick waited too long and was dropped; the next one carries all it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a producer keeps and for how long.

    ``stale_tick_s`` [s]: an older tick is dropped. ``max_records`` and ``max_bytes``: what may wait in memory.
    ``request_timeout_ms`` [ms]: how long the client library tries a batch by itself.
    """

    stale_tick_s: float = 5.0
    max_records: int = 50_000
    max_bytes: int = 128 * 1024 * 1024
    request_timeout_ms: int = 30_000


@dataclass(slots=True, eq=False)
class Item:
    """A record on its way. ``tick``: worthless once old. ``done`` gets its offset, where somebody waits for it.

    ``queued_at_s`` [s] is a time of the caller's monotonic clock; ``size`` [bytes] is a little more than on the wire.

    >>> Item(b"{}", None, [("feed", b"clock")], tick=True, queued_at_s=0.0).size
    151
    """

    value: bytes
    key: bytes | None
    headers: Sequence[tuple[str, bytes]]
    tick: bool
    queued_at_s: float
    done: asyncio.Future[int] | None = None
    size: int = field(init=False)

    def __post_init__(self) -> None:
        """Count its bytes."""
        framed = sum(len(name) + len(value) + HEADER_BYTES for name, value in self.headers)
        self.size = len(self.value) + len(self.key or b"") + framed + OVERHEAD_BYTES

    def succeed(self, offset: int) -> None:
        """Tell whoever waits where it is."""
        if self.done is not None and not self.done.done():
            self.done.set_result(offset)

    def fail(self, error: WorldError) -> None:
        """Tell whoever waits why it is nowhere."""
        if self.done is not None and not self.done.done():
            self.done.set_exception(error)


class Backlog:
    """Records in order. Full once it holds as many records or bytes as its limits say; only stale ticks ever leave.

    >>> backlog = Backlog(Limits(max_records=2, stale_tick_s=5.0))
    >>> backlog.put(Item(b"tick", None, [], tick=True, queued_at_s=0.0))
    >>> backlog.put(Item(b"block", None, [], tick=False, queued_at_s=1.0))
    >>> backlog.is_full(now_s=4.0), backlog.is_full(now_s=6.0), backlog.dropped_ticks
    (True, False, 1)
    >>> [item.value for item in backlog.take(1_000, now_s=6.0)]
    [b'block']
    """

    def __init__(self, limits: Limits) -> None:
        self._items: deque[Item] = deque()
        self._limits = limits
        self.bytes = 0
        self.dropped_ticks = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._items)

    def put(self, item: Item) -> None:
        """Queue an item.

        Raises:
            RecordTooLargeError: it can never be stored.
        """
        if item.size > MAX_MESSAGE_BYTES:
            raise RecordTooLargeError(
                f"a record of {item.size} bytes is larger than the log takes ({MAX_MESSAGE_BYTES} bytes with its "
                "headers): let its source send less at a time"
            )
        self._items.append(item)
        self.bytes += item.size

    def put_back(self, items: Sequence[Item]) -> None:
        """Put items that were taken before all others, in their order."""
        self._items.extendleft(reversed(items))
        self.bytes += sum(item.size for item in items)

    def is_full(self, now_s: float) -> bool:
        """Whether nothing more may be put, stale ticks dropped first."""
        if self._over():
            self._items = deque(self.without_stale(self._items, now_s))
            self.bytes = sum(item.size for item in self._items)
        return self._over()

    def take(self, max_bytes: int, now_s: float) -> list[Item]:
        """The next items up to ``max_bytes``, at least one where any waits, less the stale ticks among them."""
        taken: list[Item] = []
        size = 0
        while self._items and (not taken or size + self._items[0].size <= max_bytes):
            taken.append(self._items.popleft())
            size += taken[-1].size
        self.bytes -= size
        return self.without_stale(taken, now_s)

    def drain(self) -> list[Item]:
        """Everything that waits; nothing does any more."""
        items = list(self._items)
        self._items.clear()
        self.bytes = 0
        return items

    def without_stale(self, items: Iterable[Item], now_s: float) -> list[Item]:
        """The items without the ticks that waited too long; those are counted and told."""
        kept = []
        for item in items:
            if item.tick and item.queued_at_s < now_s - self._limits.stale_tick_s:
                self.dropped_ticks += 1
                item.fail(
                    StaleTickError(f"a tick waited more than {self._limits.stale_tick_s:g} s for Kafka and was dropped")
                )
            else:
                kept.append(item)
        return kept

    def _over(self) -> bool:
        return len(self._items) >= self._limits.max_records or self.bytes >= self._limits.max_bytes
