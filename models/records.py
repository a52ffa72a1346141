"""The vocabulary: what may enter the log, as frozen records. A record knows whether it can be true, nothing else.

Times are integer microseconds UTC (safe in JSON readers and in Lua). Money is USD. Units stand in the field names.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from models.fleet import Miner

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

FIRST_PLAUSIBLE_US = 1_230_940_800 * SECOND_US  # 2009-01-03, the first block: no price of ours is older
MAX_NAME = 200  # characters of a series or a source

LAST_PLAUSIBLE_US = 4_102_444_800 * SECOND_US  # 2100-01-01: a later time is a wrong unit


def require_time(name: str, value: int) -> None:
    """Refuse a time that is not in integer microseconds UTC between 2009 and 2100.

    >>> require_time("event_time_us", 1_718_582_400)
    Traceback (most recent call last):
    ValueError: event_time_us 1718582400 is not a time in microseconds UTC between 2009 and 2100
    """
    if not FIRST_PLAUSIBLE_US <= value <= LAST_PLAUSIBLE_US:
        raise ValueError(f"{name} {value} is not a time in microseconds UTC between 2009 and 2100")


def require_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number that is not finite or lies outside [low, high].

    >>> require_range("usd_per_btc", 0.0, 100.0, 1e7)
    Traceback (most recent call last):
    ValueError: usd_per_btc 0.0 is outside 100.0 to 10000000.0
    """
    if not math.isfinite(value):
        raise ValueError(f"{name} {value} is not a finite number")
    if not low <= value <= high:
        raise ValueError(f"{name} {value} is outside {low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one source said of one series, when it happened and when we knew.

    ``event_time_us`` is the source's time, for a print of an interval the interval's start. ``next_due_us`` is when
    the source should print again: a series is stale once log time passes it by the limit of its kind. ``revision``
    is the source's own number, None where it has none (then a different value under one key takes the next number,
    unless that value was already seen there).
    """

    kind: ClassVar[str]
    prefix: ClassVar[str]
    """What the name of every series of this kind begins with: under another name it would be read in another unit."""

    series: str
    source: str
    event_time_us: int
    receipt_time_us: int
    next_due_us: int
    publish_time_us: int | None = None
    revision: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be: empty names, times in another unit, values out of any range ever printed."""
        if not self.series or not self.source:
            raise ValueError("series and source must not be empty")
        if len(self.series) > MAX_NAME or len(self.source) > MAX_NAME:
            raise ValueError(f"series and source may have {MAX_NAME} characters")
        if not self.series.startswith(self.prefix):
            raise ValueError(f"series {self.series!r} does not begin with {self.prefix!r}, as those of {self.kind} do")
        require_time("event_time_us", self.event_time_us)
        require_time("receipt_time_us", self.receipt_time_us)
        require_time("next_due_us", self.next_due_us)
        if self.publish_time_us is not None:
            require_time("publish_time_us", self.publish_time_us)
        if self.revision is not None and not 0 <= self.revision < 2**31:
            raise ValueError(f"revision {self.revision} is outside 0 to 2147483647")
        self.check()

    def check(self) -> None:
        """Refuse impossible values; each kind says which."""
        raise TypeError("an Observation is one of its kinds")


