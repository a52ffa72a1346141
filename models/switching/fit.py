"""From samples of a margin to the two levels a load switches at, by a stated rule; never silently wrong.

The rules, in order; ``why`` says in words which one applied:

1. ``fallback`` where nothing can be fitted: too few samples or too short a window, no spread, too many spikes to be
   spikes, a memory shorter than the samples can show. Each level is then the cost of one switch over a few hours.
2. ``brownian`` where a random walk is not rejected at 5 %: the band without mean reversion.
3. ``ergodic`` where the margin reverts: the best band for ever.
4. ``cube_root`` where the ergodic solver has no answer: the law for small costs, which needs the noise alone.

A fit is a few milliseconds of bounded work. It enters the log as a record; what decides reads the levels from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.switching import brownian, ergodic, ou
from models.switching.robust import Samples, seasonal_medians
from models.switching.roots import NoFitError

HOURS_PER_YEAR = 8_760.0
Hours = np.typing.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRules:
    """What a fit goes by.

    ``memory_h`` [h] halves the weight of a sample; ``least_samples`` and ``least_window_h`` are what a fit needs;
    ``spike_limit`` in robust standard deviations; ``most_spikes`` the share beyond which they are no spikes but another
    regime; ``discount_per_year`` for the band without mean reversion; ``fallback_hours`` [h] over which the fallback
    spreads a switching cost, as the policy ``band`` does; ``inward``: the band moves inward for being seen in steps.
    """

    memory_h: float = 168.0
    least_samples: int = 96
    least_window_h: float = 24.0
    spike_limit: float = ou.SPIKE_LIMIT
    most_spikes: float = 0.2
    discount_per_year: float = 0.10
    fallback_hours: float = 4.0
    inward: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BandFit:
    """Two levels and what they come from. Run from margin >= ``enter`` until margin <= ``leave`` [USD/MWh].

    ``rule`` is ergodic, brownian, cube_root or fallback. ``theta`` [USD/MWh], ``kappa`` [1/h], ``sigma`` [USD/MWh per
    root h], ``half_life_h``, ``statistic`` and its ``critical`` value are null where nothing could be estimated.
    ``theta_by_hour`` holds 24 levels by local hour where hours were given, else nothing. ``gain_usd_per_mw_hour`` is
    the long-run gain over never running, ``cycle_h`` the mean time of a round trip; both null but for ``ergodic``.
    """

    leave: float
    enter: float
    rule: str
    why: str
    theta: float | None
    kappa: float | None
    sigma: float | None
    half_life_h: float | None
    statistic: float | None
    critical: float | None
    samples: int
    spikes: int
    spikes_per_day: float
    window_h: float
    theta_by_hour: tuple[float, ...] = ()
    gain_usd_per_mw_hour: float | None = None
    cycle_h: float | None = None

    def factor(self, hours: float) -> float:
        """What is left of a deviation after so many hours: ``e^(-kappa tau)``; 1 where none is known to fade.

        >>> walk = fit_band(Samples(np.arange(3.0), np.zeros(3)), 10.0, 10.0)
        >>> walk.rule, walk.factor(5.0)
        ('fallback', 1.0)
        """
        return 1.0 if self.kappa is None or self.rule == "brownian" else math.exp(-self.kappa * hours)


def forecast(theta: float, margin: float, factor: float) -> float:
    """The margin expected after a while [USD/MWh]: ``theta + (X - theta) * factor``; the factor comes from a fit.

    >>> forecast(10.0, 30.0, 0.25)
    15.0
    """
    return theta + (margin - theta) * factor


def fit_band(
    samples: Samples,
    enter_usd_per_mw: float,
    leave_usd_per_mw: float,
    *,
    rules: FitRules | None = None,
    local_hours: Hours | None = None,
    former: BandFit | None = None,
) -> BandFit:
    """Fit the band of a margin [USD/MWh] by its samples and what entering and leaving cost [USD/MW].

    With ``local_hours`` (0 to 23, one a sample) speed and noise are those of what the medians of the hours leave, and
    the fit holds a theta for each hour. ``former`` starts the solver where the last fit ended.

    Raises:
        ValueError: costs below 0, rules or hours that cannot be. What the samples do not allow shows in ``rule``.
    """
    rules = rules or FitRules()
    by_hour: tuple[float, ...] = ()
    if local_hours is not None and len(samples):
        medians = seasonal_medians(samples.usd_per_mwh, local_hours)
        by_hour = tuple(float(level) for level in medians)
        level = float(np.median(samples.usd_per_mwh))
        samples = Samples(samples.hours, samples.usd_per_mwh - medians[local_hours] + level)
    lacking = _lacking(samples, rules)
    try:
        found = None if lacking else ou.robust(samples, rules.memory_h, rules.spike_limit)
    except NoFitError as error:
        found, lacking = None, str(error)
    if found is None:
        return _fallback(samples, enter_usd_per_mw, leave_usd_per_mw, rules, lacking, None, by_hour)
    return band_of(found, samples, enter_usd_per_mw, leave_usd_per_mw, rules=rules, by_hour=by_hour, former=former)


def band_of(
    found: ou.MeanReversion,
    samples: Samples,
    enter_usd_per_mw: float,
    leave_usd_per_mw: float,
    *,
    rules: FitRules | None = None,
    by_hour: tuple[float, ...] = (),
    former: BandFit | None = None,
) -> BandFit:
    """The band of an estimate: for loads that share one price the estimate is made once, and moved to each one's theta.

    >>> hours = np.arange(0.0, 240.0, 0.25)
    >>> series = Samples(hours, 5.0 + 20.0 * np.cos(hours * 1.7) + 9.0 * np.sin(hours * hours))
    >>> fit = fit_band(series, 10.0, 10.0)
    >>> fit.rule, fit.leave < 0.0 < fit.enter
    ('ergodic', True)
    """
    rules = rules or FitRules()
    _check_costs(enter_usd_per_mw, leave_usd_per_mw)
    share = found.spikes.share if found.spikes is not None else 0.0
    if share > rules.most_spikes:
        return _fallback(
            samples,
            enter_usd_per_mw,
            leave_usd_per_mw,
            rules,
            f"{share:.0%} of the samples lie beyond {rules.spike_limit:g} robust deviations: another regime, no spikes",
            found,
            by_hour,
        )
    if found.bounded == "fastest":
        lacking = f"a deviation is gone within a sample of {found.step_h:g} h: there is no memory to act on"
        return _fallback(samples, enter_usd_per_mw, leave_usd_per_mw, rules, lacking, found, by_hour)
    round_trip = enter_usd_per_mw + leave_usd_per_mw
    tested = f"t {found.statistic:.2f} against {found.critical:.2f}"
    gain = cycle = None
    if not found.reverts:
        sigma = ou.walk_sigma(samples, rules.memory_h, rules.spike_limit)
        half = brownian.half_band(sigma, rules.discount_per_year / HOURS_PER_YEAR, 0.5 * round_trip)
        leave, enter, rule, why = -half, half, "brownian", f"a random walk is not rejected ({tested})"
    else:
        sigma = found.sigma
        start = max(-former.leave, former.enter) if former is not None else None
        try:
            best = ergodic.band(found.theta, found.kappa, sigma, round_trip, start)
            leave, enter, rule, gain, cycle = best.leave, best.enter, "ergodic", best.rate, best.cycle
            why = f"reverts ({tested}), half-life {found.half_life_h:.3g} h"
        except NoFitError as error:
            half = brownian.cube_root_half_band(sigma, round_trip)
            leave, enter, rule, why = -half, half, "cube_root", str(error)
    if rules.inward:
        leave, enter = brownian.sampled(leave, enter, sigma, found.step_h)
    return _fit(samples, leave, enter, rule, why, found, sigma, by_hour, gain, cycle)


def _check_costs(enter_usd_per_mw: float, leave_usd_per_mw: float) -> None:
    """Refuse costs that cannot be."""
    for name, cost in (("enter", enter_usd_per_mw), ("leave", leave_usd_per_mw)):
        if not (math.isfinite(cost) and cost >= 0.0):
            raise ValueError(f"{name}_usd_per_mw {cost!r} must be a finite number, not below 0")


def _lacking(samples: Samples, rules: FitRules) -> str:
    """What the samples lack to be fitted; nothing where they may be tried."""
    if len(samples) < rules.least_samples:
        return f"{len(samples)} samples, {rules.least_samples} are needed"
    if samples.window_h < rules.least_window_h:
        return f"a window of {samples.window_h:.3g} h, {rules.least_window_h:g} h are needed"
    return ""


def _fallback(
    samples: Samples,
    enter_usd_per_mw: float,
    leave_usd_per_mw: float,
    rules: FitRules,
    why: str,
    found: ou.MeanReversion | None,
    by_hour: tuple[float, ...],
) -> BandFit:
    """Levels from the costs alone."""
    _check_costs(enter_usd_per_mw, leave_usd_per_mw)
    leave, enter = -leave_usd_per_mw / rules.fallback_hours, enter_usd_per_mw / rules.fallback_hours
    return _fit(samples, leave, enter, "fallback", why, found, found.sigma if found else None, by_hour, None, None)


def _fit(
    samples: Samples,
    leave: float,
    enter: float,
    rule: str,
    why: str,
    found: ou.MeanReversion | None,
    sigma: float | None,
    by_hour: tuple[float, ...],
    gain: float | None,
    cycle: float | None,
) -> BandFit:
    """The record."""
    apart = found.spikes if found is not None else None
    return BandFit(
        leave=leave,
        enter=enter,
        rule=rule,
        why=why,
        theta=found.theta if found else None,
        kappa=found.kappa if found else None,
        sigma=sigma,
        half_life_h=found.half_life_h if found else None,
        statistic=found.statistic if found else None,
        critical=found.critical if found else None,
        samples=len(samples),
        spikes=apart.count if apart else 0,
        spikes_per_day=apart.per_day if apart else 0.0,
        window_h=samples.window_h,
        theta_by_hour=by_hour,
        gain_usd_per_mw_hour=gain,
        cycle_h=cycle,
    )
