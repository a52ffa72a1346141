"""Civil time by arithmetic equals the calendar and the time zones that the world uses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import civil
from models.records import DAY_US, MINUTE_US, SECOND_US

compiling = settings(deadline=None)  # the first call compiles

EPOCH = date(1970, 1, 1)
NAMES = {
    "US/Eastern": "America/New_York",
    "US/Central": "America/Chicago",
    "US/Mountain": "America/Denver",
    "US/Pacific": "America/Los_Angeles",
    "UTC": "UTC",
}
days = st.dates(date(1960, 1, 1), date(2199, 12, 31))
times = st.datetimes(datetime(2007, 1, 1), datetime(2037, 12, 31))  # noqa: DTZ001 - hypothesis wants them without a zone
HOLIDAYS_2026 = {(1, 1), (5, 25), (7, 4), (9, 7), (11, 26), (12, 25)}


def number(day: date) -> int:
    """Number of a day from 1970."""
    return (day - EPOCH).days


@compiling
@given(days)
def test_a_day_has_its_number_year_month_and_weekday(day: date) -> None:
    assert civil.day_number(day.year, day.month, day.day) == number(day)
    assert civil.year_of(number(day)) == day.year
    assert civil.month_of(number(day)) == day.month
    assert civil.weekday_of(number(day)) == day.weekday()


@pytest.mark.parametrize("zone", sorted(NAMES))
@compiling
@given(naive=times)
def test_local_time_is_that_of_the_zone(zone: str, naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    there = moment.astimezone(ZoneInfo(NAMES[zone]))
    utc_us = int(moment.timestamp()) * SECOND_US
    offset = there.utcoffset()
    assert offset is not None
    assert civil.offset_us(civil.ZONES[zone], utc_us) == offset.total_seconds() * SECOND_US
    assert civil.local_day(civil.ZONES[zone], utc_us) == number(there.date())


@pytest.mark.parametrize("zone", sorted(NAMES))
@compiling
@given(day=st.dates(date(2007, 1, 1), date(2036, 12, 31)), minute=st.integers(0, 1_440))
def test_a_minute_of_a_local_day_is_that_of_the_zone(zone: str, day: date, minute: int) -> None:
    wall = datetime.combine(day, datetime.min.time(), tzinfo=ZoneInfo(NAMES[zone])) + timedelta(minutes=minute)
    if (
        wall.utcoffset() != (wall - timedelta(hours=1)).utcoffset()
        or wall.utcoffset() != wall.replace(fold=1).utcoffset()
    ):
        return  # the hour that is not there or is there twice
    assert civil.local_us(civil.ZONES[zone], number(day), minute) == int(wall.timestamp()) * SECOND_US


def test_the_hour_of_a_change_has_one_time_and_the_day_keeps_its_order() -> None:
    for day in (date(2024, 3, 10), date(2024, 11, 3)):
        minutes = [civil.local_us(-6, number(day), minute) for minute in range(0, 1_441, 15)]
        steps = [later - earlier for earlier, later in pairwise(minutes)]
        assert sum(steps) == (23 if day.month == 3 else 25) * 60 * MINUTE_US
        assert sum(1 for step in steps if step != 15 * MINUTE_US) <= 1


def test_the_holidays_of_a_year_are_six() -> None:
    first = civil.day_number(2026, 1, 1)
    found = [EPOCH + timedelta(days=day) for day in range(first, first + 365) if civil.is_holiday(day)]
    assert {(day.month, day.day) for day in found} == HOLIDAYS_2026


def test_a_holiday_on_a_sunday_is_kept_on_monday_and_one_on_a_saturday_stays() -> None:
    assert not civil.is_holiday(number(date(2023, 1, 1)))
    assert civil.is_holiday(number(date(2023, 1, 2)))
    assert civil.is_holiday(number(date(2026, 7, 4)))
    assert not civil.is_holiday(number(date(2026, 7, 6)))


@compiling
@given(day=days, zone=st.sampled_from(sorted(civil.ZONES.values())))
def test_compiled_and_uncompiled_agree(day: date, zone: int) -> None:
    for function in (civil.year_of, civil.month_of, civil.weekday_of, civil.is_holiday):
        assert function(number(day)) == function.py_func(number(day))
    assert civil.offset_us(zone, number(day) * DAY_US) == civil.offset_us.py_func(zone, number(day) * DAY_US)
