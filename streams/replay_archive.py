"""An archived log through the one pipeline: its own epochs, fleets and clocks, from its first record on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from streams.archive import ArchivedLog
from streams.replay import Answer, in_chunks, run_parts
from streams.wire import Entry, RawRecord

EPOCH_FEED = "epoch"


@dataclass(frozen=True, slots=True)
class Window:
    """Log times wanted, [from, to) [us UTC]; open where None."""

    from_us: int | None = None
    to_us: int | None = None

    def takes(self, entry: Entry) -> bool:
        """Whether an entry's log time lies in it."""
        if self.from_us is None and self.to_us is None:
            return True
        log_time_us = int(orjson.loads(entry.json)["log_time_us"])
        return (self.from_us is None or self.from_us <= log_time_us) and (
            self.to_us is None or log_time_us < self.to_us
        )


@dataclass(slots=True)
class Rerun:
    """What an archived log gave: the answer, how many records it took, and the code hashes of its epochs by number."""

    answer: Answer
    records: int = 0
    epochs: dict[int, str] = field(default_factory=dict)


def replay_archive(log: ArchivedLog, code_hash: str, window: Window, parts: int = 1) -> Rerun:
    """Run an archived log in this process; every record is computed, the entries of the window are kept.

    Raises:
        SettingsError: its beginning or something in the middle is missing.
        DamagedError: a file does not give what was recorded.
    """
    log.refuse_incomplete()
    rerun = Rerun(Answer())

    def counted() -> Iterator[RawRecord]:
        rerun.records = 0
        for record in log.records():
            rerun.records += 1
            if record.feed == EPOCH_FEED:
                rerun.epochs = epoch_of(record) | rerun.epochs
            yield record

    rerun.answer = run_parts(lambda pipeline: in_chunks(counted(), pipeline), code_hash, parts)
    kept = {
        miner: [entry for entry in entries if window.takes(entry)] for miner, entries in rerun.answer.entries.items()
    }
    rerun.answer.entries = kept
    return rerun


def epoch_of(record: RawRecord) -> dict[int, str]:
    """Number and code hash that an epoch's record announces; nothing where it cannot be read.

    >>> epoch_of(RawRecord("epoch", 1, "a", 0, b'{"epoch":2,"code_hash":"c0de","config":{}}'))
    {2: 'c0de'}
    """
    try:
        found = orjson.loads(record.payload)
        return {int(found["epoch"]): str(found["code_hash"])}
    except (ValueError, KeyError, TypeError):
        return {}
