"""The page on signals names every key that an entry has, and none that it has not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_type_hints

import pytest

from models.signals import EpochEntry, Quality, Switch
from streams.wire import ENVELOPE

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "signals.md").read_text()
KINDS = {"switch": Switch, "quality": Quality, "epoch": EpochEntry}


def keys_of(title: str) -> set[str]:
    """Keys in the first column of the table under a heading."""
    section = PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_names_the_keys_of_each_kind(kind: str) -> None:
    told = keys_of("Every entry") | keys_of(f"`{kind}`")
    assert told == set(get_type_hints(KINDS[kind])) | ENVELOPE


def test_no_key_is_told_twice() -> None:
    for kind in KINDS:
        assert not keys_of("Every entry") & keys_of(f"`{kind}`")
