"""From the kernel's events to the content of signals: numbers get their names, and a line in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models import policies
from models.answers import ended_entry, order_note
from models.arrays import AWAITED, GROUPS, NEVER, POOL, UNUSABLE, USABLE
from models.decide import CAP, CONTRACT, FAILURE, LOCKOUT, ORDER, is_coupled
from models.degraded import cost_of, directions
from models.explain import GROUP_COUNT, flip_values, gain_usd_per_hour, keep_view, shares
from models.forecast import forecast_of
from models.inputs import Place, input_content, places
from models.layout import Layout, places_of
from models.orders import Book
from models.records import DAY_US, DecidingConfig, config_hash
from models.rows import CLOCK, Catalogue
from models.signals import (
    Band,
    EpochEntry,
    Flip,
    Input,
    Quality,
    Relative,
    RelativeReturn,
    Signal,
    Switch,
    Why,
    default_utilisation,
)
from models.state import State
from models.valuation import FIGURES, marginal_return, relative, relative_content, relative_of_miner
from models.wording import quality_text, series_reason, series_state, switch_text

RULES = {
    0: "policy",
    FAILURE: "failure direction",
    CAP: "site cap",
    CONTRACT: "contract",
    LOCKOUT: "operator lock-out",
    ORDER: "operator order",
}
CLASSES = {
    0: "economic",
    FAILURE: "safety",
    CAP: "mandatory",
    CONTRACT: "contract",
    LOCKOUT: "lock-out",
    ORDER: "operator",
}


@dataclass(slots=True)
class Cause:
    """The row an event arose from, and what was computed once for all events of that row."""

    position: int
    event_us: int
    receipt_us: int
    series: int  # -1 for a tick
    miner_relative: Relative | None = None


def cause_of(row: np.void) -> Cause:
    """The cause behind a row of the log."""
    series = -1 if row["kind"] == CLOCK else int(row["series"])
    return Cause(int(row["position"]), int(row["event_us"]), int(row["receipt_us"]), series)


class Describer:
    """Writes the content of one miner's signals. Holds names and scratch space, no state of the market."""

    def __init__(self, miner: str, layout: Layout, names: Catalogue, config: DecidingConfig, book: Book) -> None:
        self.miner, self.layout, self.names, self.config, self.book = miner, layout, names, config, book
        self.config_hash = config_hash(config)
        widest = int(layout.sites["inputs"].max()) if len(layout.sites) else 1
        self.trial, self.flip_found, self.flip_value = np.zeros(widest), np.zeros(widest, np.int64), np.zeros(widest)
        self.phi, self.gains = np.zeros(GROUP_COUNT + 1), np.zeros(1 << GROUP_COUNT)
        self.figures, self.total = np.zeros(FIGURES), np.zeros(FIGURES)
        self._view = places(layout, names)
        self._used = [places_of(load) for load in layout.loads]

    def switch(self, state: State, event: np.void, cause: Cause) -> Signal:
        """Content of a switch; the load's next signal will be explained from this one."""
        number, item, rule = int(event["site"]), int(event["item"]), int(event["rule"])
        site, load, document = state.sites[number], state.loads[item], self.layout.documents[item]
        first = int(site["first_input"])
        log_time_us = int(state.clocks[0]["log_time_us"])
        coupled = bool(is_coupled(state, number, state.views, first))
        why = self._why(state, number, item, coupled)
        gain = float(gain_usd_per_hour(state, number, item, coupled, state.views, first))
        words = (document.running if event["before"] else "off", document.running if event["after"] else "off")
        valid_until_us = self._valid_until_us(state, item, rule, cause)
        flips = self._flips(state, number, item, coupled, rule)
        mw = float(load["draw_mw"])
        cost = load["start_usd_per_mw"] if event["after"] else load["stop_usd_per_mw"]
        margin = float(load["margin"]) if load["usable"] else None
        place = self.layout.load_keys[item]
        order = self.book.standing.get(place) if rule in (LOCKOUT, ORDER) else None
        act_by_us = min(log_time_us + int(load["act_within_us"]), max(valid_until_us, log_time_us))
        load["act_by_us"] = act_by_us
        content: Switch = {
            "kind": "switch",
            "miner": self.miner,
            "site": place[0],
            "load": place[1],
            "decision": f"{place[0]}#{int(site['decisions'])}",
            "class": CLASSES[rule],
            "rule": RULES[rule],
            "from": words[0],
            "to": words[1],
            "mw": mw,
            "event_time_us": cause.event_us,
            "receipt_time_us": cause.receipt_us,
            "log_time_us": log_time_us,
            "valid_until_us": valid_until_us,
            "act_by_us": act_by_us,
            "margins": {"hash": None, "ai": None, "off": 0.0} | {document.running: margin},
            "relative_return": self._relative(state, number, cause),
            "band": band_of(state, load),
            "switch_cost_usd": float(cost * mw),
            "expected_gain_usd_per_hour": gain,
            "forecast": forecast_of(state, number, item, rule),
            "why": why,
            "flip": flips,
            "inputs": self._inputs(state, number, item, coupled),
            "policy": self.config.policy,
            "config_hash": self.config_hash,
            "order": order_note(order),
            "text": switch_text(words, mw, margin, why, rule, order),
        }
        keep_view(state, number, item)
        return Signal(cause.position, content)

    def quality(self, state: State, event: np.void, cause: Cause) -> Signal:
        """Content of a quality entry: a series of a site became unusable, or usable again."""
        number, place = int(event["site"]), int(event["item"])
        site, source = state.sites[number], self._view[place]
        series = state.series[source.number]
        usable = event["after"] != UNUSABLE
        after = "ok" if usable else series_state(series["known"], series["fresh"], series["quality"])
        reason = None if usable else series_reason(series["reason"])
        was = "awaited" if event["before"] == AWAITED else ("unusable" if event["before"] == UNUSABLE else "ok")
        first_load, seen_at = int(site["first_load"]), place - int(site["first_input"])
        readers = [item for item in range(first_load, first_load + int(site["loads"])) if seen_at in self._used[item]]
        direction = directions(state, self.layout, readers)
        cost = None if usable else cost_of(state, readers)
        content: Quality = {
            "kind": "quality",
            "miner": self.miner,
            "site": self.layout.site_keys[number],
            "load": "",
            "series": source.series,
            "state": after,
            "reason": reason,
            "was": was,
            "direction": direction,
            "expected_cost_usd_per_hour": cost,
            "event_time_us": cause.event_us,
            "receipt_time_us": cause.receipt_us,
            "log_time_us": int(state.clocks[0]["log_time_us"]),
            "text": quality_text(source.series, after, reason, direction, cost),
        }
        return Signal(cause.position, content)

    def ended(self, state: State, event: np.void, cause: Cause) -> Signal:
        """Content of the entry for an order whose time is over."""
        place = self.layout.load_keys[int(event["item"])]
        version, log_time_us = int(state.sites[int(event["site"])]["version"]), int(state.clocks[0]["log_time_us"])
        entry = ended_entry(self.miner, place, self.book.end(place), version, log_time_us, cause.receipt_us)
        return Signal(cause.position, entry)

    def epoch(self, position: int, time_us: int, receipt_us: int, reason: str) -> Signal:
        """Content of the entry that opens an epoch."""
        content: EpochEntry = {
            "kind": "epoch",
            "miner": self.miner,
            "site": "",
            "load": "",
            "reason": reason,
            "policy": self.config.policy,
            "config_hash": self.config_hash,
            "event_time_us": time_us,
            "receipt_time_us": receipt_us,
            "log_time_us": time_us,
            "text": f"{reason}: policy {self.config.policy}, configuration {self.config_hash}",
        }
        return Signal(position, content)

    def _why(self, state: State, number: int, item: int, coupled: bool) -> Why:
        total = float(shares(state, number, item, coupled, self.trial, self.gains, self.phi))
        groups = {name: float(self.phi[group]) for group, name in enumerate(GROUPS) if self.phi[group] != 0.0}
        if self.phi[GROUP_COUNT] != 0.0:
            groups["state"] = float(self.phi[GROUP_COUNT])
        return {"unit": "USD/h", "scope": "site" if coupled else "load", "total": total, "groups": groups}

    def _flips(self, state: State, number: int, item: int, coupled: bool, rule: int) -> list[Flip]:
        economic = rule == 0
        if economic:
            flip_values(state, number, item, self.trial, self.flip_found, self.flip_value)
        flips: list[Flip] = []
        for place, source, value in self._shown(state, number, item, coupled):
            if not source.flips:
                continue
            found = economic and bool(self.flip_found[place])
            reason = None if found else "no value of it alone" if economic else f"decided by {RULES[rule]}"
            if economic and state.inputs[int(state.sites[number]["first_input"]) + place]["state"] != USABLE:
                reason = "unusable now"
            flips.append(
                {
                    "series": source.series,
                    "unit": source.unit,
                    "now": None if math.isnan(value) else value,
                    "value": float(self.flip_value[place]) if found else None,
                    "reason": reason,
                }
            )
        return flips

    def _shown(self, state: State, number: int, item: int, coupled: bool) -> Iterator[tuple[int, Place, float]]:
        """Places of a site's view that speak of a load, or of all its loads where they are coupled."""
        site, used = state.sites[number], self._used[item]
        first, count = int(site["first_input"]), int(site["inputs"])
        values = state.views[first : first + count].tolist()
        for place in range(count):
            source = self._view[first + place]
            if source.needed and (coupled or place in used):
                yield place, source, values[place]

    def _inputs(self, state: State, number: int, item: int, coupled: bool) -> list[Input]:
        site, log_time_us = state.sites[number], int(state.clocks[0]["log_time_us"])
        inputs: list[Input] = []
        for _, source, value in self._shown(state, number, item, coupled):
            series = state.series[source.number].item()
            inputs.append(input_content(source, series, value, log_time_us, self.names.source_names))
        first_load = int(site["first_load"])
        for other in range(first_load, first_load + int(site["loads"])) if coupled else (item,):
            load = state.loads[other]
            if load["kind"] == POOL and load["dispatched"] == 1 and load["view_utilisation"] < 0:
                inputs.append(default_utilisation(self.layout.load_keys[other][1], float(load["utilisation"])))
        return inputs

    def _valid_until_us(self, state: State, item: int, rule: int, cause: Cause) -> int:
        """Next due time of the driving print plus its limit; at a tick, of the load's power price or rate.

        Where it is the lack of a print that drives (a failure direction), one limit from now; an order is valid until
        it ends, one without an end for a day, a contract's for a day.
        """
        load, log_time_us = state.loads[item], int(state.clocks[0]["log_time_us"])
        if rule in (LOCKOUT, ORDER, CONTRACT):
            until_us = int(load["order_until_us"])
            return log_time_us + DAY_US if rule == CONTRACT or until_us == NEVER else until_us
        first = int(state.sites[load["site"]]["first_input"])
        number = cause.series
        if number < 0 or rule == FAILURE:
            used = self._used[item]
            if rule == FAILURE:
                used = [place for place in used if state.inputs[first + place]["state"] == UNUSABLE]
            number = self._view[first + used[0]].number
        series = state.series[number]
        good_until_us = int(series["due_us"]) + int(series["limit_us"])
        return good_until_us if good_until_us >= log_time_us else log_time_us + int(series["limit_us"])

    def _relative(self, state: State, number: int, cause: Cause) -> RelativeReturn:
        return {
            "site": self._site_relative(state, number),
            "miner": self._miner_relative(state, cause),
            "marginal_usd_per_mwh": self._marginal(state, number),
        }

    def _site_relative(self, state: State, number: int) -> Relative:
        relative(state, number, self.figures)
        return relative_content(self.figures)

    def _miner_relative(self, state: State, cause: Cause) -> Relative:
        if cause.miner_relative is None:
            relative_of_miner(state, self.figures, self.total)
            cause.miner_relative = relative_content(self.total)
        return cause.miner_relative

    def _marginal(self, state: State, number: int) -> float | None:
        has, value = marginal_return(state, number)
        return float(value) if has else None


def band_of(state: State, load: np.void) -> Band | None:
    """Margins between which the policy leaves a load where it is; None for a plan, which has none."""
    if policies.is_plan(int(state.policy[0])):
        return None
    stop, start = policies.bounds(
        int(state.policy[0]), load["stop_usd_per_mw"], load["start_usd_per_mw"], state.policy[1], state.policy[2]
    )
    return {"stop_below_usd_per_mwh": float(stop), "start_above_usd_per_mwh": float(start)}
