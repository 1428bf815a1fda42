"""Loops over arrays as machine code: the one way in which this package asks numba for it.

Functions are compiled at their first call, and what came of it is kept: beside the source, in the
user's cache folder where that cannot be written, and nowhere where neither can: then each start of
a process makes it anew. A function holds what it calls, also of other
modules, and the constants of all of them; so what is kept is named by the sources of this whole
package, and none is taken for another's. Functions release the interpreter's lock. Numbers in them
are integers of 64 bits wherever a result leaves them, so that all machines agree; nothing checks an
index but who calls. None makes an array: they fill what they are given.

Source: https://numba.readthedocs.io/en/stable/reference/jit-compilation.html.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_SOURCES = Path(__file__).parent


def find_cache(sources: Path, elsewhere: Path) -> Path:
    """Find where the machine code of these very sources is kept.

    Args:
      sources: a package.
      elsewhere: a folder for it where nothing may be written beside the sources.
    """
    hashed = hashlib.sha256()
    for path in sorted(sources.rglob("*.py")):
        hashed.update(path.relative_to(sources).as_posix().encode() + b"\0" + path.read_bytes())
    beside = sources / "__pycache__"
    is_open = os.access(beside if beside.exists() else sources, os.W_OK)
    return (beside if is_open else elsewhere) / f"machine-code-{hashed.hexdigest()[:16]}"


def may_keep(folder: Path) -> bool:
    """Whether a folder is there that may be written; it is made if it can be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


_IS_KEPT = True
if not numba.config.CACHE_DIR:  # type: ignore[attr-defined] # else NUMBA_CACHE_DIR is set
    _USERS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    _CACHE = find_cache(_SOURCES, _USERS / "hansa")
    _IS_KEPT = may_keep(_CACHE)
    if _IS_KEPT:  # numba refuses to load what it cannot keep
        numba.config.CACHE_DIR = str(_CACHE)  # type: ignore[attr-defined] # of its environment

F = TypeVar("F", bound=Callable[..., object])

# No function here makes an array, so nobody has to count who holds one: counting takes a locked
# instruction each way at most calls and branches, which was most of the time of small loops.
_OPTIONS = {"cache": _IS_KEPT, "nogil": True, "error_model": "numpy", "_nrt": False}
_njit: Any = numba.njit  # whose types know only some of these
_compile = _njit(**_OPTIONS)
_compile_inside = _njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled(function: F) -> F:
    """Compile a function of arrays and numbers; its `py_func` is the function as written."""
    return cast("F", _compile(function))


def compiled_inside(function: F) -> F:
    """Compile a function that only compiled ones call: without the way in from Python.

    That way in is most of what is compiled where a function takes many arrays and does little.
    """
    return cast("F", _compile_inside(function))
