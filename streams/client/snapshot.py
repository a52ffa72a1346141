"""How a miner stands at one moment: the latest mode of every load, consistent with a place in its stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from models.signals import Unconfirmed
from streams.client.records import JsonObject, Position
from streams.client.source import Source
from streams.wire import Entry, Head

NEWEST = 200  # entries looked at first: a clock tick or two has fewer


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A miner as of ``position``; the entries behind it carry on from here.

    ``modes``: (site, load) -> hash, ai or off. ``sites``: the latest valuation of each site, at most one clock tick
    older than the modes. ``degraded``: series that are needed and unusable. ``unconfirmed``: switches
    that a person is to confirm and has not. ``log_time_us`` [us UTC]: the heartbeat.
    """

    miner: str
    position: Position
    log_time_us: int
    degraded: tuple[str, ...]
    unconfirmed: tuple[Unconfirmed, ...]
    modes: Mapping[tuple[str, str], str]
    sites: Mapping[str, JsonObject]


async def snapshot_of(source: Source, miner: str) -> Snapshot | None:
    """Read a miner's snapshot, None where it has no head.

    Raises:
        WorldError: a head that cannot be read, or Redis refuses.
        redis.exceptions.ConnectionError: Redis is away.
    """
    sites = await source.sites(miner)
    newest = NEWEST
    while True:
        head, fields, entries = await source.standing(miner, sites, newest)
        if head is None:
            return None
        oldest_site = min((int(each[b"offset"]) for each in fields.values()), default=head.offset)
        if len(entries) < newest or entries[-1].offset <= oldest_site:
            return compose(miner, head, fields, entries)
        newest *= 10


def compose(
    miner: str, head: Head, fields: Mapping[str, Mapping[bytes, bytes]], newest_first: Sequence[Entry]
) -> Snapshot:
    """Lay the switches that are newer than a site's valuation over the modes that it shows."""
    sites = {site: orjson.loads(each[b"json"]) for site, each in fields.items()}
    modes = {
        (site, str(load["load"])): str(load["mode"]) for site, document in sites.items() for load in document["loads"]
    }
    for entry in reversed(newest_first):
        document = orjson.loads(entry.json)
        site = document.get("site")
        valued = int(fields[site][b"offset"]) if site in fields else -1
        if document.get("kind") == "switch" and entry.offset > valued:
            modes[str(site), str(document["load"])] = str(document["to"])
    position = Position(head.generation, head.seq, head.chain)
    return Snapshot(miner, position, head.log_time_us, head.degraded, head.unconfirmed, modes, sites)
