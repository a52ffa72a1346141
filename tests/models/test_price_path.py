"""What a plan remembers of a power series, and the path it counts with, whatever is missing."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.price_memory import (
    NO_SLOT,
    median_of,
    new_memories,
    nth_smallest,
    price_at,
    remember,
    renew_median,
)
from models.price_path import (
    COMPLETE,
    DECAY,
    NO_DAY_AHEAD,
    NO_MEDIAN,
    NO_PRICE,
    SPIKE_DECAY,
    build_path,
    decay_per_step,
    deviation_usd_per_mwh,
)
from models.records import DAY_US, HOUR_US, MINUTE_US
from models.zones import CENTRAL, EASTERN, EASTERN_STANDARD, market_day, zone_of

STEP_US = 15 * MINUTE_US
T0 = 1_720_000_000_000_000 // DAY_US * DAY_US
SLOT0 = T0 // STEP_US


class Series:
    """One series, its memory and a path over it."""

    def __init__(self, step_us: int = STEP_US) -> None:
        self.step_us = step_us
        self.memories, self.slots, self.prices = new_memories([step_us])
        self.work = np.zeros(self.slots.shape[1])

    def know(self, prices: dict[int, float]) -> Series:
        """Remember prices by interval, counted from T0."""
        for place, price in prices.items():
            remember(self.memories, self.slots, self.prices, 0, T0 + place * self.step_us, price)
        return self

    def renew(self, day: int) -> int:
        """Take the median if the day is new."""
        return renew_median(self.memories, self.slots, self.prices, 0, day, self.work)

    @property
    def median(self) -> float:
        """The median that stands."""
        return float(self.memories[0]["median"])

    def path(
        self, place: int, day_ahead: list[float], first: int = 0, keep: float = 0.0, steps: int = 4
    ) -> list[float]:
        """The path from an interval on; ``missing`` is kept."""
        found = np.zeros(steps)
        slot0 = T0 // self.step_us
        self.missing = build_path(
            found,
            steps,
            slot0 + place,
            self.memories,
            self.slots,
            self.prices,
            0,
            np.array(day_ahead),
            slot0 + first,
            keep,
            DECAY,
            SPIKE_DECAY,
        )
        return [float(price) for price in found]


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=400), st.integers(0, 5))
def test_the_median_is_numpys_to_the_bit(values: list[float], ties: int) -> None:
    values = values + values[:ties]
    assert median_of(np.array(values), len(values)) == np.median(values)
    plain = getattr(nth_smallest, "py_func", nth_smallest)
    assert plain(np.array(values), len(values), len(values) // 3) == sorted(values)[len(values) // 3]


def test_the_order_of_arrival_does_not_matter_and_a_correction_replaces() -> None:
    chance = random.Random(7)
    known = {place: chance.uniform(-50.0, 500.0) for place in range(1_344)}
    mixed = list(known.items())
    chance.shuffle(mixed)
    one, other = Series().know(known), Series().know(dict(mixed))
    assert (one.prices == other.prices).all()
    assert (one.renew(1), other.renew(1)) == (1, 1)
    assert one.median == other.median == np.median(list(known.values()))
    one.know({5: 9_000.0})
    assert price_at(one.memories, one.slots, one.prices, 0, SLOT0 + 5) == 9_000.0
    assert one.memories[0]["newest"] == SLOT0 + 1_343


def test_only_the_fourteen_days_before_the_newest_price_count_and_gaps_are_no_prices() -> None:
    series = Series().know(dict.fromkeys(range(1_344), 10.0))
    series.know(
        {2_000 + place: 30.0 for place in range(690)}
    )  # after a gap; 654 cells of the ring still hold the old price
    assert series.renew(1) == 1
    assert series.median == 30.0
    series.know({0: 5.0})  # older than the ring: let go
    assert math.isnan(price_at(series.memories, series.slots, series.prices, 0, SLOT0))


def test_the_median_waits_for_three_days_and_stands_from_midnight_to_midnight() -> None:
    series = Series().know({place: float(place) for place in range(287)})
    assert (series.renew(1), math.isnan(series.median)) == (0, True)
    series.know({287: 287.0})
    assert (series.renew(1), math.isnan(series.median)) == (0, True)
    assert (series.renew(2), series.median) == (1, 143.5)
    series.know({288: -9_999.0})
    assert (series.renew(2), series.median) == (0, 143.5)
    assert (series.renew(3), series.median) == (1, 143.0)


def test_local_days_begin_at_local_midnight_on_both_sides_of_a_change_of_clocks() -> None:
    midnight = 1_730_610_000_000_000  # 2024-11-03 00:00 Central, a day of 25 hours
    assert market_day(CENTRAL, midnight) == market_day(CENTRAL, midnight - 1) + 1
    assert market_day(CENTRAL, midnight + 25 * HOUR_US - 1) == market_day(CENTRAL, midnight)
    assert market_day(CENTRAL, midnight + 25 * HOUR_US) == market_day(CENTRAL, midnight) + 1


def test_midwestern_days_are_those_of_eastern_standard_time_all_year() -> None:
    midnight = 1_720_069_200_000_000  # 2024-07-04 00:00 EST, 01:00 on the clocks of the east
    assert market_day(zone_of("power:MISO:MINN.HUB:rt"), midnight - 1) + 1 == market_day(EASTERN_STANDARD, midnight)
    assert market_day(zone_of("power:PJM:WESTERN HUB:rt"), midnight - 1) == market_day(EASTERN, midnight)


def test_the_path_is_the_last_price_then_the_reference_and_a_deviation_that_dies_away() -> None:
    series = Series().know({0: 40.0, 1: 60.0})
    assert series.path(2, [30.0] * 8) == [60.0, 30.0 + 30.0 * 0.75, 30.0 + 30.0 * 0.75 * 0.75, 30.0 + 30.0 * 0.75**3]
    assert series.missing == NO_MEDIAN
    series.memories[0]["median"] = 10.0
    assert series.path(2, [30.0] * 4 + [50.0] * 4)[:3] == [60.0, 20.0 + 40.0 * 0.75, 30.0 + 40.0 * 0.75 * 0.75]
    assert series.missing == COMPLETE


def test_a_deviation_beyond_a_hundred_dies_more_slowly() -> None:
    series = Series().know({0: 130.0})
    assert series.path(0, [30.0] * 8)[1] == 30.0 + 100.0 * DECAY
    assert Series().know({0: 130.5}).path(0, [30.0] * 8)[1] == 30.0 + 100.5 * SPIKE_DECAY


def test_a_share_of_the_last_fall_is_kept_and_none_of_a_rise() -> None:
    fell = Series().know({0: 90.0, 1: 50.0})
    assert fell.path(2, [30.0] * 8, keep=0.25)[:2] == [50.0, 30.0 + (20.0 + 10.0) * DECAY]
    rose = Series().know({0: 50.0, 1: 90.0})
    assert rose.path(2, [30.0] * 8, keep=0.25) == rose.path(2, [30.0] * 8)
    alone = Series().know({1: 50.0})
    assert alone.path(2, [30.0] * 8, keep=0.25) == alone.path(2, [30.0] * 8)


def test_at_five_minutes_the_fall_is_from_the_highest_of_the_last_fifteen() -> None:
    series = Series(5 * MINUTE_US).know({0: 500.0, 1: 90.0, 2: 70.0, 3: 60.0, 4: 50.0})
    found = deviation_usd_per_mwh(
        series.memories, series.slots, series.prices, 0, np.full(9, 30.0), T0 // series.step_us, 0.5
    )
    assert found == 20.0 + 0.5 * (60.0 - 20.0)


def test_what_is_unknown_is_done_without_and_said() -> None:
    nothing = Series()
    assert nothing.memories[0]["newest"] == NO_SLOT
    assert all(math.isnan(price) for price in nothing.path(0, []))
    assert nothing.missing == NO_MEDIAN | NO_DAY_AHEAD | NO_PRICE
    assert nothing.path(0, [20.0] * 4) == [20.0] * 4
    price_only = Series().know({0: 40.0})
    assert price_only.path(1, []) == [40.0] * 4
    curve_ends = Series().know({0: 40.0})
    curve_ends.memories[0]["median"] = 10.0
    assert curve_ends.path(0, [20.0, 20.0]) == [
        40.0,
        15.0 + 25.0 * DECAY,
        10.0 + 25.0 * DECAY**2,
        10.0 + 25.0 * DECAY**3,
    ]
    assert curve_ends.missing == NO_DAY_AHEAD
    curve_begins = Series().know({0: 40.0})
    assert curve_begins.path(2, [20.0] * 6, first=2) == [40.0, 20.0, 20.0, 20.0]


@pytest.mark.parametrize("minutes", [1, 3, 5, 15, 30, 60])
def test_decays_of_other_intervals_come_to_the_same_in_an_hour(minutes: int) -> None:
    for decay in (0.5, DECAY, SPIKE_DECAY, 0.99):
        each = decay_per_step(decay, minutes * MINUTE_US)
        assert each ** (60 // minutes) == pytest.approx(decay**4, rel=1e-13)
        plain = getattr(decay_per_step, "py_func", decay_per_step)
        assert plain(decay, minutes * MINUTE_US) == each


def test_compiled_and_uncompiled_paths_are_equal_to_the_bit() -> None:
    chance = random.Random(3)
    series = Series().know({place: chance.uniform(-50.0, 500.0) for place in range(600)})
    series.renew(1)
    curve, one, other = [chance.uniform(0.0, 90.0) for _ in range(700)], np.zeros(24), np.zeros(24)
    for place in range(590, 600):
        arguments = (24, SLOT0 + place, series.memories, series.slots, series.prices, 0, np.array(curve), SLOT0)
        build_path(one, *arguments, 0.3, DECAY, SPIKE_DECAY)
        getattr(build_path, "py_func", build_path)(other, *arguments, 0.3, DECAY, SPIKE_DECAY)
        assert one.tolist() == other.tolist()
