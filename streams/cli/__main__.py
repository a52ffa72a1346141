"""``python -m streams.cli``: the command line where the command ``changeover`` is not on PATH."""

from __future__ import annotations

from streams.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
