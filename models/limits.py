"""Limits that follow from a series' name and the deciding configuration.

Not compiled: services that decide nothing read them too.
"""

from __future__ import annotations

from models.records import DAY_US, SECOND_US, DecidingConfig, Network, Observation, is_curve

MEMBER = "@"
MAX_AHEAD_US = 2 * SECOND_US
MAX_CURVE_AHEAD_US = 10 * DAY_US  # an interval of a later year would never give up its slot


def group_of(series: str) -> str:
    """The series that a member's own gives its vote to.

    >>> group_of("btc:usd@kraken"), group_of("gpu:H100-SXM:spot@runpod-community")
    ('btc:usd', 'gpu:H100-SXM:spot')
    """
    return series.rpartition(MEMBER)[0]


def limit_us(series: str, config: DecidingConfig) -> int:
    """How long past its next due time a series may be used [us], by its kind.

    >>> limit_us("power:ERCOT:HB_SOUTH:rt", DecidingConfig()) // SECOND_US
    900
    """
    kind = series.split(":", 1)[0]
    seconds = {
        "btc": config.btc_price_limit_s,
        "network": config.network_limit_s,
        "power": config.power_price_limit_s,
        "gpu": config.gpu_rate_limit_s,
        "utilisation": config.utilisation_limit_s,
    }
    return seconds.get(kind, config.btc_price_limit_s) * SECOND_US


def plans(series: str) -> bool:
    """Whether a change of a series is planned on at once: of power, and of utilisation. Others move margins only.

    >>> plans("power:ERCOT:HB_SOUTH:rt"), plans("btc:usd")
    (True, False)
    """
    return series.startswith(("power:", "utilisation:"))


def jump_limit(series: str, config: DecidingConfig) -> float:
    """How far a print may lie from what was before: USD/MWh for a power price, else a fraction; 0: not asked.

    Only members of a group are asked, who have others to be compared with, and real-time power, which is only flagged.

    >>> jump_limit("btc:usd@kraken", DecidingConfig()), jump_limit("btc:usd", DecidingConfig())
    (0.1, 0.0)
    """
    kind = series.split(":", 1)[0]
    if kind == "power":
        return 0.0 if is_curve(series) else config.power_jump_usd_per_mwh
    if MEMBER not in series:
        return 0.0
    return {"btc": config.btc_jump_fraction, "gpu": config.gpu_jump_fraction}.get(kind, 0.0)


def refusal(observation: Observation) -> str | None:
    """Why an observation cannot be right although its values can: it speaks of a time not yet come.

    Clock skew of up to 2 s between a source and us is normal. Curves speak of the future by nature, by ten days at
    most, and the network's state is ordered by height.
    """
    if isinstance(observation, Network):
        return None
    ahead_us = observation.event_time_us - observation.receipt_time_us
    if ahead_us <= (MAX_CURVE_AHEAD_US if is_curve(observation.series) else MAX_AHEAD_US):
        return None
    return f"event_time_us lies {ahead_us / 1e6:.1f} s after its receipt: the source's clock or unit is wrong"
