"""History: files of the past as raw records with honest receipt times, the sample, recordings, the replayer's clock."""

from streams.history.catalogue import IMPORTERS, open_history
from streams.history.contract import Imported, Importer, Options
from streams.history.joined import History
from streams.history.recording import RecordingWriter
from streams.history.ticks import opening, replay_log, ticked

__all__ = [
    "IMPORTERS",
    "History",
    "Imported",
    "Importer",
    "Options",
    "RecordingWriter",
    "open_history",
    "opening",
    "replay_log",
    "ticked",
]
