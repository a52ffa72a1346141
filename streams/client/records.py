"""What a desk is handed: typed entries of a stream, and remarks of the client itself. Frozen; nothing is lost.

Every entry keeps its exact bytes (``json``) and the keys that this version does not know (``more``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self, TypeAlias

from models.signals import Band, Flip, Forecast, Input, OrderNote, RelativeReturn, Why
from streams.wire import Entry

JsonObject: TypeAlias = Mapping[str, Any]

RENAMED = {"class": "switch_class", "from": "from_mode", "to": "to_mode"}
"""Keys of the wire that are reserved words of Python, or read badly as names, and their fields here."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far one miner's stream was read: what to save, and what to resume from. ``chain``: after entry ``seq``.

    >>> Position.from_json(Position(1, 42, "c0ffee").to_json())
    Position(generation=1, seq=42, chain='c0ffee')
    """

    generation: int
    seq: int
    chain: str

    def to_json(self) -> dict[str, int | str]:
        """As a JSON object."""
        return {"generation": self.generation, "seq": self.seq, "chain": self.chain}

    @classmethod
    def from_json(cls, document: JsonObject) -> Position:
        """Read it back; a ``ValueError`` names what is missing or not of its kind."""
        generation, seq, chain = (document.get(name) for name in ("generation", "seq", "chain"))
        if not (isinstance(generation, int) and isinstance(seq, int) and isinstance(chain, str)):
            raise ValueError(  # noqa: TRY004 a saved file is wrong, no caller's type
                f"a position has generation, seq and chain, this has {dict(document)!r}"
            )
        return cls(generation, seq, chain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One numbered entry. Times are microseconds UTC.

    ``position``: how far the stream is read with it. ``late``: it came after entries of other miners that stand behind
    it in the log, since its own miner was waited for no longer.
    """

    KIND: ClassVar[str] = ""

    origin: str
    miner: str
    generation: int
    epoch: int
    seq: int
    id: str
    offset: int
    kind: str
    site: str
    load: str
    event_time_us: int
    receipt_time_us: int
    log_time_us: int
    text: str
    schema: int
    chain: str
    position: Position
    json: bytes = field(repr=False)
    more: JsonObject = field(default_factory=dict, repr=False)
    late: bool = False

    @classmethod
    def of(cls, document: JsonObject, position: Position, json: bytes) -> Self:
        """The record of a decoded entry; ``KeyError`` where a key of this kind is missing."""
        known = {_key(name): name for name in _names(cls)}
        found = {known[key]: value for key, value in document.items() if key in known}
        missing = known.keys() - document.keys()
        if missing:
            raise KeyError(*sorted(missing))
        more = {key: value for key, value in document.items() if key not in known}
        return cls(**found, position=position, json=json, more=more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Record):
    """A load should change its mode. USD, MW and USD/MWh as on the page of signals.

    ``expired``: past ``valid_until_us`` when it was handed over. Never act on such a one; only a client made with
    ``include_expired`` hands it over at all.
    """

    KIND: ClassVar[str] = "switch"

    decision: str
    switch_class: str
    rule: str
    from_mode: str
    to_mode: str
    mw: float
    valid_until_us: int
    act_by_us: int
    margins: Mapping[str, float | None]
    relative_return: RelativeReturn
    band: Band | None
    switch_cost_usd: float
    expected_gain_usd_per_hour: float
    forecast: Forecast | None
    why: Why
    flip: Sequence[Flip]
    inputs: Sequence[Input]
    policy: str
    config_hash: str
    order: OrderNote | None
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality(Record):
    """A series of a site became unusable, or usable again."""

    KIND: ClassVar[str] = "quality"

    series: str
    state: str
    reason: str | None
    was: str
    direction: Mapping[str, str]
    expected_cost_usd_per_hour: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch(Record):
    """The entry that opens a stream or an epoch: what decides from here on."""

    KIND: ClassVar[str] = "epoch"

    reason: str
    policy: str
    config_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswer(Record):
    """The answer to a person's command, or its end. ``outcome``: accepted, refused (see ``reason``) or ended."""

    KIND: ClassVar[str] = "command"

    command: str
    action: str
    mode: str | None
    who: str
    why: str
    until_us: int | None
    outcome: str
    reason: str | None
    version: int
    loads: Sequence[str]
    passed_over: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement(Record):
    """A person's word for a switch (``confirms``: done or refused), and whether it counted (``outcome``)."""

    KIND: ClassVar[str] = "ack"

    ack: str
    decision: str
    who: str
    confirms: str
    note: str
    outcome: str
    reason: str | None
    overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """An entry of a kind that this version does not know, or that lacks a key of its kind: passed on as it is."""

    miner: str
    generation: int
    seq: int
    offset: int
    kind: str
    position: Position
    content: JsonObject
    json: bytes = field(repr=False)
    expired: bool = False
    late: bool = False

    @property
    def valid_until_us(self) -> int | None:
        """Until when it may be acted on [us UTC]; None where it says nothing."""
        found = self.content.get("valid_until_us")
        return found if isinstance(found, int) else None


OURS = frozenset(("position", "json", "more", "late", "expired"))
Known: TypeAlias = Switch | Quality | Epoch | CommandAnswer | Acknowledgement
KINDS: dict[str, type[Known]] = {kind.KIND: kind for kind in (Switch, Quality, Epoch, CommandAnswer, Acknowledgement)}
Signal: TypeAlias = Known | Unknown


def _names(cls: type[Record]) -> list[str]:
    return [each.name for each in fields(cls) if each.name not in OURS]


def _key(name: str) -> str:
    return {renamed: key for key, renamed in RENAMED.items()}.get(name, name)


def signal_of(miner: str, entry: Entry, document: JsonObject) -> Signal:
    """The typed record of an entry whose number and chain are checked; never refuses one.

    >>> entry = Entry(5, 1, "c1", b'{"kind":"flare","generation":1}')
    >>> found = signal_of("mara", entry, {"kind": "flare", "generation": 1})
    >>> type(found).__name__, found.kind, found.position
    ('Unknown', 'flare', Position(generation=1, seq=1, chain='c1'))
    """
    generation = int(document.get("generation", 0))
    position = Position(generation, entry.seq, entry.chain)
    kind = str(document.get("kind", ""))
    cls = KINDS.get(kind)
    if cls is not None:
        try:
            return cls.of(document, position, entry.json)
        except KeyError:
            pass  # a version that lacks a key of this kind: passed on whole
    return Unknown(
        miner=miner,
        generation=generation,
        seq=entry.seq,
        offset=entry.offset,
        kind=kind,
        position=position,
        content=document,
        json=entry.json,
    )
