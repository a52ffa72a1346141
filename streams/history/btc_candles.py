"""Importer of hourly BTC/USDT candles: the close of an hour, known when the hour is over.

The last candle of the file is left out: whether its hour was over when the file was made, the file cannot tell. A
missing hour stays missing, and BTC is then stale until the next close.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from models.records import HOUR_US, SECOND_US, BtcPrice
from streams.errors import FeedError
from streams.history.contract import Imported, Importer, Options, imported
from streams.history.table import Line, is_header, is_within, read_table
from streams.history.window_file import utc_text

SERIES = "btc:usd"
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
FORM = "%Y-%m-%d %H:%M:%S"


class CandleOptions(Options):
    """``btc_lag_s``: how long after its end a candle is known.

    ``from_day``, ``until_day`` (UTC, both in) cut the file.
    """

    btc_lag_s: Annotated[int, Field(ge=0, le=366 * 86_400)] = 5
    from_day: date | None = None
    until_day: date | None = None


class BtcCandlesImporter(Importer):
    """Hourly candles of Binance's BTC/USDT, as CSV or CSV in gzip."""

    name: ClassVar[str] = "btc-candles"
    series: ClassVar[tuple[str, ...]] = (SERIES,)
    options: ClassVar[type[Options]] = CandleOptions

    def recognises(self, first_line: bytes) -> bool:
        """By its whole header."""
        return is_header(first_line, COLUMNS)

    def read(self, path: Path, options: Options, series: Sequence[str], instance: str) -> Imported:
        """Read the closes of the days wanted."""
        del series  # it gives one
        if not isinstance(options, CandleOptions):
            raise TypeError(f"candles take CandleOptions, not {type(options).__name__}")
        opened = [(line.utc_us("timestamp", FORM), line) for line in read_table(path, COLUMNS)]
        for (before, _), (now, line) in pairwise(opened):
            if now <= before:
                raise line.refused(f"{utc_text(now)} does not come after {utc_text(before)}")
        groups = [
            [_close(line, start_us + HOUR_US, options.btc_lag_s)]
            for start_us, line in opened[:-1]
            if is_within(start_us + HOUR_US, options.from_day, options.until_day)
        ]
        if not groups:
            raise FeedError(f"{path}: has no candle that closed in the days wanted")
        gaps = [now for before, now in pairwise(group[0].event_time_us for group in groups) if now > before + HOUR_US]
        notes = [f"{len(groups)} closes of BTC/USDT, the file's last candle left out: it may be of an hour under way"]
        notes += [f"BTC is missing before {utc_text(gap)}" for gap in gaps]
        return imported(path.name, groups, instance, notes)


def _close(line: Line, closed_us: int, lag_s: int) -> BtcPrice:
    low, close, high = (line.value(column) for column in ("low", "close", "high"))
    if closed_us % HOUR_US:
        raise line.refused(f"{line.text('timestamp')!r} is not the start of an hour")
    if not low <= close <= high:
        raise line.refused(f"close {close} lies outside low {low} to high {high}")
    with line.faults():
        return BtcPrice(
            series=SERIES,
            source="binance:btcusdt-1h-close",
            event_time_us=closed_us,
            receipt_time_us=closed_us + lag_s * SECOND_US,
            next_due_us=closed_us + HOUR_US + lag_s * SECOND_US,
            usd_per_btc=close,
        )
