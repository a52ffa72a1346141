"""A desk that follows during the whole run, and what it must never be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.client import Gap, Options, Reset, Signal, Signals, Switch
from streams.errors import DivergedError
from streams.wire import Names

OPTIONS = Options(connect_s=100.0, poll_s=0.1, merge_wait_s=0.0)


@dataclass
class Desk:
    """Keeps every entry it was handed; what was wrong stands in ``wrong``."""

    url: str
    names: Names
    entries: dict[tuple[int, int], bytes] = field(default_factory=dict)
    last: tuple[int, int] = (1, 0)
    live: int = 0
    expired: int = 0
    gaps: int = 0
    wrong: list[str] = field(default_factory=list)
    diverged: str = ""

    async def follow(self) -> None:
        """Follow until cancelled."""
        signals = Signals(
            self.url,
            ["ladder"],
            origin=self.names.origin,
            run=self.names.run,
            start="oldest",
            include_expired=True,
            options=OPTIONS,
        )
        try:
            async with signals:
                async for told in signals:
                    if isinstance(told, Reset):
                        self.last = (told.generation, 0)
                    elif isinstance(told, Gap):
                        self.last = (told.generation, told.last)
                        self.gaps += 1
                    elif isinstance(told, Signal):
                        self._take(told, signals.heartbeat("ladder")[0])
        except DivergedError as error:
            self.diverged = str(error)

    def _take(self, signal: Signal, log_time_us: int) -> None:
        place = (signal.position.generation, signal.position.seq)
        if place != (self.last[0], self.last[1] + 1):
            self.wrong.append(f"after {self.last} came {place}: a gap or a double that nothing said")
        self.last = place
        self.entries[place] = signal.json
        if isinstance(signal, Switch):
            if signal.expired:
                self.expired += 1
            else:
                self.live += 1
                if signal.valid_until_us < log_time_us:
                    self.wrong.append(f"{place} was handed over as live {log_time_us - signal.valid_until_us} us late")
