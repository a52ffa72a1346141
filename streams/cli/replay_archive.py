"""``changeover replay --archive``: what is asked of an archived log, and how its answer is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.archive import ArchivedLog
    from streams.replay import Answer
    from streams.replay_archive import Rerun
    from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Ask:
    """Which log of which archive, the log times wanted [us UTC], and over how many parts."""

    archive: Path
    log: str
    from_us: int | None
    to_us: int | None
    parts: int


def run(ask: Ask, settings: Settings) -> tuple[Answer, dict[str, object], str]:
    """Replay an archived log; the answer, and what is printed of it."""
    from streams.archive import choose_log
    from streams.cli.compile import make_ready
    from streams.compilation import code_hash

    log = choose_log(ask.archive, ask.log)
    log.refuse_incomplete()
    make_ready(settings)
    from streams.replay_archive import Window, replay_archive

    rerun = replay_archive(log, code_hash(), Window(ask.from_us, ask.to_us), ask.parts)
    notes = notes_of(rerun, code_hash())
    return rerun.answer, result_of(ask, log, rerun, notes), text_of(log, rerun, notes)


def notes_of(rerun: Rerun, code: str) -> list[str]:
    """What may make the answer differ from what was published."""
    other = [f"{epoch} ({theirs})" for epoch, theirs in sorted(rerun.epochs.items()) if theirs != code]
    if not other:
        return []
    return [f"decided anew by this code ({code}), which is not that of epoch {', '.join(other)}: bits may differ"]


def result_of(ask: Ask, log: ArchivedLog, rerun: Rerun, notes: list[str]) -> dict[str, object]:
    """The answer for programs."""
    answer = rerun.answer
    return {
        "archive": str(ask.archive),
        "log": log.log_id,
        "records": rerun.records,
        "epochs": {str(epoch): code for epoch, code in sorted(rerun.epochs.items())},
        "from_us": ask.from_us,
        "to_us": ask.to_us,
        "miners": {miner: len(entries) for miner, entries in sorted(answer.entries.items())},
        "observations": answer.observations,
        "ticks": answer.ticks,
        "rejected": answer.rejected,
        "signals": answer.signals,
        "digest": answer.digest,
        "seconds": round(answer.seconds, 3),
        "notes": notes,
    }


def text_of(log: ArchivedLog, rerun: Rerun, notes: list[str]) -> str:
    """The answer for people."""
    answer = rerun.answer
    lines = [
        f"log          {log.log_id}, {rerun.records:,} records",
        f"observations {answer.observations:,} (and {answer.ticks:,} clock ticks), {answer.rejected:,} rejected",
        f"signals      {answer.signals:,}",
        *(f"  {miner:10s} {len(entries):,}" for miner, entries in sorted(answer.entries.items())),
        f"digest       {answer.digest}",
        f"seconds      {answer.seconds:.2f}",
        *(f"note         {note}" for note in notes),
    ]
    return "\n".join(lines)
