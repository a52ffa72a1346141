"""Parts: every miner belongs to exactly one, and a changed number of parts moves as few as it can."""

from __future__ import annotations

import pytest

from streams.errors import SettingsError
from streams.part import Part

MINERS = [f"miner-{number}" for number in range(600)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 16])
def test_every_miner_belongs_to_exactly_one_part(count: int) -> None:
    parts = Part.all(count)
    assert [part.index for part in parts] == list(range(1, count + 1))
    assert all(sum(part.carries(miner) for part in parts) == 1 for miner in MINERS)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_parts_carry_about_as_many_miners_each(count: int) -> None:
    carried = [sum(part.carries(miner) for miner in MINERS) for part in Part.all(count)]
    assert max(carried) < 1.5 * len(MINERS) / count
    assert min(carried) > 0.6 * len(MINERS) / count


def test_one_part_more_takes_miners_from_the_others_and_moves_none_between_them() -> None:
    before = {miner: next(part.index for part in Part.all(4) if part.carries(miner)) for miner in MINERS}
    after = {miner: next(part.index for part in Part.all(5) if part.carries(miner)) for miner in MINERS}
    moved = [miner for miner in MINERS if before[miner] != after[miner]]
    assert {after[miner] for miner in moved} == {5}
    assert 0.1 * len(MINERS) < len(moved) < 0.3 * len(MINERS)


def test_which_part_carries_a_miner_is_the_same_on_every_machine() -> None:
    """A change of the hash would move every miner of a running service: these are the words of its first release."""
    carried = {miner: part.index for part in Part.all(4) for miner in ("mara", "iren", "cifr") if part.carries(miner)}
    assert carried == {"mara": 2, "iren": 4, "cifr": 2}


def test_a_part_is_written_i_of_n() -> None:
    assert Part.parse("1/1") == Part()
    assert Part.parse("3/8") == Part(3, 8)


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1/1001", "1.0/4"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="part '"):
        Part.parse(text)
