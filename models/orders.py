"""What a miner's people ordered and confirmed: which commands stand, which are refused and why. Exact, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from models.arrays import CONFIRMED_WORDS, DONE, LOCKED, NEVER, NO_ORDER, ORDERED, Array
from models.commands import Ack, Command, Order
from models.decide import CAP_SLACK, LOCKOUT, ORDER, lock
from models.layout import Layout
from models.margins import draw_mw
from models.records import DAY_US, MINUTE_US
from models.state import State

LATE_US = 10 * MINUTE_US  # an order this long on its way is not carried out: the plant is no longer as it was seen
AHEAD_US = 5 * MINUTE_US
REMEMBERED_US = 7 * DAY_US  # how long a second delivery is known as one; later it is refused as late
MOST_REMEMBERED = 10_000

Place = tuple[str, str]
WHOLE = ""  # in the place of a load: a lock-out of the whole site, of loads that are yet to come too


@dataclass(slots=True)
class Answer:
    """What became of a command: ``reason`` None where it was accepted; loads it applies to, and why not to others."""

    reason: str | None
    version: int
    loads: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Book:
    """Orders that stand, by (site, load), and the ids of commands and acknowledgements already answered."""

    standing: dict[Place, Order] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)

    def is_new(self, identity: str, log_time_us: int) -> bool:
        """Whether an id comes for the first time; it is remembered, and those of long ago forgotten."""
        if identity in self.answered:
            return False
        self.answered[identity] = log_time_us
        for known, answered_us in list(self.answered.items()):
            if log_time_us - answered_us <= REMEMBERED_US and len(self.answered) <= MOST_REMEMBERED:
                break
            del self.answered[known]
        return True

    def document(self) -> dict[str, Any]:
        """For a snapshot: plain JSON values."""
        standing = [[site, load, asdict(order)] for (site, load), order in sorted(self.standing.items())]
        return {"orders": standing, "answered": list(self.answered.items())}

    def read(self, header: Mapping[str, Any]) -> None:
        """Take over what a snapshot says."""
        self.standing = {(site, load): Order(**order) for site, load, order in header["orders"]}
        self.answered = dict(header["answered"])

    def lay_down(self, layout: Layout, before: Collection[Place], log_time_us: int) -> None:
        """Write the orders that stand into a layout's loads; those of absent loads end unsaid.

        A load that was not there ``before`` comes under its site's lock-out: people are at the machines.
        """
        present = set(layout.load_keys)
        for site, load in layout.load_keys:
            whole = self.standing.get((site, WHOLE))
            if whole is not None and whole.until_us > log_time_us and (site, load) not in before:
                self.standing.setdefault((site, load), whole)
        self.standing = {
            place: order for place, order in self.standing.items() if place in present or order.until_us > log_time_us
        }
        for item, place in enumerate(layout.load_keys):
            order = self.standing.get(place)
            write_order(layout.loads, item, order)

    def end(self, place: Place) -> Order:
        """Take out an order whose time is over."""
        return self.standing.pop(place)


def write_order(loads: Array, item: int, order: Order | None) -> None:
    """An order as the kernel reads it."""
    load = loads[item]
    load["order"] = NO_ORDER if order is None else LOCKED if order.action == "lock-out" else ORDERED
    load["order_mode"] = 0 if order is None else order.mode
    load["order_until_us"] = 0 if order is None else order.until_us


def command(book: Book, state: State, layout: Layout, order: Command) -> Answer:
    """Carry out a command that came for the first time, or say why not. The site must be looked at afterwards."""
    number = layout.site_keys.index(order.site) if order.site in layout.site_keys else -1
    version = int(state.sites[number]["version"]) if number >= 0 else 0
    reason = _unfit(state, order, number, version)
    if reason is not None:
        return Answer(reason, version)
    answer = Answer(None, version)
    wanted: list[tuple[int, Order | None]] = []
    for item in _items(state, layout, number, order.load):
        key = layout.load_keys[item][1]
        against = _refusal(book, state, layout, item, order)
        if against is None:
            wanted.append((item, _order_of(state, order, item)))
            answer.loads.append(key)
        else:
            answer.passed_over[key] = against
    beyond = _beyond_cap(state, number, wanted) if order.mode == "on" else None
    if not wanted or beyond is not None:
        answer.reason = beyond or _why_none(order, answer.passed_over)
        answer.loads = []
        return answer
    if not order.load:
        _note_whole(book, state, order)
    for item, standing in wanted:
        place = layout.load_keys[item]
        if standing is None:
            del book.standing[place]
        else:
            book.standing[place] = standing
        write_order(state.loads, item, standing)
    answer.version = version + 1
    state.sites[number]["version"] = answer.version
    return answer


def _note_whole(book: Book, state: State, order: Command) -> None:
    """Keep or end the lock-out of a whole site; another order to all of its loads ends none."""
    if order.action == "lock-out":
        book.standing[order.site, WHOLE] = _standing(state, order, 0)
    elif order.action == "release":
        book.standing.pop((order.site, WHOLE), None)


def _unfit(state: State, order: Command, number: int, version: int) -> str | None:
    """Why a command cannot be carried out whatever its loads are; None where it may."""
    log_time_us = int(state.clocks[0]["log_time_us"])
    if log_time_us == 0:
        return "the log has no time yet: wait for the first tick"
    if number < 0:
        return f"no site {order.site!r} has loads now"
    if log_time_us - order.issued_us > LATE_US:
        return f"it was {(log_time_us - order.issued_us) // MINUTE_US} minutes on its way: look again and give it anew"
    if order.issued_us - log_time_us > AHEAD_US:
        return f"it was given {(order.issued_us - log_time_us) // MINUTE_US} minutes ahead of the log: set that clock"
    if order.until_us is not None and order.until_us <= log_time_us:
        return "its end has passed"
    if order.expected_version is not None and order.expected_version != version:
        return f"version {version} is not the {order.expected_version} expected: another command came between"
    return None


def _items(state: State, layout: Layout, number: int, load: str) -> Iterator[int]:
    site = state.sites[number]
    for item in range(int(site["first_load"]), int(site["first_load"] + site["loads"])):
        if load in ("", layout.load_keys[item][1]):
            yield item


def _refusal(book: Book, state: State, layout: Layout, item: int, order: Command) -> str | None:
    """Why a command does not apply to one load; None where it does."""
    standing = book.standing.get(layout.load_keys[item])
    if order.action == "release":
        return None if standing is not None else "no order stands"
    if order.action == "lock-out":
        return None
    if standing is not None and standing.action == "lock-out":
        return f"it is locked out by {standing.who} ({standing.command})"
    if state.loads[item]["dispatched"] == 0:
        return "its contract stands above this; a lock-out would not"
    return None


def _why_none(order: Command, passed_over: Mapping[str, str]) -> str:
    if not passed_over:
        return f"site {order.site!r} has no load {order.load!r} now"
    return "; ".join(f"{load}: {reason}" for load, reason in passed_over.items())


def _order_of(state: State, order: Command, item: int) -> Order | None:
    """The order that will stand for a load; None for a release."""
    if order.action == "release":
        return None
    return _standing(
        state, order, int(state.loads[item]["mode"]) if order.action == "hold" else int(order.mode == "on")
    )


def _standing(state: State, order: Command, mode: int) -> Order:
    return Order(
        command=order.id,
        action=order.action,
        mode=mode,
        who=order.who,
        why=order.why,
        since_us=int(state.clocks[0]["log_time_us"]),
        until_us=NEVER if order.until_us is None else order.until_us,
    )


def _beyond_cap(state: State, number: int, wanted: list[tuple[int, Order | None]]) -> str | None:
    """Why loads cannot all be forced on: what contracts and orders keep running leaves no room under the cap."""
    site, log_time_us = state.sites[number], int(state.clocks[0]["log_time_us"])
    first, chosen = int(site["first_input"]), {item for item, _ in wanted}
    asked_mw = firm_mw = 0.0
    for item in range(int(site["first_load"]), int(site["first_load"] + site["loads"])):
        load = state.loads[item]
        mw = float(draw_mw(load, state.views, first))
        rule = lock(load, log_time_us, 1)
        if item in chosen:
            asked_mw += mw
        elif (rule == ORDER and load["order_mode"] == 1) or (
            rule != LOCKOUT and load["dispatched"] == 0 and load["initially"] == 1
        ):
            firm_mw += mw
    cap_mw = float(site["mw_cap"])
    if asked_mw + firm_mw <= cap_mw + CAP_SLACK * cap_mw:
        return None
    return (
        f"{asked_mw:.2f} MW besides {firm_mw:.2f} MW that contracts and orders keep exceed the cap of {cap_mw:.2f} MW"
    )


def acknowledge(state: State, layout: Layout, ack: Ack) -> tuple[str | None, bool]:
    """Take a person's word for a switch: (why it does not count or None, whether it came after ``act_by``)."""
    place = (ack.site, ack.load)
    if place not in layout.load_keys:
        return f"site {ack.site!r} has no load {ack.load!r} now", False
    load = state.loads[layout.load_keys.index(place)]
    late = int(state.clocks[0]["log_time_us"]) > int(load["act_by_us"])
    last = f"{ack.site}#{int(load['decision'])}"
    if load["decision"] == 0 or last != ack.decision:
        newest = f"the last switch of this load is {last}" if load["decision"] else "this load has not switched"
        return newest, late
    if load["confirmed"] == DONE or CONFIRMED_WORDS[int(load["confirmed"])] == ack.outcome:
        return f"it was acknowledged before as {CONFIRMED_WORDS[int(load['confirmed'])]}", late
    load["confirmed"] = CONFIRMED_WORDS.index(ack.outcome)
    return None, late
