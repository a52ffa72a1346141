"""The sample in the package is the window file, small enough to ship, and agrees with our own hashprice."""

import gzip
from pathlib import Path

from models.hashprice import subsidy_btc, usd_per_ph_day
from streams.history import History, open_history
from streams.history.sample import sample_path
from streams.history.window import EPOCH_HEIGHTS
from streams.history.window_file import read_rows


def test_sample_holds_the_window_file_to_the_byte(real_history: Path) -> None:
    with sample_path() as path:
        assert gzip.decompress(path.read_bytes()) == gzip.decompress(
            (real_history / "window_2024_15min.csv.gz").read_bytes()
        )


def test_sample_and_the_window_file_give_the_same_records(sample: History, real_history: Path) -> None:
    assert list(sample) == list(open_history(real_history / "window_2024_15min.csv.gz"))


def test_sample_is_well_below_half_a_megabyte() -> None:
    with sample_path() as path:
        assert path.stat().st_size < 200_000


def test_our_hashprice_is_the_files_to_the_last_digit_it_prints_in_every_row() -> None:
    with sample_path() as path:
        rows = read_rows(path)
    assert len(rows) == 12_218
    worst_absolute = worst_relative = 0.0
    for row in rows:
        ours = usd_per_ph_day(row.difficulty, subsidy_btc(EPOCH_HEIGHTS[row.difficulty]), 0.0, row.btc_usdt)
        difference = abs(ours - row.hashprice_usd_per_ph_day)
        worst_absolute = max(worst_absolute, difference)
        worst_relative = max(worst_relative, difference / row.hashprice_usd_per_ph_day)
    assert 0.0 < worst_absolute <= 0.00005 + 1e-12  # the file prints four decimals
    assert worst_relative < 1.5e-6


def test_the_heights_in_the_importer_are_those_of_the_epochs(real_history: Path) -> None:
    published = {}
    for line in (real_history / "difficulty_epochs_times.csv").read_text().splitlines()[1:]:
        _, height, difficulty, *_ = line.split(",")
        published[float(difficulty)] = int(height)
    assert {difficulty: published[difficulty] for difficulty in EPOCH_HEIGHTS} == EPOCH_HEIGHTS
    assert all(height % 2016 == 0 for height in EPOCH_HEIGHTS.values())
    assert list(EPOCH_HEIGHTS.values()) == sorted(EPOCH_HEIGHTS.values())


def test_the_files_own_hashprice_stays_out_of_the_log(sample: History) -> None:
    assert [name for name in sample.counts.series if name.startswith("hashprice:")] == []
