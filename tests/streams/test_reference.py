"""Pages made from the code are what the code would write, and say what there is to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.feed_settings import KEY_NAMES
from streams.reference import DECIDING, pages
from streams.settings import ENVIRONMENT, Settings

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_page_is_what_the_code_would_write_now(name: str) -> None:
    assert (FOLDER / name).read_bytes() == pages()[name], "run: python -m streams.reference docs/reference"


def test_every_setting_and_every_variable_stands_on_the_page() -> None:
    page = pages()["settings.md"].decode()
    for variable in ENVIRONMENT:
        assert f"`{variable}`" in page
    for table in Settings.model_fields.keys() - {"keys"}:
        assert f"## [{table}]" in page
    for key in KEY_NAMES:
        assert f"`{key}`" in page
    for key in DECIDING:
        assert f"`{key}`" in page


def test_every_command_has_a_line_of_help_and_takes_json() -> None:
    page = pages()["commands.md"].decode()
    sections = page.split("\n## ")[1:]
    for section in sections:
        assert "`--json`" in section, section.splitlines()[0]
        assert section.splitlines()[4].strip(), section.splitlines()[0]
    assert {section.splitlines()[0] for section in sections} >= {
        "changeover worker",
        "changeover ingest",
        "changeover agents",
        "changeover fleet apply",
        "changeover fleet show",
        "changeover epoch start",
        "changeover rebuild",
        "changeover tail",
    }
