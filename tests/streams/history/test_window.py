"""The window as records: each series' times and values, days of 23 and 25 hours, and every way a row can be wrong."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.errors import ChangeoverError, FeedError, SettingsError
from streams.history import History, open_history
from streams.history.window import BTC, DAY_AHEAD, GPU, NETWORK, REAL_TIME, WindowImporter, WindowOptions
from streams.history.window_file import COLUMNS, microseconds

WriteWindow = Callable[..., Path]
Seen = list[tuple[int, dict[str, Any]]]


def us(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


def observed(history: History, series: str) -> Seen:
    """Every observation of a series with its receipt time, in the order of the records."""
    return [
        (record.receipt_time_us, item)
        for record in history
        for item in orjson.loads(record.payload)
        if item["series"] == series
    ]


def test_spike_of_august_2024_stands_at_its_utc_interval_and_is_known_a_minute_after_its_end(sample: History) -> None:
    spikes = [(known, item) for known, item in observed(sample, REAL_TIME) if item["usd_per_mwh"] > 4_800]
    assert spikes == [
        (
            us("2024-08-21T00:46:00Z"),
            {
                "kind": "power_price",
                "series": "power:ERCOT:HB_SOUTH:rt",
                "source": "ercot:rtm-spp",
                "event_time_us": us("2024-08-20T19:30:00-05:00"),
                "next_due_us": us("2024-08-21T01:01:00Z"),
                "publish_time_us": None,
                "revision": None,
                "end_time_us": us("2024-08-21T00:45:00Z"),
                "usd_per_mwh": 4857.82,
            },
        )
    ]


def test_sample_gives_the_counted_records_of_each_series(sample: History) -> None:
    assert {name: span.observations for name, span in sample.counts.series.items()} == {
        REAL_TIME: 12_218,
        DAY_AHEAD: 3_055,
        BTC: 3_055,
        NETWORK: 137,
        GPU: 7,
    }
    assert sample.counts.feeds == {"observation": 15_546}
    assert sample.counts.observations == 18_472
    assert sample.counts.first_receipt_us == us("2024-06-15T13:30:00-05:00")
    assert sample.counts.last_receipt_us == us("2024-10-22T06:31:00Z")


def test_negative_prices_of_the_sample_pass(sample: History) -> None:
    prices = [item["usd_per_mwh"] for _, item in observed(sample, REAL_TIME)]
    assert sum(price < 0 for price in prices) == 38
    assert min(prices) == -3.37


def test_day_ahead_curve_of_a_day_is_one_record_known_at_its_publication_the_day_before(sample: History) -> None:
    records = [record for record in sample if DAY_AHEAD.encode() in record.payload]
    assert len(records) == 129
    curve = orjson.loads(records[2].payload)
    assert records[2].receipt_time_us == us("2024-06-17T13:30:00-05:00")
    assert [item["event_time_us"] for item in curve][:2] == [
        us("2024-06-18T00:00:00-05:00"),
        us("2024-06-18T01:00:00-05:00"),
    ]
    assert len(curve) == 24
    assert {item["publish_time_us"] for item in curve} == {records[2].receipt_time_us}
    assert {item["next_due_us"] for item in curve} == {us("2024-06-18T13:30:00-05:00")}


def test_curves_published_before_the_first_interval_are_given_at_their_own_time_and_said_so(sample: History) -> None:
    first = next(iter(sample))
    assert first.receipt_time_us == us("2024-06-15T13:30:00-05:00")
    assert len(orjson.loads(first.payload)) == 5  # of 2024-06-16 the window has 19:00 to 24:00 Central
    assert any("2024-06-16 and 2024-06-17 were published before" in note for note in sample.notes)


@pytest.mark.parametrize(
    ("start", "day", "hours", "published", "published_after"),
    [
        (
            "2024-11-02T00:00:00-05:00",
            "2024-11-03T00:00:00-05:00",
            25,
            "2024-11-02T13:30:00-05:00",
            "2024-11-03T13:30:00-06:00",
        ),
        (
            "2025-03-08T00:00:00-06:00",
            "2025-03-09T00:00:00-06:00",
            23,
            "2025-03-08T13:30:00-06:00",
            "2025-03-09T13:30:00-05:00",
        ),
    ],
    ids=["autumn", "spring"],
)
def test_a_day_on_which_the_clocks_change_has_its_hours_and_the_next_is_published_by_the_new_time(
    write_window: WriteWindow, start: str, day: str, hours: int, published: str, published_after: str
) -> None:
    path = write_window(datetime.fromisoformat(start), 96 * 3)
    curves = [
        (record.receipt_time_us, orjson.loads(record.payload))
        for record in open_history(path)
        if DAY_AHEAD.encode() in record.payload
    ]
    known_us, curve = curves[1]
    assert known_us == us(published)
    starts = [item["event_time_us"] for item in curve]
    assert starts == [us(day) + hour * 3_600_000_000 for hour in range(hours)]
    assert curve[0]["next_due_us"] == us(published_after) == curves[2][0]
    real_time = [item["event_time_us"] for _, item in observed(open_history(path), REAL_TIME)]
    assert real_time == [us(start) + index * 900_000_000 for index in range(96 * 3)]


def test_btc_is_given_once_an_hour_as_the_close_of_the_hour_before(write_window: WriteWindow) -> None:
    path = write_window(datetime(2024, 10, 20, 5, 30, tzinfo=UTC), 8)
    assert [
        (known, item["event_time_us"], item["usd_per_btc"]) for known, item in observed(open_history(path), BTC)
    ] == [
        (us("2024-10-20T05:00:05Z"), us("2024-10-20T05:00:00Z"), 60_005.0),
        (us("2024-10-20T06:00:05Z"), us("2024-10-20T06:00:00Z"), 60_006.0),
        (us("2024-10-20T07:00:05Z"), us("2024-10-20T07:00:00Z"), 60_007.0),
    ]


def test_network_is_given_at_its_change_and_each_midnight_with_the_height_its_epoch_began(sample: History) -> None:
    states = observed(sample, NETWORK)
    changes = {item["difficulty"]: (item["event_time_us"], item["height"]) for _, item in reversed(states)}
    assert changes[83675262295059.9] == (us("2024-06-20T09:45:00Z"), 848_736)
    assert changes[92049594548485.47] == (us("2024-10-09T06:30:00Z"), 864_864)
    midnights = [item for _, item in states if item["event_time_us"] % 86_400_000_000 == 0]
    assert len(midnights) == 128
    heights = [item["height"] for _, item in states]
    assert heights == sorted(heights)
    assert {(item["fees_btc_per_block"], item["fee_blocks"]) for _, item in states} == {(0.0, 0)}


def test_gpu_rate_of_a_week_is_known_when_the_week_is_over(sample: History) -> None:
    rates = observed(sample, GPU)
    assert [(known, item["event_time_us"], item["usd_per_gpu_hour"]) for known, item in rates][:2] == [
        (us("2024-06-24T01:00:00Z"), us("2024-06-17T00:00:00Z"), 4.4608),
        (us("2024-07-15T01:00:00Z"), us("2024-07-08T00:00:00Z"), 3.843),
    ]
    assert rates[0][1]["next_due_us"] == us("2024-08-19T01:00:00Z")


def test_gpu_rate_that_becomes_known_after_the_last_interval_is_left_out_and_said_so(
    write_window: WriteWindow,
) -> None:
    monday = datetime(2024, 10, 14, tzinfo=UTC)
    path = write_window(
        datetime(2024, 10, 6, tzinfo=UTC),
        96 * 12,
        lambda _, moment: {"gix_h100_usd_hr_asof": "3.1" if moment >= monday else "3.4"},
    )
    history = open_history(path)
    assert [item["usd_per_gpu_hour"] for _, item in observed(open_history(path), GPU)] == [3.4]
    assert any("1 value(s) of gpu:H100-SXM" in note for note in history.notes)


def test_lags_move_receipt_times_and_nothing_else(write_window: WriteWindow) -> None:
    path = write_window(datetime(2024, 10, 20, tzinfo=UTC), 96)
    importer = WindowImporter()
    late = WindowOptions(power_lag_s=300, btc_lag_s=60, network_lag_s=1_200)
    plain = list(importer.read(path, WindowOptions(), [REAL_TIME], "h").records)
    lagged = list(importer.read(path, late, [REAL_TIME], "h").records)
    assert [b.receipt_time_us - a.receipt_time_us for a, b in zip(plain, lagged, strict=True)] == [240_000_000] * 96
    for one, other in zip(plain, lagged, strict=True):
        before, after = orjson.loads(one.payload)[0], orjson.loads(other.payload)[0]
        assert before.pop("next_due_us") + 240_000_000 == after.pop("next_due_us")
        assert before == after


def broken(column: str, text: str, at: int = 2) -> Callable[[int, datetime], dict[str, str]]:
    return lambda index, _: {column: text} if index == at else {}


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("ercot_hb_south_rtm_spp", "NaN", r":4: ercot_hb_south_rtm_spp is 'NaN', not a finite number"),
        ("ercot_hb_south_rtm_spp", "", r":4: ercot_hb_south_rtm_spp is '', not a finite number"),
        ("ercot_hb_south_rtm_spp", "inf", r":4: .* not a finite number"),
        ("ercot_hb_south_rtm_spp", "1_000", r":4: .* not a finite number"),
        ("ercot_hb_south_rtm_spp", "1,000", r":4: has 9 columns, the window has 8"),
        ("ercot_hb_south_rtm_spp", "60000", r":4: usd_per_mwh 60000.0 is outside"),
        ("ercot_hb_south_dam_spp", "99", r":4: the day-ahead price changes within the hour, from 0.25 to 99.0"),
        ("btc_usdt_asof_hour", "61000", r":4: the BTC price changes within the hour"),
        ("difficulty", "1000000.5", r":4: difficulty 1000000.5 is of no epoch known here"),
        ("gix_h100_usd_hr_asof", "3.9", r":4: the weekly GPU rate changes elsewhere than on a Monday"),
        ("interval_start_utc", "2024-10-20 00:30:00", r":4: interval_start_utc .* is not like"),
        ("interval_start_utc", "2024-10-20T00:37:00Z", r":4: .* is not the start of a quarter of an hour"),
        ("interval_start_ct", "2024-10-19T18:30:00", r":4: interval_start_ct .* is 2024-10-19T19:30:00 Central"),
    ],
)
def test_a_broken_cell_is_refused_with_file_line_and_reason(
    write_window: WriteWindow, column: str, text: str, message: str
) -> None:
    path = write_window(datetime(2024, 10, 20, tzinfo=UTC), 8, broken(column, text), name="window.csv")
    with pytest.raises(FeedError, match=r"window\.csv" + message):
        open_history(path)


def test_a_bitcoin_price_of_zero_is_refused_with_its_line(write_window: WriteWindow) -> None:
    path = write_window(datetime(2024, 10, 20, tzinfo=UTC), 8, lambda *_: {"btc_usdt_asof_hour": "0"})
    with pytest.raises(FeedError, match=r"window\.csv\.gz:2: usd_per_btc 0.0 is outside"):
        open_history(path)


def damaged(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    return path


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda lines: [*lines[:3], *lines[4:]],
            FeedError,
            r":4: 2024-10-20T00:30:00Z is missing before 2024-10-20T00:45",
        ),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], FeedError, r":4: 2024-10-20T00:15:00Z does not come after"),
        (lambda lines: [lines[0], lines[2], lines[1]], FeedError, r":3: .* rows must be in the order of time"),
        (lambda lines: lines[:1], FeedError, "holds no rows"),
        (lambda lines: [lines[0].replace(b"difficulty", b"hashrate"), *lines[1:]], SettingsError, "no importer knows"),
        (lambda lines: lines[1:], SettingsError, "no importer knows a file that begins"),
        (lambda _: [], SettingsError, "no importer knows a file that begins b''"),
        (lambda lines: [*lines[:3], lines[3][:20] + b"\n", *lines[4:]], FeedError, r":4: has 1 columns"),
        (
            lambda lines: [*lines[:3], lines[3].replace(b"2024", b"\xff\xfe"), *lines[4:]],
            FeedError,
            ":4: .* plain text",
        ),
    ],
    ids=["gap", "doubled", "backward", "no rows", "other header", "no header", "empty", "cut row", "binary"],
)
def test_a_broken_file_is_refused_with_what_is_wrong(
    write_window: WriteWindow,
    change: Callable[[list[bytes]], list[bytes]],
    error: type[ChangeoverError],
    message: str,
) -> None:
    path = damaged(write_window(datetime(2024, 10, 20, tzinfo=UTC), 8, name="window.csv"), change)
    with pytest.raises(error, match=message):
        open_history(path)


def test_another_header_is_refused_where_the_importer_was_named(write_window: WriteWindow, tmp_path: Path) -> None:
    path = damaged(
        write_window(datetime(2024, 10, 20, tzinfo=UTC), 8, name="window.csv"), lambda lines: [b"a,b\n", *lines[1:]]
    )
    (tmp_path / "join.toml").write_text(f'[[file]]\npath = "{path.name}"\nimporter = "window"\n')
    with pytest.raises(
        FeedError, match=r"window\.csv:1: the header is not the window's; it must be interval_start_utc"
    ):
        open_history(tmp_path / "join.toml")


def test_a_window_without_its_last_line_end_is_whole(write_window: WriteWindow) -> None:
    path = write_window(datetime(2024, 10, 20, tzinfo=UTC), 8, name="window.csv")
    before = [record.payload for record in open_history(path)]
    path.write_bytes(path.read_bytes().rstrip(b"\n").replace(b"\n", b"\r\n"))
    assert [record.payload for record in open_history(path)] == before


def test_the_file_is_known_by_its_whole_header() -> None:
    header = ",".join(COLUMNS).encode()
    importer = WindowImporter()
    assert importer.recognises(header + b"\n")
    assert not importer.recognises(header + b",more\n")


def test_gzip_and_plain_give_the_same_records(write_window: WriteWindow) -> None:
    plain = write_window(datetime(2024, 10, 20, tzinfo=UTC), 8, name="window.csv")
    packed = plain.with_name("packed.bin")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(open_history(plain)) == list(open_history(packed))
