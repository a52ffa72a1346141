"""Rows made straight from a history are, to the bit, the rows that the codec makes of its log."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.records import Clock, Observation
from models.rows import Catalogue, Rows, RowTuple, clock_row, observation_row, rows_of
from streams.history import History, RecordingWriter, open_history, ticked
from streams.history.rows import history_rows
from streams.history.window_file import COLUMNS
from streams.parse import parse
from streams.wire import RawRecord

pytestmark = pytest.mark.guarantee("G2")

CENTRAL = ZoneInfo("America/Chicago")


def by_codec(history: History, names: Catalogue, first_position: int, after_us: int | None) -> Rows:
    """Rows of the log as it would be read from Kafka: payload by payload."""
    rows: list[RowTuple] = []
    for position, record in enumerate(ticked(history, after_us=after_us), start=first_position):
        parsed = parse(record)
        assert parsed.faults == []
        for one in parsed.records:
            if isinstance(one, Clock):
                rows.append(clock_row(one, record.receipt_time_us, position, names))
            else:
                assert isinstance(one, Observation)
                rows.append(observation_row(one, position, names))
    return rows_of(rows)


def same(history: History, first_position: int = 0, after_us: int | None = None) -> None:
    """Both ways give the same rows and the same names."""
    slow, fast = Catalogue(), Catalogue()
    for names in (slow, fast):
        names.source("replayer")  # the tick in a log's opening comes before all of history
    expected = by_codec(history, slow, first_position, after_us)
    found = history_rows(history, fast, first_position=first_position, after_us=after_us)
    assert found is not None
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    assert found.tobytes() == expected.tobytes()
    assert (fast.series_names, fast.source_names) == (slow.series_names, slow.source_names)


def test_rows_of_the_sample_are_those_of_its_log(sample: History) -> None:
    same(sample)


cents = st.integers(-500_000, 900_000).map(lambda value: value / 100)


@st.composite
def windows(draw: st.DrawFn) -> tuple[str, dict[str, int], int | None]:
    """A window of some hours around anything, the changes of clocks included; lags; a tick given before."""
    base = draw(st.sampled_from(["2024-07-01", "2024-11-03", "2025-03-09", "2024-10-20"]))
    start = datetime.fromisoformat(base).replace(tzinfo=UTC) + timedelta(minutes=15 * draw(st.integers(0, 100)))
    count = draw(st.integers(1, 120))
    lines = [",".join(COLUMNS)]
    prices = draw(st.lists(cents, min_size=count, max_size=count))
    for index, price in enumerate(prices):
        moment = start + index * timedelta(minutes=15)
        local = moment.astimezone(CENTRAL).strftime("%Y-%m-%dT%H:%M:%S")
        difficulty = "88404402370999.9" if index < count // 2 else "92049594548485.47"
        hour = moment.hour
        cells = f"{60_000 + hour},{difficulty},41.0,{price},{hour}.5,{3 + moment.isocalendar().week / 100}"
        lines.append(f"{moment:%Y-%m-%dT%H:%M:%SZ},{local},{cells}")
    names = ("power_lag_s", "btc_lag_s", "network_lag_s", "gpu_lag_s")
    lags = {name: draw(st.sampled_from([0, 5, 60, 120, 3_600])) for name in names}
    return "\n".join(lines), lags, draw(st.sampled_from([None, 0, 60_000_000]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(windows(), st.integers(0, 10**9), st.booleans())
def test_rows_of_any_history_are_those_of_its_log(
    tmp_path: Path, window: tuple[str, dict[str, int], int | None], first_position: int, constant: bool
) -> None:
    text, lags, back_us = window
    (tmp_path / "window.csv.gz").write_bytes(gzip.compress(text.encode(), 1))
    options = ", ".join(f"{name} = {value}" for name, value in lags.items())
    constants = '[constants]\n"utilisation:pool" = { utilisation = 1 }\n' if constant else ""
    (tmp_path / "join.toml").write_text(
        f'[[file]]\npath = "window.csv.gz"\nimporter = "window"\noptions = {{ {options} }}\n{constants}'
    )
    history = open_history(tmp_path / "join.toml")
    minute_us = history.counts.first_receipt_us // 60_000_000 * 60_000_000
    same(history, first_position, None if back_us is None else minute_us - back_us)


def test_a_recording_has_no_rows_but_by_the_codec(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "run.jsonl") as writer:
        writer.append(RawRecord("venue", 1, "x", 0, b"{}"))
    assert history_rows(open_history(tmp_path / "run.jsonl"), Catalogue()) is None
