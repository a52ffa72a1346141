"""Several miners in the order of the log: an entry goes out when no other miner can still have an earlier one. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

AT_ONCE = -1  # the place of what waits for nobody: a remark about its own stream


@dataclass(slots=True)
class Lane(Generic[T]):
    """What of one miner was read and not handed over. ``complete``: all it has up to this offset has been read."""

    complete: int = -1
    waiting: deque[tuple[int, float, T]] = field(default_factory=deque)


class Merge(Generic[T]):
    """Lanes of miners, merged by (offset, miner, place in its stream).

    ``wait_s``: how long an entry is held back for the others [s], after which it goes out all the same; whatever then
    comes from behind it is told as late.
    """

    def __init__(self, miners: Iterable[str], wait_s: float) -> None:
        self.lanes: dict[str, Lane[T]] = {miner: Lane() for miner in miners}
        self.wait_s = wait_s
        self._last = (AT_ONCE, "")

    def add_miner(self, miner: str) -> None:
        """Merge one more miner."""
        self.lanes[miner] = Lane()

    def add(self, miner: str, offset: int, item: T, now_s: float) -> None:
        """Put what was read of a miner behind what waits of it."""
        self.lanes[miner].waiting.append((offset, now_s, item))

    def read_up_to(self, miner: str, offset: int) -> None:
        """All that a miner has up to ``offset`` has been added."""
        self.lanes[miner].complete = offset

    def room(self, miner: str, bound: int) -> int:
        """How many more entries of a miner fit."""
        return max(0, bound - len(self.lanes[miner].waiting))

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(lane.waiting) for lane in self.lanes.values())

    def peek(self, now_s: float) -> tuple[str, T, bool] | None:
        """The next in order, of which miner, and whether it is late; None where it must be waited for. Takes nothing.

        >>> merge = Merge(["b", "a"], wait_s=1.0)
        >>> merge.add("b", 7, "b7", 0.0)
        >>> merge.peek(0.0), merge.peek(1.5)
        (None, ('b', 'b7', False))
        >>> merge.pop("b")
        >>> merge.add("a", 5, "a5", 2.0)
        >>> merge.read_up_to("b", 9)
        >>> merge.peek(2.0)
        ('a', 'a5', True)
        """
        first = self._first()
        if first is None:
            return None
        offset, miner = first
        _, came_s, item = self.lanes[miner].waiting[0]
        if offset != AT_ONCE and now_s - came_s < self.wait_s and not self._nobody_before(offset, miner):
            return None
        return miner, item, offset != AT_ONCE and first < self._last

    def pop(self, miner: str) -> None:
        """Take what was last seen of a miner by ``peek``."""
        offset, _, _ = self.lanes[miner].waiting.popleft()
        self._last = max(self._last, (offset, miner))

    def begin_again(self, miner: str) -> None:
        """A miner's log begins anew: its places say nothing about those before."""
        self._last = (AT_ONCE, "")
        self.lanes[miner].complete = AT_ONCE

    def _first(self) -> tuple[int, str] | None:
        return min(((lane.waiting[0][0], miner) for miner, lane in self.lanes.items() if lane.waiting), default=None)

    def due_s(self) -> float | None:
        """When the next goes out whatever the others do, on the clock of ``add`` [s]; None where nothing waits."""
        first = self._first()
        return None if first is None else self.lanes[first[1]].waiting[0][1] + self.wait_s

    def _nobody_before(self, offset: int, miner: str) -> bool:
        """Whether every miner of whom nothing waits has been read past this place."""
        return all(
            lane.waiting or lane.complete >= offset or (lane.complete == offset - 1 and other > miner)
            for other, lane in self.lanes.items()
            if other != miner
        )
