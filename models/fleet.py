"""What a miner owns: miner -> site -> loads, as validated, effective-dated records.

Here is the document and what it may say; its arrays for the engine are in :mod:`models.layout`, the loads themselves in
:mod:`models.loads`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.documents import Document, require_choice, require_key
from models.loads import AsicTier, GpuPool, Lease, Load, overlap
from models.records import require_range

__all__ = [
    "AsicTier",
    "Document",
    "Fact",
    "GpuPool",
    "Lease",
    "Load",
    "Miner",
    "Power",
    "Reference",
    "Site",
    "overlap",
    "require_choice",
    "require_key",
]

NODE = re.compile(r"^[A-Z0-9]+:[A-Za-z0-9_.+-]{1,60}\Z")


CONTRACTS = ("spot", "ppa_resale", "take_or_pay", "requirements", "hedged")
MARKETS = ("rt", "da")


@dataclass(frozen=True, slots=True, kw_only=True)
class Power(Document):
    """How a site buys power: a node, a market, a contract. Prices [USD/MWh].

    contract: ``spot``; ``ppa_resale`` (unused power is sold back at LMP less a fee); ``take_or_pay`` (the committed MW
    are paid whether used or not, what lies above is LMP); ``requirements`` (all at the PPA price); ``hedged`` (a
    financial hedge: the margin is still LMP). ``proxy`` says that the node is not where the site settles.
    """

    node: str
    market: str = "rt"
    contract: str = "spot"
    adder_usd_per_mwh: float = 6.0
    loss_fraction: float = 0.0
    ppa_usd_per_mwh: float | None = None
    resale_fee_usd_per_mwh: float = 0.0
    committed_mw: float | None = None
    proxy: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown words, impossible figures and a contract without its price."""
        if not NODE.match(self.node):
            raise ValueError(f"node {self.node!r} is not written ISO:NODE, for example ERCOT:HB_SOUTH")
        require_choice("market", self.market, MARKETS)
        require_choice("contract", self.contract, CONTRACTS)
        require_range("adder_usd_per_mwh", self.adder_usd_per_mwh, -1_000.0, 1_000.0)
        require_range("loss_fraction", self.loss_fraction, 0.0, 0.5)
        require_range("resale_fee_usd_per_mwh", self.resale_fee_usd_per_mwh, 0.0, 1_000.0)
        if self.contract != "spot":
            if self.ppa_usd_per_mwh is None:
                raise ValueError(f"contract {self.contract!r} needs ppa_usd_per_mwh")
            require_range("ppa_usd_per_mwh", self.ppa_usd_per_mwh, -1_000.0, 10_000.0)
        if self.contract in ("take_or_pay", "hedged"):
            if self.committed_mw is None:
                raise ValueError(f"contract {self.contract!r} needs committed_mw")
            require_range("committed_mw", self.committed_mw, 0.0, 100_000.0)

    @property
    def series(self) -> str:
        """The series this site's price is read from."""
        return f"power:{self.node}:{self.market}"

    @property
    def day_ahead_series(self) -> str:
        """The curve that plans look ahead on, where it is known."""
        return f"power:{self.node}:da"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Document):
    """What a site is compared with where it owns no such load: a GPU pool or a lease, and an ASIC tier.

    ``key`` of each is only a label; MW do not count (the owned side's do).
    """

    asic: AsicTier | None = None
    gpu: GpuPool | None = None
    lease: Lease | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Document):
    """One meter: a cap [MW at the meter], a power contract, loads.

    ``acknowledge``: a person confirms each switch, by ``act_by_us``; what is not confirmed stands in the stream's head.
    """

    key: str
    mw_cap: float
    power: Power
    name: str = ""
    acknowledge: bool = False
    asic: tuple[AsicTier, ...] = ()
    gpu: tuple[GpuPool, ...] = ()
    lease: tuple[Lease, ...] = ()
    reference: Reference = Reference()

    def __post_init__(self) -> None:
        """Refuse a site without loads, and two loads of one key whose dates overlap."""
        require_key("site", self.key)
        require_range("mw_cap", self.mw_cap, 0.001, 100_000.0)
        if not self.loads:
            raise ValueError(f"site {self.key!r} has no loads: give it asic, gpu or lease tables")
        seen: dict[str, list[Load]] = {}
        for load in self.loads:
            for other in seen.setdefault(load.key, []):
                if overlap(load, other):
                    raise ValueError(f"two loads {load.key!r} of site {self.key!r} exist on one day")
            seen[load.key].append(load)

    @property
    def loads(self) -> tuple[Load, ...]:
        """All loads in the order of the file: AI first, as contracted power goes to them first."""
        return (*self.lease, *self.gpu, *self.asic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Document):
    """A published figure behind a profile, with its date, source and mark.

    mark: ``confirmed`` (read in a published page), ``derived`` (arithmetic on such), ``unconfirmed`` (a default).
    """

    claim: str
    date: str
    source: str
    mark: str

    def __post_init__(self) -> None:
        """Refuse a fact without date or source."""
        require_choice("mark", self.mark, ("confirmed", "derived", "unconfirmed"))
        if not (self.claim and self.date and self.source):
            raise ValueError("a fact needs claim, date and source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Miner(Document):
    """A company: its key, sites and the facts behind them. ``hypothetical`` says what was swapped for a replay."""

    key: str
    name: str
    site: tuple[Site, ...]
    fact: tuple[Fact, ...] = ()
    hypothetical: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a miner without sites, and two sites of one key."""
        require_key("miner", self.key)
        keys = [site.key for site in self.site]
        if not keys:
            raise ValueError(f"miner {self.key!r} has no sites")
        if len(set(keys)) != len(keys):
            raise ValueError(f"miner {self.key!r} names a site twice: {', '.join(keys)}")
