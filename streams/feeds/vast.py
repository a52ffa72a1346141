"""Vast.ai: the median on-demand price of one GPU over the machines that can be rented now.

Prices are per offer and hour, divided by ``num_gpus``. One machine is listed as several overlapping slices: of each
machine the offer with the most GPUs counts, once. ``dph_base`` is the GPUs' price; ``dph_total`` adds the storage that
the search asked for, which is another good. A search that matches more offers than its limit answers with a random
sample of them: such an answer is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from statistics import median
from typing import Annotated, cast

import orjson
from pydantic import Field

from models.records import DAY_US, MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Appender, Feed, Options, Parsed, Source
from streams.feeds.gpu_models import VAST, model_of
from streams.feeds.gpu_rates import gpu_rate
from streams.feeds.http import PollFeed, Request
from streams.feeds.reading import each, integer, json_of, number, obj, rows, text
from streams.now import now_us
from streams.wire import RawRecord

FEED = "vast"
LIMIT = 1_000
MIB_PER_GIB = 1_024
PAUSE_S = 2.0  # between two searches
FEWEST_MACHINES = 3  # below, the median is one host's word
DUE_US = 60 * MINUTE_US  # two polls at the slowest rate that may be set
QUOTA = "search_quota_exceeded"  # counted in rows returned, anew at midnight UTC
LATE_US = MINUTE_US  # after midnight: clocks differ

Machine = tuple[int, float]
"""GPUs of a machine's largest offer, and the price of each [USD/h]."""


def asked(raw: RawRecord) -> tuple[str, int]:
    """The GPU name and the limit of the search, from the note: the answer names neither."""
    try:
        found = obj(json_of(raw.note.encode()), "the note")
        return text(found, "gpu_name"), integer(found, "limit")
    except FeedError as fault:
        raise FeedError(f"the note does not say what was searched: {fault}") from fault


def is_rentable(offer: Mapping[str, object]) -> bool:
    """Whether anyone could rent it on demand now, from a verified host. ``verified`` is absent in some answers."""
    verified = offer["verified"] is True if "verified" in offer else offer.get("verification") == "verified"
    taken = offer.get("rented") is True or offer.get("rentable") is False
    return verified and not taken and offer.get("is_bid") is not True and offer.get("external") is not True


def read_offer(machines: dict[str, dict[int, Machine]], value: object, name: str) -> None:
    """Count an offer's machine under its model, by its largest offer; of two as large the cheaper."""
    offer = obj(value, "an offer")
    if text(offer, "gpu_name") != name:
        raise FeedError(f"gpu_name {offer['gpu_name']!r} where {name!r} was searched")
    if not is_rentable(offer):
        return
    model = model_of(VAST, name, number(offer, "gpu_ram") / MIB_PER_GIB if "gpu_ram" in offer else None)
    gpus, usd_per_hour = integer(offer, "num_gpus"), number(offer, "dph_base")
    if not 1 <= gpus <= 64:
        raise FeedError(f"num_gpus {gpus} is outside 1 to 64")
    if usd_per_hour <= 0.0:
        raise FeedError(f"dph_base {usd_per_hour} is no price")
    if model is not None:
        listed, machine = machines.setdefault(model, {}), integer(offer, "machine_id")
        before = listed.get(machine)
        if before is None or (gpus, -usd_per_hour / gpus) > (before[0], -before[1]):
            listed[machine] = gpus, usd_per_hour / gpus


def parse(raw: RawRecord) -> Parsed:
    """The offers of one search: one median per model (an A100 search finds those of 40 and of 80 GB)."""
    parsed, (name, limit) = Parsed(), asked(raw)
    if name not in VAST:
        raise FeedError(f"GPU {name!r} is none of ours")
    document = obj(json_of(raw.payload), "the answer")
    if "offers" not in document:
        raise FeedError(f"Vast.ai answers without offers: {str(document)[:200]}")
    offers = rows(document["offers"], "offers")
    if len(offers) >= limit:
        raise FeedError(f"{len(offers)} offers of {name!r} at a limit of {limit}: a random sample of more")
    machines: dict[str, dict[int, Machine]] = {}
    for place, offer in enumerate(offers):
        with each(parsed, f"offer {place}"):
            read_offer(machines, offer, name)
    for model, listed in machines.items():
        if len(listed) < FEWEST_MACHINES:
            parsed.faults.append(f"{model}: {len(listed)} machines to rent are too few offers for a median")
            continue
        usd = median(price for _, price in listed.values())
        with each(parsed, model):
            parsed.records.append(gpu_rate(raw, model, usd, source=FEED, due_us=DUE_US))
    return parsed


class VastOptions(Options):
    """What is searched."""

    url: Annotated[str, Field(description="Address of the search.")] = "https://console.vast.ai/api/v0/bundles/"
    gpu_names: Annotated[
        tuple[str, ...], Field(min_length=1, max_length=20, description="GPUs searched, spelt as Vast.ai does.")
    ] = ("H100 SXM", "H200", "B200", "A100 SXM4", "RTX 4090", "RTX 5090")
    every_s: Annotated[float, Field(ge=300, le=1800, description="Seconds between searches of each GPU.")] = 900.0


def search(name: str) -> dict[str, object]:
    """The search of one GPU: verified hosts, on demand, free now."""
    return {
        "verified": {"eq": True},
        "external": {"eq": False},
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "gpu_name": {"in": [name]},
        "order": [["score", "desc"]],
        "type": "on-demand",
        "limit": LIMIT,
    }


def reopens_us(time_us: int) -> int:
    """A little after the next midnight UTC [us UTC], when the quota begins anew.

    >>> reopens_us(1_718_668_799_000_000) - 1_718_668_800_000_000
    60000000
    """
    return (time_us // DAY_US + 1) * DAY_US + LATE_US


class VastFeed(PollFeed):
    """Searches in turn; once the day's quota is used up, not again before it begins anew."""

    def __init__(self, options: VastOptions, *, pause_s: float = PAUSE_S) -> None:
        asks = [
            Request(
                feed=FEED,
                url=options.url,
                method="POST",
                headers={"Content-Type": "application/json"},
                body=orjson.dumps(search(name)),
                note=orjson.dumps({"gpu_name": name, "limit": LIMIT}).decode(),
            )
            for name in options.gpu_names
        ]
        self._closed_until_us = 0
        super().__init__(FEED, lambda _: asks, every_s=options.every_s, pause_s=pause_s, check=parse)

    async def run(self, out: Appender) -> None:
        """Search until cancelled. The failure that says the quota is used up is raised at once, then nothing asked."""
        await asyncio.sleep(max(0.0, self._closed_until_us - now_us()) / 1_000_000)
        try:
            await super().run(out)
        except FeedError as error:
            if QUOTA in str(error):
                self._closed_until_us = reopens_us(now_us())
            raise


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    del keys
    return VastFeed(cast("VastOptions", options))


SOURCE = Source(
    name=FEED,
    kind="gpu",
    options=VastOptions,
    parsers={FEED: parse},
    build=build,
    documentation=(
        "https://docs.vast.ai/api-reference/search/search-offers",
        "https://github.com/dstackai/gpuhunt/blob/main/src/gpuhunt/providers/vastai.py",
        "https://github.com/vast-ai/vast-cli",
    ),
    etiquette="a search of each GPU every 15 minutes, 2 s apart; none after the day's quota is used up",
    unconfirmed=("the size of the daily quota", "that 429 search_quota_exceeded is reset at midnight UTC"),
)
