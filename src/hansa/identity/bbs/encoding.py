"""Points and scalars as bytes, read strictly, and sums of multiples of points.

The library reads several encodings as the point at infinity, reduces scalars that are too large
and drops what one list has more than another. Nothing here passes such input on to it.

Source: draft-irtf-cfrg-bbs-signatures-08, sections 4.2.4 and 7.2; RFC 9380, section 4 (names).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey

POINT_BYTES = 48
SCALAR_BYTES = 32
ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""How many points the group has."""
_NOWHERE = G1Point.identity()
_NOWHERE_2 = G2Point.identity()
_FEW = 4
"""Up to so many points, multiplying each by itself is faster than all at once."""


def decode_point(data: bytes, what: str) -> G1Point:
    """Read a point of the first group; `what` names it in messages.

    Raises:
      Unsound: `MALFORMED`: no point of the curve, outside the group, or the point at infinity.
    """
    try:
        point = G1Point.from_compressed_bytes(data)
    except ValueError:
        raise Unsound(Fault.MALFORMED, f"{what} is no point of BLS12-381's first group") from None
    if point == _NOWHERE:
        raise Unsound(Fault.MALFORMED, f"{what} is the point at infinity")
    return point


@lru_cache(maxsize=1_024)
def decode_public_key(key: PublicKey) -> G2Point:
    """Read an issuer's key as a point of the second group; recent ones are remembered.

    Raises:
      Unsound: `KEY`: a key of another kind, outside the group, or the point at infinity.
    """
    if key.kind is not KeyKind.BLS12_381_G2:
        raise Unsound(Fault.KEY, f"BBS asks for a key of BLS12-381, this one is {key.kind.value}")
    try:
        point = G2Point.from_compressed_bytes(key.data)
    except ValueError:
        raise Unsound(Fault.KEY, "this BBS key is no point of BLS12-381's second group") from None
    if point == _NOWHERE_2:
        raise Unsound(Fault.KEY, "this BBS key is the point at infinity, which signs anything")
    return point


def decode_scalar(data: bytes, what: str) -> Scalar:
    """Read a scalar between 1 and the group's order.

    Raises:
      Unsound: `MALFORMED`.
    """
    if len(data) != SCALAR_BYTES or not 0 < int.from_bytes(data, "big") < ORDER:
        raise Unsound(Fault.MALFORMED, f"{what} is no scalar of BLS12-381")
    return Scalar.from_be_bytes(data)


def sum_multiples(points: Sequence[G1Point], scalars: Sequence[Scalar]) -> G1Point:
    """Add up each point times its scalar; there must be as many of one as of the other."""
    if len(points) > _FEW:
        assert len(points) == len(scalars)  # noqa: S101 - the library would drop the rest
        return G1Point.multiexp_unchecked([*points], [*scalars])
    terms = (point * scalar for point, scalar in zip(points, scalars, strict=True))
    return sum(terms, _NOWHERE)
