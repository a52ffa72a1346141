"""What-if fleets for replays: a fleet as of a day, a fleet on other series. Each says in the miner what was swapped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

from models.arrays import BTC_SERIES, NETWORK_SERIES
from models.fleet import NODE, AsicTier, GpuPool, Lease, Miner, Power, Site

POWER_SERIES = re.compile(r"^power:([A-Z0-9]+:[A-Za-z0-9_.+-]{1,60}):(rt|da)\Z")
POOL_SERIES = re.compile(r"^(gpu|utilisation):\S{1,100}\Z")

Kind = TypeVar("Kind", AsicTier, GpuPool, Lease)


def as_of(miner: Miner, day: date) -> Miner:
    """The miner with exactly the loads that exist on a day (UTC), for all time. A site left without loads is dropped.

    Raises ``ValueError`` where nothing is left.
    """
    standing = [site_as_of(site, day) for site in miner.site]
    sites = tuple(site for site in standing if site is not None)
    if not sites:
        raise ValueError(f"miner {miner.key!r} has no loads on {day}: choose a day within its loads' dates")
    dropped = [site.key for site, kept in zip(miner.site, standing, strict=True) if kept is None]
    without = f", without {', '.join(dropped)}" if dropped else ""
    return replace(miner, site=sites, hypothetical=(*miner.hypothetical, f"fleet as of {day}{without}"))


def site_as_of(site: Site, day: date) -> Site | None:
    """The site with the loads of a day, their dates removed; None where it has none."""
    asic, gpu, lease = standing(site.asic, day), standing(site.gpu, day), standing(site.lease, day)
    return replace(site, asic=asic, gpu=gpu, lease=lease) if asic or gpu or lease else None


def standing(loads: tuple[Kind, ...], day: date) -> tuple[Kind, ...]:
    """The loads of one kind that exist on a day, without dates."""
    return tuple(replace(load, effective_from=None, effective_until=None) for load in loads if load.exists_on(day))


def mapped(miner: Miner, mapping: Mapping[str, str]) -> tuple[Miner, tuple[str, ...]]:
    """The miner read from other series, and the keys of the mapping that no part of it reads, sorted.

    A key is a node as profiles write it (``ERCOT:HB_WEST``, in either market) or a series (``power:...``, ``gpu:...``,
    ``utilisation:...``); its value is a series of the same kind. A series wins over its node. All are swapped at once:
    what one entry gives is not the key of another. Raises ``ValueError`` where a pair cannot be meant.
    """
    for key, series in mapping.items():
        require_pair(key, series)
    swap = Swap(mapping)
    sites = tuple(swap.site(site) for site in miner.site)
    unread = tuple(sorted(set(mapping) - swap.read))
    return replace(miner, site=sites, hypothetical=(*miner.hypothetical, *swap.said)), unread


def require_pair(key: str, series: str) -> None:
    """Refuse a mapping from or to what cannot be replayed, or from one kind to another.

    >>> require_pair("ERCOT:HB_WEST", "power:ERCOT:HB_SOUTH:rt")
    >>> require_pair("gpu:GB300-NVL72", "power:ERCOT:HB_SOUTH:rt")
    Traceback (most recent call last):
    ValueError: 'gpu:GB300-NVL72' cannot be read from 'power:ERCOT:HB_SOUTH:rt': it needs a series gpu:...
    """
    if NODE.match(key) or POWER_SERIES.match(key):
        if not POWER_SERIES.match(series):
            raise ValueError(f"{key!r} cannot be read from {series!r}: it needs a series power:ISO:NODE:rt or :da")
        return
    kind = key.partition(":")[0]
    if not POOL_SERIES.match(key):
        raise ValueError(f"{key!r} is neither a node (ERCOT:HB_WEST) nor a series power:, gpu: or utilisation:...")
    if not (POOL_SERIES.match(series) and series.startswith(f"{kind}:")):
        raise ValueError(f"{key!r} cannot be read from {series!r}: it needs a series {kind}:...")


@dataclass(slots=True)
class Swap:
    """One mapping at work: what it reads so far and what it has to say."""

    mapping: Mapping[str, str]
    read: set[str] = field(default_factory=set)
    said: dict[str, None] = field(default_factory=dict)

    def site(self, site: Site) -> Site:
        """The site on the mapped series, its reference pool too."""
        reference = site.reference
        if reference.gpu is not None:
            reference = replace(reference, gpu=self.pool(reference.gpu, site.key))
        pools = tuple(self.pool(pool, site.key) for pool in site.gpu)
        return replace(site, power=self.power(site.power, site.key), gpu=pools, reference=reference)

    def power(self, power: Power, site: str) -> Power:
        """The power contract at the mapped node: no longer where the site settles, so a proxy."""
        found = POWER_SERIES.match(self.series(power.series, power.node, site) or "")
        return power if found is None else replace(power, node=found[1], market=found[2], proxy=True)

    def pool(self, pool: GpuPool, site: str) -> GpuPool:
        """The pool at the mapped rate and utilisation."""
        rate = self.series(pool.series, pool.series, site)
        used = pool.utilisation_series
        utilisation = None if used is None else self.series(used, used, site)
        return replace(pool, rate_series=rate or pool.rate_series, utilisation_series=utilisation or used)

    def series(self, series: str, node: str, site: str) -> str | None:
        """What a series is read from, None where the mapping does not name it; remembers what was said."""
        key = series if series in self.mapping else node
        if key not in self.mapping:
            return None
        self.read.add(key)
        self.said[f"site {site} reads {series} from {self.mapping[key]}"] = None
        return self.mapping[key]


def needed_series(miner: Miner) -> tuple[str, ...]:
    """Every series that a margin of the miner or of its references depends on, at whatever date, sorted.

    A requirements contract reads no market price.
    """
    needed: set[str] = set()
    for site in miner.site:
        if site.power.contract != "requirements":
            needed.add(site.power.series)
        if site.asic or site.reference.asic is not None:
            needed |= {BTC_SERIES, NETWORK_SERIES}
        for pool in (*site.gpu, *filter(None, [site.reference.gpu])):
            needed.add(pool.series)
            if pool.utilisation_series is not None:
                needed.add(pool.utilisation_series)
    return tuple(sorted(needed))
