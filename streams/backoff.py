"""Growing, jittered pauses between attempts, so that many processes do not knock at the same moments."""

from __future__ import annotations

import random


class Backoff:
    """Pauses [s] drawn between half and all of a bound that doubles from ``first_s`` to ``longest_s``.

    >>> pauses = Backoff(first_s=1.0, longest_s=4.0)
    >>> [bound / 2 <= pauses.next_s() <= bound for bound in (1.0, 2.0, 4.0, 4.0)]
    [True, True, True, True]
    """

    def __init__(self, *, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._bound_s = first_s

    def next_s(self) -> float:
        """The pause before the next attempt [s]."""
        bound = self._bound_s
        self._bound_s = min(2 * bound, self._longest_s)
        return bound * random.uniform(0.5, 1.0)  # noqa: S311 jitter guards no secret

    def reset(self) -> None:
        """Begin with short pauses again, after a success."""
        self._bound_s = self._first_s
