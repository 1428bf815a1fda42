"""Files of an operator's folder that may be missing."""

from __future__ import annotations

from pathlib import Path

from hansa.kernel.errors import Invalid, InvalidCode, Unavailable


def read_optional(path: Path, bytes_max: int) -> bytes | None:
    """Read a file; None if there is none.

    Raises:
      Invalid: it is larger than that.
      Unavailable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(bytes_max + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}", path=str(path)) from None
    if len(raw) > bytes_max:
        raise Invalid(
            InvalidCode.TOO_LARGE, f"{path} has more than {bytes_max} bytes", path=str(path)
        )
    return raw
