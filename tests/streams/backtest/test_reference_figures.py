"""The reference table by the command's own code: the documented plan in every cell, the default plan above it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from models.records import DecidingConfig
from streams.backtest import Ask, Figures, compare
from streams.cli import main
from streams.compilation import code_hash
from streams.fleetfile import read_miners
from streams.history import open_history
from tests.support.ladders import REFERENCE, ROUND_TRIPS_USD_PER_MW, comparison, ladder_file, site_key

CELLS = [(lag, cost, half) for lag, cost in REFERENCE for half in "BA"]
WITHIN = 0.003


@cache
def by_site(policy: str, lag: int, half: str) -> dict[tuple[str, str], Figures]:
    return comparison(lag, half).run(policy).by_site


def figures(policy: str, lag: int, cost: float, half: str) -> Figures:
    return by_site(policy, lag, half)["ladder", site_key(cost)]


def capture(policy: str, lag: int, cost: float, half: str) -> float:
    found = figures(policy, lag, cost, half).capture_pooled
    assert found is not None
    return found


@pytest.mark.listed
@pytest.mark.parametrize(("lag", "cost", "half"), CELLS)
def test_the_documented_plan_has_its_reference_figure_through_the_engine(lag: int, cost: float, half: str) -> None:
    assert capture("rolling_plan", lag, cost, half) == pytest.approx(REFERENCE[lag, cost]["BA".index(half)], abs=WITHIN)


@pytest.mark.listed
@pytest.mark.parametrize(("lag", "cost", "half"), CELLS)
def test_the_default_plan_is_nowhere_below_it_and_no_tier_loses(lag: int, cost: float, half: str) -> None:
    assert capture("wary_plan", lag, cost, half) >= REFERENCE[lag, cost]["BA".index(half)]
    assert min(tier.capture or 0.0 for tier in figures("wary_plan", lag, cost, half).loads) > 0.0


@pytest.mark.listed
def test_with_a_lag_of_one_the_default_plan_captures_a_point_more() -> None:
    late = [cell for cell in CELLS if cell[0] == 1]
    above = [capture("wary_plan", *cell) - REFERENCE[cell[:2]]["BA".index(cell[2])] for cell in late]
    assert float(np.mean(above)) >= 0.010


@pytest.mark.listed
def test_the_myopic_rule_has_its_reference_figure() -> None:
    assert capture("myopic", 1, 100.0, "B") == pytest.approx(-1.540, abs=WITHIN)
    assert capture("myopic", 0, 20.0, "A") == pytest.approx(0.916, abs=WITHIN)


@pytest.mark.listed
@pytest.mark.parametrize(("lag", "cost", "half"), [(1, 20.0, "A"), (0, 100.0, "B")])
def test_the_command_line_prints_the_same_figures(
    lag: int, cost: float, half: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ("--to", "2024-08-20T05:00:00Z") if half == "B" else ("--from", "2024-08-20T05:00:00Z")
    words = ["backtest", "sample", "--miners", str(ladder_file(tmp_path, cost)), "--policy", "rolling_plan"]
    assert main([*words, "--lag-intervals", str(lag), *span, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["policies"]
    assert found["capture_pooled"] == pytest.approx(capture("rolling_plan", lag, cost, half), abs=1e-12)
    assert found["net_usd"] == pytest.approx(figures("rolling_plan", lag, cost, half).net_usd)
    assert found["bound"] == "exact"


YEAR = """
[[file]]
path = "ercot_dam_lz_hb_spp_2022.csv.gz"
importer = "ercot-day-ahead"
series = ["power:ERCOT:HB_SOUTH:da"]

[[file]]
path = "btc_usdt_1h_2022_2025.csv.gz"
importer = "btc-candles"
options = { from_day = 2022-01-01, until_day = 2022-12-31 }

[[file]]
path = "difficulty_epochs_times.csv"
importer = "difficulty"
options = { from_day = 2022-01-01, until_day = 2022-12-31 }
"""


@pytest.mark.slow
@pytest.mark.listed
def test_a_site_settled_a_day_ahead_takes_nearly_all_there_is_on_the_curve_of_2022(
    history_dir: Path, tmp_path: Path
) -> None:
    folder = history_dir / "history"
    if not (folder / "ercot_dam_lz_hb_spp_2022.csv.gz").is_file():
        pytest.skip(f"history: {folder} has no day-ahead prices; CHANGEOVER_DATA names the folder of recorded history")
    for name in ("ercot_dam_lz_hb_spp_2022.csv.gz", "btc_usdt_1h_2022_2025.csv.gz", "difficulty_epochs_times.csv"):
        (tmp_path / name).symlink_to((folder / name).resolve())
    (tmp_path / "year.toml").write_text(YEAR)
    history = open_history(tmp_path / "year.toml")
    for cost in ROUND_TRIPS_USD_PER_MW:
        fleet = tuple(read_miners(ladder_file(tmp_path, cost, market="da")))
        for lag in (0, 1):
            found = compare(Ask(history, fleet, DecidingConfig(), code_hash(), lag)).run("wary_plan").figures
            assert found.capture_pooled is not None
            assert found.capture_pooled >= 0.995
            assert found.bound == "exact"
