"""What the command line prints: results, and errors in one line.

With ``--json`` a result, and an error too, is one JSON object on standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping


def print_result(value: Mapping[str, object], text: str, *, json: bool) -> None:
    """Print a command's result: the object for programs, the text for people."""
    if json:
        print_json(value)
    else:
        print_text(text)


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object on one line, at once."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode() + "\n")
    sys.stdout.flush()


def print_json_bytes(value: bytes) -> None:
    """Print an object that is JSON already, byte for byte, on one line, at once."""
    sys.stdout.write(value.decode() + "\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Print lines for people, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_error(kind: str, message: str, *, json: bool) -> None:
    """Print an error: one line on standard error, and with ``--json`` the object on standard output."""
    if json:
        print_json({"error": {"kind": kind, "message": message}})
    sys.stderr.write(f"changeover: {' '.join(message.split())}\n")
    sys.stderr.flush()
