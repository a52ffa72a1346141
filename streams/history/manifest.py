"""Manifests: a TOML file that joins files of history by importer and series, and states constants as hypothetical."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, ValidationError

from models.records import LAST_PLAUSIBLE_US, BtcPrice, GpuRate, Network, Observation, Utilisation
from streams.errors import FeedError, SettingsError
from streams.history.contract import Imported, Importer, Options, imported
from streams.parse import read_observation

CONSTANT_KINDS: dict[str, type[Observation]] = {
    "btc:": BtcPrice,
    "network:": Network,
    "gpu:": GpuRate,
    "utilisation:": Utilisation,
}
"""Which kind of observation a constant of a series is. A price of power belongs to an interval: it needs a file."""

CONSTANT_SOURCE = "hypothetical:constant"
CONSTANTS_INSTANCE = "history-constants"
STATED_FIELDS = {field.name for field in fields(Observation)}
MAX_MANIFEST_BYTES = 1_048_576

_Model = TypeVar("_Model", bound=BaseModel)


class FileTable(BaseModel):
    """A ``[[file]]`` table: ``path`` counts from the manifest's folder; ``series`` empty means all the file gives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    importer: str
    series: tuple[str, ...] = ()
    options: dict[str, object] = {}


class Document(BaseModel):
    """A whole manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[tuple[FileTable, ...], Field(min_length=1)]
    constants: dict[str, dict[str, StrictFloat | StrictInt]] = {}


@dataclass(frozen=True, slots=True)
class JoinedFile:
    """A file that a manifest joins, with its importer and checked options."""

    path: Path
    importer: Importer
    series: tuple[str, ...]
    options: Options


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as read and checked."""

    path: Path
    files: tuple[JoinedFile, ...]
    constants: Mapping[str, Mapping[str, float | int]]


def read_manifest(path: Path, importers: Mapping[str, Importer]) -> Manifest:
    """Read and check a manifest. Raises SettingsError that names file, key and what is allowed."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_MANIFEST_BYTES + 1)
        if len(data) > MAX_MANIFEST_BYTES:
            raise SettingsError(f"{path}: is larger than {MAX_MANIFEST_BYTES} bytes: no manifest is")
        found = tomllib.loads(data.decode())
    except OSError as error:
        raise SettingsError(f"{path}: the manifest cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, or nested without end
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    document = _validated(Document, found, str(path), "")
    files = tuple(_joined(path, number, table, importers) for number, table in enumerate(document.file, start=1))
    return Manifest(path, files, document.constants)


def _joined(path: Path, number: int, table: FileTable, importers: Mapping[str, Importer]) -> JoinedFile:
    place = f"file {number}"
    if table.importer not in importers:
        raise SettingsError(f"{path}: {place}: importer {table.importer!r} is not one of {', '.join(importers)}")
    importer = importers[table.importer]
    for series in table.series:
        if not importer.series:
            raise SettingsError(f"{path}: {place}: importer {importer.name!r} reads its file whole; leave out 'series'")
        if series not in importer.series:
            raise SettingsError(f"{path}: {place}: series {series!r} is not one of {', '.join(importer.series)}")
    options = _validated(importer.options, table.options, str(path), f"{place}: options")
    return JoinedFile(path.parent / table.path, importer, table.series or importer.series, options)


def _validated(model: type[_Model], found: object, path: str, place: str) -> _Model:
    """A table as its model. Raises SettingsError with file, key and what is allowed, for the first fault."""
    try:
        return model.model_validate(found)
    except ValidationError as error:
        fault = error.errors()[0]
        steps = [str(step + 1) if isinstance(step, int) else step for step in fault["loc"]]
        key = " ".join((*([place] if place else ()), *steps))
        reason = fault["msg"].removeprefix("Value error, ")
        if fault["type"] in ("extra_forbidden", "missing"):
            table = FileTable if len(steps) > 1 and steps[0] == "file" else model
            word = "unknown" if fault["type"] == "extra_forbidden" else "missing"
            reason = f"{word} key; allowed are {', '.join(table.model_fields)}"
        raise SettingsError(f"{path}: {key}: {reason}") from error


def constants(manifest: Manifest, known_us: int) -> Imported:
    """The constants of a manifest as one record known at ``known_us`` [us UTC] and never due again.

    Their source says what they are. Raises SettingsError for a series that cannot be constant, an unknown or missing
    field, an impossible value.
    """
    observations = [_constant(manifest.path, series, values, known_us) for series, values in manifest.constants.items()]
    return imported("constants", [observations], CONSTANTS_INSTANCE)


def _constant(path: Path, series: str, values: Mapping[str, float | int], known_us: int) -> Observation:
    place = f"{path}: constants {series}"
    kind = next((kind for prefix, kind in CONSTANT_KINDS.items() if series.startswith(prefix)), None)
    if kind is None:
        raise SettingsError(f"{place}: cannot be a constant; series that can begin with {', '.join(CONSTANT_KINDS)}")
    allowed = [field.name for field in fields(kind) if field.name not in STATED_FIELDS]
    for name in (*values, *allowed):
        if name not in allowed or name not in values:
            word = "missing" if name in allowed else "unknown"
            raise SettingsError(f"{place}: {name}: {word} key; allowed and needed are {', '.join(allowed)}")
    stated: dict[str, object] = {
        "kind": kind.kind,
        "series": series,
        "source": CONSTANT_SOURCE,
        "event_time_us": known_us,
        "next_due_us": LAST_PLAUSIBLE_US,
    }
    try:
        return read_observation({**stated, **values}, known_us)
    except (FeedError, ValueError) as error:
        raise SettingsError(f"{place}: {error}") from error


def hypothetical(manifest: Manifest) -> list[str]:
    """What the constants are, for people.

    >>> hypothetical(Manifest(Path("m.toml"), (), {"gpu:H100-SXM": {"usd_per_gpu_hour": 2.5}}))
    ['gpu:H100-SXM is held at usd_per_gpu_hour = 2.5 by the manifest: an assumption, not an observation']
    """
    return [
        f"{series} is held at {', '.join(f'{name} = {value}' for name, value in values.items())} by the manifest: "
        "an assumption, not an observation"
        for series, values in manifest.constants.items()
    ]
