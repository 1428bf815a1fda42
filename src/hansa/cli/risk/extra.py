"""What risk control needs beyond a plain installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hansa.kernel.errors import Unavailable


@contextmanager
def needing_extra() -> Iterator[None]:
    """Say which extra is needed, where what is imported here is not installed.

    Raises:
      Unavailable: it is not.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"this needs {error.name}, which is not installed: pip install 'hansa[risk]'"
        ) from None
