"""What a stop of AI costs now: credit, lost revenue, drain and restart, termination. Compiled, of plain numbers.

    cost of stopping for d hours = fee of the month * (credit after - credit before) + lost revenue + drain and restart

Times are whole microseconds. A tier begins one microsecond after its budget: downtime of exactly the budget leaves
availability at the tier, not below it.
"""

from __future__ import annotations

import numpy as np

from models.jit import jit
from models.sla.downtime import budget_us
from models.sla.terms import FIXED, NAMEPLATE

NO_CLIFF = np.iinfo(np.int64).max
MONTH_HOURS = 720.0


@jit
def availability(downtime_us: int, month_us: int) -> float:
    """Share of the month in service if nothing more happens, 0 to 1: ``1 - downtime / month``.

    >>> round(availability(4, 720), 5)
    0.99444
    """
    return max(1.0 - downtime_us / month_us, 0.0)


@jit
def fee_usd_per_month(terms: np.void, usd_per_gpu_hour: float, utilisation: float, gpus: float) -> float:
    """The fee that credits are a share of [USD for 720 hours]: ``rate * u * GPUs * 720``, or what the contract says.

    >>> from models.sla.terms import Sla, terms_row
    >>> round(fee_usd_per_month(terms_row(Sla()), 2.35, 0.80, 571.4286))
    773486
    """
    if terms["fee_basis"] == FIXED:
        return terms["fee_usd_per_month"]
    if terms["fee_basis"] == NAMEPLATE:
        return usd_per_gpu_hour * gpus * MONTH_HOURS
    return usd_per_gpu_hour * utilisation * gpus * MONTH_HOURS


@jit
def credit(terms: np.void, downtime_us: int, month_us: int) -> float:
    """Share of the month's fee that is owed at a downtime, 0 to 1.

    >>> from models.sla.terms import MONTH_US, Sla, terms_row
    >>> row = terms_row(Sla())
    >>> [credit(row, hours * 3_600_000_000, MONTH_US) for hours in (1, 4, 8, 24, 40)]
    [0.0, 0.1, 0.3, 0.3, 1.0]
    """
    owed = 0.0
    for tier in range(terms["tiers"]):
        if downtime_us > budget_us(terms["below"][tier], month_us):
            owed = terms["credit"][tier]
    return owed


@jit
def next_cliff_us(terms: np.void, downtime_us: int, month_us: int) -> int:
    """Downtime that is left before the next credit is owed [us]; NO_CLIFF past the last tier.

    >>> from models.sla.terms import MONTH_US, Sla, terms_row
    >>> next_cliff_us(terms_row(Sla()), 0, MONTH_US) / 60e6
    216.0
    """
    for tier in range(terms["tiers"]):
        left_us = budget_us(terms["below"][tier], month_us) - downtime_us
        if left_us >= 0:
            return left_us
    return NO_CLIFF


@jit
def out_of_service_us(terms: np.void, off_us: int) -> int:
    """What a customer sees of a stop that leaves the load off so long [us]: drain and restart count by contract.

    >>> from models.sla.terms import Sla, terms_row
    >>> out_of_service_us(terms_row(Sla()), 3_600_000_000) / 3_600_000_000
    1.75
    """
    if terms["drain_counts"] == 1:
        return off_us + terms["drain_us"] + terms["restart_us"]
    return off_us


@jit
def credit_usd(
    terms: np.void, fee_usd: float, share: float, downtime_us: int, stop_us: int, month_us: int, left_us: int
) -> float:
    """Credit that a stop of ``share`` of a pool adds [USD]: only its share of the fee is at stake.

    ``downtime_us`` is that share's own. What of the stop lies beyond the month's end (``left_us`` away) falls into
    the next month, which begins without downtime.

    >>> from models.sla.terms import MONTH_US, Sla, terms_row
    >>> row = terms_row(Sla())
    >>> round(credit_usd(row, 773_486.0, 1.0, 0, 4 * 3_600_000_000, MONTH_US, MONTH_US))
    77349
    """
    within_us = min(stop_us, left_us)
    before = credit(terms, downtime_us, month_us)
    added = credit(terms, downtime_us + within_us, month_us) - before
    if stop_us > within_us:
        added = added + credit(terms, stop_us - within_us, month_us)
    return fee_usd * share * added


@jit
def crossing_usd(terms: np.void, fee_usd: float, share: float, downtime_us: int, month_us: int) -> float:
    """What going over the next cliff costs once [USD]; 0 past the last tier. Minutes are free then until the one after.

    >>> from models.sla.terms import MONTH_US, Sla, terms_row
    >>> row = terms_row(Sla())
    >>> [round(crossing_usd(row, 773_486.0, 1.0, hours * 3_600_000_000, MONTH_US)) for hours in (0, 4, 8, 40)]
    [77349, 154697, 541440, 0]
    """
    left_us = next_cliff_us(terms, downtime_us, month_us)
    if left_us == NO_CLIFF:
        return 0.0
    before = credit(terms, downtime_us, month_us)
    return fee_usd * share * (credit(terms, downtime_us + left_us + 1, month_us) - before)


