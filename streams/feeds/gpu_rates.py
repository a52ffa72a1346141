"""A provider's rate of one GPU model as a record: one number per payload, model and market."""

from __future__ import annotations

import re
from typing import Literal

from models.records import GpuRate, require_range
from streams.errors import FeedError
from streams.wire import RawRecord

Market = Literal["on-demand", "spot", "index"]
PLAUSIBLE = (0.01, 40.0)
"""What a public provider asks for one GPU-hour [USD]: the dearest H100 of 2026 was listed at 13, the cheapest GPU of
ours at 0.1. Cents, a node's price or thousandths fall outside for most GPUs."""
PUBLISHER = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def series_of(model: str, market: Market, publisher: str) -> str:
    """The series of a rate: list price, spot or index, of one publisher.

    >>> series_of("H100-SXM", "on-demand", "vast"), series_of("H100-SXM", "index", "ornn")
    ('gpu:H100-SXM@vast', 'gpu:H100-SXM:index@ornn')
    """
    return f"gpu:{model}@{publisher}" if market == "on-demand" else f"gpu:{model}:{market}@{publisher}"


def publisher_of(name: str) -> str:
    """A provider's name as part of a series: lower case, digits and hyphens.

    >>> publisher_of("massedcompute"), publisher_of("Lambda_Labs")
    ('massedcompute', 'lambda-labs')
    """
    found = name.strip().lower().replace("_", "-").replace(" ", "-")
    if not PUBLISHER.fullmatch(found):
        raise FeedError(f"provider {name[:60]!r} is not a name of letters, digits and hyphens")
    return found


def gpu_rate(
    raw: RawRecord,
    model: str,
    usd_per_gpu_hour: float,
    *,
    source: str,
    due_us: int,
    market: Market = "on-demand",
    publisher: str | None = None,
) -> GpuRate:
    """A rate as of its receipt; the next is due ``due_us`` [us] later. ``publisher`` is the source where not given."""
    require_range("usd_per_gpu_hour", usd_per_gpu_hour, *PLAUSIBLE)
    return GpuRate(
        series=series_of(model, market, publisher or source),
        source=source,
        event_time_us=raw.receipt_time_us,
        receipt_time_us=raw.receipt_time_us,
        next_due_us=raw.receipt_time_us + due_us,
        usd_per_gpu_hour=usd_per_gpu_hour,
    )


def require_usd(currency: object) -> None:
    """Refuse a price in another currency, or in none that is named."""
    if currency != "USD":
        raise FeedError(f"currency {str(currency)[:20]!r} is not USD")
