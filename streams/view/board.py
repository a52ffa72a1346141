"""What the live view knows at a moment: heads, sites, the last signals, rates. Pure; times are given, not read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.wire import Head, Names

RECENT_SIGNALS = 10
RATE_WINDOW_S = 5.0
STALE_S = 3.0  # ticks come at least once a real second, so three are missing

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """Where everything stood at a moment of the reader's own clock [s]."""

    at_s: float
    records: int
    signals: int


@dataclass(slots=True)
class Board:
    """The state of the view. ``at_s`` is always the reader's monotonic clock [s]."""

    names: Names
    heads: dict[str, Head] = field(default_factory=dict)
    sites: dict[tuple[str, str], Document] = field(default_factory=dict)
    recent: deque[Document] = field(default_factory=lambda: deque(maxlen=RECENT_SIGNALS))
    signals: dict[str, int] = field(default_factory=dict)
    samples: deque[Sample] = field(default_factory=deque)
    log_time_us: int = 0
    moved_s: float | None = None

    def put_head(self, miner: str, head: Head, at_s: float) -> None:
        """Take a miner's head; log time that moved is the heartbeat."""
        self.heads[miner] = head
        if head.log_time_us > self.log_time_us:
            self.log_time_us, self.moved_s = head.log_time_us, at_s

    def put_site(self, miner: str, site: str, document: Document) -> None:
        """Take a site's latest valuation."""
        self.sites[miner, site] = document

    def put_entry(self, document: Document) -> None:
        """Take a new numbered entry of a miner's stream."""
        miner = str(document["miner"])
        self.signals[miner] = self.signals.get(miner, 0) + 1
        self.recent.append(document)

    def sample(self, at_s: float) -> None:
        """Note where everything stands, for the rates; samples older than the window go, the last two stay."""
        self.samples.append(Sample(at_s, self.records, sum(self.signals.values())))
        while len(self.samples) > 2 and at_s - self.samples[0].at_s > RATE_WINDOW_S:
            self.samples.popleft()

    @property
    def records(self) -> int:
        """Records of the log that the streams have taken in: the furthest head's offset + 1."""
        return max((head.offset + 1 for head in self.heads.values()), default=0)

    @property
    def rates(self) -> tuple[float, float]:
        """Records and signals a second over the last samples; 0 before there are two."""
        if len(self.samples) < 2:
            return 0.0, 0.0
        first, last = self.samples[0], self.samples[-1]
        elapsed_s = max(last.at_s - first.at_s, 1e-9)
        return (last.records - first.records) / elapsed_s, (last.signals - first.signals) / elapsed_s

    def heartbeat_s(self, at_s: float) -> float | None:
        """Seconds since log time last moved, None while it never has."""
        return None if self.moved_s is None else at_s - self.moved_s

    def stale(self, at_s: float) -> bool:
        """Whether the log stands still, by the reader's own clock."""
        age_s = self.heartbeat_s(at_s)
        return age_s is not None and age_s > STALE_S

    @property
    def degraded(self) -> list[str]:
        """Every series that some miner's loads need and cannot use."""
        return sorted({series for head in self.heads.values() for series in head.degraded})

    def rows(self) -> Iterator[tuple[str, str, Document]]:
        """Sites in a steady order: miner, site, its latest valuation."""
        for miner, site in sorted(self.sites):
            yield miner, site, self.sites[miner, site]

    def summary(self, seconds: float) -> dict[str, object]:
        """What a run came to, as the last line of ``--json``."""
        return {
            "kind": "summary",
            "origin": self.names.origin,
            "run": self.names.run,
            "seconds": round(seconds, 3),
            "log_time_us": self.log_time_us,
            "records": self.records,
            "signals": sum(self.signals.values()),
            "miners": {
                miner: {"generation": head.generation, "seq": head.seq, "offset": head.offset}
                for miner, head in sorted(self.heads.items())
            },
            "degraded": self.degraded,
        }
