"""A history and its ticks straight as rows for the compiled step: the same bits as by the codec, without the codec."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.records import MINUTE_US, Clock, Observation
from models.rows import ROW, Catalogue, Rows, clock_row, observation_row, rows_of
from streams.history.joined import History
from streams.history.ticks import REPLAYER, whole_minute_at_or_before

Times = npt.NDArray[np.int64]


def history_rows(
    history: History, names: Catalogue, *, first_position: int = 0, after_us: int | None = None
) -> Rows | None:
    """Rows of ``ticked(history, after_us=after_us)``, whose first record has the position ``first_position``.

    None where the history is not made of observations alone (a recording): then only the codec reads it.
    """
    groups: list[Sequence[Observation]] = []
    for source in history.sources:
        if source.groups is None:
            return None
        groups.extend(source.groups)
    groups.sort(key=lambda group: group[0].receipt_time_us)  # stable: at equal times the earlier source goes first
    known_us = np.array([group[0].receipt_time_us for group in groups], np.int64)
    first_us = whole_minute_at_or_before(groups[0][0].receipt_time_us) if after_us is None else after_us + MINUTE_US
    last_us = max(first_us, whole_minute_at_or_before(groups[-1][0].receipt_time_us) + MINUTE_US)
    minutes_us = np.arange(first_us, last_us + 1, MINUTE_US, dtype=np.int64)
    ticks = _ticks(minutes_us, known_us, names)
    ticks["position"] += first_position
    before = np.searchsorted(minutes_us, known_us, side="right")
    positions = (first_position + np.arange(len(groups)) + before).tolist()
    observed = rows_of(
        [
            observation_row(observation, position, names)
            for position, group in zip(positions, groups, strict=True)
            for observation in group
        ]
    )
    rows = np.concatenate([ticks, observed])
    return rows[np.argsort(rows["position"], kind="stable")]


def _ticks(minutes_us: Times, known_us: Times, names: Catalogue) -> Rows:
    """Ticks as rows, at their positions among records known at ``known_us``."""
    example = clock_row(Clock(time_us=int(minutes_us[0]), instance=REPLAYER, replayed=True), 0, 0, names)
    ticks = np.empty(len(minutes_us), ROW)
    ticks[:] = example
    for column in ("receipt_us", "event_us", "end_us", "due_us", "order"):
        ticks[column] = minutes_us
    ticks["position"] = np.arange(len(minutes_us)) + np.searchsorted(known_us, minutes_us, side="left")
    return ticks
