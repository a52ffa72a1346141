"""A service level as a document: tiers of credit, the month's clock, times of drain and restart, termination.

Availability is what the month has left of its hours: ``1 - downtime / month``. Two clocks exist. ``720h``: months of
30 days, one after another from ``month_anchor`` (UTC); every month has the same budgets. ``calendar``: months of the
calendar (UTC) with their own length.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from models.documents import Document, midnight_us, require_choice
from models.records import HOUR_US, MINUTE_US, require_range

CLOCKS = ("720h", "calendar")
FEE_BASES = ("billed", "nameplate", "fixed")
BILLED, NAMEPLATE, FIXED = 0, 1, 2

MONTH_US = 720 * HOUR_US
MAX_TIERS = 6
MAX_PARTS = 4

# Unconfirmed defaults: credits as clouds publish them, in size and in where they begin.
DEFAULT_TIERS = ((0.995, 0.10), (0.99, 0.30), (0.95, 1.0))

TERMS = np.dtype(
    [
        ("tiers", "i8"),
        ("below", "f8", (MAX_TIERS,)),  # availability below which a credit is due, falling
        ("credit", "f8", (MAX_TIERS,)),  # fraction of the fee, rising
        ("calendar", "i8"),
        ("anchor_us", "i8"),
        ("fee_basis", "i8"),
        ("fee_usd_per_month", "f8"),
        ("drain_us", "i8"),
        ("restart_us", "i8"),
        ("drain_counts", "i8"),
        ("reserve_us", "i8"),
        ("breach_below", "f8"),
        ("breaches", "i8"),  # 0: no right of termination
        ("within_months", "i8"),
        ("termination_usd", "f8"),  # times the probability that the right is used
        ("parts", "i8"),
        ("share", "f8", (MAX_PARTS,)),  # of each part that stops alone; they sum to 1
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sla(Document):
    """What a customer is owed where service is below what was promised.

    ``tiers``: (availability, credit): below the first, the second of the month's fee comes back; [U] as a default.
    ``fee_basis``: ``billed`` (rate of the hours rented), ``nameplate`` (rate of every GPU, rented or not), ``fixed``
    (``fee_usd_per_month``). ``partial_fractions``: fractions of the pool that may stop alone, rising, for example
    0.10, 0.25, 0.50. ``drain_minutes`` is notice and checkpoint before a stop, ``restart_minutes`` boot and reload
    after it [U: 15 and 30]; with ``drain_counts`` both are downtime to the customer. ``reserve_minutes`` are kept for
    outages nobody chooses. After ``termination_breaches`` months below ``breach_below`` (the first tier where not
    given) out of ``termination_within_months`` the customer may leave, which costs ``termination_usd`` and happens
    with ``termination_probability``.
    """

    tiers: tuple[tuple[float, float], ...] = DEFAULT_TIERS
    month_clock: str = "720h"
    month_anchor: date = date(2024, 1, 1)
    fee_basis: str = "billed"
    fee_usd_per_month: float | None = None
    partial_fractions: tuple[float, ...] = ()
    drain_minutes: float = 15.0
    restart_minutes: float = 30.0
    drain_counts: bool = True
    reserve_minutes: float = 30.0
    breach_below: float | None = None
    termination_breaches: int = 0
    termination_within_months: int = 12
    termination_usd: float = 0.0
    termination_probability: float = 1.0

    def __post_init__(self) -> None:
        """Refuse tiers out of order, credits above the fee, a fixed fee that is not given."""
        require_choice("month_clock", self.month_clock, CLOCKS)
        require_choice("fee_basis", self.fee_basis, FEE_BASES)
        self.check_tiers()
        self.check_partial()
        for name in ("drain_minutes", "restart_minutes", "reserve_minutes"):
            require_range(name, getattr(self, name), 0.0, 43_200.0)
        if (self.fee_basis == "fixed") != (self.fee_usd_per_month is not None):
            raise ValueError("fee_usd_per_month goes with fee_basis 'fixed' and with no other")
        require_range("fee_usd_per_month", self.fee_usd_per_month or 0.0, 0.0, 1e10)
        require_range("breach_below", self.breach_threshold, 0.0, 1.0)
        require_range("termination_breaches", self.termination_breaches, 0, 60)
        require_range("termination_within_months", self.termination_within_months, 1, 60)
        require_range("termination_usd", self.termination_usd, 0.0, 1e11)
        require_range("termination_probability", self.termination_probability, 0.0, 1.0)
        if self.termination_breaches > self.termination_within_months:
            raise ValueError(
                f"termination_breaches {self.termination_breaches} cannot fall within "
                f"termination_within_months {self.termination_within_months}"
            )

    def check_tiers(self) -> None:
        """Refuse tiers that are not a staircase: availability falls, credit rises, none above the whole fee."""
        if not 1 <= len(self.tiers) <= MAX_TIERS:
            raise ValueError(f"tiers holds {len(self.tiers)} pairs; give 1 to {MAX_TIERS}")
        below, credit = 1.0, 0.0
        for number, (next_below, next_credit) in enumerate(self.tiers):
            require_range(f"tiers[{number}] availability", next_below, 0.0, 1.0)
            require_range(f"tiers[{number}] credit", next_credit, 0.0, 1.0)
            if (number > 0 and next_below >= below) or next_credit <= credit:
                raise ValueError(f"tiers[{number}] {next_below}, {next_credit}: availability must fall and credit rise")
            below, credit = next_below, next_credit

    def check_partial(self) -> None:
        """Refuse fractions that do not rise between 0 and 1."""
        if len(self.partial_fractions) > MAX_PARTS - 1:
            raise ValueError(f"partial_fractions holds {len(self.partial_fractions)}; {MAX_PARTS - 1} at most")
        last = 0.0
        for fraction in self.partial_fractions:
            if not last < fraction < 1.0:
                raise ValueError(f"partial_fractions must rise between 0 and 1, not {last} then {fraction}")
            last = fraction

    @property
    def breach_threshold(self) -> float:
        """Availability below which a month is a breach."""
        return self.tiers[0][0] if self.breach_below is None else self.breach_below

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of the parts of a pool that stop alone; the last part stops only with all.

        >>> Sla(partial_fractions=(0.25, 0.5)).shares, Sla().shares
        ((0.25, 0.25, 0.5), (1.0,))
        """
        bounds = (0.0, *self.partial_fractions, 1.0)
        return tuple(bounds[number + 1] - bounds[number] for number in range(len(bounds) - 1))


def terms_row(sla: Sla) -> np.void:
    """The numbers of a document, as compiled functions read them."""
    row: np.void = np.zeros(1, TERMS)[0]
    row["tiers"] = len(sla.tiers)
    for number, (below, credit) in enumerate(sla.tiers):
        row["below"][number], row["credit"][number] = below, credit
    row["calendar"], row["anchor_us"] = sla.month_clock == "calendar", midnight_us(sla.month_anchor)
    row["fee_basis"], row["fee_usd_per_month"] = FEE_BASES.index(sla.fee_basis), sla.fee_usd_per_month or 0.0
    row["drain_us"], row["restart_us"] = int(sla.drain_minutes * MINUTE_US), int(sla.restart_minutes * MINUTE_US)
    row["drain_counts"], row["reserve_us"] = sla.drain_counts, int(sla.reserve_minutes * MINUTE_US)
    row["breach_below"], row["breaches"] = sla.breach_threshold, sla.termination_breaches
    row["within_months"] = sla.termination_within_months
    row["termination_usd"] = sla.termination_usd * sla.termination_probability
    row["parts"] = len(sla.shares)
    for number, share in enumerate(sla.shares):
        row["share"][number] = share
    return row
