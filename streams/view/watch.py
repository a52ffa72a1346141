"""Shows the board until told to stop: on a terminal as a screen, elsewhere as lines, for programs as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import orjson
from rich.console import Console
from rich.live import Live

from streams.connect import REDIS_AWAY
from streams.tail import Told
from streams.view.board import Board
from streams.view.reader import Reader
from streams.view.screen import entry_line, plain_lines, render
from streams.wire import Names

POLL_S = 0.25
LINES_EVERY_S = 5.0


class Output(Protocol):
    """Where the view goes: started once, shown some times a second, ended once."""

    def start(self) -> None:
        """Take the output."""
        ...

    def show(self, board: Board, new: Sequence[Told], at_s: float) -> None:
        """Show the board and what is new. Must not block for long."""
        ...

    def end(self, board: Board, seconds: float) -> None:
        """Give the output back as it was and say how it came out."""
        ...


class Screen:
    """A terminal."""

    def __init__(self, console: Console, notes: Sequence[str]) -> None:
        self._live = Live(console=console, auto_refresh=False, screen=console.is_terminal)
        self._console = console
        self._notes = tuple(notes)

    def start(self) -> None:
        """Take the screen."""
        self._live.start()

    def show(self, board: Board, new: Sequence[Told], at_s: float) -> None:
        """Draw it anew; what is new is on the board already."""
        del new
        self._live.update(render(board, at_s, self._notes), refresh=True)

    def end(self, board: Board, seconds: float) -> None:
        """Leave the last signals on the terminal."""
        self._live.stop()
        for document in board.recent:
            self._console.print(entry_line(document), markup=False, highlight=False)
        self._console.print(f"{sum(board.signals.values())} signals in {seconds:.0f} s", highlight=False)


class Lines:
    """Any output that is not a terminal: each entry once, and how things stand every few seconds."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._stated_s = -LINES_EVERY_S

    def start(self) -> None:
        """Nothing is to be taken."""

    def show(self, board: Board, new: Sequence[Told], at_s: float) -> None:
        """Write what is new, and the board if it is time."""
        for told in new:
            self._write(entry_line(told.signal) if "seq" in told.signal else f"-- {told.signal['text']}")
        if board.heads and at_s - self._stated_s >= LINES_EVERY_S:
            self._stated_s = at_s
            for line in plain_lines(board, at_s):
                self._write(line)

    def end(self, board: Board, seconds: float) -> None:
        """Write the count."""
        self._write(f"{sum(board.signals.values())} signals in {seconds:.0f} s")


class Json:
    """For programs: the bytes of each signal as they stand in Redis, one a line, and a summary at the end."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def start(self) -> None:
        """Nothing is to be taken."""

    def show(self, board: Board, new: Sequence[Told], at_s: float) -> None:
        """Write the new signals."""
        del board, at_s
        for told in new:
            if "seq" in told.signal:
                self._write(told.json + b"\n")

    def end(self, board: Board, seconds: float) -> None:
        """Write the summary."""
        self._write(orjson.dumps(board.summary(seconds)) + b"\n")


def output_for(notes: Sequence[str], *, json: bool) -> Output:
    """The output that fits standard output; a screen shows the notes above everything."""
    if json:
        return Json(write_bytes)
    if sys.stdout.isatty():
        return Screen(Console(), notes)
    return Lines(lambda line: write_bytes(line.encode() + b"\n"))


def write_bytes(line: bytes) -> None:
    """Write to standard output at once."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


class View:
    """A reader, what it knows, and where that goes."""

    def __init__(self, reader: Reader, names: Names, output: Output) -> None:
        self._reader = reader
        self._output = output
        self._board = Board(names)
        self._began_s = time.monotonic()

    async def watch(self, stop: asyncio.Event, check: Callable[[], None], seconds: float | None = None) -> None:
        """Show until ``stop`` is set or ``seconds`` have passed. ``check`` raises when a service has died."""
        self._output.start()
        while not stop.is_set():
            if seconds is not None and time.monotonic() - self._began_s >= seconds:
                return
            check()
            await self._look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_S)

    async def finish(self) -> None:
        """Show what came since, once the services have stopped, and end the output."""
        await self._look()
        self._output.end(self._board, time.monotonic() - self._began_s)

    async def _look(self) -> None:
        now_s = time.monotonic()
        try:
            new = await self._reader.poll(self._board, now_s)
        except REDIS_AWAY:  # one of ours that died is what `check` reports; another's is waited for
            new = []
        self._output.show(self._board, new, now_s)
