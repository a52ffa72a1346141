"""What a source is: a feed that appends what it received, and pure functions that read it. Neither knows Kafka.

A source is one file of this folder with one :class:`Source` in it, named once in :mod:`streams.feeds.sources`. Its
feed is I/O and reads nothing into what it receives; its parsers are pure and run after the log, in workers and
replays, so that a parser's bug is fixed and history run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from models.commands import Record
from streams.wire import RawRecord

Kind = Literal["btc", "network", "hashprice", "power", "gpu", "private"]
MAX_NOTE = 4_096


class Appender(Protocol):
    """Where a feed puts what it received."""

    async def append(self, feed: str, receipt_time_us: int, payload: bytes, note: str = "") -> None:
        """Append one payload to the raw log, unchanged.

        Call it once for each thing received, in the order received, and await it: it waits while the log is full.
        ``feed`` names the parser of ``payload``; ``receipt_time_us`` [us UTC] is the moment the payload arrived, read
        from the clock once, by the feed. ``note`` is what the payload itself does not say and its parser or a reader
        needs (which connection, which request); never a secret, 4,096 characters at most. Never append what was not
        received: no filled gaps, no repeats on a timer. A payload larger than the log takes is refused with
        :class:`streams.errors.FeedError`.
        """
        ...


class Feed(Protocol):
    """One source."""

    @property
    def name(self) -> str:
        """A key (lower-case letters, digits, hyphens): it stands in logs, metrics and settings."""
        ...

    async def run(self, out: Appender) -> None:
        """Listen to or poll the source until cancelled, appending what it says.

        Called once at the start and again after every end. Raise :class:`streams.errors.FeedError` when the source
        cannot be used: it is logged in one line and tried again. Return when the source has nothing more to say for
        ever (a finished recording); the feed is then left alone. The usual mistake is to catch everything and go on
        silently: let it out, the service counts it.
        """
        ...


@dataclass(slots=True)
class Parsed:
    """What a raw record held, and why the rest of it was refused: a wrong row never costs those beside it.

    Both empty: the payload says nothing about a price (a heartbeat, an acknowledgement).
    """

    records: list[Record] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    SHOWN_FAULTS = 5
    SHOWN_CHARACTERS = 2_000

    @property
    def reason(self) -> str:
        """The first faults in one line."""
        shown = "; ".join(self.faults[: self.SHOWN_FAULTS])
        more = len(self.faults) - self.SHOWN_FAULTS
        shown = shown if len(shown) <= self.SHOWN_CHARACTERS else f"{shown[: self.SHOWN_CHARACTERS]}..."
        return f"{shown}; and {more} more" if more > 0 else shown


Parse = Callable[[RawRecord], Parsed]
"""Pure: the same raw record gives the same result. Raises FeedError or ValueError where the whole payload is wrong."""


class Options(BaseModel):
    """What an operator may set of a source: the table ``[feeds.<name>]``. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    on: Annotated[bool, Field(description="Whether ingest runs it.")] = True


Chosen = TypeVar("Chosen", bound=Options)


def chosen(options: Options, kind: type[Chosen]) -> Chosen:
    """The options as those of one source. TypeError where they are another's."""
    if not isinstance(options, kind):
        raise TypeError(f"these are options of {type(options).__name__}, not {kind.__name__}")
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source, whole.

    ``parsers``: name in the record's ``feed`` header -> parser; each begins with ``name``, more kinds of payload as
    ``<name>:<kind>``. ``keys``: environment variables without which the source is off; ``build`` gets those that are
    set (``optional_keys`` too). ``documentation``: pages it was written from. ``unconfirmed``: what no recording and
    no reachable document confirms, shown by ``changeover check feeds``. ``etiquette``: the documented limits kept.
    ``defaults_on``: whether it runs where the settings say nothing (never where it needs a choice of nodes or a key).
    """

    name: str
    kind: Kind
    options: type[Options]
    parsers: Mapping[str, Parse]
    build: Callable[[Options, Mapping[str, str]], Feed]
    documentation: Sequence[str]
    etiquette: str
    keys: Sequence[str] = ()
    optional_keys: Sequence[str] = ()
    unconfirmed: Sequence[str] = ()
    defaults_on: bool = True
