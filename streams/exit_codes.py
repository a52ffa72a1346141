"""Exit codes of every process of ours, by whose fault its end was."""

from __future__ import annotations

from streams.errors import DivergedError, HaltedError, SettingsError

DONE = 0
WORLD_FAILED = 1
USAGE = 2
HALTED = 70
INTERRUPTED = 130


def exit_code(error: Exception) -> int:
    """The exit code of an error: 2 for the operator, 1 for the world, 70 for what must not be restarted blindly.

    >>> from streams.errors import WorldError
    >>> exit_code(SettingsError("x")), exit_code(WorldError("x")), exit_code(DivergedError("x"))
    (2, 1, 70)
    """
    if isinstance(error, SettingsError):
        return USAGE
    return HALTED if isinstance(error, DivergedError | HaltedError) else WORLD_FAILED
