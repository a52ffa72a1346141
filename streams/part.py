"""Which miners a worker carries: rendezvous hashing, so that a changed number of parts moves as few as it can."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from streams.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Part:
    """Part ``index`` of ``count``, counted from 1.

    >>> [part.carries("mara") for part in Part.all(3)].count(True)
    1
    """

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read ``i/N``.

        >>> Part.parse("2/4")
        Part(index=2, count=4)
        """
        try:
            index, count = (int(word) for word in text.split("/"))
        except ValueError as fault:
            raise SettingsError(f"part {text!r} is not written i/N, for example 1/4") from fault
        if not 1 <= index <= count <= 1_000:
            raise SettingsError(f"part {text!r}: i must lie between 1 and N, N at most 1000")
        return cls(index, count)

    @classmethod
    def all(cls, count: int) -> list[Part]:
        """Every part of ``count``."""
        return [cls(index, count) for index in range(1, count + 1)]

    def carries(self, miner: str) -> bool:
        """Whether this part carries a miner: each miner belongs to the part whose hash with it is greatest."""
        weights = [
            hashlib.blake2b(f"{index}/{miner}".encode(), digest_size=8).digest() for index in range(1, self.count + 1)
        ]
        return weights.index(max(weights)) == self.index - 1
