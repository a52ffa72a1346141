"""What a miner can switch: ASIC tiers, GPU pools and leases, as validated, effective-dated records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from models.documents import Document, require_choice, require_key, require_order
from models.records import require_range

FAILURES = ("hold", "off", "run")
POOL_CONTRACTS = ("spot", "reserved")
LEASE_TYPES = ("triple_net", "gross")
MW_BASES = ("it", "gross")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Document):
    """What every load has: a key, dates, costs of switching [USD/MW], shortest stays [min], a failure direction.

    failure: what to do while a needed series is unusable: ``hold`` the mode, ``off``, or ``run`` (hash or ai).
    ``act_within_minutes`` is how long people and machines have to carry a signal out.
    The dates are the first day it exists and the first day it does not, UTC; None is unbounded.
    """

    running: ClassVar[str]

    key: str
    effective_from: date | None = None
    effective_until: date | None = None
    stop_usd_per_mw: float = 10.0
    start_usd_per_mw: float = 10.0
    min_on_minutes: float = 15.0
    min_off_minutes: float = 15.0
    act_within_minutes: float = 5.0
    failure: str = "hold"
    initially_on: bool = True

    def __post_init__(self) -> None:
        """Refuse impossible figures; each kind adds its own."""
        require_key("key", self.key)
        require_choice("failure", self.failure, FAILURES)
        for name in ("stop_usd_per_mw", "start_usd_per_mw"):
            require_range(name, getattr(self, name), 0.0, 1e6)
        for name in ("min_on_minutes", "min_off_minutes", "act_within_minutes"):
            require_range(name, getattr(self, name), 0.0, 100_000.0)
        require_order(self.effective_from, self.effective_until)
        self.check()

    def check(self) -> None:
        """Refuse impossible figures of the kind."""
        raise TypeError("a Load is one of its kinds")

    def exists_on(self, day: date) -> bool:
        """Whether the load is part of the fleet on that day (UTC)."""
        after = self.effective_from is None or self.effective_from <= day
        return after and (self.effective_until is None or day < self.effective_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsicTier(Load):
    """Machines of one efficiency [J/TH at the wall] drawing ``mw`` [MW at the meter]: hash or off."""

    running: ClassVar[str] = "hash"

    model: str
    joules_per_th: float
    mw: float
    pue: float = 1.05
    uptime: float = 0.95
    pool_fee: float = 0.006
    opex_usd_per_mwh: float = 6.0

    def check(self) -> None:
        """Bounds: 5 J/TH is below any machine announced, 200 above any still worth power."""
        require_range("joules_per_th", self.joules_per_th, 5.0, 200.0)
        require_range("mw", self.mw, 0.001, 100_000.0)
        require_range("pue", self.pue, 1.0, 3.0)
        require_range("uptime", self.uptime, 0.01, 1.0)
        require_range("pool_fee", self.pool_fee, 0.0, 0.5)
        require_range("opex_usd_per_mwh", self.opex_usd_per_mwh, 0.0, 1_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPool(Load):
    """GPUs of one model rented out by the hour: ai or off. ``reserved`` pools are not dispatched, ``spot`` ones are.

    ``kw_per_gpu`` [kW IT] holds its share of server, network and storage. A pool with utilisation u draws
    ``kw_per_gpu * (idle_fraction + (1 - idle_fraction) * u)``. Without ``utilisation_series`` the default is used,
    flagged. ``rate_series`` defaults to ``gpu:<gpu>``.
    """

    running: ClassVar[str] = "ai"

    gpu: str
    gpus: float
    kw_per_gpu: float
    bf16_tflops: float
    pue: float = 1.25
    contract: str = "spot"
    rate_series: str | None = None
    utilisation_series: str | None = None
    utilisation_default: float = 0.80
    idle_fraction: float = 0.35
    opex_usd_per_gpu_hour: float = 0.30
    stop_usd_per_mw: float = 850.0
    start_usd_per_mw: float = 50.0
    min_on_minutes: float = 360.0
    min_off_minutes: float = 15.0

    def check(self) -> None:
        """Bounds: a rack of today draws below 10 kW for each GPU."""
        if not self.gpu:
            raise ValueError("gpu must name the exact model, for example H100-SXM")
        require_choice("contract", self.contract, POOL_CONTRACTS)
        require_range("gpus", self.gpus, 0.001, 10_000_000.0)
        require_range("kw_per_gpu", self.kw_per_gpu, 0.05, 10.0)
        require_range("bf16_tflops", self.bf16_tflops, 1.0, 100_000.0)
        require_range("pue", self.pue, 1.0, 3.0)
        require_range("utilisation_default", self.utilisation_default, 0.0, 1.0)
        require_range("idle_fraction", self.idle_fraction, 0.01, 1.0)
        require_range("opex_usd_per_gpu_hour", self.opex_usd_per_gpu_hour, 0.0, 100.0)
        for name in ("rate_series", "utilisation_series"):
            value = getattr(self, name)
            prefix = "gpu:" if name == "rate_series" else "utilisation:"
            if value is not None and not value.startswith(prefix):
                raise ValueError(f"{name} {value!r} must begin with {prefix!r}")

    @property
    def series(self) -> str:
        """The series the rate is read from."""
        return self.rate_series or f"gpu:{self.gpu}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(Load):
    """MW leased to a tenant: earns its rent whatever the price of power and has no dispatch option.

    ``usd_per_kw_month`` on critical IT kW or on gross kW (``mw_basis``); ``triple_net``: the tenant pays the power,
    ``gross``: we do. ``it_mw`` [MW IT].
    """

    running: ClassVar[str] = "ai"

    usd_per_kw_month: float
    it_mw: float
    pue: float = 1.25
    noi_margin: float = 0.85
    lease_type: str = "triple_net"
    mw_basis: str = "it"

    def check(self) -> None:
        """Bounds: published leases run from 100 to 200 USD/kW-month."""
        require_choice("lease_type", self.lease_type, LEASE_TYPES)
        require_choice("mw_basis", self.mw_basis, MW_BASES)
        require_range("usd_per_kw_month", self.usd_per_kw_month, 1.0, 10_000.0)
        require_range("it_mw", self.it_mw, 0.001, 100_000.0)
        require_range("pue", self.pue, 1.0, 3.0)
        require_range("noi_margin", self.noi_margin, 0.0, 1.0)


def overlap(one: Load, other: Load) -> bool:
    """Whether two loads exist on one day."""
    starts_late = one.effective_from and other.effective_until and one.effective_from >= other.effective_until
    ends_early = one.effective_until and other.effective_from and one.effective_until <= other.effective_from
    return not (starts_late or ends_early)
