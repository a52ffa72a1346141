"""What is told of a refused setting: the place, what is wrong, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


def nearest(word: str, known: Iterable[str], before: str = "") -> str:
    """``; did you mean X?`` where a known word is close, else the known words.

    >>> nearest("brokrs", ["brokers", "user"]), nearest("zzz", ["a", "b"])
    ('; did you mean brokers?', '; allowed: a, b')
    """
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"; did you mean {before}{close[0]}?"
    return f"; allowed: {', '.join(before + each for each in words)}"


def explain(
    error: ValidationError, model: type[BaseModel], file: Path | None, places: Mapping[tuple[str, str], str]
) -> str:
    """All refusals in one line. ``places``: which (table, key) came from which environment variable."""
    return "; ".join(
        explain_one(details, model, file, places)
        for details in error.errors(include_input=False, include_url=False, include_context=False)
    )


def explain_one(
    details: ErrorDetails, model: type[BaseModel], file: Path | None, places: Mapping[tuple[str, str], str]
) -> str:
    """One refusal: where, what, what is allowed."""
    table, key, *_ = [*(str(part) for part in details["loc"]), "", ""]
    if details["type"] == "extra_forbidden":
        if key:
            return f"{file}: [{table}] has no key {key!r}{nearest(key, keys_of(model, table))}"
        return f"{file}: there is no table [{table}]{nearest(table, model.model_fields)}"
    variable = places.get((table, key))
    place = f"environment {variable}" if variable else f"{file or 'settings'}: [{table}] {key}".rstrip()
    reason = details["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("Value ")
    if details["type"] == "string_pattern_mismatch":
        reason = "not of the form allowed"
    allowed = allowed_for(model, table, key)
    return f"{place}: {reason}" + (f"; allowed: {allowed}" if allowed else "")


def keys_of(model: type[BaseModel], table: str) -> dict[str, Any]:
    """The keys of a table with what is known of them; none for [deciding], which is no table class."""
    annotation = model.model_fields[table].annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return dict(annotation.model_fields)
    return {}


def allowed_for(model: type[BaseModel], table: str, key: str) -> str:
    """The words a key allows, empty where it says none."""
    field = keys_of(model, table).get(key)
    return str(field.json_schema_extra["allowed"]) if field is not None else ""
