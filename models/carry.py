"""What outlives a change: loads across a fleet change, the whole state across a restart (snapshots)."""

from __future__ import annotations

import json
import math
import zlib
from typing import TYPE_CHECKING

import numpy as np

from models.arrays import CLOCKS, INPUTS, LOADS, LONG_AGO, SERIES, SITES, UNUSABLE, Array
from models.layout import Layout
from models.margins import hashprice_of, value_usd_per_hour
from models.price_memory import MEMORIES
from models.rows import Catalogue
from models.state import OF_NAMES, SLOTS, State

if TYPE_CHECKING:
    from models.engine import Engine

SNAPSHOT_SCHEMA = 5

# What a load takes with it through a fleet change; the rest comes from its new document.
CARRIED = (
    *("mode", "valued", "usable", "awaiting", "since_us", "margin", "draw_mw", "shift"),
    *("decision", "act_by_us", "confirmed", "placed"),
)


def unusable_series(state: State, names: Catalogue) -> list[str]:
    """Series that some load needs and that cannot be used now, sorted."""
    broken = (state.inputs["state"] == UNUSABLE) & (state.inputs["needed"] == 1)
    return sorted({names.series_names[int(number)] for number in state.inputs["series"][broken]})


def keep_loads(state: State, old: Layout, new: Layout) -> None:
    """Give the loads, sites and inputs of a new layout what is known of them from the old one.

    A load whose site reads another set of series is valued afresh, as if it were new, but keeps mode and dwell.
    """
    old_sites = {key: number for number, key in enumerate(old.site_keys)}
    old_loads = {key: item for item, key in enumerate(old.load_keys)}
    for number, site in enumerate(new.site_keys):
        if site in old_sites:
            for name in ("decisions", "version"):
                new.sites[number][name] = old.sites[old_sites[site]][name]
            _keep_inputs(old, new, old_sites[site], number)
    for item, load in enumerate(new.load_keys):
        if load not in old_loads or old.loads[old_loads[load]]["kind"] != new.loads[item]["kind"]:
            continue
        before, after = old.loads[old_loads[load]], new.loads[item]
        for name in CARRIED:
            after[name] = before[name]
        if not _keep_view(state, old, new, before, after):
            after["valued"], after["shift"] = 0, 0.0


def _places(layout: Layout, number: int) -> dict[tuple[int, int], int]:
    first, count = int(layout.sites[number]["first_input"]), int(layout.sites[number]["inputs"])
    view = layout.inputs[first : first + count]
    return {(int(row["series"]), int(row["component"])): place for place, row in enumerate(view)}


def _keep_inputs(old: Layout, new: Layout, before: int, after: int) -> None:
    first_old, first_new = int(old.sites[before]["first_input"]), int(new.sites[after]["first_input"])
    found = _places(old, before)
    for key, place in _places(new, after).items():
        if key in found:
            new.inputs[first_new + place]["state"] = old.inputs[first_old + found[key]]["state"]


def _keep_view(state: State, old: Layout, new: Layout, before: np.void, after: np.void) -> bool:
    """Carry the view of a load's last signal over and note by how much its new document moves its value there."""
    if not before["valued"]:
        return False
    found, wanted = _places(old, int(before["site"])), _places(new, int(after["site"]))
    if not set(wanted) <= set(found):
        return False
    start_old, start_new = int(before["last_view"]), int(after["last_view"])
    for key, place in wanted.items():
        new.last_views[start_new + place] = state.last_views[start_old + found[key]]
    was = value_usd_per_hour(before, state.last_views, start_old, hashprice_of(state.last_views, start_old))
    now = value_usd_per_hour(after, new.last_views, start_new, hashprice_of(new.last_views, start_new))
    if math.isnan(now):  # the new document reads what is not known yet
        return False
    after["shift"] += now - was
    return True


