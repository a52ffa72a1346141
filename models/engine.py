"""The deterministic state machine of one miner: records in, signals out; exact to the bit, wherever it runs.

No I/O, no clock, no chance. Without a fleet it is the market alone, from which a miner born later starts.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from models import carry, kernel, orders, policies
from models.answers import ack_entry, command_entry, unconfirmed
from models.arrays import NEVER
from models.commands import Ack, Command
from models.describe import Cause, Describer, cause_of
from models.documents import midnight_us
from models.fleet import Load, Miner
from models.kernel import FLEET_DUE, MARK, ORDER_ENDED, SWITCH
from models.layout import Layout, dependencies, layout_of
from models.records import SECOND_US, Clock, DecidingConfig, Observation
from models.rows import Catalogue, Rows, RowTuple, clock_row, observation_row, rows_of
from models.signals import Signal, Unconfirmed
from models.state import State, empty_state, fleet_arrays, grown
from models.valuation import SiteValue, site_value


def day_of(time_us: int) -> date:
    """Day UTC of a time."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + time_us // (86_400 * SECOND_US))


def present(miner: Miner, day: date) -> dict[str, list[Load]]:
    """Loads of each site that exist on a day."""
    return {site.key: [load for load in site.loads if load.exists_on(day)] for site in miner.site}


def next_change_us(miner: Miner, day: date) -> int:
    """Start of the next day on which the fleet differs by its own dates; NEVER if none."""
    dates = [
        midnight_us(bound)
        for site in miner.site
        for load in site.loads
        for bound in (load.effective_from, load.effective_until)
        if bound is not None and bound > day
    ]
    return min(dates, default=NEVER)


