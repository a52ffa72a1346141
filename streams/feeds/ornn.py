"""Ornn: its daily index of rentals paid (OCPI), in dollars per GPU-hour. Transactions, not list prices.

The index of a day is settled and published on the next one. A record's time is the start of the day it is of, UTC.
H200 and A100 SXM4 are refused: the name does not say form factor or memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

from pydantic import Field

from models.records import DAY_US, GpuRate, require_range
from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source
from streams.feeds.gpu_models import ORNN, model_of
from streams.feeds.gpu_rates import PLAUSIBLE, series_of
from streams.feeds.http import PollFeed, Request
from streams.feeds.reading import iso_us, json_of, number, obj, text
from streams.wire import RawRecord

FEED = "ornn"
DUE_US = 2 * DAY_US  # from the start of a day: its index comes on the next day, that of the next one a day later
DATE_LENGTH = len("2026-02-26")


def date_us(value: str) -> int:
    """Start of a day [us UTC], written as a date or as its midnight.

    >>> date_us("2026-02-26"), date_us("2026-02-26T00:00:00.000Z")
    (1772064000000000, 1772064000000000)
    """
    found = iso_us(f"{value}T00:00:00Z" if len(value) == DATE_LENGTH else value)
    if found % DAY_US:
        raise FeedError(f"date {value!r} is not the start of a day UTC")
    return found


def parse(raw: RawRecord) -> Parsed:
    """``/daily-index`` of one GPU."""
    document = obj(json_of(raw.payload), "the answer")
    if document.get("success") is not True:
        raise FeedError(f"Ornn answers without success: {str(document)[:200]}")
    found = obj(document.get("data"), "data")
    spelling = text(found, "gpu_type")
    if raw.note and raw.note != spelling:
        raise FeedError(f"gpu_type {spelling!r} where {raw.note!r} was asked for")
    model = model_of(ORNN, spelling)
    if model is None:
        return Parsed()
    event_us, usd = date_us(text(found, "date")), number(found, "index_value")
    require_range("index_value", usd, *PLAUSIBLE)
    rate = GpuRate(
        series=series_of(model, "index", FEED),
        source=FEED,
        event_time_us=event_us,
        receipt_time_us=raw.receipt_time_us,
        next_due_us=event_us + DUE_US,
        usd_per_gpu_hour=usd,
    )
    return Parsed([rate])


class OrnnOptions(Options):
    """What is asked of Ornn."""

    url: Annotated[str, Field(description="Address of the daily index.")] = "https://api.ornnai.com/api/daily-index"
    gpu_types: Annotated[
        tuple[str, ...], Field(min_length=1, max_length=20, description="GPUs asked for, spelt as Ornn does.")
    ] = ("H100 SXM", "B200", "RTX 5090")
    every_s: Annotated[float, Field(ge=3600, le=43_200, description="Seconds between polls.")] = 14_400.0


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    chosen, key = cast("OrnnOptions", options), keys.get("ORNN_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    asks = [
        Request(feed=FEED, url=chosen.url, headers=headers, query={"gpu": name}, note=name) for name in chosen.gpu_types
    ]
    return PollFeed(FEED, lambda _: asks, every_s=chosen.every_s, pause_s=2.0, check=parse)


SOURCE = Source(
    name=FEED,
    kind="gpu",
    options=OrnnOptions,
    parsers={FEED: parse},
    build=build,
    documentation=("https://data.ornn.com/docs", "https://dashboard.ornnai.com/docs"),
    etiquette="each GPU every 4 hours, 2 s apart: the index is daily (anonymous use is limited by address)",
    optional_keys=("ORNN_API_KEY",),
    unconfirmed=(
        "address: clients use /daily-index?gpu=, an older page /daily-index-simple?gpuType= with a key; one shape",
        "the hour at which a day's index is published",
    ),
)
