"""The page of faults is that of the faults there are, and each of them can be chosen."""

from __future__ import annotations

import random
from pathlib import Path

from tests.support.chaos.faults import KINDS, chosen
from tests.support.chaos.page import COMMAND, NAME, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / NAME


def test_the_page_of_faults_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"write it anew: {COMMAND}"


def test_a_seed_makes_the_same_faults_again_and_every_fault_comes_up() -> None:
    assert chosen(random.Random(7), 40) == chosen(random.Random(7), 40)
    assert set(chosen(random.Random(7), 2_000)) == {kind.fault for kind in KINDS}
    assert all(kind.fault.__doc__ and kind.strikes and kind.holds for kind in KINDS)
