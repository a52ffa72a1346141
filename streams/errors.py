"""Errors by whose fault they are. Every message says what was tried and what to do.

``FeedError`` the world, ``SettingsError`` the operator; ``ValueError`` and ``TypeError`` are ours.
"""

from __future__ import annotations


class ChangeoverError(Exception):
    """Whatever the command line prints as one clear line instead of a traceback."""


class SettingsError(ChangeoverError):
    """A setting, a file or an argument is wrong: names it and says what is allowed."""


class FeedError(ChangeoverError):
    """A source said something we cannot use. ``retriable``: asking again may help.

    ``retry_after_s``: how long the source told us to stay away [s], None where it said nothing.
    """

    def __init__(self, message: str, *, retriable: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retriable = retriable
        self.retry_after_s = retry_after_s


class WorldError(ChangeoverError):
    """A broker, a Redis or a file that must be there is not, or refuses us."""


class LogChangedError(WorldError):
    """The log under a head is not the one the head was computed from (LOG_CHANGED)."""


class DivergedError(ChangeoverError):
    """Two computations of one stream differ (DIVERGED): this process stops and overwrites nothing."""


class HaltedError(ChangeoverError):
    """The engine itself failed at a record (HALTED): our bug; the part stops there."""
