"""States, reasons and signals in plain words."""

from __future__ import annotations

from models.arrays import QUALITIES, REASONS, WITHHELD
from models.commands import Order
from models.decide import CAP, CONTRACT, FAILURE
from models.signals import Why


def series_state(known: int, fresh: int, quality: int) -> str:
    """What a series is worth now: ok, corrected and suspect may be used; stale, withheld and missing may not.

    >>> series_state(1, 1, 2), series_state(1, 0, 2), series_state(1, 0, 3), series_state(0, 0, 0)
    ('suspect', 'stale', 'withheld', 'missing')
    """
    if not known:
        return "missing"
    return QUALITIES[quality] if fresh or quality == WITHHELD else "stale"


def series_reason(reason: int) -> str | None:
    """Why a series is not simply ok, None where it is.

    >>> series_reason(5), series_reason(0)
    ('too few members agree', None)
    """
    return REASONS[reason] or None


def switch_text(
    words: tuple[str, str], mw: float, margin: float | None, why: Why, rule: int, order: Order | None = None
) -> str:
    """One line a person can act on.

    >>> why: Why = {"unit": "USD/h", "scope": "load", "total": 9.0, "groups": {"power_price": 12.0, "btc_price": -3.0}}
    >>> switch_text(("hash", "off"), 10.0, -4.25, why, 0)
    'hash -> off, 10.00 MW: margin -4.25 USD/MWh; moved most by power price (+12.00 USD/h)'
    """
    line = f"{words[0]} -> {words[1]}, {mw:.2f} MW"
    if rule == FAILURE:
        return f"{line}: a price it needs is unusable, its failure direction applies"
    if order is not None:
        return f"{line}: {order.action} by {order.who} ({order.why})"
    if rule == CONTRACT:
        return f"{line}: its contract says so"
    if rule == CAP:
        return f"{line}: what runs exceeds the site's cap"
    line += f": margin {margin:.2f} USD/MWh" if margin is not None else ""
    if not why["groups"]:
        return line
    name, share = max(why["groups"].items(), key=lambda group: (abs(group[1]), group[0]))
    return f"{line}; moved most by {name.replace('_', ' ')} ({share:+.2f} USD/h)"


def quality_text(series: str, state: str, reason: str | None, direction: dict[str, str], cost: float | None) -> str:
    """One line: which series, what became of it, what its loads do meanwhile, what that may cost.

    >>> quality_text("btc:usd", "withheld", "too few members agree", {"s21": "hold: hash"}, 12.5)
    'btc:usd is withheld: too few members agree; s21 hold: hash; by the last values this costs 12.50 USD/h'
    """
    loads = ", ".join(f"{load} {word}" for load, word in direction.items())
    line = f"{series} is {state}" + (f": {reason}" if reason and state == "withheld" else "")
    line += f"; {loads}" if loads else ""
    return line + (f"; by the last values this costs {cost:.2f} USD/h" if cost else "")
