"""The page of decisions is what its command writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import decisions_page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / decisions_page.NAME


@pytest.mark.slow
@pytest.mark.timeout(900)  # every policy and baseline over the whole sample, twelve cells, and the grid of one constant
def test_the_page_is_what_running_everything_again_gives() -> None:
    assert PAGE.read_text() == decisions_page.made(), f"write it again: {decisions_page.COMMAND}"
