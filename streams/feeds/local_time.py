"""Local time of power markets -> UTC: hours ending, quarter hours, and days on which an hour repeats or is missing.

Pure integer arithmetic. A wall time inside a spring gap never existed and is refused, never moved.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from models.records import HOUR_US, MINUTE_US
from streams.errors import FeedError

CENTRAL = ZoneInfo("America/Chicago")
EASTERN = ZoneInfo("America/New_York")
PACIFIC = ZoneInfo("America/Los_Angeles")
EST = timezone(timedelta(hours=-5), "EST")
"""Eastern standard time all year, as MISO keeps it."""

QUARTER_US = 15 * MINUTE_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_US_DATE = r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})"
_ISO_DATE = r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
_TIME = r"[ T](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.0{1,9})?)?"
_DATES = tuple(re.compile(form, re.ASCII) for form in (_US_DATE, _ISO_DATE))
_WALLS = tuple(re.compile(form + _TIME, re.ASCII) for form in (_US_DATE, _ISO_DATE))
YEARS = range(2000, 2101)
_HOUR = re.compile(r"(?P<hour>\d{1,2})(?::00)?", re.ASCII)


def utc_us(moment: datetime) -> int:
    """An aware moment [us UTC].

    >>> utc_us(datetime(2025, 7, 30, 13, 30, tzinfo=UTC))
    1753882200000000
    """
    return (moment - EPOCH) // MICROSECOND


def wall_of(us: int, zone: tzinfo) -> datetime:
    """What a clock on the wall shows at a moment [us UTC].

    >>> wall_of(1_753_882_200_000_000, CENTRAL).isoformat()
    '2025-07-30T08:30:00-05:00'
    """
    return (EPOCH + us * MICROSECOND).astimezone(zone)


def read_date(text: str) -> date:
    """A date written ``07/30/2025`` or ``2025-07-30``. Raises FeedError on anything else.

    >>> read_date("07/30/2025"), read_date("2025-07-30")
    (datetime.date(2025, 7, 30), datetime.date(2025, 7, 30))
    """
    for form in _DATES:
        found = form.fullmatch(text)
        if found and int(found["year"]) in YEARS:
            try:
                return date(int(found["year"]), int(found["month"]), int(found["day"]))
            except ValueError as fault:
                raise FeedError(f"{text!r} is no date: {fault}") from fault
    raise FeedError(f"{text[:40]!r} is no date: expected MM/DD/YYYY or YYYY-MM-DD of 2000 to 2100")


def read_wall(text: str) -> datetime:
    """A wall time without zone, ``MM/DD/YYYY HH:MM[:SS]`` or ISO. ``24:00`` ends the day. Raises FeedError else.

    >>> read_wall("07/26/2026 00:05:00"), read_wall("2025-12-03T00:00:00")
    (datetime.datetime(2026, 7, 26, 0, 5), datetime.datetime(2025, 12, 3, 0, 0))
    """
    for form in _WALLS:
        found = form.fullmatch(text)
        if found and int(found["year"]) in YEARS:
            hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
            ends_day = (hour, minute, second) == (24, 0, 0)
            try:
                day = datetime(int(found["year"]), int(found["month"]), int(found["day"]))  # noqa: DTZ001 the text names no zone
                moment = day.replace(hour=0 if ends_day else hour, minute=minute, second=second)
                return moment + timedelta(days=1) if ends_day else moment
            except ValueError as fault:
                raise FeedError(f"{text!r} is no time: {fault}") from fault
    raise FeedError(f"{text[:40]!r} is no time: expected MM/DD/YYYY HH:MM[:SS] or YYYY-MM-DDTHH:MM:SS of 2000 to 2100")


def read_hour(text: str) -> int:
    """An hour ending, written ``9``, ``09`` or ``09:00``; 1 to 25. Raises FeedError else.

    >>> read_hour("9"), read_hour("24:00"), read_hour("25")
    (9, 24, 25)
    """
    found = _HOUR.fullmatch(text)
    if not found or not 1 <= int(found["hour"]) <= 25:
        raise FeedError(f"{text[:40]!r} is no hour ending: expected 1 to 24 (25 on the long day), or HH:00")
    return int(found["hour"])


def is_repeated(wall: datetime, zone: tzinfo) -> bool:
    """Whether the clock shows this wall time twice.

    >>> is_repeated(datetime(2024, 11, 3, 1, 30), CENTRAL), is_repeated(datetime(2024, 11, 3, 2, 0), CENTRAL)
    (True, False)
    """
    first, second = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    return first.utcoffset() != second.utcoffset() and not _is_missing(wall, zone)


def _is_missing(wall: datetime, zone: tzinfo) -> bool:
    """Whether the clock never shows this wall time: there and back it is another."""
    there = wall.replace(tzinfo=zone).astimezone(UTC)
    return there.astimezone(zone).replace(tzinfo=None) != wall


def wall_us(wall: datetime, zone: tzinfo, *, second_time: bool = False) -> int:
    """A wall time [us UTC]; ``second_time`` is the later of the two where it shows twice.

    Raises FeedError for a time in a spring gap, and for ``second_time`` where it shows once.

    >>> wall_us(datetime(2024, 11, 3, 1, 0), EASTERN, second_time=True) - wall_us(datetime(2024, 11, 3, 1, 0), EASTERN)
    3600000000
    >>> wall_us(datetime(2025, 3, 9, 2, 30), CENTRAL)
    Traceback (most recent call last):
    streams.errors.FeedError: 2025-03-09 02:30:00 never was: clocks in America/Chicago jumped over it
    """
    if _is_missing(wall, zone):
        raise FeedError(f"{wall} never was: clocks in {zone} jumped over it")
    if second_time and not is_repeated(wall, zone):
        raise FeedError(f"{wall} is marked as repeated, but clocks in {zone} showed it once")
    return utc_us(wall.replace(tzinfo=zone, fold=1 if second_time else 0))


def hours_in(day: date, zone: tzinfo) -> int:
    """Hours of a local day: 24, or 23 and 25 where clocks change.

    >>> [hours_in(date(*day), CENTRAL) for day in ((2025, 3, 9), (2025, 7, 30), (2024, 11, 3))]
    [23, 24, 25]
    """
    return (midnight_us(day + timedelta(days=1), zone) - midnight_us(day, zone)) // HOUR_US


def midnight_us(day: date, zone: tzinfo) -> int:
    """The start of a local day [us UTC]."""
    return wall_us(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 the zone is applied by wall_us


def hour_ending(
    day: date, hour: int, *, repeated: bool = False, numbered: bool = False, zone: tzinfo = CENTRAL
) -> tuple[int, int]:
    """The hour that ends at ``hour`` of a local day, as (start, end) [us UTC].

    Hour ending 9 runs from 08:00 to 09:00 of the wall. On the long day hour ending 2 comes twice, the second time
    ``repeated`` (ERCOT: DSTFlag Y). Where a day's hours are ``numbered`` 1 to 25 as they pass, the third is that
    second one. On the short day hour ending 3 (02:00 to 03:00) never was. Raises FeedError on an hour the day has not.

    >>> hour_ending(date(2025, 7, 30), 9) == (1_753_880_400_000_000, 1_753_884_000_000_000)
    True
    >>> hour_ending(date(2024, 11, 3), 3, numbered=True) == hour_ending(date(2024, 11, 3), 2, repeated=True)
    True
    >>> hour_ending(date(2025, 3, 9), 3)
    Traceback (most recent call last):
    streams.errors.FeedError: 2025-03-09 02:00:00 never was: clocks in America/Chicago jumped over it
    """
    if numbered:
        if hours_in(day, zone) != 25 or not 1 <= hour <= 25 or repeated:
            raise FeedError(f"{day} has no hour ending {hour} of 25")
        start_us = midnight_us(day, zone) + (hour - 1) * HOUR_US
    elif 1 <= hour <= 24:
        wall = datetime(day.year, day.month, day.day, hour - 1)  # noqa: DTZ001 the zone is applied by wall_us
        start_us = wall_us(wall, zone, second_time=repeated)
    else:
        raise FeedError(f"{day} has no hour ending {hour}")
    return start_us, start_us + HOUR_US


def quarter_of(hour: tuple[int, int], interval: int) -> tuple[int, int]:
    """Quarter 1 to 4 of an hour, as (start, end) [us UTC]. Raises FeedError on another number.

    >>> quarter_of(hour_ending(date(2025, 7, 30), 9), 3) == (1_753_882_200_000_000, 1_753_883_100_000_000)
    True
    """
    if not 1 <= interval <= 4:
        raise FeedError(f"interval {interval} is not a quarter of an hour, 1 to 4")
    start_us = hour[0] + (interval - 1) * QUARTER_US
    return start_us, start_us + QUARTER_US
