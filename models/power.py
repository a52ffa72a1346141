"""Power: what a metered MWh costs, by contract: at the margin (what decides) and on the bill (what is reported).

Every price here is linear in the node's price (LMP): ``lmp_factor * LMP + fixed``. LMP may be negative or thousands
and is never limited. Losses scale all energy, whoever sells it: a contract priced at the meter states none.
"""

from __future__ import annotations

from models.fleet import Power
from models.jit import jit


@jit
def price_usd_per_mwh(lmp_usd_per_mwh: float, lmp_factor: float, fixed_usd_per_mwh: float) -> float:
    """All-in price [USD/MWh at the meter] from the coefficients that :func:`marginal` or :func:`accounting` gave.

    >>> price_usd_per_mwh(-20.0, 1.0, 6.0)
    -14.0
    """
    return lmp_usd_per_mwh * lmp_factor + fixed_usd_per_mwh


def share_above_committed(running_mw: float, committed_mw: float) -> float:
    """Share of the running MW that lies above the committed MW, 0 to 1.

    >>> share_above_committed(100.0, 75.0), share_above_committed(50.0, 75.0), share_above_committed(0.0, 0.0)
    (0.25, 0.0, 0.0)
    """
    if running_mw <= committed_mw:
        return 0.0
    return (running_mw - committed_mw) / running_mw


def bought_per_metered_mwh(loss_fraction: float) -> float:
    """Energy bought for one metered MWh where ``loss_fraction`` of it is lost on the way: ``1 / (1 - l)``.

    >>> bought_per_metered_mwh(0.0), bought_per_metered_mwh(0.2)
    (1.0, 1.25)
    """
    return 1.0 / (1.0 - loss_fraction)


def marginal(power: Power, share_above_committed: float) -> tuple[float, float]:
    """What one more metered MWh changes in the bill: (lmp_factor, fixed [USD/MWh]).

    ``spot`` and ``hedged``: LMP (a financial hedge pays the same whether we run or not). ``ppa_resale``: LMP less the
    resale fee, what the MWh would have brought. ``take_or_pay``: nothing within the commitment, LMP for the share
    above. ``requirements``: the PPA price. The adder is paid for every metered MWh. Demand charges already set cause
    nothing here.

    >>> marginal(Power(node="ERCOT:HB_SOUTH"), 0.0)
    (1.0, 6.0)
    >>> marginal(Power(node="ERCOT:HB_WEST", contract="requirements", ppa_usd_per_mwh=35.0), 0.0)
    (0.0, 41.0)
    """
    bought = bought_per_metered_mwh(power.loss_fraction)
    if power.contract == "ppa_resale":
        return bought, power.adder_usd_per_mwh - power.resale_fee_usd_per_mwh * bought
    if power.contract == "take_or_pay":
        return share_above_committed * bought, power.adder_usd_per_mwh
    if power.contract == "requirements":
        return 0.0, contract_price(power) * bought + power.adder_usd_per_mwh
    return bought, power.adder_usd_per_mwh


def accounting(power: Power, share_above_committed: float) -> tuple[float, float]:
    """What the bill says of a metered MWh: (lmp_factor, fixed [USD/MWh]).

    ``spot``: LMP. ``ppa_resale`` and ``requirements``: the PPA price. ``take_or_pay`` and ``hedged``: the PPA price
    within the commitment, LMP for the share above. What an unused commitment costs or brings is no price of a MWh:
    :func:`unused_commitment_usd_per_hour`.

    >>> power = Power(node="ERCOT:HB_WEST", contract="hedged", ppa_usd_per_mwh=30.0, committed_mw=75.0)
    >>> accounting(power, 0.25), marginal(power, 0.25)
    ((0.25, 28.5), (1.0, 6.0))
    """
    bought = bought_per_metered_mwh(power.loss_fraction)
    if power.contract == "spot":
        return bought, power.adder_usd_per_mwh
    above = share_above_committed if power.contract in ("take_or_pay", "hedged") else 0.0
    return above * bought, (1.0 - above) * contract_price(power) * bought + power.adder_usd_per_mwh


def contract_price(power: Power) -> float:
    """The price a contract names [USD/MWh]; a spot contract names none, asking for it is an error of ours."""
    if power.ppa_usd_per_mwh is None:
        raise ValueError(f"contract {power.contract!r} at {power.node} names no price")
    return power.ppa_usd_per_mwh


def unused_commitment_usd_per_hour(power: Power, lmp_usd_per_mwh: float, running_mw: float) -> float:
    """What the committed but unused MW cost [USD/h], negative where they earn.

    ``take_or_pay``: the PPA price is paid. ``hedged``: the hedge settles PPA less LMP. ``ppa_resale``: bought at the
    PPA price, sold at LMP less the fee. Nothing where no MW are committed.

    >>> power = Power(node="ERCOT:HB_WEST", contract="ppa_resale", ppa_usd_per_mwh=30.0, committed_mw=75.0)
    >>> unused_commitment_usd_per_hour(power, 500.0, 25.0)
    -23500.0
    """
    if power.committed_mw is None or power.contract in ("spot", "requirements"):
        return 0.0
    bought = bought_per_metered_mwh(power.loss_fraction)
    unused_mw = max(power.committed_mw - running_mw, 0.0) * bought
    if power.contract == "take_or_pay":
        return unused_mw * contract_price(power)
    return unused_mw * (contract_price(power) + power.resale_fee_usd_per_mwh - lmp_usd_per_mwh)
