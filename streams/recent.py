"""The batches written last, for a Redis that comes back a little older: a replica that lagged, a file cut off."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from streams.wire import SinkBatch

MOST_BATCHES = 512
MOST_BYTES = 32 * 1024 * 1024


class Recent:
    """A ring of delivered batches, bounded in number and in the bytes of their entries."""

    def __init__(self) -> None:
        self._batches: deque[SinkBatch] = deque()
        self._bytes = 0

    def keep(self, batches: Sequence[SinkBatch]) -> None:
        """Keep what was delivered."""
        for batch in batches:
            self._batches.append(batch)
            self._bytes += size_of(batch)
        while len(self._batches) > MOST_BATCHES or self._bytes > MOST_BYTES:
            self._bytes -= size_of(self._batches.popleft())

    def since(self, miner: str, head_offset: int) -> list[SinkBatch]:
        """The batches of a miner that carry on from its head, in order; none where they do not reach back to it."""
        found = [batch for batch in self._batches if batch.miner == miner and batch.to_offset > head_offset]
        return found if found and found[0].from_offset <= head_offset + 1 else []


def size_of(batch: SinkBatch) -> int:
    """Bytes of a batch's entries."""
    return sum(len(entry.json) for entry in batch.entries)
