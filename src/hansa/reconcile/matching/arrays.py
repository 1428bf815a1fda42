"""Arrays that matching works on, and what is done to runs of equal values in them.

All are of 64-bit integers: amounts in minor units, days since 1970-01-01, indexes, scores. Nothing
here depends on the order in which a machine adds: integers have no rounding.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

AMOUNT_MAX: Final = 1 << 53
"""Magnitude of an amount, in minor units, so that a thousand of them still add up in 64 bits."""


def make_ints(values: npt.ArrayLike) -> Ints:
    """Make an array of one dimension, or refuse what is not one of integers.

    Raises:
      Invalid: `ARGUMENTS`.
    """
    array = np.asarray(values)
    is_empty = array.size == 0
    if array.ndim != 1 or not (is_empty or np.issubdtype(array.dtype, np.integer)):
        raise Invalid(InvalidCode.ARGUMENTS, "a column of whole numbers is expected")
    return array.astype(np.int64)


def check_amounts(amounts_minor: Ints) -> None:
    """Refuse amounts whose sums might not fit.

    Raises:
      Invalid: `AMOUNT`.
    """
    if amounts_minor.size and max(int(amounts_minor.max()), -int(amounts_minor.min())) > AMOUNT_MAX:
        raise Invalid(InvalidCode.AMOUNT, "an amount is beyond 2^53 minor units")


def find_starts(ordered: Ints) -> Ints:
    """Find where each run of equal values begins."""
    if not ordered.size:
        return ordered
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))).astype(np.int64)


def find_ends(ordered: Ints) -> Ints:
    """Find where each run of equal values ends: one place behind its last."""
    return np.append(find_starts(ordered), ordered.size)[1:]


def count_within(counts: Ints) -> Ints:
    """Count from 0 within each run: lengths (2, 3) give 0, 1, 0, 1, 2."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if ends.size else 0) - np.repeat(ends - counts, counts)


def scale_down(part: Ints, whole: Ints, scale: int) -> Ints:
    """Compute `part × scale ÷ whole`, rounded down; 0 ≤ part ≤ whole, 0 < whole.

    Where the product would not fit, both lose their last bits first: always the same ones.
    """
    room = 62 - scale.bit_length()
    excess = np.zeros(whole.shape, np.int64)
    rest = whole >> room
    while rest.any():
        excess += rest > 0
        rest >>= 1
    return (part >> excess) * scale // (whole >> excess)
