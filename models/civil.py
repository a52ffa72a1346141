"""Civil time by arithmetic on whole numbers: days, months, weekdays, hours of the United States, holidays. Compiled.

Days are numbered from 1970-01-01, weekdays from Monday (0). The hours of the United States follow 15 USC 260a as it
stands since 2007: an hour ahead from the second Sunday of March to the first Sunday of November, both at 2 o'clock.
Earlier years are not covered.
"""

from __future__ import annotations

from models.jit import jit_apart
from models.records import DAY_US, HOUR_US, MINUTE_US

# Hours of standard time from UTC, by the name a document uses.
ZONES: dict[str, int] = {"UTC": 0, "US/Eastern": -5, "US/Central": -6, "US/Mountain": -7, "US/Pacific": -8}

MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6


@jit_apart
def day_number(year: int, month: int, day: int) -> int:
    """Number of a day of the Gregorian calendar: years begin in March, so that the leap day is the last.

    >>> day_number(1970, 1, 1), day_number(2024, 6, 17)
    (0, 19891)
    """
    shifted = year - 1 if month <= 2 else year
    from_march = (month + 9) % 12
    of_year = (153 * from_march + 2) // 5 + day - 1
    return 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468


@jit_apart
def year_of(day: int) -> int:
    """Year of a day: a guess from the mean length of a year, set right where it is one off.

    >>> year_of(19891), year_of(-1)
    (2024, 1969)
    """
    year = 1970 + day * 400 // 146_097
    if day < day_number(year, 1, 1):
        return year - 1
    if day >= day_number(year + 1, 1, 1):
        return year + 1
    return year


@jit_apart
def month_of(day: int) -> int:
    """Month of a day, 1 to 12.

    >>> month_of(19891)
    6
    """
    year = year_of(day)
    first_of_march = day_number(year, 3, 1)
    if day < first_of_march:
        return 1 if day < day_number(year, 2, 1) else 2
    return (5 * (day - first_of_march) + 2) // 153 + 3


@jit_apart
def weekday_of(day: int) -> int:
    """Weekday of a day, 0 is Monday: 1970-01-01 was a Thursday.

    >>> weekday_of(0), weekday_of(19891)
    (3, 0)
    """
    return (day + THURSDAY) % 7


@jit_apart
def nth_weekday(year: int, month: int, weekday: int, nth: int) -> int:
    """Number of the nth such weekday of a month.

    >>> nth_weekday(2024, 3, SUNDAY, 2) == day_number(2024, 3, 10)
    True
    """
    first = day_number(year, month, 1)
    return first + (weekday - weekday_of(first)) % 7 + 7 * (nth - 1)


@jit_apart
def offset_us(standard_hours: int, utc_us: int) -> int:
    """What local time is ahead of UTC [us]; a zone whose standard time is UTC itself has no summer time.

    >>> offset_us(-6, day_number(2024, 6, 17) * DAY_US) // HOUR_US, offset_us(-6, 0) // HOUR_US
    (-5, -6)
    """
    standard_us = standard_hours * HOUR_US
    if standard_hours == 0:
        return standard_us
    year = year_of((utc_us + standard_us) // DAY_US)
    begins_us = nth_weekday(year, 3, SUNDAY, 2) * DAY_US + 2 * HOUR_US - standard_us
    ends_us = nth_weekday(year, 11, SUNDAY, 1) * DAY_US + HOUR_US - standard_us
    if begins_us <= utc_us < ends_us:
        return standard_us + HOUR_US
    return standard_us


@jit_apart
def local_day(standard_hours: int, utc_us: int) -> int:
    """Number of the local day at a time.

    >>> local_day(-6, day_number(2024, 6, 17) * DAY_US) == day_number(2024, 6, 16)
    True
    """
    return (utc_us + offset_us(standard_hours, utc_us)) // DAY_US


@jit_apart
def local_us(standard_hours: int, day: int, minute: int) -> int:
    """Time of a minute of a local day [us UTC]; minute 1,440 is the next midnight.

    Within the hour that does not exist, or exists twice, the clock of standard time counts.

    >>> local_us(-6, day_number(2024, 8, 20), 15 * 60) // HOUR_US % 24
    20
    """
    wall_us = day * DAY_US + minute * MINUTE_US
    summer_us = wall_us - standard_hours * HOUR_US - HOUR_US
    if standard_hours != 0 and offset_us(standard_hours, summer_us) != standard_hours * HOUR_US:
        return summer_us
    return wall_us - standard_hours * HOUR_US


@jit_apart
def is_holiday(day: int) -> bool:
    """Whether a day is one of the six holidays of NERC; one that falls on a Sunday is kept on the Monday.

    New Year, Memorial, Independence, Labor, Thanksgiving and Christmas Day.

    >>> is_holiday(day_number(2024, 7, 4)), is_holiday(day_number(2022, 12, 26)), is_holiday(day_number(2024, 6, 19))
    (True, True, False)
    """
    year, month = year_of(day), month_of(day)
    if month == 5:
        return day == nth_weekday(year, 6, MONDAY, 1) - 7
    if month == 9:
        return day == nth_weekday(year, 9, MONDAY, 1)
    if month == 11:
        return day == nth_weekday(year, 11, THURSDAY, 4)
    fixed = day
    if month == 1:
        fixed = day_number(year, 1, 1)
    elif month == 7:
        fixed = day_number(year, 7, 4)
    elif month == 12:
        fixed = day_number(year, 12, 25)
    else:
        return False
    kept = fixed + 1 if weekday_of(fixed) == SUNDAY else fixed
    return day == kept
