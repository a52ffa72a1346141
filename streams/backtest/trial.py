"""One policy over a lagged history: the log it is given, the engines that are born in it, the modes that came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TypeVar

import numpy as np
import orjson

from models.fleet import AsicTier, GpuPool, Miner
from models.records import DecidingConfig
from streams.backtest.market import Ints
from streams.backtest.settled import LoadRows, SiteRows
from streams.fleetfile import encode_miner
from streams.history import History, ticked
from streams.history.rows import history_rows
from streams.history.ticks import FLEET_FEED, REPLAYER, opening, opens_at_us
from streams.pipeline import Pipeline, Step
from streams.replay import CHUNK, Answer, in_chunks, rows_in_chunks, run_parts
from streams.wire import RawRecord

Kind = TypeVar("Kind", AsicTier, GpuPool)


@dataclass(frozen=True, slots=True)
class Trial:
    """A history, the fleets that meet it at ``born_us``, and what decides, until ``until_us`` [us UTC].

    What was known before is fed to the market without a fleet. The fleets enter the log right behind the records
    received at ``born_us``, and their engines start from the market as it then is.
    """

    history: History
    fleet: tuple[Miner, ...]
    config: DecidingConfig
    code_hash: str
    born_us: int
    until_us: int

    @property
    def _opens_us(self) -> int:
        return opens_at_us(self.history)

    @property
    def _born_at_opening(self) -> bool:
        return self.born_us <= self._opens_us

    def _opening(self) -> list[RawRecord]:
        fleet = self.fleet if self._born_at_opening else ()
        return opening(fleet, self.config, self.code_hash, self._opens_us)

    def _births(self) -> list[RawRecord]:
        """The fleets' records, where they do not open the log; counted behind every tick."""
        if self._born_at_opening:
            return []
        return [
            RawRecord(FLEET_FEED, self.born_us, f"{REPLAYER}-fleet", counter, encode_miner(miner))
            for counter, miner in enumerate(self.fleet)
        ]

    def log(self) -> Iterator[RawRecord]:
        """The log this trial reads, with its offsets."""
        return (replace(record, offset=offset) for offset, record in enumerate(self._records()))

    def _records(self) -> Iterator[RawRecord]:
        opened, births = self._opening(), self._births()
        yield from opened
        for record in takewhile(
            lambda record: record.receipt_time_us < self.until_us,
            ticked(self.history, after_us=self._opens_us, counter=len(opened)),
        ):
            if births and record.receipt_time_us > self.born_us:
                yield from births
                births = []
            yield record
        yield from births

    def run(self, *, chunk: int = CHUNK, codec: bool = False) -> Answer:
        """Run it in this process; ``chunk`` and ``codec`` change no bit, as in a replay."""
        if codec:
            return run_parts(lambda pipeline: in_chunks(self.log(), pipeline, chunk), self.code_hash, 1)
        return run_parts(lambda pipeline: self._by_rows(pipeline, chunk), self.code_hash, 1)

    def _by_rows(self, pipeline: Pipeline, chunk: int) -> Iterator[Step]:
        """The opening and the fleets as bytes, everything else as rows straight from the history."""
        opened, births = self._opening(), self._births()
        yield pipeline.process(_numbered(opened, 0))
        rows = history_rows(self.history, pipeline.names, first_position=len(opened), after_us=self._opens_us)
        if rows is None:
            raise ValueError(f"{self.history.name}: a lagged history is made of observations")
        rows = rows[: int(np.searchsorted(rows["receipt_us"], self.until_us, side="left"))]
        before = int(np.searchsorted(rows["receipt_us"], self.born_us, side="right")) if births else 0
        yield from rows_in_chunks(rows[:before], pipeline, chunk)
        if births:
            yield pipeline.process(_numbered(births, pipeline.offset + 1))
        after = rows[before:]
        after["position"] += len(births)
        yield from rows_in_chunks(after, pipeline, chunk)


def _numbered(records: Sequence[RawRecord], first: int) -> list[RawRecord]:
    return [replace(record, offset=offset) for offset, record in enumerate(records, start=first)]


def initial_modes(miner: Miner, sites: Sequence[SiteRows], born_us: int) -> Miner:
    """The miner with each load it may dispatch in the mode of its margin's sign as known at ``born_us``.

    For policies that choose no first mode: the first mode is free. A load of which nothing is known stays as its file
    says.
    """
    wanted = {}
    for found in sites:
        place = int(np.searchsorted(found.rows.start_us, born_us, side="left"))
        for load in found.loads if found.miner == miner.key else ():
            margin = load.known.margin[place] if place < len(load.known.margin) else np.nan
            if load.dispatched and not np.isnan(margin):
                wanted[id(load.load)] = bool(margin > 0.0)

    def placed(loads: tuple[Kind, ...]) -> tuple[Kind, ...]:
        return tuple(replace(load, initially_on=wanted.get(id(load), load.initially_on)) for load in loads)

    changed = [replace(site, asic=placed(site.asic), gpu=placed(site.gpu)) for site in miner.site]
    return replace(miner, site=tuple(changed))


def modes_of(answer: Answer, load: LoadRows, start_us: Ints, *, initially_on: bool) -> Ints:
    """The mode of a load in each row: as of the signals up to and including the row's start, 1 runs.

    Rows before anything was known of the load take the first mode after: it is free.
    """
    times, modes = [], [int(initially_on)]
    for entry in answer.entries[load.miner]:
        found = orjson.loads(entry.json)
        if found["kind"] == "switch" and (found["site"], found["load"]) == (load.site, load.load.key):
            times.append(found["log_time_us"])
            modes.append(0 if found["to"] == "off" else 1)
    places = np.searchsorted(np.array(times, np.int64), start_us, side="right")
    return first_mode_free(np.array(modes, np.int64)[places], load.first_known)


def first_mode_free(modes: Ints, first_known: int) -> Ints:
    """The modes with those of rows before anything was known replaced by the first one chosen.

    >>> first_mode_free(np.array([1, 0, 1]), 1).tolist()
    [0, 0, 1]
    """
    if 0 < first_known < len(modes):
        modes[:first_known] = modes[first_known]
    return modes
