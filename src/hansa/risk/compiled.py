"""Loops over arrays as machine code: the one way in which this package asks numba for it.

Functions are compiled at their first call, once per machine: what came of it is kept beside the
source, or in the user's cache folder where that cannot be written. They release the interpreter's
lock. Numbers in them are integers of 64 bits wherever a result leaves them, so that all machines
agree; nothing checks an index but who calls.

Source: https://numba.readthedocs.io/en/stable/reference/jit-compilation.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])

_compile = njit(cache=True, nogil=True, error_model="numpy")
_compile_inside = njit(  # type: ignore[call-overload] # its types leave the last two out
    cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)


def compiled(function: F) -> F:
    """Compile a function of arrays and numbers; its `py_func` is the function as written."""
    return cast("F", _compile(function))


def compiled_inside(function: F) -> F:
    """Compile a function that only compiled ones call: without the way in from Python.

    That way in is most of what is compiled where a function takes many arrays and does little.
    """
    return cast("F", _compile_inside(function))
