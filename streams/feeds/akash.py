"""Akash: the median bid for one GPU of each model, as its console computes it.

The figures are of bids of the last weeks for deployments of one GPU, turned from tokens into dollars at the day's rate
and kept for 15 minutes: slow, no price of the moment. ``price`` is null where nobody bid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

from pydantic import Field

from models.records import MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source
from streams.feeds.gpu_models import AKASH, interface, model_of
from streams.feeds.gpu_rates import gpu_rate, require_usd
from streams.feeds.http import PollFeed, Request
from streams.feeds.reading import each, json_of, number, obj, rows, text
from streams.wire import RawRecord

FEED = "akash"
DUE_US = 120 * MINUTE_US  # two polls at the slowest rate that may be set


def parse(raw: RawRecord) -> Parsed:
    """``/v1/gpu-prices``: one row per model, memory and interface. Two rows of one of our models are refused."""
    parsed, document = Parsed(), obj(json_of(raw.payload), "the answer")
    if "models" not in document:
        raise FeedError(f"Akash answers without models: {str(document)[:200]}")
    listed: dict[str, list[object]] = {}
    for place, row in enumerate(rows(document["models"], "models")):
        with each(parsed, f"model {place}"):
            found = obj(row, "a model")
            spelling = f"{text(found, 'model')} {text(found, 'ram')} {interface(text(found, 'interface'))}"
            model = model_of(AKASH, spelling)
            if model is not None:
                listed.setdefault(model, []).append(found.get("price"))
    for model, prices in listed.items():
        with each(parsed, model):
            if len(prices) > 1:
                raise FeedError(f"listed {len(prices)} times: which price holds, nobody says")
            if prices[0] is not None:
                price = obj(prices[0], "price")
                require_usd(price.get("currency"))
                parsed.records.append(gpu_rate(raw, model, number(price, "med"), source=FEED, due_us=DUE_US))
    return parsed


class AkashOptions(Options):
    """How Akash is asked."""

    url: Annotated[str, Field(description="Address of the console's prices.")] = (
        "https://console-api.akash.network/v1/gpu-prices"
    )
    every_s: Annotated[float, Field(ge=900, le=3600, description="Seconds between polls.")] = 900.0


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    del keys
    chosen = cast("AkashOptions", options)
    request = Request(feed=FEED, url=chosen.url)
    return PollFeed(FEED, lambda _: [request], every_s=chosen.every_s, check=parse)


SOURCE = Source(
    name=FEED,
    kind="gpu",
    options=AkashOptions,
    parsers={FEED: parse},
    build=build,
    documentation=(
        "https://github.com/akash-network/console/blob/main/apps/api/src/gpu/http-schemas/gpu.schema.ts",
        "https://console-api.akash.network/v1/swagger",
    ),
    etiquette="one request each 15 minutes, as long as the console keeps its answer",
    unconfirmed=("that `med` is per GPU: its bids are of deployments of one",),
)
