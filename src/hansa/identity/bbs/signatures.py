"""BBS signatures: signing messages under a header that every proof shows, and verifying.

Source: draft-irtf-cfrg-bbs-signatures-08, sections 3.5.1, 3.5.2, 3.6.1 and 3.6.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from hansa.identity.bbs.ciphersuites import Ciphersuite
from hansa.identity.bbs.encoding import (
    POINT_BYTES,
    SCALAR_BYTES,
    decode_point,
    decode_public_key,
    decode_scalar,
    sum_multiples,
)
from hansa.identity.bbs.generators import Generators, get_generators
from hansa.identity.bbs.secret_keys import SecretKey, decode_secret
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey

SIGNATURE_BYTES = POINT_BYTES + SCALAR_BYTES
BASE_POINT_2 = G2Point()


class Signed(NamedTuple):
    """Messages with an issuer's signature over them, all that a holder keeps."""

    public_key: PublicKey
    header: bytes
    messages: Sequence[bytes]
    signature: bytes


class Signature(NamedTuple):
    """A signature taken apart."""

    a: G1Point
    e: Scalar


def sign(suite: Ciphersuite, key: SecretKey, header: bytes, messages: Sequence[bytes]) -> bytes:
    """Sign messages; the same ones always get the same signature.

    Raises:
      Unsound: `TOO_LARGE`: too many messages.
    """
    generators = get_generators(suite, len(messages))
    domain = compute_domain(suite, key.public_key, generators, header)
    scalars = [suite.map_message(message) for message in messages]
    parts = [key.secret, *(scalar.to_be_bytes() for scalar in [*scalars, domain])]
    e = suite.hash_to_scalar(b"".join(parts), b"H2S_")
    b = compute_commitment(suite, generators, [domain, *scalars])
    a = b * (decode_secret(key) + e).inverse()
    return a.to_compressed_bytes() + e.to_be_bytes()


def verify_signed(suite: Ciphersuite, signed: Signed) -> None:
    """Verify an issuer's signature, as the holder does on receiving it.

    Raises:
      Unsound: `KEY`, `MALFORMED`, `TOO_LARGE`, or `SIGNATURE`: it is not of these messages.
    """
    key = decode_public_key(signed.public_key)
    a, e = decode_signature(signed.signature)
    generators = get_generators(suite, len(signed.messages))
    domain = compute_domain(suite, signed.public_key, generators, signed.header)
    scalars = [suite.map_message(message) for message in signed.messages]
    b = compute_commitment(suite, generators, [domain, *scalars])
    if not GT.pairing_check([a, a * e - b], [key, BASE_POINT_2]):
        raise Unsound(
            Fault.SIGNATURE,
            "the BBS signature does not verify: other messages or header, or another key",
        )


def decode_signature(data: bytes) -> Signature:
    """Take a signature apart.

    Raises:
      Unsound: `MALFORMED`.
    """
    if len(data) != SIGNATURE_BYTES:
        raise Unsound(
            Fault.MALFORMED, f"a BBS signature has {SIGNATURE_BYTES} bytes, this one {len(data)}"
        )
    return Signature(
        decode_point(data[:POINT_BYTES], "A of the BBS signature"),
        decode_scalar(data[POINT_BYTES:], "e of the BBS signature"),
    )


def compute_domain(
    suite: Ciphersuite, key: PublicKey, generators: Generators, header: bytes
) -> Scalar:
    """Hash what a signature is tied to beside its messages: key, their number, suite, header."""
    count = (len(generators.points) - 1).to_bytes(8, "big")
    start = key.data + count + generators.encoded + suite.api_id
    return suite.hash_to_scalar(start + len(header).to_bytes(8, "big") + header, b"H2S_")


def compute_commitment(
    suite: Ciphersuite, generators: Generators, scalars: Sequence[Scalar]
) -> G1Point:
    """Compute B: the base point, plus each generator times its scalar, that of the domain first."""
    return suite.base_point + sum_multiples(generators.points, scalars)
