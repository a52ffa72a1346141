"""Fleet files: TOML -> :class:`models.fleet.Miner`, and the JSON of a fleet change in the log. Refusals name the place.

A file holds one miner: ``[miner]``, ``[[site]]`` with ``[site.power]``, ``[[site.asic]]``, ``[[site.gpu]]``,
``[[site.lease]]`` and ``[site.reference.asic]`` or ``.gpu`` or ``.lease``, and ``[[fact]]``.
"""

from __future__ import annotations

import json
import tomllib
from datetime import date, time
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from models.fleet import Miner
from streams.errors import FeedError, SettingsError
from streams.fleetfile_errors import explain, unknown_key, written

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_LINE_CHARACTERS = 1_000  # the TOML parser takes the square of a dotted key's length: minutes for 50,000 dots

TABLES = ("miner", "site", "fact")
MINER_KEYS = ("key", "name")

ADAPTER: TypeAdapter[Miner] = TypeAdapter(Miner)


def read_miners(path: Path) -> list[Miner]:
    """The miners of a file, or of every ``*.toml`` in a folder in the order of their names.

    Raises :class:`streams.errors.SettingsError` where there is nothing to read, a file is not a fleet file, or two
    files hold one miner.
    """
    miners: dict[str, tuple[Path, Miner]] = {}
    for file in fleet_files(path):
        miner = read_miner(file)
        if miner.key in miners:
            other = miners[miner.key][0]
            raise SettingsError(f"{file}: miner.key {miner.key!r} is also in {other}: one file holds all of a miner")
        miners[miner.key] = (file, miner)
    return [miner for _, miner in miners.values()]


def fleet_files(path: Path) -> list[Path]:
    """The file itself, or the ``*.toml`` of a folder sorted by name."""
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix == ".toml")
            if not files:
                raise SettingsError(f"{path}: this folder holds no *.toml: give a fleet file or a folder of them")
            return files
    except OSError as error:
        raise unreadable(path, error) from error
    return [path]


def read_miner(file: Path) -> Miner:
    """One miner from one file."""
    text = read_text(file)
    refuse_long_lines(text, file)
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise SettingsError(f"{file}: nested too deeply for a fleet") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not TOML: {error}") from error
    return miner_of(document, str(file))


def read_text(file: Path) -> str:
    """The text of a regular file of at most 4 MiB in UTF-8."""
    try:
        if not file.exists():
            raise SettingsError(f"{file}: there is no such file: give a fleet file (TOML) or a folder of them")
        if not file.is_file():
            raise SettingsError(f"{file}: is not a file: a fleet file is TOML text")
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise unreadable(file, error) from error
    if len(data) > MAX_FILE_BYTES:
        raise SettingsError(f"{file}: larger than {MAX_FILE_BYTES} bytes, the most a fleet file may hold")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: not UTF-8 text (byte {error.start}): save it as UTF-8") from error


def refuse_long_lines(text: str, file: Path) -> None:
    """Refuse a line that no fleet file has."""
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise SettingsError(
                f"{file}: line {number} has {len(line)} characters; a fleet file's have {MAX_LINE_CHARACTERS} at most"
            )


def unreadable(path: Path, error: OSError) -> SettingsError:
    """What is said of a file the system refuses to open."""
    return SettingsError(f"{path}: cannot be read: {error.strerror or error}")


def miner_of(document: dict[str, Any], file: str) -> Miner:
    """A miner from a parsed document. ``file`` is what refusals begin with."""
    refuse_unknown(document, TABLES, file, "")
    head = document.get("miner")
    if not isinstance(head, dict):
        raise SettingsError(f"{file}: needs a table [miner] with {' and '.join(MINER_KEYS)}")
    refuse_unknown(head, MINER_KEYS, file, "miner.")
    fields = {**head, **{name: document[name] for name in TABLES[1:] if name in document}}
    try:
        return ADAPTER.validate_json(json.dumps(fields, default=day_text))
    except RecursionError as error:
        raise SettingsError(f"{file}: nested too deeply for a fleet") from error
    except ValidationError as error:
        raise SettingsError(explain(error, file)) from error


def refuse_unknown(table: dict[str, Any], known: tuple[str, ...], file: str, prefix: str) -> None:
    """Refuse the keys of a table that are not known."""
    for key, value in table.items():
        if key not in known:
            raise SettingsError(f"{file}: {unknown_key(prefix + written(key), value, known)}")


def day_text(value: object) -> str:
    """A TOML date or time as JSON has it; anything else in a TOML document JSON knows."""
    if isinstance(value, date | time):
        return value.isoformat()
    raise TypeError(f"TOML has no {type(value).__name__}")


def encode_miner(miner: Miner) -> bytes:
    """The canonical JSON of a miner: what a fleet change carries in the log."""
    return orjson.dumps(miner)


def decode_miner(payload: bytes) -> Miner:
    """A miner from its canonical JSON. Raises :class:`streams.errors.FeedError` where it is not one.

    >>> decode_miner(b'{"key": "mara"}')
    Traceback (most recent call last):
    streams.errors.FeedError: fleet record: miner.name is missing; site is missing
    """
    try:
        return ADAPTER.validate_json(payload)
    except ValidationError as error:
        raise FeedError(explain(error, "fleet record")) from error
