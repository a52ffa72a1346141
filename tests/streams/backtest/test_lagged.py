"""A lag of whole intervals: when each input is known, in which order, and what a lag leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from models.records import HOUR_US, MINUTE_US, BtcPrice, Network, Observation, PowerPrice, is_curve
from streams.backtest.lagged import interval_us, lagged, lagged_groups
from streams.errors import SettingsError
from streams.history import History, RecordingWriter, open_history
from streams.history.contract import imported
from streams.history.joined import join
from tests.support.fleets import T0, btc, hour, network, power, rate, used
from tests.support.logs import sample, write_slice

QUARTER_US = 15 * MINUTE_US


def history(*found: Observation) -> History:
    return join("made", [imported("made", [[each] for each in found], "test")])


def known(made: History, lag: int) -> list[tuple[str, float]]:
    """What is known with a lag, in order: series and minutes since T0."""
    groups = lagged_groups(made, lag)
    return [(each.series, (each.receipt_time_us - T0) / MINUTE_US) for group in groups for each in group]


def test_row_t_knows_the_rows_up_to_t_less_the_lag_of_every_live_input() -> None:
    made = history(
        power(30.0, T0, receipt_time_us=T0 + 16 * MINUTE_US),
        btc(60_000.0, T0, receipt_time_us=T0 + 5_000_000),
        network(at_us=T0, receipt_time_us=T0 + 12 * MINUTE_US),
        rate(2.0, T0, receipt_time_us=T0 + 7 * MINUTE_US),
        used(0.5, T0, receipt_time_us=T0 + 8 * MINUTE_US),
    )
    for lag in (0, 1, 3):
        assert {minutes for _, minutes in known(made, lag)} == {15.0 * lag}


def test_at_one_time_power_comes_last_so_that_it_is_planned_on_with_the_rest() -> None:
    made = history(power(30.0, T0), rate(2.0, T0), network(at_us=T0), btc(60_000.0, T0))
    assert [series for series, _ in known(made, 1)] == ["btc:usd", "network:btc", "gpu:H100-SXM", power(1.0).series]


def test_what_is_published_long_after_its_time_is_lagged_from_its_publication() -> None:
    made = history(power(30.0, T0), rate(2.0, T0, receipt_time_us=T0 + 7 * 24 * HOUR_US + HOUR_US))
    assert ("gpu:H100-SXM", 7 * 1_440.0 + 60.0 + 15.0) in known(made, 1)


def test_a_curve_keeps_the_time_of_its_publication_and_a_longer_interval_its_own_length() -> None:
    long = power(30.0, T0, series="power:ERCOT:LZ_WEST:rt", end_time_us=T0 + HOUR_US)
    made = history(hour(40.0, T0 + HOUR_US, known_us=T0 - HOUR_US), power(30.0, T0), long)
    assert interval_us(made) == QUARTER_US
    assert known(made, 2) == [("power:ERCOT:HB_SOUTH:da", -60.0), (power(1.0).series, 30.0), (long.series, 120.0)]


def test_without_real_time_prices_the_lag_counts_the_hours_of_the_curve() -> None:
    made = history(hour(40.0, T0), btc(60_000.0, T0 + HOUR_US))
    assert interval_us(made) == HOUR_US
    assert ("btc:usd", 120.0) in known(made, 1)


def test_a_series_is_due_again_as_much_later_as_it_is_known_later() -> None:
    print_ = power(30.0, T0, receipt_time_us=T0 + 16 * MINUTE_US, next_due_us=T0 + 31 * MINUTE_US)
    (((found,),)) = lagged_groups(history(print_), 4)
    assert (found.receipt_time_us, found.next_due_us) == (T0 + HOUR_US, T0 + HOUR_US + QUARTER_US)


def test_a_constant_of_a_manifest_is_known_from_the_start_whatever_the_lag(tmp_path: Path) -> None:
    file = write_slice(tmp_path)
    manifest = tmp_path / "assumed.toml"
    manifest.write_text(
        f'[[file]]\npath = "{file.name}"\nimporter = "window"\nseries = ["power:ERCOT:HB_SOUTH:rt"]\n'
        '[constants]\n"gpu:H100-SXM" = { usd_per_gpu_hour = 2.5 }\n'
    )
    made = open_history(manifest)
    assert lagged(made, 9).counts.first_receipt_us == made.counts.first_receipt_us
    assert lagged(made, 9).hypothetical == made.hypothetical


def of(kind: type[Observation], groups: Sequence[Sequence[Observation]]) -> list[Observation]:
    return [each for group in groups for each in group if isinstance(each, kind)]


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("lag", [1, 2])
def test_in_the_sample_nothing_is_known_before_its_importer_could_have_had_it_but_the_print_of_an_interval(
    lag: int,
) -> None:
    original = {
        (each.series, each.event_time_us): each
        for source in sample().sources
        for group in source.groups or ()
        for each in group
    }
    groups = lagged_groups(sample(), lag)
    for group in groups:
        for found in group:
            before = original[found.series, found.event_time_us]
            if isinstance(found, PowerPrice) and not is_curve(found.series):
                assert found.receipt_time_us == found.event_time_us + lag * QUARTER_US >= found.end_time_us
            else:
                assert found.receipt_time_us >= before.receipt_time_us
    assert len(of(BtcPrice, groups)) == 3_055
    assert len(of(Network, groups)) == 137


def test_lag_0_is_called_what_it_is() -> None:
    assert "LOOK-AHEAD" in lagged(sample(), 0).notes[-1]
    assert "LOOK-AHEAD" not in lagged(sample(), 1).notes[-1]


def test_a_recording_and_a_history_without_power_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no price of power; a backtest settles at one"):
        lagged(history(btc(60_000.0, T0)), 1)
    with RecordingWriter(tmp_path / "run.jsonl") as writer:
        for record in history(power(30.0, T0)):
            writer.append(record)
    with pytest.raises(SettingsError, match=r"run\.jsonl: a backtest states the lag .* replay it instead"):
        lagged(open_history(tmp_path / "run.jsonl"), 1)
