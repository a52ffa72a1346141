"""What a trading desk imports: the numbered signals of miners, each once, in order, verified, never past its time.

Needs Redis and nothing else of the service: no broker, no frame, no compiler is imported here.
"""

from __future__ import annotations

from streams.client.notices import Alive, Gap, Notice, Reset, Rewound, Stale
from streams.client.options import Options
from streams.client.recorded import read_recorded
from streams.client.records import (
    Acknowledgement,
    CommandAnswer,
    Epoch,
    Position,
    Quality,
    Record,
    Signal,
    Switch,
    Unknown,
)
from streams.client.signals import Signals, Told
from streams.client.snapshot import Snapshot
from streams.client.sync import SyncSignals
from streams.errors import DivergedError, SettingsError, WorldError
from streams.tls import Tls

__all__ = [
    "Acknowledgement",
    "Alive",
    "CommandAnswer",
    "DivergedError",
    "Epoch",
    "Gap",
    "Notice",
    "Options",
    "Position",
    "Quality",
    "Record",
    "Reset",
    "Rewound",
    "SettingsError",
    "Signal",
    "Signals",
    "Snapshot",
    "Stale",
    "Switch",
    "SyncSignals",
    "Tls",
    "Told",
    "Unknown",
    "WorldError",
    "read_recorded",
]
