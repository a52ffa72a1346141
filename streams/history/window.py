"""Importer of the joined window: five series at 15 minutes, each with the receipt time that one could have had.

The file is an as-of join; docs/reference/history.md says what was measured of it. The rules:

=====================  =======================  =========================================================
series                 event                    receipt
=====================  =======================  =========================================================
``power:...:rt``       interval's start         interval's end + ``power_lag_s``
``power:...:da``       hour's start             ``da_publication_local`` Central of the day before
``btc:usd``            the hour that ended      the same + ``btc_lag_s``
``network:btc``        the row's start          the same + ``network_lag_s``
``gpu:H100-SXM``       the week's Monday        the next Monday + ``gpu_lag_s``
=====================  =======================  =========================================================

The file's own hashprice is left out: the engine computes hashprice from difficulty and price, and a test compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from models.records import DAY_US, HOUR_US, SECOND_US, BtcPrice, GpuRate, Network, Observation, PowerPrice
from streams.errors import FeedError
from streams.history.contract import Imported, Importer, Options, imported
from streams.history.window_file import INTERVAL_US, Row, central, instant, is_header, microseconds, read_rows, utc_text

REAL_TIME = "power:ERCOT:HB_SOUTH:rt"
DAY_AHEAD = "power:ERCOT:HB_SOUTH:da"
BTC = "btc:usd"
NETWORK = "network:btc"
GPU = "gpu:H100-SXM"

WEEK_US = 7 * DAY_US
FIRST_MONDAY_US = 4 * DAY_US  # 1970-01-05

# First block of each difficulty epoch that the window touches (epoch number x 2016), by the difficulty the file gives.
EPOCH_HEIGHTS: dict[float, int] = {
    83716654861184.52: 420 * 2016,
    83675262295059.9: 421 * 2016,
    79495195323031.48: 422 * 2016,
    82047728459932.75: 423 * 2016,
    90666502495565.78: 424 * 2016,
    86871474313761.95: 425 * 2016,
    89471664776970.77: 426 * 2016,
    92671576265161.06: 427 * 2016,
    88404402370999.9: 428 * 2016,
    92049594548485.47: 429 * 2016,
}

LagSeconds = Annotated[int, Field(ge=0, le=366 * 86_400)]


class WindowOptions(Options):
    """The stated lags [s] and terms of publication.

    ``power_lag_s``: stated, not measured; the one print whose minute is on record came 121 s after its interval.
    ``network_lag_s``: the file's epoch starts are derived, within 12 minutes of published ones. ``network_due_days``:
    an epoch of 2016 blocks lasted 12.7 to 14.7 days in the window. ``gpu_due_weeks``: after seven withheld weeks, the
    longest run on record, the publisher printed again in the eighth; until then its last print stands.
    """

    power_lag_s: LagSeconds = 60
    btc_lag_s: LagSeconds = 5
    network_lag_s: LagSeconds = 720
    gpu_lag_s: LagSeconds = 3_600
    da_publication_local: time = time(13, 30)
    network_due_days: Annotated[int, Field(ge=1, le=366)] = 16
    gpu_due_weeks: Annotated[int, Field(ge=1, le=52)] = 8


@dataclass(frozen=True, slots=True)
class Window:
    """A window's rows as observations, grouped as they became known."""

    path: Path
    rows: Sequence[Row]
    options: WindowOptions

    def refused(self, row: Row, reason: object) -> FeedError:
        """The error of a row that breaks a rule."""
        return FeedError(f"{self.path}:{row.line}: {reason}")

    @contextmanager
    def at(self, row: Row) -> Iterator[None]:
        """What a record refuses to be (a price of zero, another unit) is the fault of the file at this line."""
        try:
            yield
        except ValueError as error:
            raise self.refused(row, error) from error

    def known_until_us(self) -> int:
        """When the last row's interval was known: the window ends there."""
        return self.rows[-1].start_us + INTERVAL_US + self.options.power_lag_s * SECOND_US

    def _blocks(self, length_us: int, column: Callable[[Row], float], name: str) -> Iterator[Row]:
        """First rows of each block of time, in which one value must stand."""
        for _, block in groupby(self.rows, key=lambda row: row.start_us // length_us):
            first, *rest = block
            for row in rest:
                if column(row) != column(first):
                    raise self.refused(row, f"{name} changes within the hour, from {column(first)} to {column(row)}")
            yield first

    def real_time(self) -> Iterator[list[Observation]]:
        """Real-time settlement point prices of 15 minutes, known once the interval is over and settled."""
        lag_us = self.options.power_lag_s * SECOND_US
        for row in self.rows:
            end_us = row.start_us + INTERVAL_US
            with self.at(row):
                price = PowerPrice(
                    series=REAL_TIME,
                    source="ercot:rtm-spp",
                    event_time_us=row.start_us,
                    end_time_us=end_us,
                    receipt_time_us=end_us + lag_us,
                    next_due_us=end_us + INTERVAL_US + lag_us,
                    usd_per_mwh=row.real_time_usd_per_mwh,
                )
            yield [price]

    def delivery_days(self) -> Iterator[tuple[date, list[Row]]]:
        """The first row of each hour, by delivery day (the calendar day of Central prevailing time)."""
        hours = self._blocks(HOUR_US, lambda row: row.day_ahead_usd_per_mwh, "the day-ahead price")
        for day, rows in groupby(hours, key=lambda row: instant(row.start_us).astimezone(central()).date()):
            yield day, list(rows)

    def published_us(self, day: date) -> int:
        """When the day-ahead prices of a delivery day were published: local time of the day before."""
        before = day - timedelta(days=1)
        return microseconds(datetime.combine(before, self.options.da_publication_local, tzinfo=central()))

    def day_ahead(self) -> Iterator[list[Observation]]:
        """Day-ahead prices, the four repeats of an hour folded into it, all hours of a delivery day at once."""
        for day, rows in self.delivery_days():
            published_us = self.published_us(day)
            next_us = self.published_us(day + timedelta(days=1))
            yield [self._hour(row, published_us, next_us) for row in rows]

    def _hour(self, row: Row, published_us: int, next_us: int) -> Observation:
        start_us = row.start_us - row.start_us % HOUR_US
        with self.at(row):
            return PowerPrice(
                series=DAY_AHEAD,
                source="ercot:dam-spp",
                event_time_us=start_us,
                end_time_us=start_us + HOUR_US,
                receipt_time_us=published_us,
                publish_time_us=published_us,
                next_due_us=next_us,
                usd_per_mwh=row.day_ahead_usd_per_mwh,
            )

    def btc(self) -> Iterator[list[Observation]]:
        """The close of the hour that ended at the rows' hour: known from then on, so not the hour under way."""
        lag_us = self.options.btc_lag_s * SECOND_US
        for row in self._blocks(HOUR_US, lambda row: row.btc_usdt, "the BTC price"):
            closed_us = row.start_us - row.start_us % HOUR_US
            with self.at(row):
                price = BtcPrice(
                    series=BTC,
                    source="binance:btcusdt-1h-close",
                    event_time_us=closed_us,
                    receipt_time_us=closed_us + lag_us,
                    next_due_us=closed_us + HOUR_US + lag_us,
                    usd_per_btc=row.btc_usdt,
                )
            yield [price]

    def network(self) -> Iterator[list[Observation]]:
        """Difficulty where it changes and once a day at 00:00 UTC, each at the row's own time. The file has no fees."""
        previous: float | None = None
        for row in self.rows:
            if row.difficulty == previous and row.start_us % DAY_US:
                continue
            previous = row.difficulty
            with self.at(row):
                state = Network(
                    series=NETWORK,
                    source="difficulty-epochs",
                    event_time_us=row.start_us,
                    receipt_time_us=row.start_us + self.options.network_lag_s * SECOND_US,
                    next_due_us=row.start_us + self.options.network_due_days * DAY_US,
                    height=self._epoch_height(row),
                    difficulty=row.difficulty,
                    fees_btc_per_block=0.0,
                    fee_blocks=0,
                )
            yield [state]

    def _epoch_height(self, row: Row) -> int:
        if row.difficulty not in EPOCH_HEIGHTS:
            heights = EPOCH_HEIGHTS.values()
            raise self.refused(
                row,
                f"difficulty {row.difficulty!r} is of no epoch known here, those from height {min(heights)} to "
                f"{max(heights)}; add its first height to EPOCH_HEIGHTS",
            )
        return EPOCH_HEIGHTS[row.difficulty]

    def gpu(self) -> Iterator[list[Observation]]:
        """The weekly rate where it changes: a week's figure is known when the week is over, whatever day it bears."""
        previous: Row | None = None
        for row in self.rows:
            if previous is not None and row.h100_usd_per_gpu_hour == previous.h100_usd_per_gpu_hour:
                continue
            monday_us = row.start_us - (row.start_us - FIRST_MONDAY_US) % WEEK_US
            if previous is not None and row.start_us != monday_us:
                raise self.refused(row, "the weekly GPU rate changes elsewhere than on a Monday 00:00 UTC")
            previous = row
            receipt_us = monday_us + WEEK_US + self.options.gpu_lag_s * SECOND_US
            if receipt_us > self.known_until_us():
                continue
            with self.at(row):
                rate = GpuRate(
                    series=GPU,
                    source="gix:h100-weekly-list-price",
                    event_time_us=monday_us,
                    receipt_time_us=receipt_us,
                    next_due_us=receipt_us + self.options.gpu_due_weeks * WEEK_US,
                    usd_per_gpu_hour=row.h100_usd_per_gpu_hour,
                )
            yield [rate]


READERS: dict[str, Callable[[Window], Iterator[list[Observation]]]] = {
    BTC: Window.btc,
    NETWORK: Window.network,
    GPU: Window.gpu,
    DAY_AHEAD: Window.day_ahead,
    REAL_TIME: Window.real_time,
}
"""In the order in which records of equal receipt time are given."""


class WindowImporter(Importer):
    """The joined window, as CSV or CSV in gzip."""

    name: ClassVar[str] = "window"
    series: ClassVar[tuple[str, ...]] = tuple(READERS)
    options: ClassVar[type[Options]] = WindowOptions

    def recognises(self, first_line: bytes) -> bool:
        """By its whole header."""
        return is_header(first_line)

    def read(self, path: Path, options: Options, series: Sequence[str], instance: str) -> Imported:
        """Read the whole window and put its records in receipt order."""
        if not isinstance(options, WindowOptions):
            raise TypeError(f"the window takes WindowOptions, not {type(options).__name__}")
        window = Window(path, read_rows(path), options)
        groups = [group for name, reader in READERS.items() if name in series for group in reader(window)]
        return imported(path.name, groups, instance, tuple(notes(window, series)))


def notes(window: Window, series: Sequence[str]) -> Iterator[str]:
    """What the reader of a replay should know of this window."""
    first_us = window.rows[0].start_us
    yield (
        f"{len(window.rows)} intervals of 15 minutes from {utc_text(first_us)}, "
        f"known until {utc_text(window.known_until_us())}"
    )
    if DAY_AHEAD in series:
        early = [day for day, _ in window.delivery_days() if window.published_us(day) < first_us]
        if early:
            days = " and ".join(day.isoformat() for day in early)
            since = utc_text(window.published_us(early[0]))
            yield f"day-ahead prices of {days} were published before the first interval: the records begin {since}"
    if NETWORK in series:
        yield "the file has no fees: 0.0 BTC a block over 0 blocks, so hashprice is that of the subsidy alone"
    if GPU in series:
        yield from _gpu_notes(window)


def _gpu_notes(window: Window) -> Iterator[str]:
    rates = [row.h100_usd_per_gpu_hour for row in window.rows]
    changes = sum(early != late for early, late in pairwise(rates))
    known = [group[0] for group in window.gpu()]
    if known:
        since = utc_text(known[0].receipt_time_us)
        yield f"{GPU} is a week's list price, known when the week is over: missing before {since}"
    if unknown := 1 + changes - len(known):
        yield f"{unknown} value(s) of {GPU} became known only after the last interval and are left out"
