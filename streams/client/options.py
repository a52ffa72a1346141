"""How a client behaves, with what is right for most; every figure has its unit in its name."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a client behaves.

    ``stale_after_s``: a heartbeat that stands still for longer is stale (it moves once a second).
    ``max_skew_s``: how far apart the bounds of Redis's time may lie for a signal to be judged by them.
    ``merge_wait_s``: how long an entry is held back so that several miners come in the order of the log; 0 does not
    wait, ``math.inf`` waits for ever.
    ``buffer``: entries of a miner that are read ahead; the rest stays in Redis until the consumer has room.
    ``poll_s``: how often to look where no hint comes.
    ``answer_timeout_s``: how long an answer of Redis is waited for.
    ``connect_s``: how long to try to reach Redis at the start.

    >>> Options(buffer=0)
    Traceback (most recent call last):
    ValueError: buffer is 0: it must be more than 0
    """

    stale_after_s: float = 5.0
    max_skew_s: float = 0.5
    merge_wait_s: float = 2.0
    buffer: int = 1_000
    poll_s: float = 0.5
    answer_timeout_s: float = 5.0
    connect_s: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for each in fields(self):
            value = getattr(self, each.name)
            if math.isnan(value) or value < 0 or (value == 0 and each.name != "merge_wait_s"):
                raise ValueError(f"{each.name} is {value}: it must be more than 0")
