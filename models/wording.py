"""A signal in one line of plain words."""

from __future__ import annotations

from models.decide import CAP, FAILURE
from models.signals import Why


def switch_text(words: tuple[str, str], mw: float, margin: float | None, why: Why, rule: int) -> str:
    """One line a person can act on.

    >>> why: Why = {"unit": "USD/h", "scope": "load", "total": 9.0, "groups": {"power_price": 12.0, "btc_price": -3.0}}
    >>> switch_text(("hash", "off"), 10.0, -4.25, why, 0)
    'hash -> off, 10.00 MW: margin -4.25 USD/MWh; moved most by power price (+12.00 USD/h)'
    """
    line = f"{words[0]} -> {words[1]}, {mw:.2f} MW"
    if rule == FAILURE:
        return f"{line}: a price it needs is unusable, its failure direction applies"
    if rule == CAP:
        return f"{line}: what runs exceeds the site's cap"
    line += f": margin {margin:.2f} USD/MWh" if margin is not None else ""
    if not why["groups"]:
        return line
    name, share = max(why["groups"].items(), key=lambda group: (abs(group[1]), group[0]))
    return f"{line}; moved most by {name.replace('_', ' ')} ({share:+.2f} USD/h)"


def quality_text(series: str, state: str, direction: dict[str, str]) -> str:
    """One line: which series, what became of it, what its loads do meanwhile.

    >>> quality_text("btc:usd", "stale", {"s21": "hold: hash"})
    'btc:usd is stale; s21 hold: hash'
    """
    loads = ", ".join(f"{load} {word}" for load, word in direction.items())
    return f"{series} is {state}" + (f"; {loads}" if loads else "")
