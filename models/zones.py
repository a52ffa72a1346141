"""Local time of the power markets, by the rule in force since 2007, in whole numbers. Compiled.

In the United States clocks go forward on the second Sunday of March and back on the first of November, at 02:00. The
core has no table of zones: one that is updated would change decisions of the past.
"""

from __future__ import annotations

from models.jit import jit
from models.records import DAY_US, HOUR_US

UTC, EASTERN, CENTRAL, PACIFIC, EASTERN_STANDARD = 0, 1, 2, 3, 4
ZONES = {
    "CAISO": PACIFIC,
    "ERCOT": CENTRAL,
    "MISO": EASTERN_STANDARD,  # its market day is one of Eastern Standard Time all year
    "NYISO": EASTERN,
    "PJM": EASTERN,
    "SPP": CENTRAL,
}
MARCH, NOVEMBER = 3, 11


def zone_of(series: str) -> int:
    """Zone of a power series by its market; UTC where the market is not one of these.

    >>> zone_of("power:ERCOT:HB_SOUTH:rt") == CENTRAL, zone_of("power:PRIVATE:desk.hub:rt") == UTC
    (True, True)
    """
    return ZONES.get(series.split(":")[1], UTC) if series.startswith("power:") else UTC


@jit
def day_number(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Gregorian calendar.

    >>> day_number(1970, 1, 1), day_number(2024, 3, 1)
    (0, 19783)
    """
    shifted = year - 1 if month <= 2 else year
    century, month_from_march = shifted // 100, (month + 9) % 12
    leap_days = shifted // 4 - century + century // 4
    return 365 * shifted + leap_days + (153 * month_from_march + 2) // 5 + day - 1 - 719_468


@jit
def year_of(day: int) -> int:
    """Year of a day, as days from 1970-01-01.

    >>> year_of(19_722), year_of(19_723)
    (2023, 2024)
    """
    year = 1970 + day // 366
    while day_number(year + 1, 1, 1) <= day:
        year += 1
    return year


@jit
def sunday(year: int, month: int, nth: int) -> int:
    """The nth Sunday of a month, as days from 1970-01-01.

    >>> sunday(2024, 3, 2) == day_number(2024, 3, 10), sunday(2024, 11, 1) == day_number(2024, 11, 3)
    (True, True)
    """
    first = day_number(year, month, 1)
    return first + (3 - first) % 7 + 7 * (nth - 1)  # 1970-01-01 was a Thursday


@jit
def offset_us(zone: int, time_us: int) -> int:
    """Local time less UTC at a moment [us].

    >>> offset_us(CENTRAL, 1_718_582_400_000_000) // HOUR_US, offset_us(CENTRAL, 1_704_067_200_000_000) // HOUR_US
    (-5, -6)
    """
    if zone == UTC:
        return 0
    standard_us = -5 * HOUR_US
    if zone == CENTRAL:
        standard_us = -6 * HOUR_US
    elif zone == PACIFIC:
        standard_us = -8 * HOUR_US
    if zone == EASTERN_STANDARD:
        return standard_us
    year = year_of((time_us + standard_us) // DAY_US)
    forward_us = sunday(year, MARCH, 2) * DAY_US + 2 * HOUR_US - standard_us
    back_us = sunday(year, NOVEMBER, 1) * DAY_US + HOUR_US - standard_us
    return standard_us + HOUR_US if forward_us <= time_us < back_us else standard_us
