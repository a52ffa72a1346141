"""Policies and baselines side by side over one history: the question, and each one's figures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from models import policies
from models.fleet import Miner
from models.records import DecidingConfig
from streams.backtest.lagged import lagged, lagged_groups
from streams.backtest.market import Ints, Market
from streams.backtest.rules import RULES, rule_modes
from streams.backtest.score import Figures, Scored, cut, figures
from streams.backtest.settled import LoadRows, SiteRows, settled
from streams.backtest.trial import Trial, initial_modes, modes_of
from streams.errors import SettingsError
from streams.history import History
from streams.history.window_file import utc_text
from streams.replay import Answer, missing_series

NAMES = (*policies.NAMES, *RULES)
"""What may be compared: policies, then baselines."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is compared: policies by name, on which fleets, with which lag, over which time [us UTC].

    ``from_us`` None is the first interval, ``until_us`` None the end.
    """

    history: History
    fleet: tuple[Miner, ...]
    config: DecidingConfig
    code_hash: str
    lag: int = 1
    from_us: int | None = None
    until_us: int | None = None

    @property
    def missing(self) -> dict[str, list[str]]:
        """Series each miner needs that the history does not have."""
        return missing_series(self.history, self.fleet)


@dataclass(frozen=True, slots=True)
class Result:
    """One policy's figures, of all loads and by (miner, site). ``digest``: of its signals; None for a baseline."""

    policy: str
    baseline: bool
    figures: Figures
    by_site: dict[tuple[str, str], Figures]
    digest: str | None
    signals: int
    seconds: float


@dataclass(slots=True)
class Comparison:
    """A history with its lag, its sites over the rows that are scored, ready to run policies over."""

    ask: Ask
    history: History
    sites: list[Scored]
    whole: list[SiteRows]
    born_us: int
    until_us: int

    @property
    def intervals(self) -> int:
        """Rows scored at the site that has most."""
        return max(site.intervals for site in self.sites)

    @property
    def first_us(self) -> int:
        """Start of the first row scored [us UTC]."""
        return min(int(site.site.rows.start_us[site.rows.start]) for site in self.sites)

    @property
    def last_us(self) -> int:
        """End of the last row scored [us UTC]."""
        return max(int(site.site.rows.end_us[site.rows.stop - 1]) for site in self.sites)

    def trial(self, policy: str) -> Trial:
        """The run of one policy."""
        config = replace(self.ask.config, policy=policy, free_start=True)
        fleet = self.ask.fleet
        if not policies.is_plan(policies.code_of(policy)):  # a plan chooses its first mode itself
            fleet = tuple(initial_modes(miner, self.whole, self.born_us) for miner in fleet)
        return Trial(self.history, fleet, config, self.ask.code_hash, self.born_us, self.until_us)

    def run(self, name: str) -> Result:
        """Run a policy, or a baseline, and score it."""
        began = time.perf_counter()
        answer = None if name in RULES else self.trial(name).run()
        modes = self._rule_modes(name) if answer is None else self._signalled_modes(name, answer)
        return Result(
            policy=name,
            baseline=answer is None,
            figures=figures(self.sites, modes),
            by_site={
                (site.site.miner, site.site.site.key): figures([site], [found])
                for site, found in zip(self.sites, modes, strict=True)
            },
            digest=None if answer is None else answer.digest,
            signals=0 if answer is None else answer.signals,
            seconds=time.perf_counter() - began,
        )

    def _rule_modes(self, name: str) -> list[list[Ints]]:
        return [[rule_modes(RULES[name], load, site.row_minutes) for load in site.site.loads] for site in self.sites]

    def _signalled_modes(self, name: str, answer: Answer) -> list[list[Ints]]:
        first = _first_modes(self.trial(name).fleet)
        return [
            [
                modes_of(answer, load, site.site.rows.start_us, initially_on=first[_place(load)])
                for load in site.site.loads
            ]
            for site in self.sites
        ]


def _place(load: LoadRows) -> tuple[str, str, str, object]:
    return load.miner, load.site, load.load.key, load.load.effective_from


def _first_modes(fleet: tuple[Miner, ...]) -> dict[tuple[str, str, str, object], bool]:
    return {
        (miner.key, site.key, load.key, load.effective_from): load.initially_on
        for miner in fleet
        for site in miner.site
        for load in site.loads
    }


def compare(ask: Ask) -> Comparison:
    """Make ready what policies are run over and scored against.

    Raises SettingsError where nothing can be scored.
    """
    market = Market.of(found for group in lagged_groups(ask.history, 0) for found in group)
    whole = settled(ask.fleet, market, ask.lag)
    if not whole:
        wanted = sorted({site.power.series for miner in ask.fleet for site in miner.site})
        raise SettingsError(
            f"{ask.history.name}: has none of the prices that these fleets settle at, {', '.join(wanted)}; see --map"
        )
    first_us = min(int(site.rows.start_us[0]) for site in whole)
    last_us = max(int(site.rows.end_us[-1]) for site in whole)
    from_us = first_us if ask.from_us is None else ask.from_us
    until_us = last_us if ask.until_us is None else ask.until_us
    found = [cut(site, from_us, until_us) for site in whole]
    sites = [site for site in found if site is not None]
    if not sites or from_us >= until_us:
        raise SettingsError(
            f"{ask.history.name}: no interval begins in the time asked for; its intervals run from "
            f"{utc_text(first_us)} to {utc_text(last_us)}"
        )
    return Comparison(ask, lagged(ask.history, ask.lag), sites, whole, from_us, until_us)


def known_names(names: str) -> Iterator[str]:
    """Names as an option joins them by commas.

    Raises SettingsError for one that is neither a policy nor a baseline, or stands twice.
    """
    seen = set()
    for name in names.split(","):
        if name not in NAMES:
            of = f"a policy ({', '.join(policies.NAMES)}) nor a baseline ({', '.join(RULES)})"
            raise SettingsError(f"--policy {name!r} is neither {of}")
        if name in seen:
            raise SettingsError(f"--policy names {name!r} twice")
        seen.add(name)
        yield name
