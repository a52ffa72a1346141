"""A history as known with a lag of whole intervals, in place of its importers' rules of receipt.

Row t is an interval of the real-time market, decided at its start. Lag L knows the rows up to t - L of every live
input: the price of an interval is known L intervals after it began; what is printed between intervals belongs to the
one under way when its importer could have had it. Lag 1 is a settlement file read at the interval's end; lag 0 sees the
interval it decides and is a reference, not a rule. Day-ahead prices keep the time of their publication, and a constant
is known from the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from models.records import LAST_PLAUSIBLE_US, MINUTE_US, BtcPrice, Network, Observation, PowerPrice, is_curve
from streams.errors import SettingsError
from streams.history import History
from streams.history.contract import imported
from streams.history.joined import join
from streams.history.manifest import CONSTANT_SOURCE

INSTANCE = "history-lagged"


def observations(history: History) -> Iterator[Observation]:
    """Every observation of a history of files, source after source.

    Raises SettingsError where a source is a recording: it carries its own receipt times, which no lag replaces.
    """
    for source in history.sources:
        if source.groups is None:
            raise SettingsError(
                f"{source.name}: a backtest states the lag of its prices, and a recording has its own; replay it "
                "instead, or give files of history"
            )
        for group in source.groups:
            yield from group


def interval_us(history: History) -> int:
    """Length of an interval [us]: the shortest of any real-time price, or of any day-ahead one where there is none.

    Raises SettingsError where the history has no price of power.
    """
    lengths: dict[bool, int] = {}
    for found in observations(history):
        if isinstance(found, PowerPrice):
            curve, length_us = is_curve(found.series), found.end_time_us - found.event_time_us
            lengths[curve] = min(lengths.get(curve, length_us), length_us)
    if not lengths:
        raise SettingsError(f"{history.name}: holds no price of power; a backtest settles at one")
    return lengths.get(False, lengths.get(True, 0))


def known_us(found: Observation, lag: int, step_us: int) -> int:
    """When an observation is known with a lag [us UTC].

    >>> from models.records import MINUTE_US, SECOND_US
    >>> noon, step = 1_718_625_600_000_000, 15 * MINUTE_US
    >>> price = PowerPrice(series="power:ERCOT:HB_SOUTH:rt", source="x", event_time_us=noon, end_time_us=noon + step,
    ...     receipt_time_us=noon + step + 60 * SECOND_US, next_due_us=noon + 2 * step, usd_per_mwh=30.0)
    >>> [(known_us(price, lag, step) - noon) // MINUTE_US for lag in (0, 1, 2)]
    [0, 15, 30]
    >>> close = BtcPrice(series="btc:usd", source="x", event_time_us=noon, receipt_time_us=noon + 5 * SECOND_US,
    ...     next_due_us=noon + 60 * MINUTE_US, usd_per_btc=65_000.0)
    >>> [(known_us(close, lag, step) - noon) // MINUTE_US for lag in (0, 1)]
    [0, 15]
    """
    if is_curve(found.series) or found.source == CONSTANT_SOURCE:
        return found.receipt_time_us
    if isinstance(found, PowerPrice):
        return found.event_time_us + lag * (found.end_time_us - found.event_time_us)
    row_us = found.receipt_time_us // step_us * step_us
    if not isinstance(found, Network):  # a network's state is ordered by its height
        row_us = max(row_us, found.event_time_us)
    return row_us + lag * step_us


def rank(found: Observation) -> int:
    """Place among what becomes known at one time: BTC, network, rates, curves, then real-time power.

    Power comes last, so that it is planned on with all the others.
    """
    if isinstance(found, PowerPrice):
        return 3 if is_curve(found.series) else 4
    return 0 if isinstance(found, BtcPrice) else 1 if isinstance(found, Network) else 2


def moved(found: Observation, lag: int, step_us: int) -> Observation:
    """The observation with its new receipt time; it is due again as much later as it is known later."""
    time_us = known_us(found, lag, step_us)
    due_us = max(found.next_due_us + time_us - found.receipt_time_us, time_us)
    return replace(found, receipt_time_us=time_us, next_due_us=min(due_us, LAST_PLAUSIBLE_US))


def lagged_groups(history: History, lag: int) -> list[list[Observation]]:
    """Observations grouped by what becomes known together, in the order in which it does with a lag of 0 or more."""
    step_us = interval_us(history)
    groups: list[list[Observation]] = []
    for source in history.sources:
        for group in source.groups or ():
            if is_curve(group[0].series):
                groups.append(list(group))
            else:
                groups += [[moved(found, lag, step_us)] for found in group]
    return sorted(groups, key=lambda group: (group[0].receipt_time_us, rank(group[0])))


def lagged(history: History, lag: int) -> History:
    """The history as it is known with a lag of so many intervals, 0 or more."""
    minutes = interval_us(history) / MINUTE_US
    note = f"receipt times of the importers are replaced by a lag of {lag} x {minutes:g} minutes"
    if lag == 0:
        note += ": LOOK-AHEAD, each interval's own price is seen when it is decided"
    source = imported(history.name, lagged_groups(history, lag), INSTANCE)
    return join(history.name, [source], [*history.notes, note], history.hypothetical)
