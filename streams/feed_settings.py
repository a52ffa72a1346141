"""The tables ``[feeds.<source>]`` of a settings file, and the keys of sources from the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr, ValidationError

from streams.errors import SettingsError
from streams.feeds.contract import Options
from streams.feeds.sources import SOURCES
from streams.settings_errors import nearest

OF_A_FILE = "_FILE"
"""``<KEY>_FILE`` names a file whose content is the key, as containers are given secrets."""

KEY_NAMES = tuple(sorted({name for source in SOURCES for name in (*source.keys, *source.optional_keys)}))


def read_feeds(tables: object, file: Path | None) -> Mapping[str, Options]:
    """Options of each source that the file has a table of.

    Raises:
        SettingsError: names file, table, key, and what is allowed.
    """
    if not isinstance(tables, Mapping):
        raise SettingsError(f"{file}: [feeds] holds one table for each source, as [feeds.kraken]")
    known = {source.name: source for source in SOURCES}
    found: dict[str, Options] = {}
    for name, table in tables.items():
        if name not in known:
            raise SettingsError(f"{file}: there is no source [feeds.{name}]{nearest(str(name), known)}")
        try:
            found[name] = known[name].options.model_validate(table)
        except ValidationError as error:
            refusal = "; ".join(_refusals(error, known[name].options, f"{file}: [feeds.{name}]"))
        else:
            continue
        raise SettingsError(refusal)  # outside the handler: the validation error holds what was given
    return found


def _refusals(error: ValidationError, options: type[Options], place: str) -> Iterator[str]:
    for details in error.errors(include_input=False, include_url=False, include_context=False):
        key = ".".join(str(part) for part in details["loc"])
        if details["type"] == "extra_forbidden":
            yield f"{place} has no key {key!r}{nearest(key, options.model_fields)}"
        else:
            field = options.model_fields.get(str(details["loc"][0])) if details["loc"] else None
            meaning = f" ({field.description})" if field is not None and field.description else ""
            yield f"{place} {key}: {details['msg'].removeprefix('Value error, ')}{meaning}"


def read_keys(environment: Mapping[str, str]) -> Mapping[str, SecretStr]:
    """Keys that are set, by name: from the variable itself, else from the file that ``<KEY>_FILE`` names.

    >>> read_keys({"LUXOR_API_KEY": "secret"})["LUXOR_API_KEY"]
    SecretStr('**********')
    """
    found = {}
    for name in KEY_NAMES:
        if environment.get(name):
            found[name] = SecretStr(environment[name])
        elif environment.get(name + OF_A_FILE):
            found[name] = SecretStr(secret_in(name + OF_A_FILE, Path(environment[name + OF_A_FILE])))
    return found


def secret_in(variable: str, path: Path) -> str:
    """The secret that a file holds, without the blanks around it.

    Raises:
        SettingsError: it cannot be read, or holds none; names the variable that named it.
    """
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
    else:
        if found:
            return found
        reason = "it is empty"
    raise SettingsError(
        f"environment {variable}: cannot read {path}: {reason}; name a readable file that holds the secret alone"
    )
