"""Importer of the table of difficulty epochs: the network's state where an epoch begins.

Its start times are derived, within 12 minutes of published ones; ``network_lag_s`` covers that. It has no fees; a
manifest may hold them at a figure, which is then said to be an assumption.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from models.records import DAY_US, SECOND_US, Network
from streams.errors import FeedError
from streams.history.contract import Imported, Importer, Options, imported
from streams.history.table import Line, day_us, is_header, is_within, read_table
from streams.history.window_file import utc_text

SERIES = "network:btc"
COLUMNS = ("epoch", "start_height", "difficulty", "start_time_utc_approx", "method")
FORM = "%Y-%m-%dT%H:%M:%SZ"
EPOCH_BLOCKS = 2016
BLOCKS_OF_A_DAY = 144  # over which mean fees are defined


class DifficultyOptions(Options):
    """``network_lag_s``: the error of the derived start times. ``network_due_days``: how long an epoch may last.

    ``fees_btc_per_block`` holds the fees. ``from_day``, ``until_day`` (UTC, both in) cut the table; the epoch under way
    at the first stays.
    """

    network_lag_s: Annotated[int, Field(ge=0, le=366 * 86_400)] = 720
    network_due_days: Annotated[int, Field(ge=1, le=366)] = 16
    fees_btc_per_block: Annotated[float, Field(ge=0.0, le=50.0)] = 0.0
    from_day: date | None = None
    until_day: date | None = None


class DifficultyImporter(Importer):
    """Difficulty by epoch, as CSV."""

    name: ClassVar[str] = "difficulty"
    series: ClassVar[tuple[str, ...]] = (SERIES,)
    options: ClassVar[type[Options]] = DifficultyOptions

    def recognises(self, first_line: bytes) -> bool:
        """By its whole header."""
        return is_header(first_line, COLUMNS)

    def read(self, path: Path, options: Options, series: Sequence[str], instance: str) -> Imported:
        """Read the epochs of the days wanted, and the one under way at their beginning."""
        del series  # it gives one
        if not isinstance(options, DifficultyOptions):
            raise TypeError(f"epochs take DifficultyOptions, not {type(options).__name__}")
        epochs = [(line.utc_us("start_time_utc_approx", FORM), line) for line in read_table(path, COLUMNS)]
        for (before, earlier), (now, line) in pairwise(epochs):
            if now <= before or int(line.value("epoch")) != int(earlier.value("epoch")) + 1:
                raise line.refused(f"epoch {line.text('epoch')} at {utc_text(now)} does not follow the one before it")
        began = [start for start, _ in epochs]
        first_us = day_us(options.from_day) if options.from_day else began[0]
        under_way = max((start for start in began if start <= first_us), default=began[0])
        groups = [
            [_state(line, start, options)]
            for start, line in epochs
            if start == under_way or (start > first_us and is_within(start, options.from_day, options.until_day))
        ]
        if not is_within(groups[0][0].event_time_us, None, options.until_day):
            raise FeedError(f"{path}: has no epoch that began by the last day wanted")
        notes = [f"{len(groups)} difficulty epochs"]
        if options.fees_btc_per_block:
            notes.append(f"fees are held at {options.fees_btc_per_block} BTC a block: an assumption, no observation")
        else:
            notes.append(
                "the file has no fees: 0.0 BTC a block over 0 blocks, so hashprice is that of the subsidy alone"
            )
        return imported(path.name, groups, instance, notes)


def _state(line: Line, start_us: int, options: DifficultyOptions) -> Network:
    height = int(line.value("start_height"))
    if height != int(line.value("epoch")) * EPOCH_BLOCKS:
        raise line.refused(f"epoch {line.text('epoch')} begins at height {line.text('start_height')}, not at its own")
    stated = options.fees_btc_per_block > 0.0
    with line.faults():
        return Network(
            series=SERIES,
            source="difficulty-epochs+stated-fees" if stated else "difficulty-epochs",
            event_time_us=start_us,
            receipt_time_us=start_us + options.network_lag_s * SECOND_US,
            next_due_us=start_us + options.network_due_days * DAY_US,
            height=height,
            difficulty=line.value("difficulty"),
            fees_btc_per_block=options.fees_btc_per_block,
            fee_blocks=BLOCKS_OF_A_DAY if stated else 0,
        )
