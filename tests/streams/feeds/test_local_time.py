"""Local time of the markets to UTC: ordinary days, the hour that repeats, the hour that never was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.records import HOUR_US
from streams.errors import FeedError
from streams.feeds.local_time import (
    CENTRAL,
    EASTERN,
    EST,
    hour_ending,
    hours_in,
    is_repeated,
    midnight_us,
    quarter_of,
    read_date,
    read_hour,
    read_wall,
    utc_us,
    wall_of,
    wall_us,
)
from tests.support.power import at

LONG, SHORT, PLAIN = date(2024, 11, 3), date(2025, 3, 9), date(2025, 7, 30)
DAYS = st.dates(date(2007, 4, 1), date(2035, 12, 31))


def test_the_interval_printed_at_8_47_01_is_half_past_eight_to_a_quarter_to_nine_central() -> None:
    assert quarter_of(hour_ending(PLAIN, 9), 3) == (at("2025-07-30T13:30Z"), at("2025-07-30T13:45Z"))


def test_hour_ending_24_ends_at_the_next_midnight() -> None:
    assert hour_ending(PLAIN, 24)[1] == midnight_us(PLAIN + timedelta(days=1), CENTRAL)


def test_hours_of_the_long_day_follow_each_other_the_second_hour_twice() -> None:
    ends = [(1, False), (2, False), (2, True), *((hour, False) for hour in range(3, 25))]
    found = [hour_ending(LONG, hour, repeated=repeated) for hour, repeated in ends]
    assert [start for start, _ in found] == [at("2024-11-03T05:00Z") + hour * HOUR_US for hour in range(25)]
    assert [hour_ending(LONG, hour, numbered=True) for hour in range(1, 26)] == found


def test_hours_of_the_short_day_follow_each_other_without_the_third() -> None:
    found = [hour_ending(SHORT, hour)[0] for hour in (1, 2, *range(4, 25))]
    assert found == [at("2025-03-09T06:00Z") + hour * HOUR_US for hour in range(23)]
    with pytest.raises(FeedError, match="never was"):
        hour_ending(SHORT, 3)


@pytest.mark.parametrize(
    ("day", "hour", "options", "reason"),
    [
        (PLAIN, 25, {}, "no hour ending 25"),
        (PLAIN, 0, {}, "no hour ending 0"),
        (LONG, 25, {}, "no hour ending 25"),
        (PLAIN, 25, {"numbered": True}, "no hour ending 25 of 25"),
        (LONG, 26, {"numbered": True}, "no hour ending 26 of 25"),
        (LONG, 3, {"numbered": True, "repeated": True}, "no hour ending 3 of 25"),
        (LONG, 3, {"repeated": True}, "showed it once"),
        (PLAIN, 2, {"repeated": True}, "showed it once"),
        (SHORT, 2, {"repeated": True}, "showed it once"),
    ],
)
def test_an_hour_that_a_day_has_not_is_refused(day: date, hour: int, options: dict[str, bool], reason: str) -> None:
    with pytest.raises(FeedError, match=reason):
        hour_ending(day, hour, **options)  # type: ignore[arg-type]  # flags by name


@pytest.mark.parametrize("interval", [0, 5, -1])
def test_an_hour_has_four_quarters(interval: int) -> None:
    with pytest.raises(FeedError, match="not a quarter"):
        quarter_of(hour_ending(PLAIN, 9), interval)


def test_eastern_standard_time_knows_no_summer() -> None:
    assert wall_us(read_wall("2026-07-27T08:15"), EST) == at("2026-07-27T13:15Z")
    assert wall_us(read_wall("2026-07-27T08:15"), EASTERN) == at("2026-07-27T12:15Z")
    assert hours_in(SHORT, EST) == hours_in(LONG, EST) == 24


@given(day=DAYS, minute=st.integers(0, 1439))
def test_a_wall_time_comes_back_from_utc_as_it_was(day: date, minute: int) -> None:
    wall = read_wall(f"{day} 00:00") + timedelta(minutes=minute)
    for zone in (CENTRAL, EASTERN, EST):
        try:
            us = wall_us(wall, zone)
        except FeedError:
            assert hours_in(day, zone) == 23
            continue
        assert wall_of(us, zone).replace(tzinfo=None) == wall
        if is_repeated(wall, zone):
            assert hours_in(day, zone) == 25
            assert wall_us(wall, zone, second_time=True) == us + HOUR_US


@given(day=DAYS)
def test_the_hours_of_any_day_meet_and_fill_it(day: date) -> None:
    found = []
    for hour in range(1, 25):
        for repeated in (False, True):
            try:
                found.append(hour_ending(day, hour, repeated=repeated))
            except FeedError:
                continue
    assert len(found) == hours_in(day, CENTRAL)
    assert [start for start, _ in found[1:]] == [end for _, end in found[:-1]]
    assert (found[0][0], found[-1][1]) == (midnight_us(day, CENTRAL), midnight_us(day + timedelta(days=1), CENTRAL))


def test_moments_are_exact_to_the_microsecond() -> None:
    assert utc_us(datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == 4_102_444_799_999_999
    assert utc_us(datetime(2025, 7, 30, 8, 30, tzinfo=ZoneInfo("America/Chicago"))) == at("2025-07-30T13:30Z")


@pytest.mark.parametrize(
    "text", ["", "07-30-2025", "13/30/2025", "02/30/2025", "2025-7-30", "07/30/0025", "\u0660\u0667/30/2025"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(FeedError, match="no date"):
        read_date(text)


@pytest.mark.parametrize(
    "text",
    ["", "08:15", "07/30/2025", "07/30/2025 24:05", "07/30/2025 8:61", "07/30/2025 08:15:00.5", "9999-12-31T24:00"],
)
def test_what_is_no_wall_time_is_refused(text: str) -> None:
    with pytest.raises(FeedError, match="no time"):
        read_wall(text)


def test_24_00_ends_the_day() -> None:
    assert read_wall("12/31/2025 24:00") == read_wall("2026-01-01 00:00")


@pytest.mark.parametrize("text", ["", "0", "26", "9:15", "9.0", "-1", "HE 9"])
def test_what_is_no_hour_ending_is_refused(text: str) -> None:
    with pytest.raises(FeedError, match="no hour ending"):
        read_hour(text)
