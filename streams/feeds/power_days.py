"""Day-ahead files of a market, one for each day and large: which are due, so that each is fetched a few times a day."""

from __future__ import annotations

from datetime import date, timedelta, tzinfo

from models.records import HOUR_US, MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Parse, Parsed
from streams.feeds.local_time import wall_of
from streams.feeds.power_reading import Wanted
from streams.feeds.reading import text
from streams.wire import RawRecord

SOON_US = 10 * MINUTE_US
AGAIN_US = 6 * HOUR_US
"""A file that was read is read again this much later, since a market may restate it [us]."""


class DayFiles:
    """Which days' files are due: today's, and tomorrow's from the hour on at which it is looked for.

    A file that was not read yet is asked for every ten minutes, one that was, every six hours.
    """

    def __init__(self, zone: tzinfo, looked_for_hour: int) -> None:
        self._zone = zone
        self._hour = looked_for_hour
        self._due_us: dict[date, int] = {}
        self._read: set[date] = set()

    def due(self, now_us: int) -> list[tuple[date, bool]]:
        """Days due now [us UTC], and whether the file of each may not be there yet. They are due again later."""
        now = wall_of(now_us, self._zone)
        today = now.date()
        days = [today, today + timedelta(days=1)] if now.hour >= self._hour else [today]
        self._due_us = {day: due_us for day, due_us in self._due_us.items() if day >= today}
        self._read = {day for day in self._read if day >= today}
        found = [day for day in days if now_us >= self._due_us.get(day, 0)]
        for day in found:
            self._due_us[day] = now_us + (AGAIN_US if day in self._read else SOON_US)
        return [(day, day > today) for day in found]

    def noting(self, check: Parse) -> Parse:
        """A check that also notes the day of each file read, as the note's ``day`` (ISO) names it."""

        def noted(raw: RawRecord) -> Parsed:
            parsed = check(raw)
            asked = Wanted.of(raw.note).context.get("day")
            if isinstance(asked, str) and parsed.records:
                day = date.fromisoformat(asked)
                if day not in self._read:
                    self._read.add(day)
                    self._due_us[day] = self._due_us.get(day, 0) + AGAIN_US - SOON_US
            return parsed

        return noted


def day_asked(wanted: Wanted) -> date | None:
    """The day that a record's note asked for, None where it names none. FeedError where it names no date."""
    if "day" not in wanted.context:
        return None
    named = text(wanted.context, "day")
    try:
        return date.fromisoformat(named)
    except ValueError as fault:
        raise FeedError(f"the note's day is no date: {fault}") from fault
