"""What a site reads of the market, place by place, and how a series stands, as a signal tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.arrays import GROUP_UNITS, REWARD, SERIES
from models.layout import Layout
from models.rows import Catalogue
from models.signals import Input
from models.wording import series_reason, series_state


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a site's view, as it stays while the fleet does."""

    number: int  # of its series
    series: str
    unit: str
    flips: bool  # a flip value is looked for: all but the block reward, which is held
    needed: bool


def places(layout: Layout, names: Catalogue) -> list[Place]:
    """The places of all views of a fleet."""
    return [
        Place(
            int(source["series"]),
            names.series_names[int(source["series"])],
            "BTC/block" if source["component"] == REWARD else GROUP_UNITS[int(source["group"])],
            bool(source["component"] != REWARD),
            bool(source["needed"]),
        )
        for source in layout.inputs
    ]


_AT = {name: place for place, name in enumerate(SERIES.names or ())}
KNOWN, FRESH, SOURCE, QUALITY, REASON = (_AT[name] for name in ("known", "fresh", "source", "quality", "reason"))
EVENT_US, RECEIPT_US, REVISION = (_AT[name] for name in ("event_us", "receipt_us", "revision"))
HEAD_OF, COUNTED = _AT["head_of"], _AT["counted"]


def input_content(place: Place, series: tuple[Any, ...], value: float, log_time_us: int, sources: list[str]) -> Input:
    """How a series stands at a log time. ``series``: its row as a tuple, fields in the order of their dtype."""
    known = bool(series[KNOWN])
    source = f"median of {series[COUNTED]}" if series[HEAD_OF] >= 0 else sources[series[SOURCE]] if known else ""
    return {
        "series": place.series,
        "value": value if known else None,
        "unit": place.unit,
        "age_s": (log_time_us - series[RECEIPT_US]) / 1e6 if known else None,
        "state": series_state(series[KNOWN], series[FRESH], series[QUALITY]),
        "reason": series_reason(series[REASON]),
        "source": source if known else "",
        "event_time_us": series[EVENT_US],
        "revision": series[REVISION],
    }
