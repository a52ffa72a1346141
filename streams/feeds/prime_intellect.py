"""Prime Intellect: what other providers rent through it. Each of them is a market member of its own.

A row's price is of the whole configuration and hour, divided by ``gpuCount``; a provider's rate of a model is the
median over its rows (regions, sizes). Rows of one provider and model that lie far apart are refused: then the price
is not per configuration after all, or they are different goods. Secure cloud only; spot apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from statistics import median
from typing import Annotated, cast

from pydantic import Field

from models.records import MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Appender, Feed, Options, Parsed, Source
from streams.feeds.gpu_models import PRIME_INTELLECT, interface, model_of
from streams.feeds.gpu_rates import Market, gpu_rate, publisher_of, require_usd
from streams.feeds.http import Client, Request, joined, parts_of
from streams.feeds.reading import each, integer, json_of, number, obj, rows, text
from streams.feeds.together import require_read
from streams.now import now_us
from streams.wire import RawRecord

FEED = "prime-intellect"
PAGE_SIZE = 100
PAUSE_S = 2.0  # between two pages
MOST_PAGES = 30
WIDEST = 4.0  # of one provider and model, the dearest per GPU over the cheapest: eight if the division were wrong
DUE_US = 60 * MINUTE_US  # two polls at the slowest rate that may be set

Group = tuple[str, Market, str]
"""Model, market, provider."""


def read_row(value: object) -> tuple[Group, float] | None:
    """Group and price of one GPU-hour [USD] of a row; None where it is none of ours or nobody can rent it."""
    found = obj(value, "a row")
    model = model_of(PRIME_INTELLECT, f"{text(found, 'gpuType')} {interface(str(found.get('socket') or ''))}")
    if model is None or found.get("security") != "secure_cloud" or found.get("stockStatus") == "Unavailable":
        return None
    prices = obj(found.get("prices"), "prices")
    if prices.get("onDemand") is None:
        return None
    require_usd(prices.get("currency"))
    spot, gpus = found.get("isSpot"), integer(found, "gpuCount")
    if spot is not None and not isinstance(spot, bool):
        raise FeedError(f"isSpot {spot!r} is neither true nor false")
    if not 1 <= gpus <= 64:
        raise FeedError(f"gpuCount {gpus} is outside 1 to 64")
    usd = number(prices, "onDemand")
    if usd <= 0.0:
        raise FeedError(f"onDemand {usd} is no price")
    return (model, "spot" if spot else "on-demand", publisher_of(f"prime-{text(found, 'provider')}")), usd / gpus


def parse(raw: RawRecord) -> Parsed:
    """``/availability/gpus``, all pages of one poll: their rows must be as many as they say there are."""
    parsed, groups, total, listed = Parsed(), dict[Group, list[float]](), 0, 0
    pages = parts_of(raw.payload)
    if not pages:
        raise FeedError("the poll holds no page")
    for label, body in pages:
        page = obj(json_of(body), label)
        if "items" not in page:
            raise FeedError(f"Prime Intellect answers without items: {str(page)[:200]}")
        items, total = rows(page["items"], "items"), integer(page, "totalCount")
        for place, row in enumerate(items):
            with each(parsed, f"{label} row {place}"):
                found = read_row(row)
                if found is not None:
                    groups.setdefault(found[0], []).append(found[1])
        listed += len(items)
    if listed != total:
        raise FeedError(f"{listed} rows of {total}: the list is not whole")
    for (model, market, publisher), prices in groups.items():
        with each(parsed, f"{model} of {publisher}"):
            if max(prices) > WIDEST * min(prices):
                raise FeedError(f"prices per GPU from {min(prices)} to {max(prices)}: not one good")
            rate = gpu_rate(raw, model, median(prices), source=FEED, due_us=DUE_US, market=market, publisher=publisher)
            parsed.records.append(rate)
    return parsed


class PrimeIntellectOptions(Options):
    """How Prime Intellect is asked."""

    url: Annotated[str, Field(description="Address of the availability.")] = (
        "https://api.primeintellect.ai/api/v1/availability/gpus"
    )
    every_s: Annotated[float, Field(ge=300, le=1800, description="Seconds between polls.")] = 900.0


class PrimeIntellectFeed:
    """Asks page after page, and appends them as one."""

    name = FEED

    def __init__(self, options: PrimeIntellectOptions, key: str, *, pause_s: float = PAUSE_S) -> None:
        self._options = options
        self._client = Client(self.name, pause_s=pause_s)
        self._headers = {"Authorization": f"Bearer {key}"}

    def request(self, page: int) -> Request:
        """One page."""
        query = {"security": "secure_cloud", "page": str(page), "page_size": str(PAGE_SIZE)}
        return Request(feed=FEED, url=self._options.url, headers=self._headers, query=query)

    async def pages(self, client: Client) -> list[tuple[str, bytes]]:
        """All pages; fewer where one cannot be read or the list has no end."""
        parts: list[tuple[str, bytes]] = []
        left = 1
        while left > 0 and len(parts) < MOST_PAGES:
            body = (await client.fetch(self.request(len(parts) + 1))).body
            parts.append((f"page {len(parts) + 1}", body))
            try:
                page = obj(json_of(body), "a page")
                items = rows(page.get("items"), "items")
                left = integer(page, "totalCount") - PAGE_SIZE * len(parts) if items else 0
            except FeedError:
                left = 0
        return parts

    async def run(self, out: Appender) -> None:
        """Poll until cancelled. An answer that cannot be used is appended all the same, and the feed begins again."""
        async with self._client as client:
            while True:
                payload = joined(await self.pages(client))
                raw = RawRecord(FEED, now_us(), "", 0, payload)
                await out.append(raw.feed, raw.receipt_time_us, raw.payload)
                require_read(parse, raw)
                await asyncio.sleep(self._options.every_s)


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    return PrimeIntellectFeed(cast("PrimeIntellectOptions", options), keys["PRIME_INTELLECT_API_KEY"])


SOURCE = Source(
    name=FEED,
    kind="gpu",
    options=PrimeIntellectOptions,
    parsers={FEED: parse},
    build=build,
    documentation=(
        "https://docs.primeintellect.ai/api-reference/check-gpu-availability",
        "https://docs.primeintellect.ai/api-reference/availability/get-gpu-availability",
        "https://github.com/PrimeIntellect-ai/prime-cli/blob/main/src/prime_cli/commands/availability.py",
    ),
    etiquette="all pages (100 rows each, 2 s apart) every 15 minutes (no limit published; mind its terms)",
    keys=("PRIME_INTELLECT_API_KEY",),
    unconfirmed=(
        "that onDemand is of the whole configuration, as its own client shows it",
        "spelling of gpuType for H200, B200, B300 and GH200",
    ),
    defaults_on=False,
)
