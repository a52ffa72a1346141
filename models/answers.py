"""What people are answered: the content of the entries for commands, ends of orders and acknowledgements."""

from __future__ import annotations

from models.arrays import DECLINED, DONE, NEVER, Array
from models.commands import Ack, Command, Order
from models.layout import Layout
from models.orders import Answer, Place
from models.signals import AckEntry, CommandEntry, OrderNote, Unconfirmed
from models.state import State


def order_note(order: Order | None) -> OrderNote | None:
    """The order behind a switch."""
    if order is None:
        return None
    return {
        "command": order.command,
        "action": order.action,
        "who": order.who,
        "why": order.why,
        "until_us": None if order.until_us == NEVER else order.until_us,
    }


def command_entry(order: Command, answer: Answer, log_time_us: int, receipt_us: int) -> CommandEntry:
    """The answer to a command."""
    accepted = answer.reason is None
    what = f"{order.action} {order.mode}" if order.mode else order.action
    where = f"{order.site}/{order.load}" if order.load else order.site
    outcome = f"accepted for {', '.join(answer.loads)}" if accepted else f"refused: {answer.reason}"
    if accepted and answer.passed_over:
        outcome += "; not for " + ", ".join(f"{load} ({reason})" for load, reason in answer.passed_over.items())
    return {
        "kind": "command",
        "miner": order.miner,
        "site": order.site,
        "load": order.load,
        "command": order.id,
        "action": order.action,
        "mode": order.mode,
        "who": order.who,
        "why": order.why,
        "until_us": order.until_us,
        "outcome": "accepted" if accepted else "refused",
        "reason": answer.reason,
        "version": answer.version,
        "loads": answer.loads,
        "passed_over": answer.passed_over,
        "event_time_us": order.issued_us,
        "receipt_time_us": receipt_us,
        "log_time_us": log_time_us,
        "text": f"{what} {where} by {order.who} ({order.why}): {outcome}",
    }


def ended_entry(
    miner: str, place: Place, order: Order, version: int, log_time_us: int, receipt_us: int
) -> CommandEntry:
    """An order whose time is over."""
    site, load = place
    return {
        "kind": "command",
        "miner": miner,
        "site": site,
        "load": load,
        "command": order.command,
        "action": order.action,
        "mode": ("off", "on")[order.mode] if order.action == "force" else None,
        "who": order.who,
        "why": order.why,
        "until_us": order.until_us,
        "outcome": "ended",
        "reason": None,
        "version": version,
        "loads": [load],
        "passed_over": {},
        "event_time_us": order.until_us,
        "receipt_time_us": receipt_us,
        "log_time_us": log_time_us,
        "text": f"{order.action} {site}/{load} by {order.who} ({order.why}) has ended",
    }


def ack_entry(ack: Ack, reason: str | None, log_time_us: int, receipt_us: int, *, late: bool) -> AckEntry:
    """The answer to an acknowledgement."""
    counted = reason is None
    outcome = ("counted, late" if late else "counted") if counted else f"not counted: {reason}"
    note = f" ({ack.note})" if ack.note else ""
    return {
        "kind": "ack",
        "miner": ack.miner,
        "site": ack.site,
        "load": ack.load,
        "ack": ack.id,
        "decision": ack.decision,
        "who": ack.who,
        "confirms": ack.outcome,
        "note": ack.note,
        "outcome": "counted" if counted else "refused",
        "reason": reason,
        "overdue": late,
        "event_time_us": ack.issued_us,
        "receipt_time_us": receipt_us,
        "log_time_us": log_time_us,
        "text": f"{ack.decision} {ack.load} {ack.outcome} by {ack.who}{note}: {outcome}",
    }


def unconfirmed(state: State, layout: Layout) -> list[Unconfirmed]:
    """Switches that a person should confirm and has not, or has declined, in the order of the fleet file."""
    found: list[Unconfirmed] = []
    if not state.sites["acknowledge"].any():
        return found
    log_time_us = int(state.clocks[0]["log_time_us"])
    for item in _open(state.sites, state.loads):
        load, (site, key) = state.loads[item], layout.load_keys[item]
        act_by_us = int(load["act_by_us"])
        waiting = "overdue" if log_time_us > act_by_us else "awaited"
        found.append(
            {
                "site": site,
                "load": key,
                "decision": f"{site}#{int(load['decision'])}",
                "to": layout.documents[item].running if load["mode"] else "off",
                "act_by_us": act_by_us,
                "state": "refused" if load["confirmed"] == DECLINED else waiting,
            }
        )
    return found


def _open(sites: Array, loads: Array) -> list[int]:
    asked = (loads["decision"] > 0) & (loads["confirmed"] != DONE) & (sites["acknowledge"][loads["site"]] == 1)
    return [int(item) for item in asked.nonzero()[0]]
