"""Nothing in the sample is received before anyone could have known it, checked against the files it came from."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from models.limits import refusal
from models.records import DAY_US, HOUR_US, MINUTE_US, BtcPrice, GpuRate, Network, Observation, PowerPrice
from streams.history import History
from streams.history.window import DAY_AHEAD, REAL_TIME
from streams.history.window_file import instant, microseconds

pytestmark = pytest.mark.guarantee("G3")

CENTRAL = ZoneInfo("America/Chicago")


@pytest.fixture(scope="module")
def observations(sample: History) -> list[Observation]:
    return [one for source in sample.sources for group in source.groups or () for one in group]


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
        yield from csv.DictReader(stream)


def utc(text: str) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_no_observation_speaks_of_a_time_after_its_receipt_unless_it_is_a_curve(
    observations: list[Observation],
) -> None:
    assert len(observations) == 18_472
    assert [one for one in observations if refusal(one)] == []
    assert [one for one in observations if one.series != DAY_AHEAD and one.event_time_us > one.receipt_time_us] == []


def test_every_series_is_due_again_only_after_its_receipt(observations: list[Observation]) -> None:
    assert [one for one in observations if one.next_due_us <= one.receipt_time_us] == []


def test_a_real_time_price_is_known_only_after_its_interval(observations: list[Observation]) -> None:
    prices = [one for one in observations if one.series == REAL_TIME and isinstance(one, PowerPrice)]
    assert len(prices) == 12_218
    assert all(one.receipt_time_us == one.end_time_us + MINUTE_US for one in prices)


def test_a_day_ahead_price_is_known_from_half_past_one_of_the_central_day_before(
    observations: list[Observation],
) -> None:
    prices = [one for one in observations if one.series == DAY_AHEAD]
    assert len(prices) == 3_055
    for one in prices:
        delivery = instant(one.event_time_us).astimezone(CENTRAL).date()
        published = datetime.combine(delivery - timedelta(days=1), time(13, 30), tzinfo=CENTRAL)
        assert one.receipt_time_us == microseconds(published)


def test_a_bitcoin_price_is_the_close_of_a_candle_that_was_over(
    observations: list[Observation], real_history: Path
) -> None:
    candles = {
        utc(row["timestamp"]): float(row["close"]) for row in rows_of(real_history / "btc_usdt_1h_2022_2025.csv.gz")
    }
    prices = [one for one in observations if isinstance(one, BtcPrice)]
    assert len(prices) == 3_055
    for one in prices:
        assert one.usd_per_btc == candles[one.event_time_us - HOUR_US]  # opened an hour before, closed at event time
        assert one.receipt_time_us >= one.event_time_us


def test_a_difficulty_is_known_only_once_its_epoch_had_begun_even_at_the_error_of_its_start(
    observations: list[Observation], real_history: Path
) -> None:
    epochs = {
        float(row["difficulty"]): (int(row["start_height"]), utc(row["start_time_utc_approx"].removesuffix("Z")))
        for row in rows_of(real_history / "difficulty_epochs_times.csv")
    }
    states = [one for one in observations if isinstance(one, Network)]
    assert len(states) == 137
    for one in states:
        height, began_us = epochs[one.difficulty]
        assert one.height == height
        assert one.receipt_time_us >= began_us + 12 * MINUTE_US


def test_a_gpu_rate_is_known_only_when_the_week_that_printed_it_was_over(
    observations: list[Observation], real_history: Path
) -> None:
    printed = {
        utc(row["week_start"]): float(row["value_usd_per_h100_hour"])
        for row in rows_of(real_history / "gix_h100_weekly_2024_2025.csv")
        if row["status"] == "published"
    }
    rates = [one for one in observations if isinstance(one, GpuRate)]
    assert len(rates) == 7
    for one in rates:
        assert one.usd_per_gpu_hour == printed[one.event_time_us]
        assert one.receipt_time_us >= one.event_time_us + 7 * DAY_US
    last = max(one.receipt_time_us for one in observations)
    assert {one.event_time_us for one in rates} == {week for week in printed if week + 7 * DAY_US < last}


def test_no_week_of_the_index_on_record_was_withheld_beyond_the_time_its_last_print_stands(real_history: Path) -> None:
    weeks = [row["status"] for row in rows_of(real_history / "gix_h100_weekly_2024_2025.csv")]
    longest = max(len(run) for run in "".join("x" if week == "withheld" else " " for week in weeks).split())
    assert longest == 7  # so a print is followed by another eight weeks later at the latest
