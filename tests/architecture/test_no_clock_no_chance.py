"""models/ knows no clock, no chance, no environment and does no I/O: given the log, every signal is determined."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted((ROOT / "models").rglob("*.py"))

# All that models/ may import besides itself: nothing here can read a clock, a file, the environment or a die.
IMPORTS = {
    *("__future__", "abc", "bisect", "collections", "collections.abc", "dataclasses", "enum", "functools", "heapq"),
    *("itertools", "math", "operator", "re", "struct", "types", "typing", "hashlib", "json", "warnings", "zlib"),
    *("datetime", "zoneinfo", "numpy", "numpy.typing", "numba"),
}
# Fits are computed beside the log and enter it as records, so they may use more; they are still pure.
FITS = ROOT / "models" / "switching"
IMPORTS_OF_FITS = {"scipy.optimize", "scipy.special"}
# What the modules allowed above offer that is a clock, chance or I/O after all, and builtins of that kind.
ATTRIBUTES = {
    *("now", "utcnow", "today", "fromtimestamp", "random", "default_rng", "RandomState"),
    *("tofile", "fromfile", "memmap", "loadtxt", "savetxt", "genfromtxt", "savez"),
}
OF_NUMPY = {"save", "load"}  # words of the core too: a load is a tier of machines
BUILTINS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint", "globals", "vars"}


def findings(source: str, also: frozenset[str] = frozenset()) -> list[tuple[int, str]]:
    """Every place of a source text where the world would come in."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, f"import {name.name}") for name in node.names if not is_allowed(name.name, also)]
        elif isinstance(node, ast.ImportFrom):
            if not is_allowed(node.module or "", also):
                found.append((node.lineno, f"from {node.module} import"))
            found += [(node.lineno, name.name) for name in node.names if name.name in ATTRIBUTES]
        elif isinstance(node, ast.Attribute) and is_way_out(node):
            found.append((node.lineno, f".{node.attr}"))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
            found.append((node.lineno, f"{node.func.id}()"))
    return found


def is_way_out(node: ast.Attribute) -> bool:
    """Whether an attribute is a clock, chance or I/O."""
    of_numpy = node.attr in OF_NUMPY and ast.unparse(node.value) in {"np", "numpy"}
    return node.attr in ATTRIBUTES or of_numpy


def is_allowed(module: str, also: frozenset[str]) -> bool:
    """Whether models/ may import this."""
    return module in IMPORTS or module in also or module == "models" or module.startswith("models.")


@pytest.mark.parametrize("path", ROOMS, ids=[str(path.relative_to(ROOT)) for path in ROOMS])
def test_the_core_reaches_for_nothing_outside_the_log(path: Path) -> None:
    also = frozenset(IMPORTS_OF_FITS if path.is_relative_to(FITS) else ())
    assert findings(path.read_text(), also) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import random",
        "import os",
        "import os.path",
        "from pathlib import Path",
        "import logging",
        "import asyncio",
        "import socket",
        "import uuid",
        "import secrets",
        "import subprocess",
        "import orjson",
        "from scipy.special import erfcx",
        "from pydantic import BaseModel",
        "from redis.asyncio import Redis",
        "import aiokafka",
        "import faust",
        "from streams import wire",
        "from numpy import random",
        "import numpy as np\nx = np.random.rand(3)",
        "import numpy as np\nx = np.fromfile(name)",
        "import numpy as np\nx = np.load(name)",
        "from datetime import datetime\nt = datetime.now()",
        "from datetime import datetime\nt = datetime.utcnow()",
        "from datetime import date\nt = date.today()",
        "text = open(name).read()",
        "print(1)",
        "clock = __import__('time')",
    ],
)
def test_each_way_out_of_the_log_is_found(source: str) -> None:
    assert findings(source)
