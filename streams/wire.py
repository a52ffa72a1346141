"""Names and shapes on the wire: the raw record, topics, Redis keys, codecs. No connection is made here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson

from models.signals import Unconfirmed

RAW_SCHEMA = 1
SIGNAL_SCHEMA = 1

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_BATCH_SIGNALS = 1_000

Origin = Literal["live", "demo", "replay"]

LARGEST_NUMBER = 2**63 - 1

NO_OFFSET = -1  # the offset before a log's first record
MARKET = "_market"  # the pseudo miner whose checkpoint is the market alone; no key of a miner begins with "_"


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of the log: a payload as received and what was known on receipt.

    ``feed`` names the parser; ``receipt_time_us`` [us UTC]; ``instance`` and ``counter`` number the producer's records.
    ``offset`` is the place in the log, -1 while it has none. ``note`` is what a feed adds that the payload lacks.
    """

    feed: str
    receipt_time_us: int
    instance: str
    counter: int
    payload: bytes
    offset: int = NO_OFFSET
    note: str = ""

    def headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers of this record.

        >>> RawRecord("clock", 1, "ingest-1", 7, b"{}").headers()
        [('feed', b'clock'), ('recv', b'1'), ('inst', b'ingest-1'), ('n', b'7'), ('v', b'1')]
        """
        headers = [
            ("feed", self.feed.encode()),
            ("recv", b"%d" % self.receipt_time_us),
            ("inst", self.instance.encode()),
            ("n", b"%d" % self.counter),
            ("v", b"%d" % RAW_SCHEMA),
        ]
        return [*headers, ("note", self.note.encode())] if self.note else headers

    @classmethod
    def from_kafka(cls, offset: int, headers: Iterable[tuple[str, bytes]], payload: bytes | None) -> RawRecord:
        """Read a Kafka record back. Headers that are absent or broken give an empty feed, which nothing parses."""
        found = dict(headers)
        broken = cls("", 0, "", 0, payload or b"", offset)
        try:
            feed = found["feed"].decode()
            receipt_time_us, counter = int(found["recv"]), int(found["n"])
            instance, note = found["inst"].decode(), found.get("note", b"").decode()
        except (KeyError, ValueError):
            return broken
        if max(abs(receipt_time_us), abs(counter)) > LARGEST_NUMBER:  # of no producer of ours, and no file can hold it
            return broken
        return cls(feed, receipt_time_us, instance, counter, payload or b"", offset, note)

    def hash(self) -> str:
        """Hash of all but the offset, 128 bits in hex: what head keeps to know its log again.

        >>> RawRecord("clock", 1, "ingest-1", 7, b"{}").hash()
        '480a561dbfc513f247ea1d4562634e5b'
        """
        digest = hashlib.blake2b(digest_size=16)
        noted = (b"note", self.note.encode()) if self.note else ()
        moment, number = b"%d" % self.receipt_time_us, b"%d" % self.counter
        for part in (self.feed.encode(), moment, self.instance.encode(), number, *noted):
            digest.update(b"%d:" % len(part))
            digest.update(part)
        digest.update(self.payload)
        return digest.hexdigest()


def genesis_chain(miner: str, generation: int) -> str:
    """The chain before a generation's first entry.

    >>> genesis_chain("mara", 1) != genesis_chain("mara", 2)
    True
    """
    return hashlib.blake2b(f"changeover:{miner}:{generation}".encode(), digest_size=16).hexdigest()


def next_chain(chain: str, entry: bytes) -> str:
    """H(previous chain || exact bytes of the entry), 128 bits in hex."""
    return hashlib.blake2b(chain.encode() + entry, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Names:
    """Topics and Redis keys of one run. Live names are bare; demo and replay never touch them.

    >>> Names("live").topic("raw"), Names("live").key("mara", "head")
    ('raw', 'changeover:{mara}:head')
    >>> Names("demo", "main").topic("raw"), Names("demo", "main").key("mara", "head")
    ('demo-main.raw', 'changeover:demo-main:{mara}:head')
    """

    origin: Origin
    run: str = ""

    @property
    def scope(self) -> str:
        """``<origin>-<run>``, empty for live."""
        return "" if self.origin == "live" else f"{self.origin}-{self.run}"

    @property
    def prefix(self) -> str:
        """What every Redis key begins with."""
        return f"changeover:{self.scope}:" if self.scope else "changeover:"

    def topic(self, name: str) -> str:
        """A topic: raw, rejected, signals, observations, checkpoints."""
        return f"{self.scope}.{name}" if self.scope else name

    def key(self, miner: str, name: str) -> str:
        """A key of one miner, with the miner as cluster hash tag."""
        return f"{self.prefix}{{{miner}}}:{name}"

    @property
    def miners(self) -> str:
        """The set of miners that publish."""
        return f"{self.prefix}miners"


@dataclass(frozen=True, slots=True)
class Entry:
    """A numbered entry of a miner's stream: exact bytes and the chain after them."""

    offset: int
    seq: int
    chain: str
    json: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkBatch:
    """What one miner's stream gets for the raw offsets ``from_offset``..``to_offset``, both included.

    Never ends inside one offset, never spans an EpochStart. ``opens_epoch``: the first entry is the epoch's entry.
    ``starts_generation``: the miner's record of birth lies in it, so it may be written where there is no head.
    ``sites``: hash fields of each site's latest valuation, written only when head moves.
    """

    miner: str
    generation: int
    epoch: int
    opens_epoch: bool
    starts_generation: bool
    from_offset: int
    to_offset: int
    seq_before: int
    chain_before: str
    entries: Sequence[Entry]
    raw_hash: str
    log_time_us: int
    model_version: str
    degraded: Sequence[str] = ()
    unconfirmed: Sequence[Unconfirmed] = ()
    trim_below: int = 0
    sites: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a miner's stream stands."""

    generation: int
    epoch: int
    offset: int
    raw_hash: str
    seq: int
    chain: str
    oldest_seq: int
    log_time_us: int
    model_version: str
    degraded: tuple[str, ...]
    unconfirmed: tuple[Unconfirmed, ...] = ()


