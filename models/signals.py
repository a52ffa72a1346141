"""Signals as they leave the core: their content, typed. Numbering (seq, chain, epoch ...) is added when they leave.

Keys are the wire's own; ``from`` and ``class`` are reserved words of Python, hence the functional form of a switch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict


class Relative(TypedDict):
    """Relative return of a site or a miner: margin of hashing less margin of AI hosting. Null: cannot be valued now.

    ``basis``: owned, reference or none.
    """

    usd_per_mwh: float | None
    usd_per_hour: float | None
    contested_mw: float
    basis: str


class RelativeReturn(TypedDict):
    """The headline of a switch; ``marginal_usd_per_mwh`` only where a cap stands between an ASIC tier and a pool."""

    site: Relative
    miner: Relative
    marginal_usd_per_mwh: float | None


class Why(TypedDict):
    """Change of v(to) - v(from) since the load's previous signal [``unit``], by group of inputs; groups sum to total.

    ``scope``: ``load``, or ``site`` where loads compete for its cap.
    """

    unit: str
    scope: str
    total: float
    groups: dict[str, float]


class Flip(TypedDict):
    """Nearest value of one input, the others held, that takes the switch back; null with the reason where none does."""

    series: str
    unit: str
    now: float | None
    value: float | None
    reason: str | None


class Input(TypedDict):
    """One input as it stood: value, age [s], state, who said it. Null: never printed.

    ``state``: ok, corrected (restated by its source), suspect (used, but see ``reason``), stale, withheld, missing, or
    default (from the fleet file).
    """

    series: str
    value: float | None
    unit: str
    age_s: float | None
    state: str
    reason: str | None
    source: str
    event_time_us: int
    revision: int


def default_utilisation(load: str, utilisation: float) -> Input:
    """The utilisation of a pool that names no series for it, as its fleet file gives it: flagged by its state.

    >>> default_utilisation("h100", 0.8)["state"]
    'default'
    """
    return {
        "series": "utilisation_default",
        "value": utilisation,
        "unit": "fraction",
        "age_s": None,
        "state": "default",
        "reason": None,
        "source": f"fleet file: {load}",
        "event_time_us": 0,
        "revision": 0,
    }


class Forecast(TypedDict):
    """What a plan counted with: the price it expects others to return to, how far ahead, what it had to do without.

    ``expected_gain_usd``: what the plan is worth over changing nothing [USD over the horizon], of all loads of the site
    where they compete for its cap; null where what runs could not have stayed.
    """

    reference_usd_per_mwh: float | None
    horizon_minutes: float
    without: list[str]
    expected_gain_usd: float | None


class Band(TypedDict):
    """Margins at which a running load stops and a stopped one starts, where no cap binds [USD/MWh]."""

    stop_below_usd_per_mwh: float
    start_above_usd_per_mwh: float


class OrderNote(TypedDict):
    """The command of a person that stands behind a switch. ``until_us`` null: until it is released."""

    command: str
    action: str
    who: str
    why: str
    until_us: int | None


Switch = TypedDict(
    "Switch",
    {
        "kind": str,
        "miner": str,
        "site": str,
        "load": str,
        "decision": str,
        "class": str,
        "rule": str,
        "from": str,
        "to": str,
        "mw": float,
        "event_time_us": int,
        "receipt_time_us": int,
        "log_time_us": int,
        "valid_until_us": int,
        "act_by_us": int,
        "margins": dict[str, float | None],
        "relative_return": RelativeReturn,
        "band": Band | None,
        "switch_cost_usd": float,
        "expected_gain_usd_per_hour": float,
        "forecast": Forecast | None,
        "why": Why,
        "flip": list[Flip],
        "inputs": list[Input],
        "policy": str,
        "config_hash": str,
        "order": OrderNote | None,
        "text": str,
    },
)


class Quality(TypedDict):
    """A series of a site became unusable, or usable again.

    ``state``: missing, stale, withheld or ok, and the ``reason`` where it is more than age. ``direction``: what each
    load that needs the series does meanwhile. ``expected_cost_usd_per_hour``: what that earns less than the loads'
    better modes would by their last usable margins [USD/h]; null when usable again, or never valued.
    """

    kind: str
    miner: str
    site: str
    load: str
    series: str
    state: str
    reason: str | None
    was: str
    direction: dict[str, str]
    expected_cost_usd_per_hour: float | None
    event_time_us: int
    receipt_time_us: int
    log_time_us: int
    text: str


class EpochEntry(TypedDict):
    """The entry that opens a stream or an epoch."""

    kind: str
    miner: str
    site: str
    load: str
    reason: str
    policy: str
    config_hash: str
    event_time_us: int
    receipt_time_us: int
    log_time_us: int
    text: str


class CommandEntry(TypedDict):
    """The answer to a command, or the end of one whose time is over.

    ``outcome``: accepted, refused (``reason`` says why) or ended. ``version``: commands the site has accepted so far.
    ``loads``: those it applies to; ``passed_over``: others it named, and why not.
    """

    kind: str
    miner: str
    site: str
    load: str
    command: str
    action: str
    mode: str | None
    who: str
    why: str
    until_us: int | None
    outcome: str
    reason: str | None
    version: int
    loads: list[str]
    passed_over: dict[str, str]
    event_time_us: int
    receipt_time_us: int
    log_time_us: int
    text: str


class AckEntry(TypedDict):
    """The answer to a person's word that a switch was carried out (``confirms`` done) or will not be (refused).

    ``outcome``: counted, or refused (``reason`` says why). ``overdue``: it came after the switch's ``act_by_us``.
    """

    kind: str
    miner: str
    site: str
    load: str
    ack: str
    decision: str
    who: str
    confirms: str
    note: str
    outcome: str
    reason: str | None
    overdue: bool
    event_time_us: int
    receipt_time_us: int
    log_time_us: int
    text: str


class Unconfirmed(TypedDict):
    """A switch that a person is to confirm, as the head of its stream shows it.

    ``state``: awaited, overdue (past ``act_by_us``) or refused (a person said that it will not be done).
    """

    site: str
    load: str
    decision: str
    to: str
    act_by_us: int
    state: str


Content = Switch | Quality | EpochEntry | CommandEntry | AckEntry


@dataclass(frozen=True, slots=True)
class Signal:
    """One entry of a miner's stream before it is numbered. ``position`` is its place in the log."""

    position: int
    content: Content

    @property
    def order(self) -> tuple[int, str, str, str]:
        """Order of a run's digest: log position, miner, site, load."""
        content = self.content
        return self.position, content["miner"], content["site"], content["load"]


def digest_of(encoded: Iterable[bytes]) -> str:
    """Digest of a run from the encoded contents of its signals, in the order of :attr:`Signal.order`.

    >>> digest_of([b"{}"]) == digest_of([b"{", b"}"])
    False
    """
    digest = hashlib.sha256()
    for content in encoded:
        digest.update(b"%d:" % len(content))
        digest.update(content)
    return digest.hexdigest()
