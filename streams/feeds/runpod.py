"""RunPod: its list prices per GPU-hour, Secure Cloud and Community Cloud apart. They are two markets, never mixed.

Two interfaces of one catalogue: GraphQL, to be retired early in 2027, and the REST catalogue that follows it. null (or
0) is a pool that does not offer the GPU now. ``lowestPrice`` is not read: it is of either pool, and its bid price
equals the list price for most GPUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, cast

import orjson
from pydantic import Field

from models.records import MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Parsed, Source
from streams.feeds.gpu_models import RUNPOD, model_of
from streams.feeds.gpu_rates import Market, gpu_rate
from streams.feeds.http import PollFeed, Request
from streams.feeds.reading import each, json_of, number, obj, rows, text
from streams.wire import RawRecord

SOURCE_NAME = "runpod"
GRAPHQL, CATALOG = "runpod:graphql", "runpod:catalog"
DUE_US = 30 * MINUTE_US  # two polls at the slowest rate that may be set
SECURE, COMMUNITY = "runpod-secure", "runpod-community"

QUERY = (
    "query GpuTypes { gpuTypes { id displayName memoryInGb secureCloud communityCloud securePrice communityPrice "
    "secureSpotPrice communitySpotPrice lowestPrice(input: {gpuCount: 1}) { stockStatus } } }"
)

GRAPHQL_PRICES: Mapping[str, tuple[Market, str]] = {
    "securePrice": ("on-demand", SECURE),
    "communityPrice": ("on-demand", COMMUNITY),
    "secureSpotPrice": ("spot", SECURE),
    "communitySpotPrice": ("spot", COMMUNITY),
}
CATALOG_PRICES: Mapping[str, tuple[Market, str]] = {
    "secure": ("on-demand", SECURE),
    "community": ("on-demand", COMMUNITY),
}


def read_prices(
    parsed: Parsed, raw: RawRecord, model: str, prices: Mapping[str, object], fields: Mapping[str, tuple[Market, str]]
) -> None:
    """One record for each pool that has a price of this GPU."""
    for field, (market, publisher) in fields.items():
        if prices.get(field) is None:
            continue
        with each(parsed, f"{model} {field}"):
            usd = number(prices, field)
            if usd != 0.0:
                rate = gpu_rate(raw, model, usd, source=SOURCE_NAME, due_us=DUE_US, market=market, publisher=publisher)
                parsed.records.append(rate)


def read_gpus(parsed: Parsed, raw: RawRecord, listed: object, *, nested: bool) -> Parsed:
    """Every GPU of a list. A GPU listed twice is refused: which price holds, nobody says."""
    found_of: dict[str, list[Mapping[str, object]]] = {}
    for place, row in enumerate(rows(listed, "the list of GPUs")):
        with each(parsed, f"GPU {place}"):
            found = obj(row, "a GPU")
            model = model_of(RUNPOD, text(found, "id"))
            if model is not None:
                found_of.setdefault(model, []).append(found)
    for model, listed_as in found_of.items():
        with each(parsed, model):
            if len(listed_as) > 1:
                raise FeedError(f"listed {len(listed_as)} times: which price holds, nobody says")
            prices = obj(listed_as[0].get("price"), "price") if nested else listed_as[0]
            read_prices(parsed, raw, model, prices, CATALOG_PRICES if nested else GRAPHQL_PRICES)
    return parsed


def parse_graphql(raw: RawRecord) -> Parsed:
    """``gpuTypes`` of GraphQL. An unknown field is answered with errors in the place of data."""
    document = obj(json_of(raw.payload), "the answer")
    if document.get("errors"):
        raise FeedError(f"RunPod says {str(document['errors'])[:200]}")
    data = obj(document.get("data"), "data")
    return read_gpus(Parsed(), raw, data.get("gpuTypes"), nested=False)


def parse_catalog(raw: RawRecord) -> Parsed:
    """``/v2/catalog/gpus``: prices of the two pools under ``price``."""
    document = obj(json_of(raw.payload), "the answer")
    if "gpus" not in document:
        raise FeedError(f"RunPod answers without gpus: {str(document)[:200]}")
    return read_gpus(Parsed(), raw, document["gpus"], nested=True)


class RunpodOptions(Options):
    """Which of the two interfaces is asked."""

    api: Annotated[Literal["graphql", "catalog"], Field(description="graphql until it is retired, then catalog.")] = (
        "graphql"
    )
    graphql_url: Annotated[str, Field(description="Address of GraphQL.")] = "https://api.runpod.io/graphql"
    catalog_url: Annotated[str, Field(description="Address of the catalogue.")] = (
        "https://api.runpod.io/v2/catalog/gpus"
    )
    every_s: Annotated[float, Field(ge=60, le=900, description="Seconds between polls.")] = 300.0


def request_of(options: RunpodOptions, key: str | None) -> Request:
    """What one poll asks."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if options.api == "catalog":
        query = {"include": "AVAILABILITY", "product": "POD"}
        return Request(feed=CATALOG, url=options.catalog_url, headers=headers, query=query)
    return Request(
        feed=GRAPHQL,
        url=options.graphql_url,
        method="POST",
        headers={**headers, "Content-Type": "application/json"},
        body=orjson.dumps({"query": QUERY}),
    )


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    chosen = cast("RunpodOptions", options)
    request = request_of(chosen, keys.get("RUNPOD_API_KEY"))
    check = parse_catalog if chosen.api == "catalog" else parse_graphql
    return PollFeed(SOURCE_NAME, lambda _: [request], every_s=chosen.every_s, check=check)


SOURCE = Source(
    name=SOURCE_NAME,
    kind="gpu",
    options=RunpodOptions,
    parsers={GRAPHQL: parse_graphql, CATALOG: parse_catalog},
    build=build,
    documentation=(
        "https://docs.runpod.io/references/gpu-types",
        "https://graphql-spec.runpod.io/",
        "https://github.com/dstackai/gpuhunt/blob/main/src/gpuhunt/providers/runpod.py",
    ),
    etiquette="one request each 5 minutes (no limit is published)",
    optional_keys=("RUNPOD_API_KEY",),
    unconfirmed=("the catalogue's address and shape (one recording)", "when GraphQL is retired"),
)
