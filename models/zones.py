"""Which local day each power market counts in. Compiled; the calendar itself is :mod:`models.civil`."""

from __future__ import annotations

from models import civil
from models.jit import jit
from models.records import DAY_US, HOUR_US

UTC, EASTERN, CENTRAL, PACIFIC = (civil.ZONES[name] for name in ("UTC", "US/Eastern", "US/Central", "US/Pacific"))
EASTERN_STANDARD = 95  # no hour of any zone: Eastern Standard Time all year
MARKETS = {
    "CAISO": PACIFIC,
    "ERCOT": CENTRAL,
    "MISO": EASTERN_STANDARD,
    "NYISO": EASTERN,
    "PJM": EASTERN,
    "SPP": CENTRAL,
}


def zone_of(series: str) -> int:
    """Zone of a power series by its market; UTC where the market is not one of these.

    >>> zone_of("power:ERCOT:HB_SOUTH:rt") == CENTRAL, zone_of("power:PRIVATE:desk.hub:rt") == UTC
    (True, True)
    """
    return MARKETS.get(series.split(":")[1], UTC) if series.startswith("power:") else UTC


@jit
def market_day(zone: int, utc_us: int) -> int:
    """Number of the market's local day at a time, days from 1970-01-01.

    >>> market_day(CENTRAL, 1_724_129_999_999_999), market_day(CENTRAL, 1_724_130_000_000_000)
    (19954, 19955)
    >>> market_day(EASTERN_STANDARD, 1_724_130_000_000_000)
    19955
    """
    if zone == EASTERN_STANDARD:
        return (utc_us - 5 * HOUR_US) // DAY_US
    return civil.local_day(zone, utc_us)
