"""The log of a backtest: engines born at --from, the bits of a replay, and nothing that lies ahead."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from models.records import MINUTE_US, SECOND_US, DecidingConfig
from streams.backtest import Ask, Comparison, compare, lagged
from streams.history import History, open_history
from streams.history.window_file import COLUMNS, utc_text
from streams.replay import Question, replay
from streams.wire import Entry
from tests.support.logs import CODE, contents, entries_of, example, pipeline, write_slice

QUARTER_US = 15 * MINUTE_US
FROM_US = 1_723_766_400 * SECOND_US  # 2024-08-16 00:00 UTC, four days into the slice
SPIKE_US = 1_724_200_200 * SECOND_US  # 2024-08-20 19:30 Central
PLAN = "wary_plan"


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Ten days of the sample around the spike."""
    return open_history(write_slice(tmp_path_factory.mktemp("slice")))


def ask(history: History, lag: int = 1, from_us: int | None = FROM_US, until_us: int | None = None) -> Comparison:
    return compare(Ask(history, (example("ladder"),), DecidingConfig(), CODE, lag, from_us, until_us))


def test_an_engine_is_born_at_the_time_asked_for_and_knows_what_was_before(days: History) -> None:
    entries = contents(ask(days).trial(PLAN).run().entries["ladder"])
    born = entries[0]
    assert (born["kind"], born["log_time_us"]) == ("epoch", FROM_US)
    first = next(each for each in entries if each["kind"] == "switch")
    assert first["log_time_us"] >= FROM_US
    assert first["forecast"]["without"] == []  # the median of the days before and the curve were known


def test_the_fleet_enters_right_behind_what_was_received_at_that_time(days: History) -> None:
    log = list(ask(days).trial(PLAN).log())
    (place,) = [number for number, record in enumerate(log) if record.feed == "fleet"]
    assert log[place].receipt_time_us == FROM_US == log[place - 1].receipt_time_us
    assert log[place - 1].feed == "observation"
    assert log[place + 1].receipt_time_us > FROM_US
    assert [record.offset for record in log] == list(range(len(log)))


def test_scoring_ends_where_asked_and_the_log_with_it(days: History) -> None:
    until_us = FROM_US + 86_400 * SECOND_US
    comparison = ask(days, until_us=until_us)
    assert (comparison.first_us, comparison.last_us, comparison.intervals) == (FROM_US, until_us, 96)
    assert max(record.receipt_time_us for record in comparison.trial(PLAN).log()) < until_us


@pytest.mark.guarantee("G2")
@pytest.mark.parametrize("policy", [PLAN, "band"])
def test_rows_and_codec_and_portions_give_the_same_bits(days: History, policy: str) -> None:
    trial = ask(days).trial(policy)
    whole = trial.run()
    for other in (trial.run(codec=True), trial.run(chunk=997)):
        assert other.entries == whole.entries
        assert other.digest == whole.digest


@pytest.mark.guarantee("G2")
def test_a_backtest_from_before_the_history_is_the_replay_of_the_lagged_history(days: History) -> None:
    trial = ask(days, from_us=1).trial(PLAN)
    asked = Question(lagged(days, 1), trial.fleet, trial.config, CODE)
    whole = replace(trial, until_us=2**62).run()
    again = replay(asked)
    assert whole.digest == again.digest
    assert whole.entries == again.entries
    assert whole.signals > 50


@pytest.mark.guarantee("G3")
def test_no_prefix_of_the_log_rewrites_a_signal(days: History) -> None:
    log = list(ask(days).trial(PLAN).log())
    whole = entries_of([pipeline().process(log)])["ladder"]
    chance = random.Random(8)
    for cut in sorted(chance.randrange(1, len(log)) for _ in range(6)):
        part = entries_of([pipeline().process(log[:cut])]).get("ladder", [])
        assert part == [entry for entry in whole if entry.offset < cut]


def changed_after(folder: Path, first_us: int) -> History:
    """The slice with every real-time price from a time on replaced by another."""
    file = write_slice(folder)
    header, *rows = file.read_text().splitlines()
    place, start = COLUMNS.index("ercot_hb_south_rtm_spp"), COLUMNS.index("interval_start_utc")
    changed = []
    for row in rows:
        cells = row.split(",")
        if cells[start] >= utc_text(first_us):
            cells[place] = f"{600.0 - float(cells[place]):.2f}"
        changed.append(",".join(cells))
    file.write_text("\n".join([header, *changed]) + "\n")
    return open_history(file)


def before(entries: list[Entry], time_us: int) -> list[dict[str, object]]:
    return [{**each, "offset": 0} for each in contents(entries) if each["log_time_us"] < time_us]


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("policy", [PLAN, "breakeven"])
@pytest.mark.parametrize("lag", [1, 2])
def test_with_a_lag_no_price_moves_a_signal_before_its_interval_is_over(
    days: History, tmp_path: Path, lag: int, policy: str
) -> None:
    other = ask(changed_after(tmp_path, SPIKE_US), lag).trial(policy).run().entries["ladder"]
    one = ask(days, lag).trial(policy).run().entries["ladder"]
    known_us = SPIKE_US + lag * QUARTER_US
    assert before(one, known_us) == before(other, known_us)
    assert len(before(one, known_us)) > 20
    assert before(one, known_us + 1) != before(other, known_us + 1)


def test_lag_0_sees_the_interval_it_decides_and_is_exempt(days: History, tmp_path: Path) -> None:
    other = ask(changed_after(tmp_path, SPIKE_US), 0).trial("breakeven").run().entries["ladder"]
    one = ask(days, 0).trial("breakeven").run().entries["ladder"]
    assert before(one, SPIKE_US) == before(other, SPIKE_US)
    assert before(one, SPIKE_US + 1) != before(other, SPIKE_US + 1)


def test_a_policy_that_does_not_plan_begins_in_the_mode_of_its_margin(days: History) -> None:
    comparison = ask(days, from_us=SPIKE_US + QUARTER_US)  # the spike's own price is the newest known
    assert {load.initially_on for load in comparison.trial("band").fleet[0].site[0].asic} == {False}
    assert comparison.trial(PLAN).fleet == comparison.ask.fleet
    entries = contents(comparison.trial("band").run().entries["ladder"])
    assert next(each for each in entries if each["kind"] == "switch")["to"] == "hash"