def pack(engine: Engine) -> bytes:
    """A snapshot: a header in JSON, then arrays, compressed. Names are sorted, unused ones left out."""
    state, names = engine.state, engine.names
    series = sorted(
        (name, number)
        for number, name in enumerate(names.series_names)
        if number < len(state.series) and (state.series[number]["known"] or _has_slots(state, number))
    )
    heard = sorted(
        (name, number)
        for number, name in enumerate(names.source_names)
        if number < len(state.heard) and state.heard[number] != LONG_AGO
    )
    places = [number for _, number in series]
    rows = state.series[places].copy()
    sources = [names.source_names[int(row["source"])] if row["source"] >= 0 else "" for row in rows]
    rows["source"], rows["curve"], rows["memory"] = -1, -1, -1
    for name in OF_NAMES:
        rows[name] = 0
    curves, parts = _pack_curves(state, names, places)
    clocks = state.clocks.copy()
    run_of = names.source_names[int(clocks[0]["run_of"])] if clocks[0]["run_of"] >= 0 else ""
    clocks["run_of"] = -1
    inputs, last_views, views = state.inputs["state"], state.last_views, state.views
    header = {
        "schema": SNAPSHOT_SCHEMA,
        "log_time_us": engine.log_time_us,
        "series": [name for name, _ in series],
        "sources": sources,
        "heard": [name for name, _ in heard],
        "run_of": run_of,
        "curves": curves,
        "loads": engine.layout.load_keys,
        "sites": engine.layout.site_keys,
        **engine.book.document(),
    }
    body = [
        clocks,
        state.heard[[number for _, number in heard]],
        rows,
        state.seen[places],
        *_pack_memories(state, places),
        *parts,
        _without_names(state.sites),
        state.loads,
        inputs,
        last_views,
        views,
    ]
    head = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    return zlib.compress(b"".join([len(head).to_bytes(4, "big"), head, *(part.tobytes() for part in body)]), 1)


def _pack_memories(state: State, places: list[int]) -> list[np.ndarray]:
    """Memory and ring of each series among these that has any, as long as it is."""
    parts: list[np.ndarray] = []
    for number in _remembered(state, places):
        cells = int(state.memories[number]["cells"])
        ring = (state.memory_slots[number, :cells], state.memory_prices[number, :cells])
        parts += [state.memories[number : number + 1], *ring]
    return parts


def _remembered(state: State, places: list[int]) -> list[int]:
    """Numbers of the memories of these series, in their order."""
    return [int(number) for number in state.series["memory"][places] if number >= 0]


def _without_names(sites: Array) -> Array:
    """Sites without the number of their curve, which depends on the order of names."""
    kept = sites.copy()
    kept["day_ahead"] = 0
    return kept


def _has_slots(state: State, number: int) -> bool:
    curve = int(state.series[number]["curve"])
    return curve >= 0 and bool((state.slots[curve]["start_us"] != LONG_AGO).any())


def _pack_curves(state: State, names: Catalogue, places: list[int]) -> tuple[list[object], list[np.ndarray]]:
    """Used slots of each curve among these series: (places and source names for the header, arrays)."""
    header: list[object] = []
    parts: list[np.ndarray] = []
    for number in places:
        curve = int(state.series[number]["curve"])
        if curve < 0:
            continue
        used = np.flatnonzero(state.slots[curve]["start_us"] != LONG_AGO)
        slots = state.slots[curve][used].copy()
        sources = [names.source_names[int(slot["source"])] for slot in slots]
        slots["source"] = -1
        header.append([used.tolist(), sources])
        parts += [slots, state.slot_seen[curve][used]]
    return header, parts


