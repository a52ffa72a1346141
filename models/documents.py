"""What every part of a fleet document is: a frozen record that refuses what cannot be. Keys, choices, the class."""

from __future__ import annotations

import re
from datetime import date
from typing import ClassVar

from models.records import DAY_US

KEY = re.compile(r"^[a-z0-9][a-z0-9-]{0,39}\Z")


def require_key(name: str, value: str) -> None:
    """Refuse a key that cannot stand in a Redis key or a topic.

    >>> require_key("miner", "Mara Holdings")
    Traceback (most recent call last):
    ValueError: miner 'Mara Holdings' is not a key: lower-case letters, digits and hyphens, 40 at most
    """
    if not KEY.match(value):
        raise ValueError(f"{name} {value!r} is not a key: lower-case letters, digits and hyphens, 40 at most")


def require_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not one of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} {value!r} is not one of {', '.join(allowed)}")


def require_order(since: date | None, until: date | None) -> None:
    """Refuse dates of effect that leave no day.

    >>> require_order(date(2025, 1, 1), date(2025, 1, 1))
    Traceback (most recent call last):
    ValueError: effective_from 2025-01-01 must lie before effective_until 2025-01-01
    """
    if since is not None and until is not None and since >= until:
        raise ValueError(f"effective_from {since} must lie before effective_until {until}")


def midnight_us(day: date) -> int:
    """Start of a day, UTC [us].

    >>> midnight_us(date(2024, 6, 17))
    1718582400000000
    """
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY_US


class Document:
    """A part of a fleet document. Whoever reads one refuses keys it does not know (read by the TOML reader)."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}
