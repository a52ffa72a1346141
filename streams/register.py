"""Which feeds ingest runs: the one place where sources are named. Adding a source adds a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streams.demo.register import demo_feed
from streams.feeds.contract import Feed
from streams.settings import Settings


def feeds_for(settings: Settings) -> Mapping[str, Callable[[], Feed]]:
    """Feed name -> what makes it. A demo has the simulated market and nothing else; it never mixes with real sources.

    >>> from streams.settings import Run
    >>> list(feeds_for(Settings(run=Run(origin="demo")))), list(feeds_for(Settings()))
    (['demo'], [])
    """
    if settings.run.origin == "demo":
        demo = settings.demo
        return {"demo": lambda: demo_feed(demo.seed, demo.speed, demo.record)}
    return {}