Status = Literal["OK", "DUPLICATE", "GAP", "EMPTY", "DIVERGED", "REFUSED"]


@dataclass(frozen=True, slots=True)
class SinkReply:
    """What the sink did with a batch: ``appended`` entries, or why nothing was written (``detail``)."""

    status: Status
    appended: int
    head_offset: int
    head_seq: int
    detail: str = ""


def envelope(
    content: bytes, *, origin: Origin, miner: str, generation: int, epoch: int, seq: int, chain: str, offset: int
) -> bytes:
    """A numbered entry: the content's bytes behind its envelope. ``chain`` is the chain before this entry.

    >>> entry = envelope(b'{"kind":"epoch"}', origin="live", miner="mara", generation=1, epoch=1, seq=1, chain="c",
    ...     offset=3)
    >>> entry.decode()  # doctest: +NORMALIZE_WHITESPACE
    '{"schema":1,"origin":"live","generation":1,"epoch":1,"seq":1,"chain":"c","id":"mara:1:1","offset":3,"kind":"epoch"}'
    """
    head = (
        f'{{"schema":{SIGNAL_SCHEMA},"origin":"{origin}","generation":{generation},"epoch":{epoch},"seq":{seq},'
        f'"chain":"{chain}","id":"{miner}:{generation}:{seq}","offset":{offset},'
    )
    return head.encode() + content[1:]


ENVELOPE = frozenset(("schema", "origin", "generation", "epoch", "seq", "chain", "id", "offset"))


def content_of(entry: bytes) -> bytes:
    """The content of a numbered entry, as it was before its envelope, to the byte.

    >>> entry = envelope(b'{"kind":"epoch","x":0.1}', origin="live", miner="a", generation=1, epoch=1, seq=1,
    ...     chain="c", offset=3)
    >>> content_of(entry)
    b'{"kind":"epoch","x":0.1}'
    """
    found = orjson.loads(entry)
    return orjson.dumps({key: value for key, value in found.items() if key not in ENVELOPE})
