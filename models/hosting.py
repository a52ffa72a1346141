"""AI hosting: what a metered MWh earns in GPUs rented by the hour or in halls leased to a tenant.

kW of a GPU are IT kW and hold its share of servers, network and storage; ``pue`` takes them to the meter.
"""

from __future__ import annotations

from models.jit import jit

HOURS_PER_YEAR = 8_760.0


@jit
def pool_draw_kw_per_gpu(kw_per_gpu: float, idle_fraction: float, utilisation: float) -> float:
    """Draw of a pool for each of its GPUs [kW IT]: ``w * (i + (1 - i) * u)``; idle GPUs draw the fraction i.

    >>> pool_draw_kw_per_gpu(1.40, 1.0, 0.80), round(pool_draw_kw_per_gpu(1.40, 0.35, 0.80), 3)
    (1.4, 1.218)
    """
    return kw_per_gpu * (idle_fraction + (1.0 - idle_fraction) * utilisation)


@jit
def gpus_per_mw(draw_kw_per_gpu: float, pue: float) -> float:
    """GPUs behind one metered MW: ``1000 / (w * PUE)``.

    >>> round(gpus_per_mw(1.40, 1.25), 2)
    571.43
    """
    return 1_000.0 / (draw_kw_per_gpu * pue)


@jit
def pool_margin_usd_per_mwh(
    usd_per_gpu_hour: float,
    utilisation: float,
    draw_kw_per_gpu: float,
    pue: float,
    power_usd_per_mwh: float,
    opex_usd_per_gpu_hour: float,
) -> float:
    """Cash margin of a pool [USD/MWh at the meter]: ``(rate * u - opex) * 1000 / (w * PUE) - power``.

    ``draw_kw_per_gpu`` [kW IT] is what the pool draws at this utilisation (:func:`pool_draw_kw_per_gpu`).

    >>> round(pool_margin_usd_per_mwh(2.35, 0.80, 1.40, 1.25, 45.0, 0.30), 3)
    857.857
    """
    earned_usd_per_gpu_hour = usd_per_gpu_hour * utilisation - opex_usd_per_gpu_hour
    return earned_usd_per_gpu_hour * gpus_per_mw(draw_kw_per_gpu, pue) - power_usd_per_mwh


@jit
def lease_usd_per_mwh(usd_per_kw_month: float, mw_basis_is_it: int, pue: float) -> float:
    """Rent of a lease [USD/MWh at the meter]: ``K * 12 * 1000 / 8760``, divided by PUE where K is on IT kW.

    >>> round(lease_usd_per_mwh(154.1667, 1, 1.25), 2)
    168.95
    """
    per_mwh_of_basis = usd_per_kw_month * 12_000.0 / HOURS_PER_YEAR
    if mw_basis_is_it:
        return per_mwh_of_basis / pue
    return per_mwh_of_basis


@jit
def lease_margin_usd_per_mwh(
    usd_per_kw_month: float, mw_basis_is_it: int, noi_margin: float, pue: float, gross: int, power_usd_per_mwh: float
) -> float:
    """Cash margin of a lease [USD/MWh at the meter]: NOI; under a gross lease (``gross``) less our power.

    Under a triple-net lease the tenant pays the power. Rent is due whether the tenant draws or not.

    >>> round(lease_margin_usd_per_mwh(154.1667, 1, 0.85, 1.25, 0, 45.0), 3)
    143.607
    >>> round(lease_margin_usd_per_mwh(154.1667, 1, 0.85, 1.25, 1, 45.0), 3)
    98.607
    """
    net_usd_per_mwh = noi_margin * lease_usd_per_mwh(usd_per_kw_month, mw_basis_is_it, pue)
    if gross:
        return net_usd_per_mwh - power_usd_per_mwh
    return net_usd_per_mwh


def pool_revenue_usd_per_mwh(usd_per_gpu_hour: float, utilisation: float, draw_kw_per_gpu: float, pue: float) -> float:
    """Revenue of a pool [USD/MWh at the meter]: ``rate * u * 1000 / (w * PUE)``.

    >>> round(pool_revenue_usd_per_mwh(2.35, 0.80, 1.40, 1.25), 3)
    1074.286
    """
    return usd_per_gpu_hour * utilisation * gpus_per_mw(draw_kw_per_gpu, pue)


def breakeven_usd_per_gpu_hour(
    utilisation: float, draw_kw_per_gpu: float, pue: float, power_usd_per_mwh: float, opex_usd_per_gpu_hour: float
) -> float:
    """Rate at which a pool earns nothing in cash [USD/GPU-h]: ``(opex + power * w * PUE / 1000) / u``.

    >>> round(breakeven_usd_per_gpu_hour(0.80, 1.40, 1.25, 45.0, 0.30), 4)
    0.4734
    """
    power_usd_per_gpu_hour = power_usd_per_mwh / gpus_per_mw(draw_kw_per_gpu, pue)
    return (opex_usd_per_gpu_hour + power_usd_per_gpu_hour) / utilisation


def usd_per_pflops_hour(usd_per_gpu_hour: float, bf16_tflops: float) -> float:
    """Rental rate of computing power [USD/PFLOPS-h], dense BF16: ``rate / (TFLOPS / 1000)``.

    >>> round(usd_per_pflops_hour(2.35, 989.0), 3)
    2.376
    """
    return usd_per_gpu_hour / (bf16_tflops / 1_000.0)


def tflops_per_mw(bf16_tflops: float, draw_kw_per_gpu: float, pue: float) -> float:
    """Computing power behind one metered MW [TFLOPS, dense BF16].

    >>> round(tflops_per_mw(989.0, 1.40, 1.25))
    565143
    """
    return bf16_tflops * gpus_per_mw(draw_kw_per_gpu, pue)


def lease_usd_per_mwh_it(usd_per_kw_month: float) -> float:
    """Rent per MWh of its own basis, for a lease on IT kW [USD/MWh-IT]: ``K * 12 * 1000 / 8760``.

    >>> round(lease_usd_per_mwh_it(154.1667), 3)
    211.187
    """
    return lease_usd_per_mwh(usd_per_kw_month, 0, 1.0)


def lease_usd_per_kw_month(total_usd: float, mw: float, years: float) -> float:
    """Mean rent of a contract printed as a total over its term [USD/kW-month on the basis of ``mw``].

    >>> round(lease_usd_per_kw_month(3.7e9, 200.0, 10.0), 4)
    154.1667
    """
    return total_usd / (mw * 1_000.0 * 12.0 * years)


def first_year_rent_usd(total_usd: float, escalator: float, years: int) -> float:
    """First year's rent [USD] of a total over n years that grows by g a year: ``Total * g / ((1 + g)^n - 1)``.

    Computed as the total over the sum of the growth factors, which is the same and holds without growth too.

    >>> first_year_rent_usd(300.0, 0.0, 3), round(first_year_rent_usd(331.0, 0.1, 3), 9)
    (100.0, 100.0)
    """
    if years < 1:
        raise ValueError(f"a lease of {years} years has no first year")
    growth, growth_sum = 1.0, 0.0
    for _ in range(years):
        growth_sum = growth_sum + growth
        growth = growth * (1.0 + escalator)
    return total_usd / growth_sum


def lease_noi_usd(rent_usd: float, noi_margin: float) -> float:
    """Net operating income of a rent [USD]: rent * margin.

    >>> round(lease_noi_usd(370e6, 0.85))
    314500000
    """
    return rent_usd * noi_margin
