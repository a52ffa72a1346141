"""Building blocks of documented power payloads: zips, moments, expected prices."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

from models.records import HOUR_US, MINUTE_US, PowerPrice
from streams.feeds.local_time import utc_us, wall_of


def at(iso: str) -> int:
    """A moment with its offset, ``2025-07-30T08:30-05:00`` [us UTC]."""
    return utc_us(datetime.fromisoformat(iso).astimezone(UTC))


def moment(us: int) -> str:
    """A moment [us UTC] as :func:`at` reads it."""
    return wall_of(us, UTC).isoformat()


def zipped(files: dict[str, str]) -> bytes:
    """A zip of these files, the same bytes every time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2025, 7, 30, 8, 47, 0)), text)
    return packed.getvalue()


def csv_of(header: str, *rows: str, end: str = "\r\n") -> str:
    """A CSV as these markets write it."""
    return end.join([header, *rows, ""])


def rt(
    source: str,
    series: str,
    start: str,
    price: float,
    received_us: int,
    *,
    minutes: int = 5,
    lag_min: int = 5,
    published: str = "",
    revision: int | None = None,
    seconds: int = 0,
) -> PowerPrice:
    """A real-time price that begins at a moment; the next is due one interval and the lag after its end."""
    start_us, length_us = at(start), minutes * MINUTE_US + seconds * 1_000_000
    return PowerPrice(
        series=f"power:{series}:rt",
        source=source,
        event_time_us=start_us,
        receipt_time_us=received_us,
        next_due_us=start_us + 2 * length_us + lag_min * MINUTE_US,
        publish_time_us=at(published) if published else None,
        revision=revision,
        end_time_us=start_us + length_us,
        usd_per_mwh=price,
    )


def da(
    source: str,
    series: str,
    start: str,
    price: float,
    received_us: int,
    *,
    published: str = "",
    revision: int | None = None,
) -> PowerPrice:
    """A day-ahead price of the hour that begins at a moment; due until its end."""
    start_us = at(start)
    return PowerPrice(
        series=f"power:{series}:da",
        source=source,
        event_time_us=start_us,
        receipt_time_us=received_us,
        next_due_us=start_us + HOUR_US,
        publish_time_us=at(published) if published else None,
        revision=revision,
        end_time_us=start_us + HOUR_US,
        usd_per_mwh=price,
    )
