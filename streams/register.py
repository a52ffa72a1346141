"""Which feeds ingest runs, and why the others are off: sources of :mod:`streams.feeds.sources` meet the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.demo.register import demo_feed
from streams.errors import SettingsError
from streams.feeds.contract import Feed, Options, Source
from streams.feeds.sources import SOURCES
from streams.settings import Settings
from streams.settings_errors import nearest


@dataclass(slots=True)
class FeedPlan:
    """``running``: feed name -> what makes it. ``off``: source -> why it does not run, in one line."""

    running: dict[str, Callable[[], Feed]] = field(default_factory=dict)
    off: dict[str, str] = field(default_factory=dict)


def feeds_for(settings: Settings) -> FeedPlan:
    """The feeds of these settings. A demo has the simulated market and nothing else; it never mixes with real sources.

    >>> from streams.settings import Run
    >>> list(feeds_for(Settings(run=Run(origin="demo"))).running)
    ['demo']
    >>> feeds_for(Settings()).off["luxor"]
    'no key: set LUXOR_API_KEY to use it'
    """
    plan = FeedPlan()
    if settings.run.origin == "demo":
        demo = settings.demo
        plan.running["demo"] = lambda: demo_feed(demo.seed, demo.speed, demo.record)
        return plan
    known = [source.name for source in SOURCES]
    for name in settings.ingest.sources or ():
        if name not in known:
            raise SettingsError(f"[ingest] sources: there is no source {name!r}{nearest(name, known)}")
    for source in SOURCES:
        options, why = options_of(source, settings)
        if options is None:
            plan.off[source.name] = why
        else:
            plan.running[source.name] = maker(source, options, settings)
    return plan


def maker(source: Source, options: Options, settings: Settings) -> Callable[[], Feed]:
    """What makes a source's feed."""
    names = (*source.keys, *source.optional_keys)
    keys = {name: settings.keys[name].get_secret_value() for name in names if name in settings.keys}
    return lambda: source.build(options, keys)


def options_of(source: Source, settings: Settings) -> tuple[Options | None, str]:
    """The options a source runs with, or why it is off."""
    given, named = settings.feeds.get(source.name), settings.ingest.sources
    if named is not None and source.name not in named:
        return None, "not among the sources of CHANGEOVER_SOURCES or [ingest]"
    if given is not None and not given.on:
        return None, f"switched off: [feeds.{source.name}] on = false"
    missing = [name for name in source.keys if name not in settings.keys]
    if missing:
        return None, f"no key: set {' and '.join(missing)} to use it"
    if source.kind == "power" and not _nodes(given):
        return _with_fleet_nodes(source, given, settings)
    if given is None and not source.defaults_on:
        return None, f"nothing chosen: give it a table [feeds.{source.name}] to use it"
    return given or source.options(), ""


def _with_fleet_nodes(source: Source, given: Options | None, settings: Settings) -> tuple[Options | None, str]:
    """A power source that no node was chosen for takes those of its market that the fleet reads."""
    market = market_of(source)
    nodes = tuple(node for found, _, node in (each.partition(":") for each in settings.ingest.nodes) if found == market)
    if not nodes:
        return None, f"no node of {market} is wanted: set nodes in [feeds.{source.name}], or CHANGEOVER_NODES"
    rivals = [other for other in SOURCES if other.kind == "power" and market_of(other) == market and other.keys]
    if not source.keys and any(all(key in settings.keys for key in other.keys) for other in rivals):
        return None, f"{rivals[0].name} has its key and brings the same prices; set nodes here to run both"
    chosen = {} if given is None else given.model_dump(exclude_unset=True)
    return source.options.model_validate({**chosen, "nodes": nodes}), ""


def _nodes(options: Options | None) -> tuple[str, ...]:
    found = getattr(options, "nodes", ())
    return tuple(found) if isinstance(found, list | tuple) else ()


def market_of(source: Source) -> str:
    """The market whose prices a power source brings.

    >>> [market_of(source) for source in SOURCES if source.name == "coinbase"]
    ['COINBASE']
    """
    return source.name.split("-", 1)[0].upper()
