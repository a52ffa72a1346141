"""Lambda: list prices of its instance types, in cents per instance and hour, divided by the GPUs of each.

A GPU costs less in an instance of eight than alone; the rate of a model is the median over its instance types, so that
one more type moves it little. What is sold out has a list price too: ``regions_with_capacity_available`` is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Annotated, cast

from pydantic import Field

from models.records import MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source
from streams.feeds.gpu_models import LAMBDA, model_of
from streams.feeds.gpu_rates import gpu_rate
from streams.feeds.http import PollFeed, Request
from streams.feeds.reading import each, integer, json_of, obj, text
from streams.wire import RawRecord

FEED = "lambda-cloud"
PUBLISHER = "lambda"
CENTS_PER_USD = 100
DUE_US = 60 * MINUTE_US  # two polls at the slowest rate that may be set


def read_type(name: str, value: object) -> tuple[str, float] | None:
    """Model and price of one GPU-hour [cents] of an instance type; None where the GPU is none of ours."""
    found = obj(obj(value, "an entry").get("instance_type"), "instance_type")
    if text(found, "name") != name:
        raise FeedError(f"the entry {name!r} is of instance type {found['name']!r}")
    model = model_of(LAMBDA, text(found, "gpu_description").removeprefix("NVIDIA "))
    if model is None:
        return None
    cents, gpus = integer(found, "price_cents_per_hour"), integer(obj(found.get("specs"), "specs"), "gpus")
    if not 1 <= gpus <= 64 or not name.startswith(f"gpu_{gpus}x_"):
        raise FeedError(f"{gpus} GPUs in instance type {name!r}")
    if cents <= 0:
        raise FeedError(f"price_cents_per_hour {cents} is no price")
    return model, cents / gpus


def parse(raw: RawRecord) -> Parsed:
    """``/instance-types``: a map keyed by the type's name. One median per model."""
    parsed, document = Parsed(), obj(json_of(raw.payload), "the answer")
    if "error" in document:
        error = document["error"]
        raise FeedError(f"Lambda says {str(error)[:200]}")
    prices: dict[str, list[float]] = {}
    for name, entry in obj(document.get("data"), "data").items():
        with each(parsed, name[:60]):
            found = read_type(name, entry)
            if found is not None:
                prices.setdefault(found[0], []).append(found[1])
    for model, listed in prices.items():
        with each(parsed, model):
            parsed.records.append(
                gpu_rate(raw, model, median(listed) / CENTS_PER_USD, source=FEED, due_us=DUE_US, publisher=PUBLISHER)
            )
    return parsed


class LambdaOptions(Options):
    """How Lambda is asked."""

    url: Annotated[str, Field(description="Address of the instance types.")] = (
        "https://cloud.lambda.ai/api/v1/instance-types"
    )
    every_s: Annotated[float, Field(ge=60, le=1800, description="Seconds between polls.")] = 600.0


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    chosen = cast("LambdaOptions", options)
    request = Request(feed=FEED, url=chosen.url, headers={"Authorization": f"Bearer {keys['LAMBDA_API_KEY']}"})
    return PollFeed(FEED, lambda _: [request], every_s=chosen.every_s, check=parse)


SOURCE = Source(
    name=FEED,
    kind="gpu",
    options=LambdaOptions,
    parsers={FEED: parse},
    build=build,
    documentation=("https://docs.lambda.ai/api/cloud", "https://docs.lambda.ai/public-cloud/cloud-api/"),
    etiquette="one request each 10 minutes (documented: one a second)",
    keys=("LAMBDA_API_KEY",),
    unconfirmed=("spelling of gpu_description for B200, B300, GH200 and H200",),
    defaults_on=False,
)
