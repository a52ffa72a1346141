"""The five-tier ladder of the reference figures, run row by row over recorded prices through the rooms that plan.

Row t is decided at its start and settled at its own price; lag L knows the rows up to t - L. Revenue is held over the
horizon at what was known. Every tier has one MW, so the cap never binds.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.bound import clairvoyant_usd_per_mw
from models.jit import jit
from models.plan import FREE, MARGIN, advantage_usd_per_mw, mode_of
from models.price_memory import new_memories, remember, renew_median
from models.price_path import DECAY, HORIZON_US, KEEP, QUARTER_HOUR_US, SPIKE_DECAY, build_path
from models.score import capture_pooled, net_usd_per_mw
from models.zones import CENTRAL, market_day

TIERS_JOULES_PER_TH = (13.5, 17.5, 21.5, 29.5, 34.0)
POOL_FEE, PUE, OPEX, ADDER = 0.006, 1.05, 6.0, 6.0
CUT = datetime(2024, 8, 20, 5, tzinfo=UTC)
STEPS = HORIZON_US // QUARTER_HOUR_US
ROW_HOURS = 0.25
US = 1_000_000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """Recorded rows of 15 minutes: when each begins, its prices, what hashing earned, the local day it lies in."""

    start_us: Ints
    day: Ints
    real_time: Floats
    day_ahead: Floats
    strike: Floats  # (tiers, rows): LMP at which a tier's cash margin is nothing
    cut: int  # first row of the later half

    @property
    def halves(self) -> dict[str, tuple[int, int]]:
        """Rows of the halves before and after the cut."""
        return {"B": (0, self.cut), "A": (self.cut, len(self.start_us))}


def read_window(path: Path) -> Window:
    """The joined window of 2024, ERCOT HB_SOUTH."""
    with gzip.open(path, "rt") as lines:
        rows = list(csv.DictReader(lines))
    starts = [datetime.fromisoformat(row["interval_start_utc"]) for row in rows]
    start_us = np.array([int(start.timestamp()) * US for start in starts])
    day = [market_day(CENTRAL, int(start)) for start in start_us]
    hashprice = np.array([float(row["hashprice_subsidy_only_usd_ph_day"]) for row in rows])
    strike = np.array(
        [hashprice * (1.0 - POOL_FEE) / (0.024 * tier * PUE) - OPEX - ADDER for tier in TIERS_JOULES_PER_TH]
    )
    return Window(
        start_us,
        np.array(day),
        np.array([float(row["ercot_hb_south_rtm_spp"]) for row in rows]),
        np.array([float(row["ercot_hb_south_dam_spp"]) for row in rows]),
        strike,
        sum(start < CUT for start in starts),
    )


def paths(
    window: Window, lag: int, *, keep: float = KEEP, decay: float = DECAY, spike_decay: float = SPIKE_DECAY
) -> Floats:
    """The path that is planned on at each row, (rows, steps) [USD/MWh]."""
    memories, slots, prices = new_memories([QUARTER_HOUR_US])
    work = np.zeros(slots.shape[1])
    found = np.zeros((len(window.start_us), STEPS))
    first_slot = int(window.start_us[0]) // QUARTER_HOUR_US
    for row, start_us in enumerate(window.start_us.tolist()):
        if row >= lag:
            remember(memories, slots, prices, 0, int(window.start_us[row - lag]), window.real_time[row - lag])
        renew_median(memories, slots, prices, 0, int(window.day[row]), work)
        slot = start_us // QUARTER_HOUR_US
        build_path(
            found[row],
            STEPS,
            slot,
            memories,
            slots,
            prices,
            0,
            window.day_ahead,
            first_slot,
            keep,
            decay,
            spike_decay,
        )
    return found


@jit
def run_tier(
    path: np.ndarray, strike: np.ndarray, lag: int, cost: float, first: int, work: np.ndarray, modes: np.ndarray
) -> None:
    """Write one tier's modes from row ``first`` on; ``cost`` is paid on every change, the first mode is free."""
    mode = FREE
    for place in range(len(modes)):
        row = first + place
        fill_row(work, path, row, strike[max(row - lag, 0)])
        mode = mode_of(advantage_usd_per_mw(work, STEPS, mode, cost, cost, 1, 1), mode)
        modes[place] = mode


@jit
def fill_row(work: np.ndarray, path: np.ndarray, row: int, strike: float) -> None:
    """What running earns along a row's path [USD/MW]."""
    for step in range(STEPS):
        work[MARGIN, step] = (strike - path[row, step]) * ROW_HOURS


def planned_modes(window: Window, path: Floats, tier: int, lag: int, round_trip: float, rows: tuple[int, int]) -> Ints:
    """Modes of one tier over a half; half the round trip is paid on a stop, half on a start."""
    modes = np.zeros(rows[1] - rows[0], np.int64)
    run_tier(path, window.strike[tier], lag, round_trip / 2.0, rows[0], np.zeros((3, STEPS + 1)), modes)
    return modes


def gains(window: Window, tier: int, rows: tuple[int, int]) -> Floats:
    """What a tier earns running each row [USD/MW]."""
    first, last = rows
    earned: Floats = (window.strike[tier, first:last] - window.real_time[first:last]) * ROW_HOURS
    return earned


def captures(
    window: Window, half: str, round_trip: float, modes_of: Callable[[int, tuple[int, int]], Ints]
) -> tuple[float, list[float]]:
    """Pooled capture of a rule over a half, and each tier's own; ``modes_of(tier, rows)`` says what ran."""
    rows = window.halves[half]
    policy, constant, best = [], [], []
    for tier in range(len(TIERS_JOULES_PER_TH)):
        gain = gains(window, tier, rows)
        stop = start = round_trip / 2.0
        policy.append(net_usd_per_mw(modes_of(tier, rows), gain, stop, start))
        constant.append(max(net_usd_per_mw(np.ones(len(gain), np.int64), gain, stop, start), 0.0))
        best.append(clairvoyant_usd_per_mw(gain, stop, start, 1, 1, np.zeros((2, len(gain) + 1))))
    each = [(mine - still) / (most - still) for mine, still, most in zip(policy, constant, best, strict=True)]
    return capture_pooled(np.array(policy), np.array(constant), np.array(best)), each


def plan_captures(window: Window, path: Floats, half: str, lag: int, round_trip: float) -> tuple[float, list[float]]:
    """Pooled capture of the rolling plan over a half along these paths, and each tier's own."""
    return captures(
        window, half, round_trip, lambda tier, rows: planned_modes(window, path, tier, lag, round_trip, rows)
    )
