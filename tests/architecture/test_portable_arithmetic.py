"""What decides computes the same bits on every machine, compiled or not: it uses only arithmetic IEEE 754 pins down.

``x**3``, ``exp``, ``sum`` and their kin differ between numba, numpy and CPython, between vector units and between
versions. The deciding rooms are whatever ``models.engine`` reaches by its imports, so a new room is held to this too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.imports import ROOT, reached_from
from tests.architecture.portable import findings


def deciding_rooms() -> dict[str, Path]:
    """``models.engine`` and every module of models/ that it reaches by imports."""
    return reached_from("models.engine", ("models",))


def test_the_deciding_rooms_are_those_the_engine_reaches() -> None:
    rooms = set(deciding_rooms())
    assert {"models.engine", "models.kernel", "models.market", "models.policies.band", "models.hashprice"} <= rooms
    assert not any(room.startswith("models.switching") for room in rooms)  # fits come by the log, never by import


def test_deciding_rooms_use_only_portable_arithmetic() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {finding}"
        for path in sorted(deciding_rooms().values())
        for line, finding in findings(path.read_text())
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "source",
    [
        "y = x ** 3",
        "y = 2.0 ** x",
        "x **= 2",
        "y = pow(x, 2)",
        "import math\ny = math.exp(x)",
        "import math as m\ny = m.log(x)",
        "from math import sin",
        "from math import pow as power",
        "import math\ny = math.fsum(xs)",
        "import numpy as np\ny = np.exp(x)",
        "import numpy as np\ny = np.sum(x)",
        "import numpy as np\ny = np.add.reduce(x)",
        "import numpy as np\ny = np.linalg.solve(a, b)",
        "import numpy\ny = numpy.power(x, 2)",
        "from numpy import einsum",
        "y = a @ b",
        "a @= b",
        "y = x.sum()",
        "y = (a * b).mean()",
        "y = x.dot(z)",
        "y = sum(xs)",
        "y = sum(x.mw for x in loads)",
        "y = round(x, 2)",
        "y = hash(name)",
        "import numba\nf = numba.njit(fastmath=True)(g)",
        "import numba\nf = numba.njit(fastmath={'nnan'})(g)",
        "import numba\nf = numba.njit(parallel=True)(g)",
        "from numba import prange",
        "import statistics",
        "from scipy.optimize import brentq",
        "for x in {1.0, 2.0}: pass",
        "for x in set(xs): pass",
        "names: set[str]\nfor x in names: pass",
        "def f(names: frozenset[str]) -> list[str]: return [n for n in names]",
        "class A:\n    def f(self): self.seen = set()\n    def g(self): return [x for x in self.seen]",
        "y = list({x for x in xs})",
        "y = [*set(xs)]",
        "for x in a.keys() & b.keys(): pass",
        "for x in set(a) | set(b): pass",
        "y = tuple(a.union(b))",
    ],
)
def test_each_construct_that_is_not_portable_is_found(source: str) -> None:
    assert findings(source)


@pytest.mark.parametrize(
    "source",
    [
        "y = a * b + c / d - e // f % g",
        "LIMIT = 2**31",
        "import math\ny = math.sqrt(max(0.0, x)) if math.isfinite(x) else math.inf",
        "import numpy as np\ny = np.zeros(3, dtype=np.float64)",
        "total = 0.0\nfor x in xs: total += x",
        "y = sum(1 for x in xs if x > 0)",
        "y = sum(len(x) for x in xs)",
        "for name in sorted(set(names)): pass",
        "for key, value in table.items(): pass",
        "y = x in {1, 2, 3}",
        "import numba\nf = numba.njit(fastmath=False)(g)",
    ],
)
def test_portable_arithmetic_passes(source: str) -> None:
    assert findings(source) == []
