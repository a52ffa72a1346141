"""What every sink promises: the record of each miner's numbered entries, its head and its newest checkpoint.

Two sinks keep this promise, ``RedisSink`` and ``MemorySink``, under one suite of tests. What a status asks of the
caller is told in ``docs/concepts/sink.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streams.wire import Entry, Head, SinkBatch, SinkReply


class Sink(Protocol):
    """Keeps one gapless stream per miner; a batch goes in whole or not at all.

    Every method may be called again after a lost reply: the second call changes nothing. A connection that fails
    raises redis-py's ``ConnectionError`` or ``TimeoutError`` as it is; hold the batch and try again. Whatever else a
    server refuses is a ``WorldError``.
    """

    async def write(self, batch: SinkBatch) -> SinkReply:
        """Append what the stream lacks of ``batch`` and move its head, or write nothing and say why.

        Usual mistake: to send the next batch after a GAP, which can only be a GAP again.
        """
        ...

    async def write_many(self, batches: Sequence[SinkBatch]) -> list[SinkReply]:
        """Write several batches in one round trip, those of one miner in the order given; one reply for each.

        Atomic per batch, not together: after an exception send all of them again.
        """
        ...

    async def head(self, miner: str) -> Head | None:
        """Where a miner's stream stands, None where there is none."""
        ...

    async def read(self, miner: str, after_seq: int = 0, count: int | None = None) -> list[Entry]:
        """Entries from ``after_seq`` + 1 on, at most ``count``; the first may lie higher where the stream was trimmed.

        Raises ``DivergedError`` where the stored bytes do not carry their chain.
        """
        ...

    async def site(self, miner: str, site: str) -> dict[str, str]:
        """A site's latest valuation as last written with a batch; empty where there is none."""
        ...

    async def sites(self, miner: str) -> list[str]:
        """A miner's sites that were ever valued, in order of name."""
        ...

    async def store_checkpoint(self, miner: str, offset: int, blob: bytes, generation: int | None = None) -> bool:
        """Keep ``blob`` as the engine's state after ``offset``; True when the checkpoint kept is of this offset.

        False, and nothing changed, where a newer one is there, or the miner's head has not reached ``offset`` (a
        restart from beyond the head could only make a GAP), or ``generation`` is given and is not the head's. A
        pseudo miner ("_...") has no head and needs none.
        """
        ...

    async def load_checkpoint(self, miner: str) -> tuple[int, bytes] | None:
        """The newest checkpoint: the offset it was taken after, and its bytes."""
        ...

    async def new_generation(self, miner: str, least: int = 1) -> int:
        """Set the old stream aside, drop the checkpoint, and let numbering begin at 1 again; the new generation.

        It is the next one after the head's, but at ``least`` this one: a Redis that lost all does not know the last.

        The old stream keeps its entries under ``<its key>:g<old generation>``. Two calls at the same time make one
        generation between them.
        """
        ...

    async def refill(self, miner: str, entries: Sequence[Entry], head: Head | None = None) -> bool:
        """Fill a stream that was lost from a copy of its entries, in order, in as many calls as it takes.

        The last call gives the ``head`` it is to have (its seq, chain and oldest seq follow from the entries). Entries
        that are there already are compared: two workers may fill at once, and one again after a crash. False where the
        stream has a head already: another was quicker. Raises ``DivergedError`` where a stored entry is another, and
        ``WorldError`` where entries are missing between.
        """
        ...

    async def mark_trim(self, miner: str, generation: int, below: int) -> None:
        """Say that topic `signals` holds every entry below this number, and that Redis need not."""
        ...

    async def trim_mark(self, miner: str, generation: int) -> int:
        """The number below which entries of this generation may go from Redis; 0 where nobody said one."""
        ...

    async def register(self, miner: str) -> None:
        """Add to the miners that publish."""
        ...

    async def miners(self) -> list[str]:
        """The miners that publish, in order of name."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...
