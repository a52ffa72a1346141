"""The examples of the pages on history run as they are printed."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from streams.history import IMPORTERS, open_history
from streams.history.sample import SAMPLE_FILE, sample_path

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE = (DOCS / "reference" / "history.md").read_text()
HOW_TO = (DOCS / "how-to" / "replay-history.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.mark.parametrize("manifest", [*blocks(REFERENCE, "toml"), *blocks(HOW_TO, "toml")])
def test_each_printed_manifest_joins_the_sample(tmp_path: Path, manifest: str) -> None:
    with sample_path() as path:
        (tmp_path / SAMPLE_FILE).write_bytes(path.read_bytes())
    (tmp_path / "assumed.toml").write_text(manifest)
    history = open_history(tmp_path / "assumed.toml")
    assert history.counts.records > 15_000
    assert len(history.hypothetical) == 2


def test_the_printed_program_prints_what_its_comment_says() -> None:
    (program,) = blocks(REFERENCE, "python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "history.md", "exec"), {})  # noqa: S102 - the page's own program
    assert printed.getvalue().splitlines() == ["15546 18472", "observation 1718476200000000"]


def test_every_option_of_every_importer_is_on_the_page_with_its_default() -> None:
    for importer in IMPORTERS.values():
        for name, field in importer.options.model_fields.items():
            assert f"| `{name}` | {field.default} |" in REFERENCE


def test_the_page_of_options_names_no_option_that_is_gone() -> None:
    known = {name for importer in IMPORTERS.values() for name in importer.options.model_fields}
    assert set(re.findall(r"^\| `([a-z_]+_(?:s|local|days|weeks|day|block))` \|", REFERENCE, re.MULTILINE)) == known
