"""What the tests of history share: the folder of real files, and windows written to order."""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from streams.history import History, open_history
from streams.history.window_file import COLUMNS

CENTRAL = ZoneInfo("America/Chicago")
LAST_KNOWN_DIFFICULTY = "92049594548485.47"

WriteWindow = Callable[..., Path]


@pytest.fixture(scope="session")
def real_history() -> Path:
    """The folder of real files of history, by CHANGEOVER_DATA."""
    place = os.environ.get("CHANGEOVER_DATA", "../shared/data")
    folder = Path(place) / "history"
    if not folder.is_dir():
        pytest.skip(f"real data is not here: CHANGEOVER_DATA has no folder history (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def sample() -> History:
    """The sample, read once."""
    return open_history("sample")


@pytest.fixture
def write_window(tmp_path: Path) -> WriteWindow:
    """Write a window of ``rows`` intervals from ``start``; ``cells(index, start)`` overrides columns by name."""

    def write(
        start: datetime,
        rows: int,
        cells: Callable[[int, datetime], dict[str, str]] = lambda *_: {},
        name: str = "window.csv.gz",
    ) -> Path:
        lines = [",".join(COLUMNS)]
        for index in range(rows):
            moment = (start + index * timedelta(minutes=15)).astimezone(UTC)
            values = {
                "interval_start_utc": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "interval_start_ct": moment.astimezone(CENTRAL).strftime("%Y-%m-%dT%H:%M:%S"),
                "btc_usdt_asof_hour": f"{60_000 + moment.hour}",
                "difficulty": LAST_KNOWN_DIFFICULTY,
                "hashprice_subsidy_only_usd_ph_day": "41.0",
                "ercot_hb_south_rtm_spp": f"{index}.5",
                "ercot_hb_south_dam_spp": f"{moment.hour}.25",
                "gix_h100_usd_hr_asof": "3.4",
            } | cells(index, moment)
            lines.append(",".join(values[column] for column in COLUMNS))
        path = tmp_path / name
        data = ("\n".join(lines) + "\n").encode()
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return path

    return write
