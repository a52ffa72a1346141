"""MISO's public market data: real-time ex-post prices of five minutes, all nodes in one answer.

Stamps are Eastern standard time all year and begin their interval. Numbers come as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from models.records import MINUTE_US
from streams.errors import FeedError
from streams.feeds.contract import Options, Parsed, Source
from streams.feeds.http import PollFeed, Request
from streams.feeds.local_time import EST, read_wall, wall_us
from streams.feeds.power_reading import Market, PowerOptions, Prices, Wanted, node_of, note_of, with_nodes
from streams.feeds.reading import each, json_of, number, obj, rows, text
from streams.fleetfile_errors import shown
from streams.wire import RawRecord

NAME = "miso"
FIVE_US = 5 * MINUTE_US
LAG_US = 5 * MINUTE_US
"""Ex-post prices are computed after their interval; the next five minutes are allowed for that."""

AGENT = "Mozilla/5.0 (compatible; changeover)"
"""An agent that does not look like a browser is answered 403 (https://github.com/gridstatus/gridstatus/issues/725)."""

COLUMNS = ("INTERVAL", "CPNODE", "LMP")
"""INTERVAL begins its five minutes: answers that hold a whole day run from 00:00 and have no stamp of another day
(https://github.com/api-evangelist/miso/blob/main/openapi/miso-marketpricing-api-openapi.yml, recorded 2026-07-27),
and gridstatus reads it so (https://github.com/gridstatus/gridstatus/blob/main/gridstatus/miso.py)."""


class MisoOptions(PowerOptions):
    """Settings of MISO's public market data."""

    url: Annotated[str, Field(description="The current interval.")] = (
        "https://public-api.misoenergy.org/api/MarketPricing/GetRealTimeFiveMinExPost/Current"
    )
    every_s: Annotated[float, Field(ge=60, le=900, description="Time between requests [s]; MISO asks for 60.")] = 60


def parse(raw: RawRecord) -> Parsed:
    """Prices of the current interval. Columns are found by the header: their order is not documented."""
    prices = Prices(raw, Market(NAME, "MISO", "rt", LAG_US), Wanted.of(raw.note))
    answer = obj(json_of(raw.payload), "the answer")
    header = rows(answer.get("headers"), "headers", 100)
    wrong = [name for name in COLUMNS if header.count(name) != 1]
    if wrong:
        raise FeedError(f"headers {shown(header)} lack {', '.join(wrong)} (or have it twice)")
    for place, values in enumerate(rows(answer.get("data"), "data")):
        with each(prices.parsed, f"row {place}"):
            cells = rows(values, "the row", 100)
            if len(cells) != len(header):
                raise FeedError(f"the row has {len(cells)} values, not {len(header)}")
            row = {str(name): cell for name, cell in zip(header, cells, strict=True)}
            node = node_of(row, "CPNODE")
            if prices.wants(node):
                start_us = wall_us(read_wall(text(row, "INTERVAL")), EST)
                prices.add(node, (start_us, start_us + FIVE_US), number(row, "LMP"))
    return prices.done()


def _build(options: Options, _: Mapping[str, str]) -> PollFeed:
    """The feed, of nodes that must be named."""
    found = with_nodes(NAME, options, MisoOptions)
    note = note_of(found.nodes)
    request = Request(feed=NAME, url=found.url, headers={"User-Agent": AGENT}, note=note)
    return PollFeed(NAME, lambda _: [request], every_s=found.every_s, only_changes=True, check=parse)


SOURCE = Source(
    name=NAME,
    kind="power",
    options=MisoOptions,
    parsers={NAME: parse},
    build=_build,
    documentation=(
        "https://public-api.misoenergy.org/",
        "https://www.misoenergy.org/markets-and-operations/RTDataAPIs/",
        "https://github.com/api-evangelist/miso/blob/main/openapi/miso-marketpricing-api-openapi.yml",
    ),
    etiquette="One request a minute, as MISO asks",
    unconfirmed=(
        "Whether INTERVAL begins or ends its five minutes: read as the beginning (files of a day run from 00:00)",
    ),
    defaults_on=False,
)