class Unpacker:
    """Reads arrays off a snapshot's bytes, in order."""

    def __init__(self, blob: bytes) -> None:
        """Inflate a snapshot and read its header; ValueError where it is not one of ours."""
        try:
            self.data = zlib.decompress(blob)
            length = int.from_bytes(self.data[:4], "big")
            self.header = json.loads(self.data[4 : 4 + length])
            schema = self.header["schema"]
        except (zlib.error, ValueError, KeyError, TypeError) as broken:
            raise ValueError(f"a snapshot of {len(blob)} bytes is damaged: {broken}: rebuild from the log") from broken
        if schema != SNAPSHOT_SCHEMA:
            raise ValueError(f"snapshot schema {schema} is not {SNAPSHOT_SCHEMA}: rebuild from the log")
        self.at = 4 + length

    def take(self, like: np.ndarray | np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        """The next array of this kind and shape."""
        dtype = like if isinstance(like, np.dtype) else like.dtype
        count = math.prod(shape)
        left = len(self.data) - self.at - count * dtype.itemsize
        if left < 0:
            raise ValueError(f"a snapshot is damaged: it ends {-left} bytes early: rebuild from the log")
        if count == 0:
            return np.zeros(shape, dtype)
        found = np.frombuffer(self.data, dtype, count, self.at).reshape(shape).copy()
        self.at += found.nbytes
        return found

    def end(self) -> None:
        """Refuse what lies behind the last array."""
        if self.at != len(self.data):
            raise ValueError(f"a snapshot is damaged: {len(self.data) - self.at} bytes too many: rebuild from the log")


def log_time_of(blob: bytes) -> int:
    """Log time of a snapshot [us]."""
    return int(Unpacker(blob).header["log_time_us"])


def unpack(engine: Engine, blob: bytes) -> None:
    """Fill an engine that was laid out for the snapshot's fleet and day (:meth:`Engine.adopt`)."""
    reader, names = Unpacker(blob), engine.names
    header = reader.header
    if [list(key) for key in engine.layout.load_keys] != header["loads"]:
        raise ValueError("the snapshot's loads are not those of the fleet it is restored with")
    places = [names.series(name) for name in header["series"]]
    heard = [names.source(name) for name in header["heard"]]
    for source in [*header["sources"], header["run_of"], *(name for curve in header["curves"] for name in curve[1])]:
        if source:
            names.source(source)
    engine.grow()
    state = engine.state
    state.clocks[:] = reader.take(CLOCKS, (1,))
    state.heard[heard] = reader.take(state.heard, (len(heard),))
    _unpack_series(engine, reader, places)
    curves = state.sites["day_ahead"].copy()
    state.sites[:] = reader.take(SITES, state.sites.shape)
    state.sites["day_ahead"] = curves
    state.loads[:] = reader.take(LOADS, state.loads.shape)
    state.inputs["state"] = reader.take(INPUTS["state"], state.inputs.shape)
    state.last_views[:] = reader.take(state.last_views, state.last_views.shape)
    state.views[:] = reader.take(state.views, state.views.shape)
    reader.end()
    state.clocks[0]["run_of"] = names.source(header["run_of"]) if header["run_of"] else -1
    engine.book.read(header)


def _unpack_series(engine: Engine, reader: Unpacker, places: list[int]) -> None:
    """Series, the values seen under their keys, and their curves."""
    state, names, header = engine.state, engine.names, reader.header
    rows = reader.take(SERIES, (len(places),))
    seen = reader.take(state.seen, (len(places), *state.seen.shape[1:]))
    for place, row, source in zip(places, rows, header["sources"], strict=True):
        kept = state.series[place]
        for name in ("curve", "memory", *OF_NAMES):
            row[name] = kept[name]
        row["source"] = names.source(source) if source else -1
        state.series[place] = row
    state.seen[places] = seen
    for number in _remembered(state, places):
        state.memories[number] = reader.take(MEMORIES, (1,))[0]
        cells = int(state.memories[number]["cells"])
        state.memory_slots[number, :cells] = reader.take(state.memory_slots, (cells,))
        state.memory_prices[number, :cells] = reader.take(state.memory_prices, (cells,))
    with_curves = [place for place in places if state.series[place]["curve"] >= 0]
    for place, (used, sources) in zip(with_curves, header["curves"], strict=True):
        curve = int(state.series[place]["curve"])
        slots = reader.take(SLOTS, (len(used),))
        slots["source"] = [names.source(source) for source in sources]
        state.slots[curve][used] = slots
        state.slot_seen[curve][used] = reader.take(state.slot_seen, (len(used), state.slot_seen.shape[2]))
