"""Ladders of five tiers at other switching costs than the shipped one, and the reference figures they are held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from models.fleet import Miner
from models.records import DecidingConfig
from streams.backtest import Ask, Comparison, compare
from streams.compilation import code_hash
from streams.history import History
from tests.support.logs import EXAMPLES, example, sample

CUT_US = int(datetime(2024, 8, 20, 5, tzinfo=UTC).timestamp()) * 1_000_000
HALVES: Mapping[str, tuple[int | None, int | None]] = {"B": (None, CUT_US), "A": (CUT_US, None)}
ROUND_TRIPS_USD_PER_MW = (5.0, 20.0, 100.0)

# Published figures of the documented plan: (lag, round trip [USD/MW]) -> pooled captures of the halves B and A.
REFERENCE = {
    (0, 5.0): (0.985, 0.993),
    (0, 20.0): (0.936, 0.973),
    (0, 100.0): (0.816, 0.911),
    (1, 5.0): (0.848, 0.919),
    (1, 20.0): (0.797, 0.892),
    (1, 100.0): (0.670, 0.832),
}


def site_key(round_trip: float) -> str:
    """The site of :func:`three_ladders` with this round trip.

    >>> site_key(20.0)
    'c20'
    """
    return f"c{round_trip:.0f}"


def three_ladders() -> Miner:
    """The shipped ladder three times, each site with another round trip, half of it on a stop and half on a start."""
    shipped = example("ladder")
    (south,) = shipped.site
    sites = []
    for cost in ROUND_TRIPS_USD_PER_MW:
        tiers = tuple(replace(tier, stop_usd_per_mw=cost / 2.0, start_usd_per_mw=cost / 2.0) for tier in south.asic)
        sites.append(replace(south, key=site_key(cost), asic=tiers))
    return replace(shipped, site=tuple(sites))


def ladder_file(folder: Path, round_trip: float, *, market: str = "rt") -> Path:
    """The shipped ladder as a file, at another round trip and in another market."""
    text = (EXAMPLES / "ladder.toml").read_text()
    for name in ("stop_usd_per_mw", "start_usd_per_mw"):
        text = text.replace(f"{name} = 10.0", f"{name} = {round_trip / 2.0}")
    file = folder / f"ladder-{round_trip:.0f}.toml"
    file.write_text(text.replace('market = "rt"', f'market = "{market}"'))
    return file


def comparison(lag: int, half: str = "B", fleet: Miner | None = None, history: History | None = None) -> Comparison:
    """A half of the sample with a lag, on the three ladders unless another fleet is given."""
    from_us, until_us = HALVES[half]
    asked = (history or sample(), (fleet or three_ladders(),), DecidingConfig(), code_hash(), lag, from_us, until_us)
    return compare(Ask(*asked))
