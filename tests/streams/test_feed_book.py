"""What is shown of a feed: of a day ahead the hour that it is now, and late only when the last hour known is."""

from __future__ import annotations

from models.records import HOUR_US, MINUTE_US, DecidingConfig
from streams.feed_book import FeedBook, FeedEntry
from streams.wire import RawRecord
from tests.support.power import at
from tests.support.sources import miso

SERIES = f"power:MISO:{miso.NODE}:da"
MIDNIGHT_US = at("2026-07-28T00:00-05:00")


def told(*days: str) -> FeedEntry:
    """An entry that heard the files of these days, each at noon of the day before; the hours' prices are 0 to 23."""
    entry = FeedEntry("miso")
    for number, day in enumerate(days):
        body = miso.ahead(day, miso.day_row(miso.NODE, "LMP", *range(24)))
        entry.hear(RawRecord("miso:da", MIDNIGHT_US + (24 * number - 12) * HOUR_US, "test", number, body))
    return entry


def shown(entry: FeedEntry, now_us: int) -> tuple[float, float]:
    """Value and age [h] as shown at a time."""
    (line,) = entry.line(now_us, DecidingConfig())["series"]
    assert line["series"] == SERIES
    return line["value"], line["age_s"] / 3_600


def test_of_a_day_ahead_the_hour_is_shown_that_it_is_now() -> None:
    entry = told("07/28/2026", "07/29/2026")
    assert shown(entry, MIDNIGHT_US + 14 * HOUR_US + 30 * MINUTE_US) == (14.0, 0.5)
    assert shown(entry, MIDNIGHT_US + 24 * HOUR_US) == (0.0, 0.0)
    assert entry.stale(MIDNIGHT_US + 47 * HOUR_US, DecidingConfig()) == []


def test_before_its_first_hour_a_day_ahead_is_shown_by_its_last() -> None:
    assert shown(told("07/28/2026"), MIDNIGHT_US - HOUR_US) == (23.0, -24.0)


def test_a_restated_hour_is_shown_as_restated() -> None:
    entry = told("07/28/2026")
    body = miso.ahead("07/28/2026", miso.day_row(miso.NODE, "LMP", *range(100, 124)))
    entry.hear(RawRecord("miso:da", MIDNIGHT_US + HOUR_US, "test", 9, body))
    assert shown(entry, MIDNIGHT_US + HOUR_US) == (101.0, 0.0)


def test_hours_that_are_over_are_not_kept() -> None:
    entry = told(*(f"07/{day}/2026" for day in range(28, 32)))
    assert len(entry.curves[SERIES]) == 12 + 24


def test_a_curve_that_ran_out_is_late_and_shows_its_last_hour() -> None:
    book = FeedBook(DecidingConfig(), lambda: MIDNIGHT_US + 30 * HOUR_US)
    book.entries["miso"] = told("07/28/2026")
    (line,) = book.lines()[0]["series"]
    assert (line["value"], line["late_s"]) == (23.0, 6 * 3_600.0)
    assert book.silent("miso") == [SERIES]
