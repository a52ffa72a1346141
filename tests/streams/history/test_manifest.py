"""Manifests, folders and names: what is joined, what is refused and how the refusal reads."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from streams.errors import SettingsError
from streams.history import RecordingWriter, open_history
from streams.history.window import BTC, DAY_AHEAD, GPU, NETWORK, REAL_TIME
from streams.wire import RawRecord

WriteWindow = Callable[..., Path]
START = datetime(2024, 10, 14, tzinfo=UTC)


def manifest(folder: Path, text: str, name: str = "join.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def two_weeks(write_window: WriteWindow) -> Path:
    return write_window(START, 96 * 8)


def test_a_manifest_of_one_file_gives_what_the_file_gives(two_weeks: Path, tmp_path: Path) -> None:
    path = manifest(tmp_path, f'[[file]]\npath = "{two_weeks.name}"\nimporter = "window"\n')
    assert list(open_history(path)) == list(open_history(two_weeks))


def test_a_manifest_chooses_series_and_joins_them_in_receipt_order(two_weeks: Path, tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        f"""
        [[file]]
        path = "{two_weeks.name}"
        importer = "window"
        series = ["{REAL_TIME}"]
        options = {{ power_lag_s = 5 }}
        [[file]]
        path = "{two_weeks.name}"
        importer = "window"
        series = ["{BTC}", "{NETWORK}"]
        """,
    )
    history = open_history(path)
    assert set(history.counts.series) == {REAL_TIME, BTC, NETWORK}
    records = list(history)
    assert all(one.receipt_time_us <= other.receipt_time_us for one, other in pairwise(records))
    tied = [one.instance for one in records if one.receipt_time_us % 3_600_000_000 == 5_000_000]
    assert tied[:5] == ["history-window-2", *["history-window", "history-window-2"] * 2]
    for instance in ("history-window", "history-window-2"):
        counters = [one.counter for one in records if one.instance == instance]
        assert counters == list(range(len(counters)))


def test_a_constant_is_given_once_at_the_beginning_and_named_as_an_assumption(two_weeks: Path, tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        f"""
        [[file]]
        path = "{two_weeks.name}"
        importer = "window"
        series = ["{REAL_TIME}", "{DAY_AHEAD}"]
        [constants]
        "{GPU}" = {{ usd_per_gpu_hour = 2.5 }}
        "btc:usd" = {{ usd_per_btc = 60000 }}
        "network:btc" = {{ height = 864864, difficulty = 9.2e13, fees_btc_per_block = 0.02, fee_blocks = 144 }}
        "utilisation:pool" = {{ utilisation = 0.7 }}
        """,
    )
    history = open_history(path)
    first, second, *_ = history
    assert first.instance == "history-constants"
    assert first.receipt_time_us == second.receipt_time_us
    constants = orjson.loads(first.payload)
    assert [one["series"] for one in constants] == [GPU, BTC, NETWORK, "utilisation:pool"]
    assert {one["source"] for one in constants} == {"hypothetical:constant"}
    assert {one["next_due_us"] for one in constants} == {4_102_444_800_000_000}
    assert history.hypothetical[0] == (
        "gpu:H100-SXM is held at usd_per_gpu_hour = 2.5 by the manifest: an assumption, not an observation"
    )
    assert len(history.hypothetical) == 4


FILE = '[[file]]\npath = "window.csv.gz"\nimporter = "window"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"join\.toml: file: missing key; allowed are file, constants"),
        ("file = []", r"join\.toml: file: .* at least 1 item"),
        ("[[file]]\npath = 5\nimporter = 'window'", r"join\.toml: file 1 path: Input should be a valid string"),
        ("[[file]]\nimporter = 'window'", r"join\.toml: file 1 path: missing key; allowed are path, importer, series"),
        (FILE + "serie = []", r"join\.toml: file 1 serie: unknown key; allowed are path, importer, series, options"),
        (FILE + "[more]", r"join\.toml: more: unknown key; allowed are file, constants"),
        (
            FILE.replace('"window"\n', '"windows"\n'),
            "file 1: importer 'windows' is not one of window, ercot-day-ahead, ",
        ),
        (FILE + "series = ['power:x']", r"file 1: series 'power:x' is not one of btc:usd, network:btc, gpu:H100-SXM"),
        (FILE + "options = { lag = 1 }", r"file 1: options lag: unknown key; allowed are power_lag_s, btc_lag_s"),
        (FILE + "options = { power_lag_s = -1 }", r"file 1: options power_lag_s: .* greater than or equal to 0"),
        (FILE + "options = { power_lag_s = '60' }", r"file 1: options power_lag_s: Input should be a valid integer"),
        (FILE.replace("window.csv.gz", "absent.csv"), r"absent\.csv: there is no such file"),
        (FILE + "[constants]\n'power:ERCOT:X:rt' = { usd_per_mwh = 1.0 }", "cannot be a constant; series that can"),
        (
            FILE + "[constants]\n'utilisation:p' = { share = 1 }",
            "utilisation:p: share: unknown key; allowed and needed",
        ),
        (FILE + "[constants]\n'network:btc' = { height = 1 }", "network:btc: difficulty: missing key"),
        (FILE + "[constants]\n'utilisation:p' = { utilisation = 70 }", "utilisation 70.0 is outside 0.0 to 1.0"),
        (FILE + "[constants]\n'utilisation:p' = { utilisation = true }", "constants utilisation:p utilisation"),
        (
            FILE
            + "[constants]\n'network:btc' = { height = 8e5, difficulty = 9e13, fees_btc_per_block = 0, fee_blocks = 1}",
            "network:btc: network.height is 800000.0, not int",
        ),
        (FILE + "[constants]\n'btc:usd' = { usd_per_btc = nan }", "usd_per_btc nan is not a finite number"),
        (
            FILE + "[constants]\n'btc:usd' = { usd_per_btc = 1e4 }",
            "constants btc:usd: a file gives this series as well",
        ),
        (FILE + FILE, r"window\.csv\.gz and window\.csv\.gz both give power:ERCOT:HB_SOUTH:da over the same time"),
        ("[[file]\n", r"join\.toml: is not TOML"),
        ("x = " + "[" * 100_000, r"join\.toml: is not TOML"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_file_key_and_what_is_allowed(
    two_weeks: Path, text: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        open_history(manifest(two_weeks.parent, text))


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: the manifest cannot be read: No such file"):
        open_history(tmp_path / "absent.toml")


def test_two_windows_of_different_times_join_into_one(write_window: WriteWindow, tmp_path: Path) -> None:
    write_window(START, 96, name="a.csv.gz")
    write_window(datetime(2024, 10, 15, tzinfo=UTC), 96, name="b.csv.gz")
    history = open_history(tmp_path)
    assert history.counts.series[REAL_TIME].observations == 192
    assert [orjson.loads(one.payload)[0]["usd_per_mwh"] for one in history if REAL_TIME.encode() in one.payload] == [
        *(index + 0.5 for index in range(96)),
        *(index + 0.5 for index in range(96)),
    ]


def test_a_folder_with_a_manifest_is_read_through_it(two_weeks: Path) -> None:
    manifest(two_weeks.parent, f'{FILE}series = ["{BTC}"]\n', "manifest.toml")
    assert list(open_history(two_weeks.parent).counts.series) == [BTC]


def test_a_folder_with_a_file_that_nobody_knows_is_refused(two_weeks: Path) -> None:
    (two_weeks.parent / "readme.txt").write_text("prices\n")
    with pytest.raises(SettingsError, match=r"readme\.txt: no importer knows a file that begins b'prices"):
        open_history(two_weeks.parent)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the folder is empty"):
        open_history(tmp_path)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent: there is no such file; give a path that exists, or .*'sample'"):
        open_history(tmp_path / "absent")


def test_series_cannot_be_chosen_from_a_recording(tmp_path: Path) -> None:
    RecordingWriter(tmp_path / "run.jsonl").close()
    text = '[[file]]\npath = "run.jsonl"\nimporter = "recording"\nseries = ["btc:usd"]\n'
    with pytest.raises(SettingsError, match="importer 'recording' reads its file whole; leave out 'series'"):
        open_history(manifest(tmp_path, text))


def test_a_recording_joined_with_a_file_keeps_its_order_where_its_receipt_times_step_back(
    two_weeks: Path, tmp_path: Path
) -> None:
    first = open_history(two_weeks).counts.first_receipt_us
    log = [
        RawRecord("venue", first + step, "x", number, b"{}") for number, step in enumerate((50, 9, 10**12, 7, 10**13))
    ]
    with RecordingWriter(tmp_path / "run.jsonl") as writer:
        for one in log:
            writer.append(one)
    text = FILE + '[[file]]\npath = "run.jsonl"\nimporter = "recording"\n'
    records = list(open_history(manifest(tmp_path, text)))
    assert [one for one in records if one.feed == "venue"] == log
    assert [one for one in records if one.feed != "venue"] == list(open_history(two_weeks))
    place = records.index(log[3])
    assert records[place - 1] == log[2], "a late step back stays with the record before it"