@jit
def lost_revenue_usd(
    billed_by_hour: int, usd_per_gpu_hour: float, utilisation: float, gpus: float, hours: float
) -> float:
    """Revenue that hours out of service lose [USD]: rate * u of GPUs rented by the hour; 0 of reserved and leased.

    The fee of a contract goes on while it is stopped; the credit is its loss.

    >>> round(lost_revenue_usd(1, 2.35, 0.80, 571.4286, 0.75), 2), lost_revenue_usd(0, 2.35, 0.80, 571.4286, 4.0)
    (805.71, 0.0)
    """
    if billed_by_hour == 0:
        return 0.0
    return usd_per_gpu_hour * utilisation * gpus * hours


@jit
def stop_cost_usd(
    credit_usd: float,
    billed_by_hour: int,
    usd_per_hour: float,
    off_hours: float,
    switching_hours: float,
    direct_usd: float,
) -> float:
    """Cost of a stop [USD]: credit + revenue lost while off, draining and restarting + what switching costs itself.

    ``usd_per_hour`` is revenue of the part that stops; ``direct_usd`` is labour and wear. What the stop saves (power
    and avoidable opex) is not in it.

    >>> round(stop_cost_usd(0.0, 1, 1_074.286, 0.0, 0.75, 44.0), 1)
    849.7
    """
    lost = usd_per_hour * (off_hours + switching_hours) if billed_by_hour == 1 else 0.0
    return credit_usd + lost + direct_usd


@jit
def expected_credit(
    terms: np.void, downtime_us: int, month_us: int, outages_us: np.ndarray, probabilities: np.ndarray
) -> float:
    """Credit expected at the month's end [share of the fee], given the outages the rest of the month may bring.

    ``outages_us`` and ``probabilities`` list what may still happen to nobody's choice; the probabilities sum to 1.
    """
    owed = 0.0
    for item in range(len(outages_us)):
        owed = owed + probabilities[item] * credit(terms, downtime_us + int(outages_us[item]), month_us)
    return owed


@jit
def penalty_usd_per_mwh(fee_usd: float, expected_credit: float, draw_mw: float, month_hours: float) -> float:
    """Expected penalty in the margin of a running pool [USD/MWh at the meter]: ``fee * credit / (MW * hours)``.

    >>> round(penalty_usd_per_mwh(773_486.0, 0.01, 1.0, 720.0), 3)
    10.743
    """
    return fee_usd * expected_credit / (draw_mw * month_hours)


@jit
def breach_chance(needed: int, months: int, chance: float) -> float:
    """Probability of at least so many breaches in so many months, each month a breach with ``chance``.

    One minus the binomial terms below ``needed``, each from the one before, in order.

    >>> breach_chance(0, 3, 0.1), breach_chance(2, 1, 0.5), round(breach_chance(2, 3, 0.5), 12)
    (1.0, 0.0, 0.5)
    """
    if needed <= 0:
        return 1.0
    if needed > months or chance <= 0.0:
        return 0.0
    if chance >= 1.0:
        return 1.0
    term = 1.0
    for _ in range(months):
        term = term * (1.0 - chance)
    below = 0.0
    for found in range(needed):
        below = below + term
        term = term * (months - found) / (found + 1) * chance / (1.0 - chance)
    return min(max(1.0 - below, 0.0), 1.0)


@jit
def termination_usd(terms: np.void, breaches: int, chance: float) -> float:
    """What one more breach adds to the expected cost of termination [USD].

    ``breaches`` stand already, ``chance`` is the probability that a later month becomes one by itself. The months
    after this one that count together with it are ``within_months - 1``. 0 where the customer has no such right, or
    has it already.

    >>> from models.sla.terms import Sla, terms_row
    >>> row = terms_row(Sla(termination_breaches=3, termination_usd=1e6))
    >>> termination_usd(row, 2, 0.0), termination_usd(row, 1, 0.0), termination_usd(row, 3, 0.0)
    (1000000.0, 0.0, 0.0)
    """
    if terms["breaches"] == 0 or breaches >= terms["breaches"]:
        return 0.0
    months = terms["within_months"] - 1
    needed = terms["breaches"] - breaches
    with_it = breach_chance(needed - 1, months, chance)
    without = breach_chance(needed, months, chance)
    return terms["termination_usd"] * (with_it - without)
