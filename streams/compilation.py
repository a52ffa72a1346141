"""Where compiled code is kept, and the hash of everything that decides. Call :func:`prepare` before the core's import.

Numba's cache knows a function's own source but not that of the functions it calls: it returned stale results after an
imported module had changed. So the cache lies in a folder named by the hash of all compiled sources and of the pins.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from streams.errors import SettingsError
from streams.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
COMPILED = ("models/*.py", "models/policies/*.py")
COMPILERS = ("numpy", "numba")
SOURCES = (
    *COMPILED,
    "streams/feeds/*.py",
    "streams/parse.py",
    "streams/fleetfile*.py",
    "streams/wire.py",
    "streams/part.py",
    "streams/step.py",
    "streams/stream.py",
    "streams/checkpoint.py",
    "streams/pipeline.py",
)
PINS = ("numpy", "numba", "orjson", "pydantic")


@cache
def code_hash() -> str:
    """Hash of the sources that decide and of the pins they run on, 64 bits in hex: what an epoch names."""
    return _hash_of(SOURCES, PINS)


def _hash_of(sources: Sequence[str], pins: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for file in sorted({file for pattern in sources for file in ROOT.glob(pattern)}):
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode())
        content = file.read_bytes()
        digest.update(b"%d:" % len(content))
        digest.update(content)
    for package in pins:
        digest.update(f"{package}=={version(package)}\0".encode())
    return digest.hexdigest()[:16]


def kernel_folder(settings: Settings) -> Path:
    """Where the compiled code of these sources, for this interpreter, lies."""
    return settings.cache_folder / "kernel" / f"{_hash_of(COMPILED, COMPILERS)}-{sys.implementation.cache_tag}"


def is_compiled(settings: Settings) -> bool:
    """Whether the engine of these sources was compiled before, as setting up does."""
    return any(kernel_folder(settings).rglob("*.nbi"))


def prepare(settings: Settings) -> bool:
    """Point numba at the folder of these sources, or switch it off. Returns whether there is something to compile.

    Raises:
        SettingsError: the cache folder cannot be written.
        RuntimeError: the core is imported already with the other way (our fault).
    """
    from numba import config  # noqa: PLC0415 slow to import, and only whoever decides needs it

    options = vars(config)  # numba makes these names at run time
    folder = kernel_folder(settings)
    if "models.jit" in sys.modules:
        if settings.engine.compiled == bool(options["DISABLE_JIT"]) or not (
            options["CACHE_DIR"] or options["DISABLE_JIT"]
        ):
            raise RuntimeError("compilation.prepare() was called after the core had been imported the other way")
    else:
        options["DISABLE_JIT"] = int(not settings.engine.compiled)
        options["CACHE_DIR"] = str(folder)
    if not settings.engine.compiled:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"[engine] cache: cannot make {folder}: {error.strerror}; set CHANGEOVER_CACHE to a folder we may write"
        ) from error
    return not is_compiled(settings)
