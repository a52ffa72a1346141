"""When peaks are counted: months, hours of the local day, weekdays. A document, and the window of a time. Compiled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import civil
from models.documents import Document, require_choice
from models.jit import jit_apart
from models.power_rules.contract import NEVER
from models.records import DAY_US, require_range

LOOKS_AHEAD_DAYS = 367  # each month, weekday and hour comes within a year


@dataclass(frozen=True, slots=True, kw_only=True)
class Season(Document):
    """Months (1 to 12) and hours of the local day, by the clock on the wall, at which a rule counts.

    ``holidays``: the six of NERC count as no weekday.
    """

    zone: str
    months: tuple[int, ...]
    from_hour: float = 0.0
    until_hour: float = 24.0
    weekdays_only: bool = False
    skip_holidays: bool = False

    def __post_init__(self) -> None:
        """Refuse months that do not exist and hours that leave no time."""
        require_choice("zone", self.zone, tuple(civil.ZONES))
        if not self.months:
            raise ValueError("months must name at least one month, 1 to 12")
        for month in self.months:
            require_range("months", month, 1, 12)
        require_range("from_hour", self.from_hour, 0.0, 24.0)
        require_range("until_hour", self.until_hour, 0.0, 24.0)
        if self.from_hour >= self.until_hour:
            raise ValueError(f"from_hour {self.from_hour} must lie before until_hour {self.until_hour}")

    @property
    def hours(self) -> float:
        """Length of a day's window [h]."""
        return self.until_hour - self.from_hour


def fill_season(row: np.void, season: Season) -> None:
    """Write a season into a rule's row."""
    row["zone_hours"] = civil.ZONES[season.zone]
    bits = 0
    for month in season.months:
        bits |= 1 << month
    row["months"] = bits
    row["begin_minute"], row["end_minute"] = int(season.from_hour * 60.0), int(season.until_hour * 60.0)
    row["weekdays_only"], row["skip_holidays"] = season.weekdays_only, season.skip_holidays


@jit_apart
def counts_day(rule: np.void, day: int) -> bool:
    """Whether a local day has a window."""
    if rule["months"] // (1 << civil.month_of(day)) % 2 == 0:
        return False
    if rule["weekdays_only"] == 1 and civil.weekday_of(day) >= civil.SATURDAY:
        return False
    return not (rule["skip_holidays"] == 1 and civil.is_holiday(day))


@jit_apart
def window_of(rule: np.void, at_us: int) -> tuple[int, int]:
    """The window that holds a time or is the next to come: (start, end) [us UTC]; NEVER twice where there is none."""
    today = (at_us + civil.offset_us(rule["zone_hours"], at_us)) // DAY_US
    for day in range(today, today + LOOKS_AHEAD_DAYS):
        if counts_day(rule, day):
            end_us = civil.local_us(rule["zone_hours"], day, rule["end_minute"])
            if at_us < end_us:
                return civil.local_us(rule["zone_hours"], day, rule["begin_minute"]), end_us
    return NEVER, NEVER
