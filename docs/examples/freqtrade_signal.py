"""A freqtrade strategy that lets Changeover's latest modes veto entries: an external signal read in the background.

Not run by the tests: freqtrade is not installed there. The reader itself, `Modes`, needs only this project and is.
"""

from __future__ import annotations

import threading
from typing import Any

from streams.client import Alive, Gap, Reset, Rewound, Stale, Switch, SyncSignals

try:
    from freqtrade.strategy import IStrategy
except ImportError:  # the reader below is of use without it
    IStrategy = object


class Modes:
    """The latest mode of every load, kept by a thread; ``trusted`` is False while nothing is heard of the miner.

    Expired switches are followed too: nobody should act on one, but it did change the mode.
    """

    def __init__(self, url: str, miner: str, **more: Any) -> None:
        self.miner = miner
        self.modes: dict[tuple[str, str], str] = {}
        self.trusted = True
        self._signals = SyncSignals(url, [miner], include_expired=True, **more)
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Take the snapshot and follow."""
        self._signals.__enter__()
        self.modes = dict(self._signals.snapshots[self.miner].modes)
        self._thread.start()

    def stop(self) -> None:
        """Let go."""
        self._signals.close()
        self._thread.join()

    def _follow(self) -> None:
        for told in self._signals:
            if isinstance(told, Switch):
                self.modes = self.modes | {(told.site, told.load): told.to_mode}
            elif isinstance(told, (Stale, Rewound)):
                self.trusted = False
            elif isinstance(told, (Alive, Gap, Reset)):
                snapshot = self._signals.snapshot(self.miner)  # what was missed is in it
                if snapshot is not None:
                    self.modes, self.trusted = dict(snapshot.modes), True

    def hashing_share(self) -> float:
        """Share of the loads that hash, by count."""
        return sum(mode == "hash" for mode in self.modes.values()) / max(1, len(self.modes))


class MinerAware(IStrategy):  # type: ignore[misc]  # freqtrade may be absent
    """Enters nothing while the miner's loads stand still, or while the feed cannot be trusted."""

    def bot_start(self, **_: Any) -> None:
        """Follow from the start of the bot."""
        self.miner = Modes("redis://127.0.0.1:6379/0", "mara")
        self.miner.start()

    def confirm_trade_entry(self, *_: Any, **__: Any) -> bool:
        """Whether an entry may go ahead."""
        return self.miner.trusted and self.miner.hashing_share() > 0.5
