"""The recorder service: copies topic `raw` to the archive, each record once, whatever is killed or full meanwhile.

Kafka holds what the disk does not have yet: nothing is acknowledged to anybody, so a record is lost only where Kafka
drops it before it was written, and that is said. A log that is not the one archived so far gets a folder of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from streams.archive import (
    Disk,
    LockedError,
    LogWriter,
    log_folders,
    new_log_folder,
    require_pyarrow,
    spans_of,
    tail_of,
)
from streams.archive.layout import scope_folder
from streams.backoff import Backoff
from streams.connect import kafka_connection, text_of, wait_for_topics
from streams.errors import LogChangedError
from streams.log import BrokerError, RawReader
from streams.log.topics import RAW
from streams.process import Built, Ending, Guarded, Process, quiet_app, supervise
from streams.settings import Settings
from streams.wire import NO_OFFSET, RawRecord

T = TypeVar("T")

FLUSH_BYTES = 8 << 20
LAG_S = 5.0
STANDBY_S = 2.0
STOP_PATIENCE_S = 15.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


class StoppedError(Exception):
    """The process was told to stop while it waited for the disk."""


class Recorder:
    """Follows the log and writes the archive until the process stops."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._settings = process.settings
        self._names = process.settings.names
        self._topic = self._names.topic(RAW)
        self._folder = scope_folder(process.settings.archive_folder, self._names)
        health = process.health
        self._records = health.counter("records", "Records brought onto the disk.")
        self._bytes = health.counter("bytes", "Payload bytes brought onto the disk.")
        self._offset = health.gauge("last_offset", "Offset of the last record on the disk; -1 before the first.")
        self._lag = health.gauge("lag_records", "Records that the log holds and the disk does not.")
        self._files = health.gauge("files", "Files of the log that is recorded.")
        self._disk_errors = health.counter("disk_errors", "Times the disk refused.")
        self._writer: LogWriter | None = None
        self._flushed_s = self._measured_s = 0.0

    async def run(self) -> None:
        """Record until the process stops.

        Raises:
            WorldError: the broker is not there at start, or refuses us.
        """
        await wait_for_topics(self._process)
        try:
            while not self._process.stopping.is_set():
                await self._follow_one_log()
        except StoppedError:
            self._process.say("stopped while the disk refused; what is missing is still in the log", loud=True)

    async def _follow_one_log(self) -> None:
        """Find where to go on, and record until the log turns out to be another one, or the process stops."""
        reader = RawReader(kafka_connection(self._settings), self._names)
        try:
            await reader.start()
            await self._open(reader)
            await self._record(reader)
        except LogChangedError as changed:
            self._process.say(f"not the log recorded so far: {changed.args[0].partition('; to follow')[0]}", loud=True)
            await self._flush()
        except LockedError as locked:
            self._process.health.set(f"standing by: {locked}", ready=False)
            await self._pause(STANDBY_S)
        except BrokerError as error:
            if not error.retriable:
                raise
            self._process.health.set(f"waiting for Kafka: {text_of(error)}", ready=False)
            await self._flush()
            await self._pause(STANDBY_S)
        finally:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            await reader.stop()

    async def _open(self, reader: RawReader) -> None:
        """Open the folder of this log, if it has one, and stand where it ends."""
        first = await reader.first_offset()
        folder = await self._known_folder(reader, first)
        wanted = 0
        if folder is not None:
            self._writer = await self._on_disk(partial(LogWriter, folder, self._topic, Disk(), self._say_loud))
            wanted = self._writer.next_offset
            self._process.say(f"recording {self._topic} to {folder} from offset {wanted}")
        if wanted < first:
            self._process.say(
                f"records {wanted} to {first - 1} were gone from {self._topic} before they could be recorded: the "
                "archive has a hole there; keep the log longer (retention.ms)",
                loud=True,
            )
        reader.seek(max(wanted, first))
        self._flushed_s = time.monotonic()
        self._measured_s = 0.0
        self._told()

    async def _known_folder(self, reader: RawReader, first: int) -> Path | None:
        """The folder of the log that Kafka holds now: the one whose last record it has at the same offset.

        Where the last record's offset lies before the log's first, nothing can be compared: then it is taken for the
        same log, cut by its retention.
        """
        cut: list[Path] = []
        for folder in await self._on_disk(self._newest_first):
            offset, raw_hash = await self._on_disk(partial(tail_of, folder))
            if offset == NO_OFFSET:
                continue
            if offset < first:
                cut.append(folder)
                continue
            record = await reader.record_at(offset)
            if record is not None and record.hash() == raw_hash:
                reader.remember(record)
                return folder
        return cut[0] if cut else None

    def _newest_first(self) -> Sequence[Path]:
        """Folders of logs, the one written to last first."""
        written = {
            folder: max(span.path.stat().st_mtime_ns for span in spans)
            for folder in log_folders(self._folder)
            if (spans := spans_of(folder))
        }
        return sorted(written, key=lambda folder: -written[folder])

    async def _record(self, reader: RawReader) -> None:
        worker = self._settings.worker
        while not self._process.stopping.is_set():
            records = await reader.read(worker.max_batch, worker.poll_ms)
            if records:
                writer = self._writer or await self._begin(records[0])
                writer.append(records)
            if self._is_due():
                await self._flush()
            if time.monotonic() - self._measured_s > LAG_S:
                await self._measure(reader)
        await self._flush()

    async def _begin(self, first: RawRecord) -> LogWriter:
        """A folder for a log that has none."""
        known = bool(await self._on_disk(partial(log_folders, self._folder)))

        def begin() -> LogWriter:
            return LogWriter(new_log_folder(self._folder, first), self._topic, Disk(), self._say_loud)

        self._writer = await self._on_disk(begin)
        other = "another log than those archived: " if known else ""
        self._process.say(f"{other}recording {self._topic} to {self._writer.folder} from offset {first.offset}")
        self._told()
        return self._writer

    def _is_due(self) -> bool:
        if self._writer is None or not self._writer.pending:
            self._flushed_s = time.monotonic()
            return False
        waited_s = time.monotonic() - self._flushed_s
        return waited_s >= self._settings.archive.flush_s or self._writer.pending_bytes >= FLUSH_BYTES

    async def _flush(self) -> None:
        """Bring onto the disk what waits, however long the disk refuses."""
        writer = self._writer
        if writer is None or not writer.pending:
            return
        before, held = writer.recorded, writer.pending_bytes
        flushed = writer.pending
        await self._on_disk(writer.flush)
        self._records.inc(flushed)
        self._bytes.inc(held)
        self._flushed_s = time.monotonic()
        if before != writer.recorded:
            self._told()

    async def _measure(self, reader: RawReader) -> None:
        """How far the disk is behind the log."""
        recorded = NO_OFFSET if self._writer is None else self._writer.recorded
        behind = max(await reader.end_offset() - 1 - max(recorded, await reader.first_offset() - 1), 0)
        self._lag.set(behind)
        self._process.health.facts["lag_records"] = behind
        self._measured_s = time.monotonic()

    def _told(self) -> None:
        """Say in health where the archive stands."""
        writer = self._writer
        recorded = NO_OFFSET if writer is None else writer.recorded
        self._offset.set(recorded)
        self._files.set(0 if writer is None else writer.files)
        self._process.health.facts.update(
            folder=str(self._folder if writer is None else writer.folder),
            last_offset=recorded,
            files=0 if writer is None else writer.files,
        )
        self._process.health.set("recording" if writer else "waiting for the log's first record", ready=True)

    async def _on_disk(self, act: Callable[[], T]) -> T:
        """Do something with the disk beside the event loop; where it refuses, say so, hold, and try again.

        Raises:
            StoppedError: the process stops meanwhile.
        """
        pauses = Backoff(first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)
        while True:
            try:
                return await asyncio.to_thread(act)
            except OSError as error:
                self._disk_errors.inc()
                held = 0 if self._writer is None else self._writer.pending
                line = (
                    f"the disk refuses: {text_of(error)}; holding {held} records and reading no further until it does "
                    f"not, free or mend {self._folder}"
                )
                self._process.say(line, loud=True)
                self._process.health.set(line, ready=False)
                if self._process.stopping.is_set():
                    raise StoppedError from error
                await self._pause(pauses.next_s())

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than the process runs."""
        try:
            await asyncio.wait_for(self._process.stopping.wait(), seconds)
        except TimeoutError:
            return

    def _say_loud(self, line: str) -> None:
        self._process.say(line, loud=True)


async def run_recorder(settings: Settings) -> Ending:
    """Run the recorder service until it is stopped.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    require_pyarrow()
    process = Process(settings, "recorder")

    async def build() -> Built:
        recorder = Recorder(process)
        return quiet_app(process), [Guarded(process, "recorder", recorder.run, STOP_PATIENCE_S)]

    return await supervise(process, build)
