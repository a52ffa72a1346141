"""Importers of ERCOT's files, of candles and of difficulty epochs: rules on small files, claims on the real ones."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from models.records import DAY_US, HOUR_US, MINUTE_US, SECOND_US, BtcPrice, Network, Observation, PowerPrice
from streams.errors import FeedError, SettingsError
from streams.feeds.local_time import hours_in
from streams.history import History, open_history
from streams.history.ercot_day_ahead import COLUMNS as DAY_AHEAD_COLUMNS
from streams.history.ercot_real_time import COLUMNS as REAL_TIME_COLUMNS
from streams.history.window_file import central, instant, microseconds

SOUTH = "power:ERCOT:HB_SOUTH:da"
REAL_TIME = "power:ERCOT:HB_SOUTH:rt"


def observed(history: History, series: str = "") -> list[Observation]:
    found = [each for source in history.sources for group in source.groups or () for each in group]
    return [each for each in found if not series or each.series == series]


def utc(text: str) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def day_ahead_rows(day: date, node: str = "HB_SOUTH") -> list[str]:
    """A delivery day as ERCOT writes it: the price is the hour since midnight."""
    rows: list[str] = []
    short, long = hours_in(day, central()) == 23, hours_in(day, central()) == 25
    for hour in range(1, 25):
        if short and hour == 3:
            continue
        rows.append(f"{day:%m/%d/%Y},{hour:02d}:00,N,{node},{len(rows)}")
        if long and hour == 2:
            rows.append(f"{day:%m/%d/%Y},{hour:02d}:00,Y,{node},{len(rows)}")
    return rows


def day_ahead_file(tmp_path: Path, *rows: str) -> Path:
    return write(tmp_path / "dam.csv", ",".join(DAY_AHEAD_COLUMNS), *rows)


@pytest.mark.parametrize("day", [date(2022, 3, 13), date(2022, 7, 1), date(2022, 11, 6)])
def test_each_hour_of_a_delivery_day_follows_the_one_before_it(tmp_path: Path, day: date) -> None:
    history = open_history(day_ahead_file(tmp_path, *day_ahead_rows(day)))
    prices = [each for each in observed(history) if isinstance(each, PowerPrice)]
    starts = [each.event_time_us for each in prices]
    assert starts == [starts[0] + number * HOUR_US for number in range(hours_in(day, central()))]
    assert [each.usd_per_mwh for each in prices] == list(range(len(prices)))
    assert instant(starts[0]).astimezone(central()).isoformat()[:16] == f"{day}T00:00"
    known = instant(prices[0].receipt_time_us).astimezone(central())
    assert known.isoformat()[:16] == f"{day - timedelta(days=1)}T13:30"
    assert history.counts.records == 1


def test_a_broken_day_of_the_day_ahead_file_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = day_ahead_rows(date(2022, 7, 1))
    for broken, said in (
        ([*rows[:-1]], "HB_SOUTH has 23 hours on 2022-07-01, not 24"),
        ([*rows, rows[3]], r"dam\.csv:26: HB_SOUTH has this hour of 2022-07-01 already"),
        ([rows[0].replace(",N,", ",X,")], r"dam\.csv:2: Repeated Hour Flag is 'X'"),
        ([rows[0].replace("01:00", "25:00")], r"dam\.csv:2: 2022-07-01 has no hour ending 25"),
        ([rows[0].replace("HB_SOUTH", "HB_MOON")], r"dam\.csv:2: settlement point 'HB_MOON' is not one of"),
        ([rows[0].rpartition(",")[0] + ",nan"], r"dam\.csv:2: .*'nan', not a finite number"),
        ([rows[0] + ",7"], r"dam\.csv:2: has 6 columns, not 5"),
        ([], r"dam\.csv: holds no rows"),
    ):
        with pytest.raises(FeedError, match=said):
            open_history(day_ahead_file(tmp_path, *broken))


def real_time_file(tmp_path: Path, *rows: tuple[str, str, str]) -> Path:
    lines = [f"{time},{dam},1.0,2.0,{rtm},0.5,0.0" for time, dam, rtm in rows]
    return write(tmp_path / "rtm.csv", ",".join(REAL_TIME_COLUMNS), *lines)


def test_what_was_filled_in_is_left_out_and_counted_and_the_rest_kept(tmp_path: Path) -> None:
    file = real_time_file(
        tmp_path,
        ("2025-03-09 01:45:00", "25.68", "20.93"),
        ("2025-03-09 02:00:00", "25.68", "21.23"),  # clocks jumped over it
        ("2025-03-09 02:15:00", "25.095", "21.546"),
        ("2025-03-09 03:00:00", "23.34", "22.47"),
        ("2025-03-09 03:15:00", "23.34", "21.7925"),  # more than cents
    )
    history = open_history(file)
    assert "2 quarter hours; 3 left out" in history.notes[0]
    first, second = [each for each in observed(history, REAL_TIME) if isinstance(each, PowerPrice)]
    assert first.event_time_us == utc("2025-03-09T07:45:00")
    assert second.event_time_us == first.end_time_us == utc("2025-03-09T08:00:00")
    assert first.receipt_time_us == first.end_time_us + MINUTE_US
    assert [each.event_time_us for each in observed(history, SOUTH)] == [
        utc("2025-03-09T07:00:00"),
        second.event_time_us,
    ]


def test_a_broken_row_of_the_real_time_file_is_refused_with_its_line(tmp_path: Path) -> None:
    good = ("2024-07-01 00:00:00", "20.0", "21.0")
    for broken, said in (
        (("2024-07-01 00:10:00", "20.0", "21.0"), "is not the start of a quarter of an hour"),
        (("2024-06-30 00:00:00", "20.0", "21.0"), "rows must be in the order of time"),
        (("2024-07-01 00:15:00", "20.5", "21.0"), "HB_SOUTH_DAM changes within the hour, from 20.0 to 20.5"),
        (("2024-07-01 00:15:00", "20.0", "x"), "HB_SOUTH_RTM is 'x', not a finite number"),
        (("2024-11-03 01:15:00", "20.0", "21.0"), "came twice on this day"),
        (("yesterday", "20.0", "21.0"), "is no time"),
    ):
        with pytest.raises(FeedError, match=rf"rtm\.csv:3: .*{said}"):
            open_history(real_time_file(tmp_path, good, broken))


CANDLES = "timestamp,open,high,low,close,volume"


def candle(time: str, close: float) -> str:
    return f"{time},100.0,{close + 5.0},{close - 5.0},{close},1.5"


def test_a_close_is_known_when_its_hour_is_over_and_the_last_is_left_out(tmp_path: Path) -> None:
    times = ("2022-01-01 00:00:00", "2022-01-01 02:00:00", "2022-01-01 03:00:00")
    rows = [candle(time, 40_000.0 + number) for number, time in enumerate(times)]
    history = open_history(write(tmp_path / "btc.csv", CANDLES, *rows))
    first, second = [each for each in observed(history) if isinstance(each, BtcPrice)]
    assert (first.event_time_us, first.usd_per_btc) == (utc("2022-01-01T01:00:00"), 40_000.0)
    assert first.receipt_time_us == first.event_time_us + 5 * SECOND_US
    assert (second.event_time_us, second.usd_per_btc) == (utc("2022-01-01T03:00:00"), 40_001.0)
    assert history.notes[1] == "btc.csv: BTC is missing before 2022-01-01T03:00:00Z"


def test_a_broken_candle_is_refused_with_its_line(tmp_path: Path) -> None:
    last = candle("2022-01-02 00:00:00", 40_000.0)
    good = candle("2022-01-01 00:00:00", 40_000.0)
    for broken, said in (
        (good, "does not come after"),
        (candle("2022-01-01 01:30:00", 40_000.0), "is not the start of an hour"),
        (candle("2022-01-01T01:00:00", 40_000.0), "is not a time like"),
        (candle("2022-01-01 01:00:00", 40_000.0).replace("39995.0", "40001.0"), "close 40000.0 lies outside"),
        (candle("2022-01-01 01:00:00", 50.0), "outside 100.0 to"),
    ):
        with pytest.raises(FeedError, match=rf"btc\.csv:3: .*{said}"):
            open_history(write(tmp_path / "btc.csv", CANDLES, good, broken, last))


EPOCHS = "epoch,start_height,difficulty,start_time_utc_approx,method"
TABLE = (
    "360,725760,24000000000000.0,2022-01-01T10:00:00Z,chained",
    "361,727776,25000000000000.0,2022-01-15T10:00:00Z,chained",
    "362,729792,26000000000000.0,2022-01-29T10:00:00Z,chained",
)


def manifest(tmp_path: Path, path: Path, importer: str, options: str) -> Path:
    file = tmp_path / "join.toml"
    file.write_text(f'[[file]]\npath = "{path.name}"\nimporter = "{importer}"\noptions = {{ {options} }}\n')
    return file


def test_an_epoch_is_known_after_the_error_of_its_start_and_the_one_under_way_stays(tmp_path: Path) -> None:
    table = write(tmp_path / "epochs.csv", EPOCHS, *TABLE)
    states = [each for each in observed(open_history(table)) if isinstance(each, Network)]
    assert [each.height for each in states] == [725_760, 727_776, 729_792]
    assert states[0].receipt_time_us == utc("2022-01-01T10:12:00")
    assert states[0].next_due_us == states[0].event_time_us + 16 * DAY_US
    assert (states[0].fees_btc_per_block, states[0].fee_blocks) == (0.0, 0)
    cut = manifest(tmp_path, table, "difficulty", "from_day = 2022-01-10, until_day = 2022-01-20")
    assert [each.difficulty for each in observed(open_history(cut)) if isinstance(each, Network)] == [24e12, 25e12]


def test_fees_may_be_stated_and_say_so(tmp_path: Path) -> None:
    table = write(tmp_path / "epochs.csv", EPOCHS, *TABLE)
    history = open_history(manifest(tmp_path, table, "difficulty", "fees_btc_per_block = 0.1"))
    (state, *_) = observed(history)
    assert isinstance(state, Network)
    assert (state.fees_btc_per_block, state.fee_blocks, state.source) == (0.1, 144, "difficulty-epochs+stated-fees")
    assert "fees are held at 0.1 BTC a block: an assumption" in history.notes[1]
    with pytest.raises(SettingsError, match="fees_btc_per_block: Input should be less than or equal to 50"):
        open_history(manifest(tmp_path, table, "difficulty", "fees_btc_per_block = 51.0"))


def test_a_broken_epoch_is_refused_with_its_line(tmp_path: Path) -> None:
    for broken, said in (
        (TABLE[2], "does not follow the one before it"),
        (TABLE[1].replace("727776", "727777"), "begins at height 727777, not at its own"),
        (TABLE[1].replace("01-15", "00-15"), "is not a time like"),
    ):
        with pytest.raises(FeedError, match=rf"epochs\.csv:3: .*{said}"):
            open_history(write(tmp_path / "epochs.csv", EPOCHS, TABLE[0], broken))


def test_the_real_day_ahead_file_has_a_year_of_fifteen_points(real_history: Path) -> None:
    history = open_history(real_history / "ercot_dam_lz_hb_spp_2022.csv.gz")
    assert history.counts.observations == 131_400
    assert {span.observations for span in history.counts.series.values()} == {8_760}
    assert len(history.counts.series) == 15


def test_the_real_real_time_file_loses_the_hundred_rows_that_were_filled_in(real_history: Path) -> None:
    history = open_history(real_history / "ercot_hb_south_15min_2024_2025.csv.gz")
    prices = [each for each in observed(history, REAL_TIME) if isinstance(each, PowerPrice)]
    assert len(prices) == 28_800 - 100
    days = Counter(instant(each.event_time_us).astimezone(central()).date() for each in prices)
    assert {day: rows for day, rows in days.items() if rows != 96} == {date(2025, 3, 9): 92}
    assert date(2024, 11, 3) not in days
    assert sum(each.usd_per_mwh < 0.0 for each in prices) == 815


def test_the_real_files_agree_with_the_joined_window(real_history: Path, sample: History) -> None:
    long = {
        (each.series, each.event_time_us): each
        for each in observed(open_history(real_history / "ercot_hb_south_15min_2024_2025.csv.gz"))
    }
    for each in observed(sample):
        if isinstance(each, PowerPrice):
            assert long[each.series, each.event_time_us] == each


def test_the_real_candles_and_epochs_lack_one_hour_and_no_epoch(real_history: Path) -> None:
    candles = open_history(real_history / "btc_usdt_1h_2022_2025.csv.gz")
    assert candles.counts.observations == 34_348
    assert candles.notes[1:] == ("btc_usdt_1h_2022_2025.csv.gz: BTC is missing before 2023-03-24T15:00:00Z",)
    assert open_history(real_history / "difficulty_epochs_times.csv").counts.observations == 397
