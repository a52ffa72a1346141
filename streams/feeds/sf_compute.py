"""SF Compute: the best ask of its order book for a node of eight GPUs, the next hour or so. An order book, so spot.

Prices are text, in dollars per node-hour. A side may be missing or null: nobody sells, and nothing is printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

from pydantic import Field

from models.records import MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source
from streams.feeds.gpu_models import SF_COMPUTE, model_of
from streams.feeds.gpu_rates import gpu_rate
from streams.feeds.http import PollFeed, Request
from streams.feeds.reading import json_of, number, obj
from streams.wire import RawRecord

FEED = "sf-compute"
PUBLISHER = "sfcompute"
GPUS_PER_NODE = 8
MINUTE_S = 60
LEAD_S = 3_600  # the window asked for begins this long after the request and lasts as long
DUE_US = 30 * MINUTE_US  # two polls at the slowest rate that may be set


def side(document: Mapping[str, object], name: str) -> float | None:
    """One side of the book [USD per node-hour]; None where it is empty."""
    if document.get(name) is None:
        return None
    found = number(obj(document[name], name), "dollars_per_node_hour")
    if found <= 0.0:
        raise FeedError(f"{name} {found} is no price")
    return found


def parse(raw: RawRecord) -> Parsed:
    """``/orderbook/quote``. The note names the accelerator asked for: the answer does not."""
    model = model_of(SF_COMPUTE, raw.note)
    if model is None:
        raise FeedError(f"note {raw.note[:60]!r} names no accelerator of ours")
    document = obj(json_of(raw.payload), "the answer")
    if not document.keys() & {"best_bid", "best_ask"} and document:
        raise FeedError(f"SF Compute answers without a side of its book: {str(document)[:200]}")
    bid, ask = side(document, "best_bid"), side(document, "best_ask")
    if ask is None:
        return Parsed()
    if bid is not None and bid > ask:
        raise FeedError(f"best_bid {bid} is above best_ask {ask}")
    rate = gpu_rate(raw, model, ask / GPUS_PER_NODE, source=FEED, due_us=DUE_US, market="spot", publisher=PUBLISHER)
    return Parsed([rate])


class SfComputeOptions(Options):
    """What is asked of SF Compute."""

    url: Annotated[str, Field(description="Address of the quote.")] = (
        "https://api.sfcompute.com/preview/v2/orderbook/quote"
    )
    accelerators: Annotated[
        tuple[str, ...], Field(min_length=1, max_length=10, description="Accelerators asked for, spelt as it does.")
    ] = ("H100", "H200")
    every_s: Annotated[float, Field(ge=60, le=900, description="Seconds between polls.")] = 300.0


def window(time_us: int) -> dict[str, str]:
    """The delivery window asked for [s UTC]: whole minutes, as the documentation wants them.

    >>> window(1_746_057_630_000_000)
    {'start_at': '1746061200', 'end_at': '1746064800'}
    """
    start_s = (time_us // 1_000_000 + LEAD_S) // MINUTE_S * MINUTE_S
    return {"start_at": str(start_s), "end_at": str(start_s + LEAD_S)}


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    chosen = cast("SfComputeOptions", options)
    headers = {"Authorization": f"Bearer {keys['SF_COMPUTE_API_KEY']}"}

    def asks(time_us: int) -> Sequence[Request]:
        return [
            Request(
                feed=FEED,
                url=chosen.url,
                headers=headers,
                query={"requirements": f"accelerator:{name}", **window(time_us)},
                note=name,
            )
            for name in chosen.accelerators
        ]

    return PollFeed(FEED, asks, every_s=chosen.every_s, pause_s=1.0, check=parse)


SOURCE = Source(
    name=FEED,
    kind="gpu",
    options=SfComputeOptions,
    parsers={FEED: parse},
    build=build,
    documentation=(
        "https://docs.sfcompute.com",
        "https://github.com/sfcompute/sfc-go/blob/main/docs/sdks/orderbook/README.md",
    ),
    etiquette="each accelerator every 5 minutes, 1 s apart (no limit is published)",
    keys=("SF_COMPUTE_API_KEY",),
    unconfirmed=("that every node has eight GPUs in SXM form", "the address: it is marked preview"),
    defaults_on=False,
)
