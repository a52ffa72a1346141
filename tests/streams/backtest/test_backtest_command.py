"""`changeover backtest`: its table, its JSON, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.cli import main
from tests.support.logs import EXAMPLES, write_slice

Captured = pytest.CaptureFixture[str]
SPAN = ("--from", "2024-08-19T00:00:00Z", "--to", "2024-08-21T12:00:00Z")
FIGURES = (
    "net_usd",
    "usd_per_mwh",
    "usd_per_mw_year",
    "switches",
    "switches_per_day",
    "clairvoyant_net_usd",
    "constant_net_usd",
    "missed_spike_minutes",
    "false_trigger_usd",
)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ten days of the sample around the spike."""
    return str(write_slice(tmp_path_factory.mktemp("slice")))


def run(capsys: Captured, *words: str) -> dict[str, Any]:
    code = main(["backtest", *words, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {"code": code, **found}


def test_policies_and_baselines_stand_side_by_side_each_with_every_figure(days: str, capsys: Captured) -> None:
    found = run(capsys, days, *SPAN, "--policy", "wary_plan,band,myopic,always_on")
    assert (found["code"], found["lag_intervals"], found["look_ahead"], found["intervals"]) == (0, 1, False, 240)
    assert (found["from_us"], found["to_us"]) == (1_724_025_600_000_000, 1_724_241_600_000_000)
    names = [(each["policy"], each["baseline"]) for each in found["policies"]]
    assert names == [("wary_plan", False), ("band", False), ("myopic", True), ("always_on", True)]
    assert "gpu:H100-SXM" not in str(found["missing"])
    for each in found["policies"]:
        for place in (each, *each["loads"], *each["sites"]):
            assert all(place[name] is not None for name in FIGURES)
        assert (each["bound"], each["over_cap_intervals"], len(each["loads"])) == ("exact", 0, 5)
        assert sum(load["net_usd"] for load in each["loads"]) == pytest.approx(each["net_usd"])
        assert each["net_usd"] <= each["clairvoyant_net_usd"]
        assert (each["digest"] is None) == each["baseline"]
    plan, _, _, always = found["policies"]
    assert plan["capture_pooled"] > 0.5 > always["capture_pooled"]
    assert always["switches"] == 0


def test_two_runs_of_one_question_have_one_digest_and_another_lag_has_another(days: str, capsys: Captured) -> None:
    digests = [
        run(capsys, days, *SPAN, "--policy", "wary_plan", "--lag-intervals", lag)["policies"][0]["digest"]
        for lag in ("1", "1", "2")
    ]
    assert digests[0] == digests[1] != digests[2]


def test_without_a_policy_it_runs_that_of_the_settings(days: str, tmp_path: Path, capsys: Captured) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[deciding]\npolicy = "breakeven"\n')
    found = run(capsys, days, *SPAN, "--settings", str(settings))
    assert [each["policy"] for each in found["policies"]] == ["breakeven"]


def test_lag_0_is_called_look_ahead_in_the_table_and_in_json(days: str, capsys: Captured) -> None:
    assert main(["backtest", days, *SPAN, "--policy", "breakeven,myopic", "--lag-intervals", "0"]) == 0
    shown = capsys.readouterr().out
    assert "lag          0 interval(s), LOOK-AHEAD: sees the interval it decides" in shown
    assert "* baseline: knows no switching cost and no cap" in shown
    lines = [line for line in shown.splitlines() if line.startswith(("policy", "breakeven", "myopic *"))]
    assert len({len(line) for line in lines}) == 1
    assert run(capsys, days, *SPAN, "--policy", "myopic", "--lag-intervals", "0")["look_ahead"] is True


def test_another_nodes_prices_are_said_to_be_hypothetical(days: str, tmp_path: Path, capsys: Captured) -> None:
    fleet = tmp_path / "west.toml"
    text = (EXAMPLES / "ladder.toml").read_text()
    fleet.write_text(text.replace("ERCOT:HB_SOUTH", "ERCOT:HB_WEST"))
    mapped = ("--map", "ERCOT:HB_WEST=power:ERCOT:HB_SOUTH:rt")
    found = run(capsys, days, *SPAN, "--policy", "band", "--miners", str(fleet), *mapped, "--fleet-as-of", "2024-08-01")
    assert found["hypothetical"]["ladder"] == [
        "site south reads power:ERCOT:HB_WEST:rt from power:ERCOT:HB_SOUTH:rt",
        "fleet as of 2024-08-01",
    ]
    assert run(capsys, days, "--policy", "band", "--miners", str(fleet))["code"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "greed"], "'greed' is neither a policy"),
        (["--policy", "band,band"], "names 'band' twice"),
        (["--lag-intervals", "-1"], "Input should be greater than or equal to 0"),
        (["--from", "yesterday"], "is no time with its zone"),
        (
            ["--from", "2025-08-19T00:00:00Z"],
            "no interval begins in the time asked for; its intervals run from 2024-08-12",
        ),
        (
            ["--from", "2024-08-20T00:00:00Z", "--to", "2024-08-19T00:00:00Z"],
            "no interval begins in the time asked for",
        ),
        (["--map", "ERCOT"], "is not written NODE=SERIES"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(days: str, words: list[str], said: str, capsys: Captured) -> None:
    assert main(["backtest", days, *words]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