@dataclass(frozen=True, slots=True, kw_only=True)
class BtcPrice(Observation):
    """Price of one bitcoin [USD]. Series ``btc:usd``."""

    kind: ClassVar[str] = "btc_price"
    prefix: ClassVar[str] = "btc:"
    usd_per_btc: float

    def check(self) -> None:
        """Bounds 100 to 10,000,000 USD: a price in cents, satoshi or thousands falls outside."""
        require_range("usd_per_btc", self.usd_per_btc, 100.0, 1e7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Observation):
    """State of the bitcoin network at a block height. Series ``network:btc``; ordered by height, not by time.

    ``fees_btc_per_block`` is the mean over the last ``fee_blocks`` blocks (144 by definition; fewer is flagged).
    """

    kind: ClassVar[str] = "network"
    prefix: ClassVar[str] = "network:"
    height: int
    difficulty: float
    fees_btc_per_block: float
    fee_blocks: int

    def check(self) -> None:
        """Bounds from the network's own rules; fees above 50 BTC a block are a wrong unit (satoshi)."""
        require_range("height", self.height, 0, 10_000_000)
        require_range("difficulty", self.difficulty, 1.0, 1e18)
        require_range("fees_btc_per_block", self.fees_btc_per_block, 0.0, 50.0)
        require_range("fee_blocks", self.fee_blocks, 0, 2016)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashprice(Observation):
    """Hashprice as another publishes it [USD/PH/s/day]. Series ``hashprice:<publisher>``; a cross-check only."""

    kind: ClassVar[str] = "hashprice"
    prefix: ClassVar[str] = "hashprice:"
    usd_per_ph_day: float

    def check(self) -> None:
        """Bounds 1 to 100,000: a figure per TH/s falls below."""
        require_range("usd_per_ph_day", self.usd_per_ph_day, 1.0, 100_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPrice(Observation):
    """Price of power at a node over an interval [USD/MWh]. Series ``power:<iso>:<node>:rt`` or ``...:da``.

    Negative prices and prices of thousands are real. A ``:da`` series is a curve: it is read at the interval wanted.
    """

    kind: ClassVar[str] = "power_price"
    prefix: ClassVar[str] = "power:"
    end_time_us: int
    usd_per_mwh: float

    def check(self) -> None:
        """The widest cap any market printed under was 9,000; 50,000 either way is a wrong unit."""
        require_time("end_time_us", self.end_time_us)
        if not 0 < self.end_time_us - self.event_time_us <= DAY_US:
            raise ValueError("end_time_us must lie after event_time_us, by a day at most")
        require_range("usd_per_mwh", self.usd_per_mwh, -50_000.0, 50_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRate(Observation):
    """Rental rate of one GPU [USD/GPU-h]. Series ``gpu:<model>``, for example ``gpu:H100-SXM``."""

    kind: ClassVar[str] = "gpu_rate"
    prefix: ClassVar[str] = "gpu:"
    usd_per_gpu_hour: float

    def check(self) -> None:
        """Bounds 0.001 to 500: a rate in cents or per node of a rack falls outside."""
        require_range("usd_per_gpu_hour", self.usd_per_gpu_hour, 0.001, 500.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation(Observation):
    """Rented share of a GPU pool, 0 to 1, from the operator's telemetry. Series ``utilisation:<pool>``."""

    kind: ClassVar[str] = "utilisation"
    prefix: ClassVar[str] = "utilisation:"
    utilisation: float

    def check(self) -> None:
        """A figure in percent falls outside."""
        require_range("utilisation", self.utilisation, 0.0, 1.0)


OBSERVATION_KINDS: dict[str, type[Observation]] = {
    kind.kind: kind for kind in (BtcPrice, Network, Hashprice, PowerPrice, GpuRate, Utilisation)
}


def is_curve(series: str) -> bool:
    """Whether a series is known ahead of its intervals and read at the interval wanted.

    >>> is_curve("power:ERCOT:HB_SOUTH:da"), is_curve("power:ERCOT:HB_SOUTH:rt")
    (True, False)
    """
    return series.startswith("power:") and series.endswith(":da")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A tick: the only record that moves log time. ``replayed`` ticks are exempt from the jump rule."""

    time_us: int
    instance: str
    replayed: bool = False

    def __post_init__(self) -> None:
        """Refuse a tick in another unit."""
        require_time("time_us", self.time_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetChange:
    """A miner's fleet as of this point of the log; it replaces the miner's whole former fleet."""

    miner: Miner


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingConfig:
    """Everything besides the fleet that a decision depends on. Limits in seconds of log time [s].

    ``*_limit_s`` is how long past its next due time a series of that kind may be used. ``amortise_hours`` spreads a
    switching cost [USD/MW] into the band [USD/MWh]. ``warm_up_s`` is how long after a fleet change a series that never
    printed may be awaited before its loads count as degraded.

    The gate: a consensus needs ``btc_least_venues`` or ``gpu_least_providers`` that agree. A venue further than
    ``btc_band_fraction`` from the median counts no more, and again within half of it; providers may spread by
    ``gpu_widest_fraction``. Whoever was out must be well for ``readmit_after_s`` [s]. A member's print that jumps by
    more than ``*_jump_fraction`` counts once confirmed by the next; a power price that far from usual is flagged.
    ``free_start``: the first plan of a load chooses its mode at no cost, as a backtest is scored.
    """

    policy: str = "wary_plan"
    dead_band_usd_per_mwh: float = 1.0
    amortise_hours: float = 4.0
    btc_price_limit_s: int = 60
    network_limit_s: int = 7_200
    power_price_limit_s: int = 900
    gpu_rate_limit_s: int = 86_400
    utilisation_limit_s: int = 3_600
    btc_least_venues: int = 3
    btc_band_fraction: float = 0.01
    btc_jump_fraction: float = 0.1
    gpu_least_providers: int = 3
    gpu_widest_fraction: float = 0.45
    gpu_jump_fraction: float = 0.5
    power_jump_usd_per_mwh: float = 250.0
    apart_after_s: int = 5
    readmit_after_s: int = 30
    warm_up_s: int = 1_800
    checkpoint_every_s: int = 60
    site_every_s: int = 1
    free_start: bool = False
    skip_offsets: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse impossible limits."""
        require_range("dead_band_usd_per_mwh", self.dead_band_usd_per_mwh, 0.0, 1_000.0)
        for name in ("btc_least_venues", "gpu_least_providers"):
            require_range(name, getattr(self, name), 1, 100)
        for name in ("btc_band_fraction", "btc_jump_fraction", "gpu_widest_fraction", "gpu_jump_fraction"):
            require_range(name, getattr(self, name), 0.0001, 10.0)
        require_range("power_jump_usd_per_mwh", self.power_jump_usd_per_mwh, 1.0, 50_000.0)
        require_range("amortise_hours", self.amortise_hours, 0.01, 8_760.0)
        for name in (item.name for item in fields(self) if item.name.endswith("_s")):
            require_range(name, getattr(self, name), 1, 366 * 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochStart:
    """From here on the log is decided by this configuration and by the code with this hash."""

    epoch: int
    config: DecidingConfig
    code_hash: str


def config_hash(config: DecidingConfig) -> str:
    """Hash of a deciding configuration, 64 bits in hex; every signal carries it.

    >>> config_hash(DecidingConfig()) == config_hash(DecidingConfig(policy="breakeven"))
    False
    """
    text = ";".join(f"{item.name}={getattr(config, item.name)!r}" for item in fields(config))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