class Engine:
    """One miner's state machine. ``names`` numbers series and sources and may be shared between engines.

    >>> from models.records import Clock
    >>> engine = Engine(Catalogue(), DecidingConfig())
    >>> engine.apply(Clock(time_us=1_718_582_400_000_000, instance="a"), 0)
    []
    >>> engine.log_time_us
    1718582400000000
    """

    def __init__(self, names: Catalogue, config: DecidingConfig) -> None:
        """An engine before the log's first record, without a fleet."""
        self.names, self.config = names, config
        self.miner: Miner | None = None
        self.book = orders.Book()
        self.layout = _no_fleet(names)
        self.state: State = empty_state(self.layout, names, config, _policy_figures(config))
        self.describer = Describer("", self.layout, names, config, self.book)

    @property
    def log_time_us(self) -> int:
        """Log time [us UTC], 0 before the first tick."""
        return int(self.state.clocks[0]["log_time_us"])

    def apply(self, record: Observation | Clock, position: int, receipt_us: int | None = None) -> list[Signal]:
        """Apply one record of the log at its position; ``receipt_us`` is needed for ticks only."""
        row: RowTuple
        if isinstance(record, Clock):
            row = clock_row(record, record.time_us if receipt_us is None else receipt_us, position, self.names)
        else:
            row = observation_row(record, position, self.names)
        return self.apply_rows(rows_of([row]))

    def apply_rows(self, rows: Rows, start: int = 0, end: int | None = None) -> list[Signal]:
        """Apply rows[start:end] in order."""
        signals: list[Signal] = []
        end = len(rows) if end is None else end
        while start < end:
            start, found, _ = self.step(rows, start, end)
            signals += found
        return signals

    def step(self, rows: Rows, start: int, end: int, *, marks: bool = False) -> tuple[int, list[Signal], bool]:
        """Apply rows until one gave signals or, with ``marks``, passed a checkpoint mark.

        Returns (next row, signals, whether the last row applied passed a mark).
        """
        self.grow()
        place, count, code = kernel.advance(self.state, rows, start, end, int(marks))
        if code == FLEET_DUE:
            self._build()
            count = kernel.settle(self.state)
            code = MARK if marks and kernel.is_marked(self.state) else code
        found = self._collect(count, cause_of(rows[place - 1])) if count else []
        return place, found, code == MARK

    def change_fleet(self, miner: Miner, position: int, receipt_us: int) -> list[Signal]:
        """Take over a fleet. Before the first tick it waits for log time, which its dates need."""
        born = self.miner is None
        self.miner = miner
        signals = []
        self._build()
        if born:
            signals.append(self.describer.epoch(position, self.log_time_us, receipt_us, "stream begins"))
        if self.log_time_us > 0:
            count = kernel.settle(self.state)
            signals += self._collect(count, Cause(position, self.log_time_us, receipt_us, -1))
        return signals

    def start_epoch(self, config: DecidingConfig, position: int, receipt_us: int) -> list[Signal]:
        """Go on under another configuration. Published modes and dwells stay."""
        self.config = config
        self.state = self.state._replace(policy=np.array(_policy_figures(config)))
        self.state.clocks[0]["mark_every_us"] = config.checkpoint_every_s * SECOND_US
        self.state = grown(self.state, self.names, config)
        self.state.clocks[0]["next_stale_us"] = 0  # limits changed: look at every series at once
        self.describer = Describer(self.miner.key if self.miner else "", self.layout, self.names, config, self.book)
        if self.miner is None:
            return []
        signals = [self.describer.epoch(position, self.log_time_us, receipt_us, "epoch begins")]
        if self.log_time_us > 0:
            self.state.sites["wake_us"] = 0
            self.state.clocks[0]["next_wake_us"] = 0
            count = kernel.settle(self.state)
            signals += self._collect(count, Cause(position, self.log_time_us, receipt_us, -1))
        return signals

    def command(self, order: Command, position: int, receipt_us: int) -> list[Signal]:
        """Carry out a command and answer it; nothing where it was answered before."""
        if not self.book.is_new(order.id, self.log_time_us):
            return []
        self.grow()
        answer = orders.command(self.book, self.state, self.layout, order)
        signals = [Signal(position, command_entry(order, answer, self.log_time_us, receipt_us))]
        if answer.loads:
            self.state.sites[self.layout.site_keys.index(order.site)]["wake_us"] = 0
            self.state.clocks[0]["next_wake_us"] = 0
            count = kernel.settle(self.state)
            signals += self._collect(count, Cause(position, order.issued_us, receipt_us, -1))
        return signals

    def acknowledge(self, ack: Ack, position: int, receipt_us: int) -> list[Signal]:
        """Take a person's word for a switch and answer it; nothing where it was answered before."""
        if not self.book.is_new(ack.id, self.log_time_us):
            return []
        reason, late = orders.acknowledge(self.state, self.layout, ack)
        return [Signal(position, ack_entry(ack, reason, self.log_time_us, receipt_us, late=late))]

    def unconfirmed(self) -> list[Unconfirmed]:
        """Switches that a person is to confirm and has not."""
        return unconfirmed(self.state, self.layout)

    def site_values(self) -> list[SiteValue]:
        """Latest valuation of every site."""
        key = self.miner.key if self.miner else ""
        return [site_value(self.state, self.layout, key, number) for number in range(len(self.layout.site_keys))]

    def degraded(self) -> list[str]:
        """Series that some load needs and cannot use now, sorted."""
        return carry.unusable_series(self.state, self.names)

    def snapshot(self) -> bytes:
        """The whole state as bytes; equal states give equal bytes whatever order names were first seen in."""
        return carry.pack(self)

    def restore(self, blob: bytes) -> None:
        """Take over a snapshot's state, exact to the bit. The fleet document must have been set by ``adopt``."""
        carry.unpack(self, blob)

    def adopt(self, miner: Miner | None, config: DecidingConfig, day: date) -> None:
        """Lay out a fleet as it stood on a day, before a snapshot is restored into it."""
        self.miner, self.config = miner, config
        loads = present(miner, day) if miner else {}
        self.layout = layout_of(miner.site, loads, self.names) if miner else _no_fleet(self.names)
        self.state = empty_state(self.layout, self.names, config, _policy_figures(config))
        self.describer = Describer(miner.key if miner else "", self.layout, self.names, config, self.book)

    def _build(self) -> None:
        """Lay out the loads that exist now, keeping what is known of those that stay."""
        if self.miner is None:
            return
        loads = present(self.miner, day_of(self.log_time_us)) if self.log_time_us else {}
        layout = layout_of(self.miner.site, loads, self.names)
        self.grow()
        if self.log_time_us:
            carry.keep_loads(self.state, self.layout, layout)
            layout.sites["warm_until_us"] = self.log_time_us + self.config.warm_up_s * SECOND_US
        self.book.lay_down(layout, set(self.layout.load_keys), self.log_time_us)
        self.layout = layout
        self.state = self.state._replace(**fleet_arrays(layout))
        self.state.clocks[0]["next_wake_us"] = 0
        due = next_change_us(self.miner, day_of(self.log_time_us)) if self.log_time_us else 0
        self.state.clocks[0]["next_fleet_us"] = due
        self.describer = Describer(self.miner.key, layout, self.names, self.config, self.book)

    def grow(self) -> None:
        """Make room for names that came since the last step."""
        known, heard = len(self.state.series), len(self.state.heard)
        if known < len(self.names.series_names) or heard < len(self.names.source_names):
            self.state = grown(self.state, self.names, self.config)
            self._find_curves()

    def _find_curves(self) -> None:
        """Let sites read the day-ahead curves that were named since: none has a place before its first print."""
        sites, found = self.state.sites, False
        for number, series in enumerate(self.layout.curves):
            if sites[number]["day_ahead"] < 0 and self.names.find(series) >= 0:
                sites[number]["day_ahead"], found = self.names.find(series), True
        if found:
            start, readers = dependencies(sites, self.state.inputs, len(self.names.series_names))
            self.state = self.state._replace(dep_start=start, dep_site=readers)

    def _collect(self, count: int, cause: Cause) -> list[Signal]:
        """Content of the events just raised."""
        signals = []
        for event in self.state.events[:count]:
            describe = {SWITCH: self.describer.switch, ORDER_ENDED: self.describer.ended}.get(
                int(event["code"]), self.describer.quality
            )
            signals.append(describe(self.state, event, cause))
        return signals


def _policy_figures(config: DecidingConfig) -> tuple[float, ...]:
    """What the compiled step reads of a policy, in the order of ``State.policy``."""
    code, keep = float(policies.code_of(config.policy)), policies.keep_of(config.policy)
    return code, config.dead_band_usd_per_mwh, config.amortise_hours, keep, float(config.free_start)


def _no_fleet(names: Catalogue) -> Layout:
    return layout_of((), {}, names)
