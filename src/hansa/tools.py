"""What `make` builds beside this program with other tool chains, or an operator names instead."""

from __future__ import annotations

import os
from pathlib import Path

from hansa.kernel.errors import NotFound

FOLDER = Path(__file__).resolve().parents[2] / ".tools"


def find_tool(variable: str, built: str) -> Path | None:
    """Find the file that a variable names, else what was built in this checkout; else None.

    Args:
      variable: of the environment.
      built: path within `.tools`.

    Raises:
      NotFound: the variable names no file.
    """
    named = os.environ.get(variable)
    if not named:
        path = FOLDER / built
        return path if path.is_file() else None
    if not Path(named).is_file():
        raise NotFound(f"{variable} names {named}, and there is no such file", path=named)
    return Path(named).absolute()
