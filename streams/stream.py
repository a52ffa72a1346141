"""One miner's numbered stream as a worker builds it: entries get seq and chain and are cut into batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from models.signals import Signal, Unconfirmed
from streams.checkpoint import Checkpoint
from streams.wire import MAX_BATCH_SIGNALS, Entry, Origin, SinkBatch, envelope, genesis_chain, next_chain

HashOf = Callable[[int], str]


@dataclass(slots=True)
class Stream:
    """Numbering of one miner, and what was numbered since the last batch. ``from_offset``: where the next begins."""

    origin: Origin
    miner: str
    generation: int
    epoch: int
    model_version: str
    from_offset: int
    seq: int = 0
    chain: str = ""
    opens_epoch: bool = True
    starts_generation: bool = True
    entries: list[Entry] = field(default_factory=list)
    seq_before: int = 0
    chain_before: str = ""
    log_time_us: int = 0  # of the last entry
    trim_below: int = 0  # entries below this number may go from Redis

    def __post_init__(self) -> None:
        """A stream that begins starts from its generation's chain."""
        if not self.chain:
            self.chain = self.chain_before = genesis_chain(self.miner, self.generation)

    @classmethod
    def resumed(cls, origin: Origin, checkpoint: Checkpoint) -> Stream:
        """A stream that goes on behind a checkpoint."""
        return cls(
            origin,
            checkpoint.miner,
            checkpoint.generation,
            checkpoint.epoch,
            checkpoint.code_hash,
            checkpoint.offset + 1,
            checkpoint.seq,
            checkpoint.chain,
            opens_epoch=False,
            starts_generation=False,
            seq_before=checkpoint.seq,
            chain_before=checkpoint.chain,
        )

    def add(self, signals: Sequence[Signal], log_time_us: int, hash_of: HashOf) -> list[SinkBatch]:
        """Number signals; returns the batches that became full, each closed behind the last entry's offset."""
        full = []
        for signal in signals:
            if len(self.entries) >= MAX_BATCH_SIGNALS and signal.position > self.entries[-1].offset:
                to_offset = self.entries[-1].offset
                full.append(self.cut(to_offset, hash_of(to_offset), self.log_time_us))
            self.log_time_us = log_time_us
            content = orjson.dumps(signal.content)
            json = envelope(
                content,
                origin=self.origin,
                miner=self.miner,
                generation=self.generation,
                epoch=self.epoch,
                seq=self.seq + 1,
                chain=self.chain,
                offset=signal.position,
            )
            self.seq += 1
            self.chain = next_chain(self.chain, json)
            self.entries.append(Entry(signal.position, self.seq, self.chain, json))
        return full

    def cut(
        self,
        to_offset: int,
        raw_hash: str,
        log_time_us: int,
        degraded: Sequence[str] = (),
        unconfirmed: Sequence[Unconfirmed] = (),
        sites: Mapping[str, Mapping[str, str]] | None = None,
    ) -> SinkBatch:
        """Close a batch that ends at ``to_offset``; the next begins behind it."""
        batch = SinkBatch(
            miner=self.miner,
            generation=self.generation,
            epoch=self.epoch,
            opens_epoch=self.opens_epoch,
            starts_generation=self.starts_generation,
            from_offset=self.from_offset,
            to_offset=to_offset,
            seq_before=self.seq_before,
            chain_before=self.chain_before,
            entries=tuple(self.entries),
            raw_hash=raw_hash,
            log_time_us=log_time_us,
            model_version=self.model_version,
            degraded=tuple(degraded),
            unconfirmed=tuple(unconfirmed),
            trim_below=self.trim_below,
            sites=sites or {},
        )
        self.from_offset = to_offset + 1
        self.entries = []
        self.seq_before, self.chain_before = self.seq, self.chain
        self.opens_epoch = self.starts_generation = False
        return batch

    def open_epoch(self, epoch: int) -> None:
        """From the next entry on, which must be the epoch's own, this is a new epoch."""
        self.epoch, self.opens_epoch = epoch, True
