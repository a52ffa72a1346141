"""What `up` says of its prices before it starts: which sources run, which series of the fleet nothing will bring."""

from __future__ import annotations

from collections.abc import Container, Sequence

from models.fleet import Miner
from models.hypothetical import needed_series
from streams.feeds.sources import SOURCES
from streams.register import feeds_for, market_of
from streams.settings import Settings


def nodes_of_fleet(fleet: Sequence[Miner]) -> tuple[str, ...]:
    """The power nodes whose prices a fleet reads, as ``MARKET:NODE``."""
    series = {name for miner in fleet for name in needed_series(miner) if name.startswith("power:")}
    return tuple(sorted({name.removeprefix("power:").rpartition(":")[0] for name in series}))


def notes_of(settings: Settings, fleet: Sequence[Miner]) -> list[str]:
    """One line on what runs, and one on what nothing brings."""
    plan = feeds_for(settings)
    running = ", ".join(sorted(plan.running)) or "no source"
    notes = [f"Prices from {running}. `changeover feeds` shows them live."]
    wanted = sorted({series for miner in fleet for series in needed_series(miner)})
    lacking = [series for series in wanted if not is_brought(series, plan.running)]
    if lacking:
        notes.append(
            f"No source that runs brings {', '.join(lacking)}: until prices come on topic `observations` their loads "
            "wait, then follow their failure direction."
        )
    return notes


def is_brought(series: str, running: Container[str]) -> bool:
    """Whether some source that runs may bring a series.

    >>> is_brought("power:ERCOT:HB_WEST:rt", ["ercot-mis"]), is_brought("power:ERCOT:HB_WEST:rt", ["kraken", "nyiso"])
    (True, False)
    """
    kind, _, rest = series.partition(":")
    found = [source for source in SOURCES if source.name in running and source.kind == kind]
    if kind == "power":
        found = [source for source in found if market_of(source) == rest.partition(":")[0]]
    return bool(found)
