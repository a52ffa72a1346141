"""How a pipeline is used, and what a stretch of the log gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.records import EpochStart
from streams.checkpoint import Checkpoint
from streams.part import Part
from streams.wire import Origin, RawRecord, SinkBatch

WHOLE = Part()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A raw record, or a part of it, that entered nothing; and why."""

    record: RawRecord
    reason: str


@dataclass(slots=True)
class Step:
    """What came of some raw records. ``superseded``: another code's epoch begins at the next offset."""

    batches: list[SinkBatch] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    observations: int = 0
    ticks: int = 0
    superseded: EpochStart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How a pipeline is used; fixed for its life.

    ``any_code``: epochs of other code are recomputed with the code at hand (a replay, which says so). ``marks``: take
    checkpoints at log marks. ``sites``: value every site for the sink when log time has moved.
    """

    origin: Origin
    code_hash: str
    part: Part = WHOLE
    any_code: bool = False
    marks: bool = True
    sites: bool = True
