"""The register of importers, and the one door to history: a path or the name ``sample`` in, a History out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streams.errors import SettingsError
from streams.history.btc_candles import BtcCandlesImporter
from streams.history.contract import Imported, Importer
from streams.history.difficulty import DifficultyImporter
from streams.history.ercot_day_ahead import ErcotDayAheadImporter
from streams.history.ercot_real_time import ErcotRealTimeImporter
from streams.history.files import first_line
from streams.history.joined import History, join
from streams.history.manifest import JoinedFile, constants, hypothetical, read_manifest
from streams.history.recording import RecordingImporter
from streams.history.sample import sample_path
from streams.history.window import WindowImporter

SAMPLE = "sample"
FOLDER_MANIFEST = "manifest.toml"

IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        WindowImporter(),
        ErcotDayAheadImporter(),
        ErcotRealTimeImporter(),
        BtcCandlesImporter(),
        DifficultyImporter(),
        RecordingImporter(),
    )
}


def open_history(path: str | Path) -> History:
    """Open a history: a file, a folder, a TOML manifest, a recording, or the sample that ships with the package.

    Everything is read and checked here, before anything is replayed. Raises SettingsError where the path or the
    manifest is wrong, FeedError where a file is broken.
    """
    if str(path) == SAMPLE:
        with sample_path() as sample:
            return join(SAMPLE, _read_all([_alone(sample)]))
    path = Path(path)
    if path.is_dir():
        if (path / FOLDER_MANIFEST).is_file():
            return _by_manifest(path / FOLDER_MANIFEST)
        return join(str(path), _read_all([_alone(file) for file in _files_of(path)]))
    if path.suffix == ".toml":
        return _by_manifest(path)
    return join(str(path), _read_all([_alone(path)]))


def _files_of(folder: Path) -> list[Path]:
    files = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    if not files:
        raise SettingsError(f"{folder}: the folder is empty; give one with files of history")
    return files


def _alone(path: Path) -> JoinedFile:
    """A file given without its importer: the one that knows its first line, at its defaults."""
    line = first_line(path)
    for importer in IMPORTERS.values():
        if importer.recognises(line):
            return JoinedFile(path, importer, importer.series, importer.options())
    raise SettingsError(
        f"{path}: no importer knows a file that begins {line[:80]!r}; importers are {', '.join(IMPORTERS)}, "
        "and a manifest is a file *.toml"
    )


def _by_manifest(path: Path) -> History:
    manifest = read_manifest(path, IMPORTERS)
    sources = _read_all(manifest.files)
    if not manifest.constants:
        return join(str(path), sources)
    known_us = min(record.receipt_time_us for source in sources for record in list(source.records)[:1])
    history = join(str(path), [constants(manifest, known_us), *sources], hypothetical=hypothetical(manifest))
    for series in manifest.constants:
        if history.counts.series[series].observations > 1:
            raise SettingsError(
                f"{path}: constants {series}: a file gives this series as well; leave it out there by 'series', or here"
            )
    return history


def _read_all(files: Sequence[JoinedFile]) -> list[Imported]:
    """Read files in their order. The first of an importer is ``history-<importer>``, later ones are numbered."""
    used: dict[str, int] = {}
    sources = []
    for file in files:
        name = file.importer.name
        used[name] = used.get(name, 0) + 1
        instance = f"history-{name}" if used[name] == 1 else f"history-{name}-{used[name]}"
        sources.append(file.importer.read(file.path, file.options, file.series, instance))
    return sources
