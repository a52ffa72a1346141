"""How one stream is read: what must come next, and what a head and a page of entries mean. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from streams.client.notices import Gap, Reset, Rewound
from streams.client.records import JsonObject, Position
from streams.errors import DivergedError, WorldError
from streams.wire import Entry, Head, genesis_chain, next_chain


@dataclass(frozen=True, slots=True)
class Admitted:
    """An entry whose number and chain are what they must be, and its content."""

    entry: Entry
    document: dict[str, Any]


@dataclass(slots=True)
class Track:
    """How far one miner's stream has been read. ``chain``: after entry ``seq``; None where it is not known yet."""

    miner: str
    generation: int
    seq: int
    chain: str | None = None
    rewound: bool = False

    @property
    def position(self) -> Position:
        """How far it is read."""
        return Position(self.generation, self.seq, self.chain or "")

    def admit(self, entry: Entry, document: JsonObject) -> None:
        """Take the next entry; ``document`` is its content.

        Raises:
            WorldError: an entry is missing or came twice.
            DivergedError: the entry does not carry on the chain.

        >>> start = genesis_chain("mara", 1)
        >>> document = {"chain": start, "seq": 1}
        >>> text = orjson.dumps(document)
        >>> track = Track("mara", 1, 0, start)
        >>> track.admit(Entry(5, 1, next_chain(start, text), text), document)
        >>> track.seq
        1
        >>> Track("mara", 1, 0, start).admit(Entry(5, 2, "", text), document)
        Traceback (most recent call last):
        streams.errors.WorldError: mara: after entry 0 came entry 2: the stream has a gap or a double
        """
        if entry.seq != self.seq + 1:
            raise WorldError(
                f"{self.miner}: after entry {self.seq} came entry {entry.seq}: the stream has a gap or a double"
            )
        before = str(document.get("chain")) if self.chain is None else self.chain
        if document.get("chain") != before or next_chain(before, entry.json) != entry.chain:
            raise DivergedError(f"{self.miner}: entry {entry.seq} does not carry on the chain of entry {self.seq}")
        self.seq, self.chain = entry.seq, entry.chain

    def meet(self, head: Head) -> Reset | Gap | Rewound | None:
        """Compare with the head as it stands now, and move to where reading can go on.

        A head of an earlier generation, or before what was read, is waited for (``rewound``).

        Raises:
            DivergedError: the stream is at the same entry with another chain: it is not the one that was read.
        """
        if head.generation > self.generation:
            reset = Reset(self.miner, head.generation, self.position)
            self.generation, self.seq = head.generation, 0
            self.chain, self.rewound = genesis_chain(self.miner, head.generation), False
            return reset
        if head.generation < self.generation or head.seq < self.seq:
            if self.rewound:
                return None
            self.rewound = True
            return Rewound(self.miner, head.generation, head.seq, self.seq)
        self.rewound = False
        if head.seq == self.seq and self.chain not in {None, head.chain}:
            raise DivergedError(
                f"{self.miner}: entry {self.seq} of generation {self.generation} was read with chain {self.chain}, "
                f"Redis has {head.chain}: the saved position is of another stream, or the stream was rewritten"
            )
        if self.seq + 1 < head.oldest_seq <= head.seq:
            gap = Gap(self.miner, self.generation, self.seq + 1, head.oldest_seq - 1)
            self.seq, self.chain = head.oldest_seq - 1, None
            return gap
        return None

    def take(self, entries: Sequence[Entry]) -> list[Admitted]:
        """Admit entries in order, up to one of another generation, which the next look at the head explains."""
        admitted = []
        for entry in entries:
            document = orjson.loads(entry.json)
            if document.get("generation") != self.generation:
                break
            self.admit(entry, document)
            admitted.append(Admitted(entry, document))
        return admitted


@dataclass(slots=True)
class Pulse:
    """Whether a heartbeat is heard, by the caller's own monotonic clock [s]. Any change of ``beat`` counts."""

    limit_s: float
    moved_s: float
    beat: int | None = None
    stale: bool = False

    def heard(self, beat: int, now_s: float) -> bool:
        """Take a heartbeat; whether it ends a silence.

        >>> pulse = Pulse(limit_s=5.0, moved_s=0.0)
        >>> pulse.heard(1, 0.5), pulse.silent(6.0), pulse.heard(1, 7.0), pulse.heard(2, 8.0)
        (False, 5.5, False, True)
        """
        if beat == self.beat:
            return False
        self.beat, self.moved_s = beat, now_s
        ended, self.stale = self.stale, False
        return ended

    def silent(self, now_s: float) -> float | None:
        """How long it has been silent [s], once when that first exceeds the limit; else None."""
        if self.stale or now_s - self.moved_s <= self.limit_s:
            return None
        self.stale = True
        return now_s - self.moved_s
