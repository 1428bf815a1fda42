"""This program to whoever calls it: its name in messages, and its exit code after Ctrl-C."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "hansa"
PASSPHRASE_VARIABLE = "HANSA_PASSPHRASE"  # noqa: S105 - the name of a variable
EXIT_INTERRUPTED = 130
"""Of a program that Ctrl-C has ended, by the custom of shells."""


def name_program(called: str | None = None) -> str:
    """Name this program so that a shell finds it, from any folder.

    `hansa` where PATH leads to what was called, else its whole path. Where another program runs
    us, in a test or in somebody's script, it is `hansa`, too.

    Args:
      called: the file that was started; `sys.argv[0]` if left out.

    >>> name_program("/opt/my bank/bin/hansa"), name_program("/usr/bin/pytest")
    ("'/opt/my bank/bin/hansa'", 'hansa')
    """
    path = Path(sys.argv[0] if called is None else called)
    if path.name == "__main__.py" and path.parent.name == NAME:
        return f"{shlex.quote(sys.executable)} -m {NAME}"
    if path.name != NAME:
        return NAME
    found = shutil.which(NAME)
    is_found = found is not None and Path(found).resolve() == path.resolve()
    return NAME if is_found else shlex.quote(str(path.absolute()))
