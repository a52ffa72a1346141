"""What a site's planning remembers of one power series: the known prices of 14 days, and their median. Compiled.

The median is taken anew once in each local day, at the first plan of that day, from what is known then; between two
local midnights it stands. Where local midnight lies is the caller's knowledge, given as an offset from UTC.
"""

from __future__ import annotations

import math

import numpy as np

from models.arrays import Array, Floats, Ints
from models.jit import jit, jit_apart
from models.records import DAY_US

DAYS_REMEMBERED = 14
DAYS_BEFORE_MEDIAN = 3
ODD_PRINTS = 12  # of another length, in a row, before a series is taken to have changed: an hour of five minutes
NO_DAY = -(2**62)
NO_SLOT = -(2**62)

MEMORIES = np.dtype(
    [
        ("step_us", "i8"),  # length of an interval of this series
        ("cells", "i8"),  # intervals in 14 days: how much of its ring a series uses
        ("odd", "i8"),  # how many of the last prints had another length
        ("newest", "i8"),  # number of the newest interval known: its start / step, NO_SLOT: none
        ("local_day", "i8"),  # day for which the median stands, NO_DAY: none yet
        ("median", "f8"),  # USD/MWh, nan: fewer than three days were known
    ]
)


WIDEST = DAYS_REMEMBERED * 288
"""Places of a ring: fourteen days of five minutes. Shorter intervals are remembered for fewer days."""


@jit
def cells_of(step_us: int) -> int:
    """Intervals of this length in the days remembered.

    >>> cells_of(900_000_000), cells_of(300_000_000), cells_of(60_000_000)
    (1344, 4032, 4032)
    """
    return min(DAYS_REMEMBERED * DAY_US // step_us, WIDEST)


def new_memories(steps_us: list[int]) -> tuple[Array, Ints, Floats]:
    """Empty memories for series of these interval lengths [us]: (memories, slots of the rings, prices of the rings).

    >>> memories, slots, prices = new_memories([900_000_000, 3_600_000_000])
    >>> slots.shape, memories["cells"].tolist()
    ((2, 1344), [1344, 336])
    """
    cells = [cells_of(step) for step in steps_us]
    memories = np.zeros(len(steps_us), MEMORIES)
    memories["step_us"], memories["cells"] = steps_us, cells
    memories["newest"], memories["local_day"], memories["median"] = NO_SLOT, NO_DAY, np.nan
    widest = max(cells, default=1)
    return memories, np.full((len(cells), widest), NO_SLOT, np.int64), np.full((len(cells), widest), np.nan)


@jit
def remember(
    memories: np.ndarray, slots: np.ndarray, prices: np.ndarray, number: int, start_us: int, usd_per_mwh: float
) -> None:
    """Keep the price of the interval that begins at ``start_us``; a second price for it replaces the first.

    The order of arrival does not matter, and an interval older than what the ring holds is let go.
    """
    memory = memories[number]
    slot = start_us // memory["step_us"]
    place = slot % memory["cells"]
    if slot < slots[number, place]:
        return
    slots[number, place] = slot
    prices[number, place] = usd_per_mwh
    memory["newest"] = max(memory["newest"], slot)


@jit_apart
def learn(
    memories: np.ndarray,
    slots: np.ndarray,
    prices: np.ndarray,
    number: int,
    start_us: int,
    length_us: int,
    usd_per_mwh: float,
    restated: bool,
) -> None:
    """Keep a print of an interval of this length. A series that changes its length for good is learnt anew.

    A price of an interval long past that is known already is replaced only where the source says it was ``restated``:
    a second, slower source of the same prints changes nothing.
    """
    memory = memories[number]
    if memory["step_us"] == length_us:
        memory["odd"] = 0
    else:
        memory["odd"] += 1
        if memory["step_us"] > 0 and memory["odd"] < ODD_PRINTS:
            return  # a single odd print must not cost what is remembered of fourteen days
        memory["odd"] = 0
        memory["step_us"], memory["cells"], memory["newest"] = length_us, cells_of(length_us), NO_SLOT
        for place in range(WIDEST):
            slots[number, place], prices[number, place] = NO_SLOT, math.nan
    slot = start_us // length_us
    if slot < memory["newest"] and not restated and slots[number, slot % memory["cells"]] == slot:
        return
    remember(memories, slots, prices, number, start_us, usd_per_mwh)


@jit
def price_at(memories: np.ndarray, slots: np.ndarray, prices: np.ndarray, number: int, slot: int) -> float:
    """Known price of an interval by its number [USD/MWh], nan where none is known or remembered."""
    place = slot % memories[number]["cells"]
    return prices[number, place] if slots[number, place] == slot else math.nan


@jit_apart
def renew_median(
    memories: np.ndarray, slots: np.ndarray, prices: np.ndarray, number: int, day: int, work: np.ndarray
) -> int:
    """Take the median of the 14 days that end with the newest interval known, once for each local day.

    ``work`` has room for a ring. Fewer than three days' worth of known prices leave the median as it was. Returns 1
    where it was taken anew.
    """
    memory = memories[number]
    if memory["local_day"] == day:
        return 0
    memory["local_day"] = day
    oldest = memory["newest"] - memory["cells"]
    count = 0
    for place in range(memory["cells"]):
        if slots[number, place] > oldest:
            work[count] = prices[number, place]
            count += 1
    if count * memory["step_us"] < DAYS_BEFORE_MEDIAN * DAY_US:
        return 0
    memory["median"] = median_of(work, count)
    return 1


@jit_apart
def median_of(values: np.ndarray, count: int) -> float:
    """Median of the first ``count`` values, the mean of the middle two where their number is even; reorders them.

    >>> median_of(np.array([5.0, 1.0, 9.0, 3.0]), 4), median_of(np.array([5.0, 1.0, 9.0]), 3)
    (4.0, 5.0)
    """
    upper = nth_smallest(values, count, count // 2)
    if count % 2 == 1:
        return upper
    lower = values[0]
    for place in range(count // 2):
        lower = max(lower, values[place])
    return (lower + upper) / 2.0


@jit_apart
def nth_smallest(values: np.ndarray, count: int, rank: int) -> float:
    """The value with ``rank`` smaller ones among the first ``count``; afterwards those before it are not larger.

    Hoare's selection with the middle place as pivot, so the order of comparisons is the same on every machine.

    >>> nth_smallest(np.array([4.0, 2.0, 8.0, 6.0]), 4, 1)
    4.0
    """
    left, right = 0, count - 1
    while left < right:
        pivot = values[(left + right) // 2]
        low, high = left, right
        while low <= high:
            while values[low] < pivot:
                low += 1
            while values[high] > pivot:
                high -= 1
            if low <= high:
                kept = values[low]
                values[low] = values[high]
                values[high] = kept
                low += 1
                high -= 1
        if rank <= high:
            right = high
        elif rank >= low:
            left = low
        else:
            break
    return values[rank]
