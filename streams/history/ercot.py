"""Prices of ERCOT as importers of its files make records of them: an interval's price, a delivery day's curve."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from models.records import HOUR_US, SECOND_US, PowerPrice
from streams.history.window_file import central, microseconds

QUARTER_US = HOUR_US // 4
PUBLICATION = time(13, 30)
"""ERCOT's hour of publication of the next day's prices, Central prevailing time."""


def real_time_price(node: str, start_us: int, usd_per_mwh: float, lag_s: int) -> PowerPrice:
    """A quarter hour's settlement point price, known ``lag_s`` after its end.

    >>> real_time_price("HB_SOUTH", 1_718_582_400_000_000, 30.0, 60).receipt_time_us
    1718583360000000
    """
    end_us = start_us + QUARTER_US
    return PowerPrice(
        series=f"power:ERCOT:{node}:rt",
        source="ercot:rtm-spp",
        event_time_us=start_us,
        end_time_us=end_us,
        receipt_time_us=end_us + lag_s * SECOND_US,
        next_due_us=end_us + QUARTER_US + lag_s * SECOND_US,
        usd_per_mwh=usd_per_mwh,
    )


def published_us(day: date, local: time) -> int:
    """When the prices of a delivery day are published: local time of the day before [us UTC].

    >>> published_us(date(2024, 6, 17), PUBLICATION)
    1718562600000000
    """
    return microseconds(datetime.combine(day - timedelta(days=1), local, tzinfo=central()))


def delivery_day(node: str, day: date, hours: Iterable[tuple[int, float]], local: time) -> list[PowerPrice]:
    """The hours of a delivery day, each as (start [us UTC], price [USD/MWh]), known together."""
    known_us = published_us(day, local)
    return [
        PowerPrice(
            series=f"power:ERCOT:{node}:da",
            source="ercot:dam-spp",
            event_time_us=start_us,
            end_time_us=start_us + HOUR_US,
            receipt_time_us=known_us,
            publish_time_us=known_us,
            next_due_us=published_us(day + timedelta(days=1), local),
            usd_per_mwh=usd_per_mwh,
        )
        for start_us, usd_per_mwh in hours
    ]
