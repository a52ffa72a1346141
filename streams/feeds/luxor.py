"""Luxor's Hashrate Index: its hashprice, a cross-check of ours. Asked for PH/s and dollars; needs a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

from pydantic import Field

from models.records import MINUTE_US, Hashprice
from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source
from streams.feeds.http import PollFeed, Request
from streams.feeds.reading import iso_us, json_of, number, obj, text
from streams.wire import RawRecord

FEED = "luxor"
SERIES = "hashprice:luxor"
UNIT = "hashunit=PHS"  # what was asked: the answer does not name its unit
DUE_US = 10 * MINUTE_US  # two polls at the slowest rate that may be set
USD_PER_BTC = (100.0, 10_000_000.0)  # between which the two prices of one answer must lie apart


def parse(raw: RawRecord) -> Parsed:
    """``/hashprice/current``: dollars per PH/s and day. The answer's two prices must imply a price of bitcoin."""
    if raw.note != UNIT:
        raise FeedError(f"note {raw.note[:60]!r} does not say {UNIT}: in which unit the price is, is unknown")
    document = obj(json_of(raw.payload), "the answer")
    if "data" not in document:
        raise FeedError(f"Luxor answers without data: {str(document)[:200]}")
    found = obj(document["data"], "data")
    usd, btc = number(found, "priceUSD"), number(found, "priceBTC")
    if btc <= 0.0 or not USD_PER_BTC[0] <= usd / btc <= USD_PER_BTC[1]:
        raise FeedError(f"priceUSD {usd} and priceBTC {btc} imply no price of bitcoin")
    event_us = iso_us(text(found, "timestamp"))
    price = Hashprice(
        series=SERIES,
        source=FEED,
        event_time_us=event_us,
        receipt_time_us=raw.receipt_time_us,
        next_due_us=event_us + DUE_US,
        usd_per_ph_day=usd,
    )
    return Parsed([price])


class LuxorOptions(Options):
    """How Luxor is asked."""

    url: Annotated[str, Field(description="Base of its REST addresses.")] = (
        "https://api.hashrateindex.com/v1/hashrateindex"
    )
    every_s: Annotated[float, Field(ge=15, le=300, description="Seconds between polls.")] = 60.0


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    chosen = cast("LuxorOptions", options)
    request = Request(
        feed=FEED,
        url=f"{chosen.url.removesuffix('/')}/hashprice/current",
        query={"hashunit": "PHS"},
        headers={"X-Hi-Api-Key": keys["LUXOR_API_KEY"]},
        note=UNIT,
    )
    return PollFeed(FEED, lambda _: [request], every_s=chosen.every_s, check=parse)


SOURCE = Source(
    name=FEED,
    kind="hashprice",
    options=LuxorOptions,
    parsers={FEED: parse},
    build=build,
    documentation=("https://docs.hashrateindex.com",),
    etiquette="one request a minute (documented: a burst of 20, then one each 15 s)",
    keys=("LUXOR_API_KEY",),
    unconfirmed=("whether `timestamp` is the time of the index or of the answer",),
    defaults_on=False,
)
