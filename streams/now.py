"""This machine's clock. Whatever decides never reads it: time enters the log once, with each record."""

from __future__ import annotations

import time


def now_us() -> int:
    """The time by this machine's clock [us UTC]."""
    return time.time_ns() // 1_000
