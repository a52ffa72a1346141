"""What a refused fleet document is told: file, key path, the value given, what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.fleet import Miner

SHOWN_ERRORS = 5
SHOWN_CHARACTERS = 60
BARE_KEY = re.compile(r"^[A-Za-z0-9_-]{1,60}\Z")

ALLOWED = {
    "bool_type": "true or false",
    "dataclass_type": "a table",
    "date_parsing": "a date written 2025-09-30",
    "date_type": "a date written 2025-09-30",
    "float_type": "a number",
    "string_type": "text in quotes",
    "tuple_type": "a list of tables, each written [[...]]",
}
"""What pydantic's kinds of refusal ask for, in the words of a TOML file."""

Place = tuple[int | str, ...]


def explain(error: ValidationError, file: str) -> str:
    """All refusals in one line, the first few in full."""
    refusals = error.errors(include_url=False)
    said = [explain_one(refusal) for refusal in refusals[:SHOWN_ERRORS]]
    more = len(refusals) - len(said)
    return f"{file}: {'; '.join(said)}{f'; and {more} more' if more else ''}"


def explain_one(refusal: ErrorDetails) -> str:
    """One refusal."""
    place, kind = refusal["loc"], refusal["type"]
    if kind == "unexpected_keyword_argument":
        return unknown_key(key_path(place), refusal["input"], allowed_keys(place[:-1]))
    if kind == "missing":
        return f"{key_path(place)} is missing"
    if kind == "value_error":
        return impossible(place, str(refusal["ctx"]["error"]))
    if kind == "json_invalid":
        deep = "recursion limit" in refusal["msg"]
        return "nested too deeply for a fleet" if deep else f"not JSON: {refusal['msg']}"
    allowed = ALLOWED.get(kind, refusal["msg"])
    return f"{key_path(place) or 'the document'} = {shown(refusal['input'])} must be {allowed}"


def impossible(place: Place, reason: str) -> str:
    """A record's own refusal: it begins with the field it is about, or speaks of the whole table."""
    word = reason.partition(" ")[0]
    if word in allowed_keys(place):
        return f"{key_path((*place, word))}{reason.removeprefix(word)}"
    if word in ("miner", "site") and "is not a key" in reason:
        return f"{key_path((*place, 'key'))}{reason.removeprefix(word)}"
    return f"{key_path(place)}: {reason}" if place else reason


def unknown_key(path: str, value: object, allowed: Iterable[str]) -> str:
    """What was given, the nearest key where one is close, and all that are allowed."""
    words = sorted(allowed)
    close = difflib.get_close_matches(path.rpartition(".")[2], words, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{path} = {shown(value)} is not a known key; {hint}allowed here: {', '.join(words)}"


def shown(value: object) -> str:
    """A value as it was given, cut where it is long."""
    try:
        text = repr(value)
    except RecursionError:  # tables in tables by the thousand
        return f"a {type(value).__name__} nested too deeply to show"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def key_path(place: Place) -> str:
    """Where in the file: ``site[0].asic[1].pue``; the miner's own fields stand in the table [miner].

    >>> key_path(("site", 0, "asic", 1, "pue")), key_path(("name",))
    ('site[0].asic[1].pue', 'miner.name')
    """
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{written(part)}" for part in place).removeprefix(".")
    return f"miner.{path}" if len(place) == 1 and path not in ("site", "fact", "hypothetical") else path


def written(key: str) -> str:
    """A key as it stands in a file: bare where TOML lets it be.

    >>> written("pue"), written("p ue")
    ('pue', "'p ue'")
    """
    return key if BARE_KEY.match(key) else shown(key)


def allowed_keys(place: Place) -> list[str]:
    """The keys of the table at a place of a fleet document.

    >>> allowed_keys(("site", 0, "reference"))
    ['asic', 'gpu', 'lease']
    """
    kind: Any = Miner
    for part in place:
        if isinstance(part, str):
            kind = table_of(hints_of(kind)[part])
    return [entry.name for entry in fields(kind)]


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """The types of a record's fields."""
    return get_type_hints(kind)


def table_of(hint: Any) -> Any:  # noqa: ANN401 a type hint has no narrower type
    """The record inside ``tuple[Record, ...]`` or ``Record | None``."""
    return next((kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)), hint)
