"""An oracle for the sink's property test: what must become of a batch, told from whole computations.

It knows nothing of chains, ids or arguments. It compares what is stored with the whole output of the worker that sends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from streams.wire import SinkBatch, Status
from tests.streams.sink.stories import Computation

Written = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Stream:
    """All that was ever numbered in a generation, and the first that was not trimmed."""

    generation: int
    written: Written
    oldest: int


@dataclass(frozen=True)
class Place:
    """A head: ``stream`` is the one it was written with."""

    epoch: int
    offset: int
    log: str
    stream: Stream


@dataclass(frozen=True)
class Ghost:
    """What must be stored: a head and a stream, of one moment unless another hand tore them."""

    head: Place | None = None
    stream: Stream | None = None

    @property
    def torn(self) -> bool:
        """Head and stream are not of one moment, in a way that shows."""
        if self.head is None:
            return self.stream is not None
        told, held = self.head.stream, self.stream
        if not told.written and held is None:
            return False
        return (
            held is None
            or _bytes(told.written) != _bytes(held.written)
            or ((told.oldest, told.generation) != (held.oldest, held.generation))
        )

    def fate(self, worker: Computation, batch: SinkBatch) -> Status:
        """The status that a well-formed batch of this worker must get."""
        if self.torn:
            return "DIVERGED"
        if self.head is None:
            return "OK" if batch.starts_generation else "EMPTY"
        stream = self.stream or self.head.stream
        if batch.generation != self.head.stream.generation:
            return "REFUSED"
        fresh = self.head.offset < 0 and not stream.written
        if not (fresh and batch.starts_generation):
            refused = self._refused(self.head, batch)
            if refused or batch.from_offset > self.head.offset + 1:
                return "REFUSED" if refused else "GAP"
            if batch.epoch > self.head.epoch and batch.from_offset <= self.head.offset:
                return "DIVERGED"
        if batch.to_offset == self.head.offset and worker.log != self.head.log:
            return "DIVERGED"
        if not agree(stream, self.head.offset, worker, batch):
            return "DIVERGED"
        return "DUPLICATE" if batch.to_offset <= self.head.offset else "OK"

    @staticmethod
    def _refused(head: Place, batch: SinkBatch) -> bool:
        if batch.epoch < head.epoch:
            return batch.to_offset > head.offset
        opened = batch.opens_epoch and bool(batch.entries) and batch.entries[0].offset == batch.from_offset
        return batch.epoch > head.epoch and not opened

    def after(self, worker: Computation, batch: SinkBatch) -> Ghost:
        """What must be stored once an accepted batch is in."""
        passed = self.head.offset if self.head else -1
        stream = self.stream or (self.head.stream if self.head else Stream(batch.generation, (), 1))
        new = tuple(entry for entry in worker.entries if passed < entry[0] <= batch.to_offset)
        written = stream.written + new
        oldest = max(stream.oldest, min(batch.trim_below, len(written)))
        after = Stream(batch.generation, written, oldest)
        return Ghost(Place(batch.epoch, batch.to_offset, worker.log, after), after if written else None)

    def renewed(self) -> Ghost:
        """What must be stored after a new generation."""
        generation = self.head.stream.generation + 1 if self.head else 1
        return Ghost(Place(0, -1, "", Stream(generation, (), 1)))

    def with_part(self, part: str, older: Ghost) -> Ghost:
        """One part put back as it was at another moment."""
        return replace(self, head=older.head) if part == "head" else replace(self, stream=older.stream)


def agree(stream: Stream, passed: int, worker: Computation, batch: SinkBatch) -> bool:
    """Whether the worker's computation and the stream are the same, as far as this batch and what is kept can show."""
    before, last = worker.upto(batch.from_offset - 1), worker.upto(batch.to_offset)
    held = len(stream.written)
    if batch.to_offset > passed:
        if not before <= held <= last or any(offset <= passed for offset, _ in worker.entries[held:last]):
            return False
    elif last > held or _kept_upto(stream, batch.to_offset, last) != last:
        return False
    shared = min(last, held)
    visible = [seq for seq in range(before, shared + 1) if seq == 0 or seq >= stream.oldest]
    if visible and _bytes(worker.entries[: visible[-1]]) != _bytes(stream.written[: visible[-1]]):
        return False
    if before in visible and before > 0 and stream.written[before - 1][0] >= batch.from_offset:
        return False
    return all(worker.entries[seq - 1][0] == stream.written[seq - 1][0] for seq in visible if seq > before)


def _kept_upto(stream: Stream, offset: int, counted: int) -> int:
    """How many entries the stream has up to an offset; what was trimmed is believed."""
    kept = sum(own <= offset for own, _ in stream.written[stream.oldest - 1 :])
    return stream.oldest - 1 + kept if kept else min(counted, stream.oldest - 1)


def _bytes(written: Written) -> list[bytes]:
    return [json for _, json in written]
