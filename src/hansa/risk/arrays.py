"""Arrays in which risk control remembers: made longer by doubling, and kept as plain bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Corrupt

S = TypeVar("S", bound=np.generic)

_STAMP = "stamp"
# What reading raises for damage: of an array, of the archive, of how it says that it is packed.
_DAMAGE = (ValueError, KeyError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def double(length: int, needed: int) -> int:
    """Double a length, which is not 0, until it is what is needed."""
    while length < needed:
        length *= 2
    return length


def lengthen(
    array: npt.NDArray[S], needed: int, make: Callable[[int], npt.NDArray[S]]
) -> npt.NDArray[S]:
    """Make an array longer by doubling, or leave it as it is where it is long enough.

    Args:
      array: shape (n, …).
      needed: how long it has to be.
      make: makes one of a length in which nothing is remembered.
    """
    if needed <= len(array):
        return array
    longer = make(double(len(array), needed))
    longer[: len(array)] = array
    return longer


def write_arrays(stamp: str, **arrays: npt.ArrayLike) -> bytes:
    """Write arrays as bytes: an archive as numpy has it, without pickle; the same for the same.

    Args:
      stamp: of what, and of which version.
      arrays: by their names.
    """
    written = io.BytesIO()
    stamped = {_STAMP: np.array([stamp, *arrays]), **arrays}
    np.savez(written, **stamped)  # type: ignore[arg-type] # its types leave names open
    return written.getvalue()


def read_arrays(kept: bytes, stamp: str, what: str) -> dict[str, npt.NDArray[Any]]:
    """Read what `write_arrays` wrote.

    Args:
      kept: its bytes.
      stamp: that it has to have.
      what: was remembered, for whoever reads the error.

    Raises:
      Corrupt: the bytes are damaged, others, or have another stamp.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(kept)) as archive:
            damaged = archive.testzip()  # before numpy believes what an array says of its length
        if damaged is not None:
            raise Corrupt(f"what was remembered of {what} is damaged: {damaged}")
        with np.load(io.BytesIO(kept), allow_pickle=False) as read:
            arrays = dict(read)
            found, *names = arrays.pop(_STAMP).tolist()
    except _DAMAGE as error:
        raise Corrupt(f"these bytes are not what was remembered of {what}: {error}") from error
    if names != list(arrays):
        raise Corrupt(f"what was remembered of {what} is damaged: arrays are missing")
    if found != stamp:
        raise Corrupt(f"what was remembered of {what} is of another version: replay the payments")
    return arrays
