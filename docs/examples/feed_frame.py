"""A recorded feed as a table of pandas, to back-test the feed itself: one row for each switch, as it was published."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from streams.client import Switch, read_recorded


def frame(path: str | Path) -> pd.DataFrame:
    """The switches of a recorded feed in the order of the log.

    ``known`` is when the signal could be known at the earliest (its log time); join prices to that, never to ``event``.
    """
    rows = [
        {
            "known": pd.Timestamp(switch.log_time_us, unit="us", tz="UTC"),
            "event": pd.Timestamp(switch.event_time_us, unit="us", tz="UTC"),
            "valid_until": pd.Timestamp(switch.valid_until_us, unit="us", tz="UTC"),
            "miner": switch.miner,
            "seq": switch.seq,
            "site": switch.site,
            "load": switch.load,
            "from": switch.from_mode,
            "to": switch.to_mode,
            "mw": switch.mw,
            "gain_usd_per_hour": switch.expected_gain_usd_per_hour,
        }
        for switch in read_recorded(path)
        if isinstance(switch, Switch)
    ]
    return pd.DataFrame(rows)


if __name__ == "__main__":
    table = frame(sys.argv[1])
    print(table.groupby(["miner", "to"]).agg(switches=("seq", "size"), mw=("mw", "mean")).round(2).to_string())
