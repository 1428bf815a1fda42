"""The two ciphersuites of BBS over BLS12-381: how each hashes to scalars and to points.

Source: draft-irtf-cfrg-bbs-signatures-08, sections 4.1, 4.2 and 7; RFC 9380, sections 5.2, 5.3
and 8.8.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from py_arkworks_bls12381 import G1Point, Scalar

FIELD_MODULUS = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf"
    "6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab",
    16,
)
"""The prime under the curve's coordinates."""
SCALAR_HASH_BYTES = 48
"""16 bytes over a scalar's 32, so that the remainder is all but uniform."""
_COORDINATE_HASH_BYTES = 64
_SHA_256_BLOCK_BYTES = 64


class Ciphersuite(NamedTuple):
    """A hash and what follows from it."""

    name: str
    api_id: bytes
    """Names the suite and how messages become scalars; every hash begins from it."""
    base_point: G1Point
    """P1, to which nobody knows a relation of the generators."""
    expand_message: Callable[[bytes, bytes, int], bytes]
    """From a message and a domain's tag to so many uniform bytes."""

    def hash_to_scalar(self, data: bytes, tag: bytes) -> Scalar:
        """Hash to a scalar; `tag` is what follows the API's id in the domain's tag."""
        uniform = self.expand_message(data, self.api_id + tag, SCALAR_HASH_BYTES)
        return Scalar.from_be_bytes_mod_order(uniform)

    def map_message(self, message: bytes) -> Scalar:
        """Map a message to the scalar that is signed."""
        return self.hash_to_scalar(message, b"MAP_MSG_TO_SCALAR_AS_HASH_")

    def hash_to_point(self, data: bytes, tag: bytes) -> G1Point:
        """Hash to a point of the group, of which nobody knows the logarithm."""
        uniform = self.expand_message(data, self.api_id + tag, 2 * _COORDINATE_HASH_BYTES)
        return _map_to_point(uniform[:_COORDINATE_HASH_BYTES]) + _map_to_point(
            uniform[_COORDINATE_HASH_BYTES:]
        )


def _map_to_point(uniform: bytes) -> G1Point:
    coordinate = int.from_bytes(uniform, "big") % FIELD_MODULUS
    return G1Point.map_from_fp_be(coordinate.to_bytes(48, "big"))


def expand_by_sha_256(message: bytes, tag: bytes, length: int) -> bytes:
    """Expand by SHA-256, up to 8,160 bytes.

    Source: RFC 9380, section 5.3.1 (`expand_message_xmd`).
    """
    ending = tag + bytes([len(tag)])
    start = bytes(_SHA_256_BLOCK_BYTES) + message + length.to_bytes(2, "big") + b"\0" + ending
    first = hashlib.sha256(start).digest()
    block, data = bytes(len(first)), b""
    number = int.from_bytes(first, "big")
    for index in range(1, -(-length // len(first)) + 1):
        mixed = (number ^ int.from_bytes(block, "big")).to_bytes(len(first), "big")
        block = hashlib.sha256(mixed + bytes([index]) + ending).digest()
        data += block
    return data[:length]


def expand_by_shake_256(message: bytes, tag: bytes, length: int) -> bytes:
    """Expand by SHAKE-256.

    Source: RFC 9380, section 5.3.2 (`expand_message_xof`).
    """
    ending = tag + bytes([len(tag)])
    return hashlib.shake_256(message + length.to_bytes(2, "big") + ending).digest(length)


BBS_SHA_256 = Ciphersuite(
    "BLS12-381-SHA-256",
    b"BBS_BLS12381G1_XMD:SHA-256_SSWU_RO_H2G_HM2S_",
    G1Point.from_compressed_bytes(
        bytes.fromhex(
            "a8ce256102840821a3e94ea9025e4662b205762f9776b3a7"
            "66c872b948f1fd225e7c59698588e70d11406d161b4e28c9"
        )
    ),
    expand_by_sha_256,
)
BBS_SHAKE_256 = Ciphersuite(
    "BLS12-381-SHAKE-256",
    b"BBS_BLS12381G1_XOF:SHAKE-256_SSWU_RO_H2G_HM2S_",
    G1Point.from_compressed_bytes(
        bytes.fromhex(
            "8929dfbc7e6642c4ed9cba0856e493f8b9d7d5fcb0c31ef8"
            "fdcd34d50648a56c795e106e9eada6e0bda386b414150755"
        )
    ),
    expand_by_shake_256,
)
