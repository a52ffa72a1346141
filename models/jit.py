"""The one way to compile here: ``fastmath`` off, so that a compiled function equals its uncompiled self to the bit.

``error_model="numpy"``: compiled code divides as IEEE 754 says and never raises half-way through a step. CPython would
raise on a zero divisor; none reaches here, as the records refuse it. What is compiled takes and returns plain scalars
or arrays. Compiled code is cached on disk; the cache knows a function's own source only, not that of the functions it
calls, so whoever starts the program points numba's cache at a folder named by the hash of all sources.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import numba

# Options that numba's own types leave out. No compiled function here allocates, so none needs reference counts. None is
# called from C: the wrapper for that, with the state's forty arrays, took three quarters of the compiler's time.
LEAN: dict[str, Any] = {"_nrt": False, "no_cfunc_wrapper": True}

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Jitted(Protocol[P, R_co]):
    """A compiled function; ``py_func`` is the same function uncompiled."""

    @property
    def py_func(self) -> Callable[P, R_co]:
        """The function as written."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the compiled form; the first call with new argument types compiles."""


def jit(function: Callable[P, R_co]) -> Jitted[P, R_co]:
    """Compile a function on its first call.

    >>> from models.hashprice import subsidy_btc
    >>> subsidy_btc(840_000) == subsidy_btc.py_func(840_000)
    True
    """
    return compiled_with(function, forceinline=True)


def jit_apart(function: Callable[P, R_co]) -> Jitted[P, R_co]:
    """Compile a function that stays a function: large, called at several places, and not on the path of a tick.

    Copied into each of its callers it would take the compiler minutes.
    """
    return compiled_with(function, forceinline=False)


def compiled_with(function: Callable[P, R_co], *, forceinline: bool) -> Jitted[P, R_co]:
    """A function under the options that all compiled code here shares."""
    # Counting references, and handing the state's arrays over at every call, would take more time than the arithmetic.
    compiled = numba.njit(cache=True, fastmath=False, error_model="numpy", forceinline=forceinline, **LEAN)(function)
    return cast("Jitted[P, R_co]", compiled)
