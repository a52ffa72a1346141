"""What people order and what they confirm: commands and acknowledgements, as records of the log."""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.records import DAY_US, Clock, EpochStart, FleetChange, Observation, require_time

IDENTITY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}\Z")
ACTIONS = ("hold", "force", "lock-out", "release")
MODES = ("on", "off")
OUTCOMES = ("done", "refused")

MAX_WHO, MAX_TEXT = 100, 500
LONGEST_US = 366 * DAY_US


def require_identity(name: str, value: str) -> None:
    """Refuse what cannot name a command or an acknowledgement.

    >>> require_identity("id", "two words")
    Traceback (most recent call last):
    ValueError: id 'two words' is not 1 to 64 letters, digits or _.:- beginning with a letter or digit
    """
    if not IDENTITY.match(value):
        raise ValueError(f"{name} {value!r} is not 1 to 64 letters, digits or _.:- beginning with a letter or digit")


def require_words(name: str, value: str, most: int) -> None:
    """Refuse words that are empty, too long, or not printable on one line.

    >>> require_words("why", " ", 500)
    Traceback (most recent call last):
    ValueError: why must not be empty: it stays in the log and in the answer
    """
    if not value.strip():
        raise ValueError(f"{name} must not be empty: it stays in the log and in the answer")
    if len(value) > most or not value.isprintable():
        raise ValueError(f"{name} must be one line of at most {most} printable characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An order to one load of a site, or with ``load`` empty to all of them. Times are microseconds UTC.

    ``hold``: stay in the mode it has. ``force``: be in ``mode``. ``lock-out``: be off, whoever else wants otherwise.
    ``release``: whatever order stands ends. ``until_us`` ends an order by itself; only a lock-out may be without, then
    it stands until released. ``expected_version``: how many commands the site had accepted when this was written; if
    another came between it is refused. ``id``: the same command sent twice is carried out once.
    """

    id: str
    miner: str
    site: str
    load: str = ""
    action: str
    mode: str | None = None
    who: str
    why: str
    issued_us: int
    until_us: int | None = None
    expected_version: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be an order: unknown words, nobody's name, no reason, no end."""
        require_identity("id", self.id)
        if self.action not in ACTIONS:
            raise ValueError(f"action {self.action!r} is not one of {', '.join(ACTIONS)}")
        if (self.action == "force") != (self.mode is not None):
            raise ValueError("mode (on or off) belongs to force, and to nothing else")
        if self.mode is not None and self.mode not in MODES:
            raise ValueError(f"mode {self.mode!r} is not one of {', '.join(MODES)}")
        require_words("who", self.who, MAX_WHO)
        require_words("why", self.why, MAX_TEXT)
        require_time("issued_us", self.issued_us)
        self._check_end()
        if self.expected_version is not None and not 0 <= self.expected_version < 2**31:
            raise ValueError(f"expected_version {self.expected_version} is outside 0 to 2147483647")

    def _check_end(self) -> None:
        if self.until_us is None:
            if self.action in ("hold", "force"):
                raise ValueError(f"{self.action} needs until_us: only a lock-out may stand until it is released")
            return
        if self.action == "release":
            raise ValueError("a release has no until_us: it ends the order at once")
        require_time("until_us", self.until_us)
        if not 0 < self.until_us - self.issued_us <= LONGEST_US:
            raise ValueError("until_us must lie after issued_us, by 366 days at most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """A person's word that a switch was carried out (``done``) or will not be (``refused``, and ``note`` says why).

    ``decision`` and ``load`` name the switch as its signal does.
    """

    id: str
    miner: str
    site: str
    load: str
    decision: str
    who: str
    outcome: str = "done"
    note: str = ""
    issued_us: int

    def __post_init__(self) -> None:
        """Refuse nobody's word, and a refusal without a reason."""
        require_identity("id", self.id)
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome {self.outcome!r} is not one of {', '.join(OUTCOMES)}")
        require_words("who", self.who, MAX_WHO)
        if self.note or self.outcome == "refused":
            require_words("note", self.note, MAX_TEXT)
        require_time("issued_us", self.issued_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that stands, as it applies to one load. ``mode``: 1 on, 0 off. ``until_us`` NEVER: until released."""

    command: str
    action: str
    mode: int
    who: str
    why: str
    since_us: int
    until_us: int


Record = Observation | Clock | FleetChange | EpochStart | Command | Ack
"""Everything that may enter the log and change what is decided or answered."""
