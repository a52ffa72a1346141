"""The replayer's own records: how a replay's log opens, and a clock tick each minute where history has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson

from models.fleet import Miner
from models.records import MINUTE_US, DecidingConfig
from streams.fleetfile import encode_miner
from streams.history.joined import CLOCK_FEED, History
from streams.wire import RawRecord

REPLAYER = "replayer"
EPOCH_FEED = "epoch"
FLEET_FEED = "fleet"
OPENING_FEEDS = frozenset((EPOCH_FEED, FLEET_FEED))


def clock_record(time_us: int, counter: int) -> RawRecord:
    """A tick of the replayer at ``time_us`` [us UTC].

    >>> clock_record(1_724_200_200_000_000, 3).payload
    b'{"time_us":1724200200000000,"replayed":true}'
    """
    return RawRecord(CLOCK_FEED, time_us, REPLAYER, counter, b'{"time_us":%d,"replayed":true}' % time_us)


def whole_minute_at_or_before(time_us: int) -> int:
    """The whole minute at or before a time.

    >>> whole_minute_at_or_before(1_724_200_259_999_999)
    1724200200000000
    """
    return time_us - time_us % MINUTE_US


def ticked(records: Iterable[RawRecord], *, after_us: int | None = None, counter: int = 0) -> Iterator[RawRecord]:
    """Records in receipt order with a tick at each whole minute of receipt time, before records of equal time.

    The first tick is the whole minute at or before the first record, or the minute after ``after_us`` where that tick
    was given already; the last is the first whole minute after the last record. Ticks count from ``counter``.
    """
    next_us = None if after_us is None else after_us + MINUTE_US
    for record in records:
        if next_us is None:
            next_us = whole_minute_at_or_before(record.receipt_time_us)
        while next_us <= record.receipt_time_us:
            yield clock_record(next_us, counter)
            counter += 1
            next_us += MINUTE_US
        yield record
    if next_us is not None:
        yield clock_record(next_us, counter)


def opening(
    fleet: Sequence[Miner], config: DecidingConfig, code_hash: str, at_us: int, *, epoch: int = 1
) -> list[RawRecord]:
    """How a replay's log opens, all at ``at_us`` [us UTC]: the epoch, a tick that sets log time, each miner's fleet."""
    start = orjson.dumps({"epoch": epoch, "config": config, "code_hash": code_hash})
    fleets = [
        RawRecord(FLEET_FEED, at_us, REPLAYER, counter, encode_miner(miner))
        for counter, miner in enumerate(fleet, start=2)
    ]
    return [RawRecord(EPOCH_FEED, at_us, REPLAYER, 0, start), clock_record(at_us, 1), *fleets]


def opens_at_us(history: History) -> int:
    """When a replay of a history opens [us UTC]: the whole minute at or before its first record, or its first tick.

    A recording goes on by its own ticks, which count only where they step a few seconds: so it opens at the first.
    """
    if history.carries_clock:
        first = next(record for record in history if record.feed == CLOCK_FEED)
        return first.receipt_time_us
    return whole_minute_at_or_before(history.counts.first_receipt_us)


def replay_log(
    history: History, fleet: Sequence[Miner], config: DecidingConfig, code_hash: str, *, epoch: int = 1
) -> Iterator[RawRecord]:
    """The whole log of a replay: the opening, then history with its clock.

    Epochs and fleets inside a history (a recording has them) are left out: this replay states its own. A recording
    with its own clock gets no ticks but the opening's.
    """
    start_us = opens_at_us(history)
    opened = opening(fleet, config, code_hash, start_us, epoch=epoch)
    yield from opened
    records = (record for record in history if record.feed not in OPENING_FEEDS)
    if history.carries_clock:
        yield from records
    else:
        yield from ticked(records, after_us=start_us, counter=len(opened))
