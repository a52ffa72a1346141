"""What docs/reference/sample.md says was measured of the window, measured again against the files it came from."""

import csv
import gzip
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from models.records import DAY_US, HOUR_US
from streams.history.sample import sample_path
from streams.history.window_file import Row, central, instant, microseconds, read_rows

MONDAY = 0


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with sample_path() as path:
        return read_rows(path)


def table(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
        yield from csv.DictReader(stream)


def utc(text: str) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_the_btc_price_is_the_close_of_the_candle_before_and_the_open_of_the_hours_own_only_by_chance(
    rows: list[Row], real_history: Path
) -> None:
    candles = {utc(row["timestamp"]): row for row in table(real_history / "btc_usdt_1h_2022_2025.csv.gz")}
    hours = [row.start_us - row.start_us % HOUR_US for row in rows]
    closes = sum(row.btc_usdt == float(candles[hour - HOUR_US]["close"]) for row, hour in zip(rows, hours, strict=True))
    opens = sum(row.btc_usdt == float(candles[hour]["open"]) for row, hour in zip(rows, hours, strict=True))
    assert (closes, opens) == (12_218, 6_938)


def test_a_rows_difficulty_is_that_of_the_last_epoch_begun_at_its_start(rows: list[Row], real_history: Path) -> None:
    epochs = list(table(real_history / "difficulty_epochs_times.csv"))
    starts = [utc(epoch["start_time_utc_approx"].removesuffix("Z")) for epoch in epochs]
    for row in rows:
        assert row.difficulty == float(epochs[bisect_right(starts, row.start_us) - 1]["difficulty"])


def test_the_gpu_rate_changes_six_times_always_as_a_week_begins(rows: list[Row]) -> None:
    changes = [
        later.start_us for row, later in pairwise(rows) if row.h100_usd_per_gpu_hour != later.h100_usd_per_gpu_hour
    ]
    assert len(changes) == 6
    assert all(change % DAY_US == 0 and instant(change).weekday() == MONDAY for change in changes)


def test_the_four_repeats_of_a_day_ahead_hour_are_equal(rows: list[Row]) -> None:
    hours: dict[int, set[float]] = {}
    for row in rows:
        hours.setdefault(row.start_us // HOUR_US, set()).add(row.day_ahead_usd_per_mwh)
    assert len(hours) == 3_055
    assert {len(prices) for prices in hours.values()} == {1}


def test_prices_of_power_are_those_of_the_longer_file_at_the_same_central_time(
    rows: list[Row], real_history: Path
) -> None:
    prices = {
        row[""]: (float(row["HB_SOUTH_RTM"]), float(row["HB_SOUTH_DAM"]))
        for row in table(real_history / "ercot_hb_south_15min_2024_2025.csv.gz")
    }
    for row in rows:
        local = instant(row.start_us).astimezone(central()).strftime("%Y-%m-%d %H:%M:%S")
        assert (row.real_time_usd_per_mwh, row.day_ahead_usd_per_mwh) == prices[local]


def test_the_sample_spans_what_its_page_says(rows: list[Row]) -> None:
    hashprices = [row.hashprice_usd_per_ph_day for row in rows]
    assert (round(min(hashprices), 1), round(max(hashprices), 1)) == (34.5, 53.5)
    assert instant(rows[0].start_us).isoformat() == "2024-06-17T00:00:00+00:00"
    assert instant(rows[-1].start_us).isoformat() == "2024-10-22T06:15:00+00:00"
