"""Braiins Insights: the hashprice it shows, a cross-check of ours. It prints per TH/s; ours is per PH/s."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, cast

from pydantic import Field

from models.records import MINUTE_US, Hashprice, require_range
from streams.feeds.contract import Feed, Options, Parsed, Source
from streams.feeds.http import PollFeed, Request
from streams.feeds.reading import json_of, number, obj
from streams.wire import RawRecord

FEED = "braiins"
SERIES = "hashprice:braiins"
TH_PER_PH = 1_000
USD_PER_TH_DAY = (0.001, 1.0)  # a figure per PH/s lies above: no day since 2020 printed more than 0.5 per TH/s
DUE_US = 20 * MINUTE_US  # two polls at the slowest rate that may be set


def parse(raw: RawRecord) -> Parsed:
    """``/hashrate-stats``: ``hash_price`` in dollars per TH/s and day. The answer has no time: receipt stands in."""
    usd_per_th_day = number(obj(json_of(raw.payload), "the answer"), "hash_price")
    require_range("hash_price", usd_per_th_day, *USD_PER_TH_DAY)
    price = Hashprice(
        series=SERIES,
        source=FEED,
        event_time_us=raw.receipt_time_us,
        receipt_time_us=raw.receipt_time_us,
        next_due_us=raw.receipt_time_us + DUE_US,
        usd_per_ph_day=float(Decimal(repr(usd_per_th_day)) * TH_PER_PH),
    )
    return Parsed([price])


class BraiinsOptions(Options):
    """How Braiins is asked."""

    url: Annotated[str, Field(description="Address of its hashrate statistics.")] = (
        "https://insights.braiins.com/api/v1.0/hashrate-stats"
    )
    every_s: Annotated[float, Field(ge=60, le=600, description="Seconds between polls.")] = 300.0


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    del keys
    chosen = cast("BraiinsOptions", options)
    request = Request(feed=FEED, url=chosen.url)
    return PollFeed(FEED, lambda _: [request], every_s=chosen.every_s, check=parse)


SOURCE = Source(
    name=FEED,
    kind="hashprice",
    options=BraiinsOptions,
    parsers={FEED: parse},
    build=build,
    documentation=(
        "https://insights.braiins.com",
        "https://github.com/Ryno-Crypto-Mining-Services/braiins-insights-mcp-server",
    ),
    etiquette="one request each 5 minutes (no limit is published)",
    unconfirmed=("address and fields: read from the types of a public client, not from a documentation",),
)
