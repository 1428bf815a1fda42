"""Finding the CometBFT program, and checking that it is the version that this engine speaks to.

Source: docs/how-to/run-a-network.md; `make cometbft` builds it.
"""

from __future__ import annotations

import errno
import shutil
import subprocess
from pathlib import Path

from hansa.kernel.errors import NotFound, Unavailable
from hansa.tools import find_tool

VERSION = "0.38.25"
VARIABLE = "HANSA_COMETBFT"
NAME = "cometbft"
VERSION_TIMEOUT_S = 20
_PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY)
"""Why a sound program may not start: what the system lacks may be there a moment later."""


def find_binary() -> Path:
    """Find CometBFT: HANSA_COMETBFT, else `.tools/bin` of this checkout, else PATH.

    Raises:
      NotFound: there is none of that version, or it cannot run here.
      Unavailable: the system could not start it just now.
    """
    path = _find()
    found = read_version(path)
    if found != VERSION:
        raise NotFound(
            f"{path} says that its version is {found!r}, and this program needs CometBFT "
            f"{VERSION}: run make cometbft, or have {VARIABLE} name that version",
            path=str(path),
        )
    return path


def _find() -> Path:
    found = find_tool(VARIABLE, f"bin/{NAME}")
    if found is not None:
        return found
    in_path = shutil.which(NAME)
    if in_path is None:
        raise NotFound(
            f"there is no CometBFT {VERSION} here: run make cometbft, or have {VARIABLE} name one"
        )
    return Path(in_path).absolute()


def read_version(path: Path) -> str:
    """Ask a CometBFT program for its version.

    Raises:
      NotFound: it cannot run here; trying again changes nothing.
      Unavailable: the system could not start it just now, or was too slow.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the operator names it
            [path, "version"], capture_output=True, timeout=VERSION_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "strerror", None) or error
        is_passing = isinstance(error, subprocess.TimeoutExpired) or (
            isinstance(error, OSError) and error.errno in _PASSING
        )
        if is_passing:
            raise Unavailable(
                f"{path} does not run now: {why}; try again", path=str(path)
            ) from None
        raise NotFound(
            f"{path} does not run: {why}; build it anew with make cometbft", path=str(path)
        ) from None
    return done.stdout.decode("utf-8", "replace").strip()[:40]
