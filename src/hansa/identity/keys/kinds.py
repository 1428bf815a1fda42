"""Kinds of keys, the numbers and names by which each format knows them, and public keys.

| kind           | bytes                  | JOSE algorithm     | Multikey prefix |
|----------------|------------------------|--------------------|-----------------|
| `ED25519`      | 32                     | `EdDSA`, `Ed25519` | `0xed`          |
| `P256`         | compressed, 33         | `ES256`            | `0x1200`        |
| `P384`         | compressed, 49         | `ES384`            | `0x1201`        |
| `SECP256K1`    | compressed, 33         | `ES256K`           | `0xe7`          |
| `X25519`       | 32                     | agreement alone    | `0xec`          |
| `BLS12_381_G2` | compressed, 96         | BBS alone          | `0xeb`          |

Source: RFC 8037, RFC 8812, RFC 9864 (JOSE); multicodec table; W3C Controlled Identifiers 1.0,
section 2.2.2.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from hansa.identity.faults import Fault, Unsound
from hansa.kernel.crypto.signatures import Suite, check_public_key
from hansa.kernel.errors import Invalid


class KeyKind(StrEnum):
    """A kind of key."""

    ED25519 = "ed25519"
    P256 = "p256"
    P384 = "p384"
    SECP256K1 = "secp256k1"
    X25519 = "x25519"
    BLS12_381_G2 = "bls12381g2"


class Traits(NamedTuple):
    """What the formats say of one kind."""

    public_bytes: int
    private_bytes: int
    codec: int
    """Multicodec of the public key."""
    private_codec: int
    algorithms: tuple[str, ...]
    """Names of its signature algorithm in JOSE, the usual one first."""
    key_type: str
    """`kty` of a JWK; none for kinds that have no registered one."""
    curve: str
    suite: Suite | None
    """The ledger's number, if such a key may sign there."""


TRAITS: dict[KeyKind, Traits] = {
    KeyKind.ED25519: Traits(
        32, 32, 0xED, 0x1300, ("EdDSA", "Ed25519"), "OKP", "Ed25519", Suite.ED25519
    ),
    KeyKind.P256: Traits(33, 32, 0x1200, 0x1306, ("ES256",), "EC", "P-256", Suite.P256),
    KeyKind.P384: Traits(49, 48, 0x1201, 0x1307, ("ES384",), "EC", "P-384", None),
    KeyKind.SECP256K1: Traits(
        33, 32, 0xE7, 0x1301, ("ES256K",), "EC", "secp256k1", Suite.SECP256K1
    ),
    KeyKind.X25519: Traits(32, 32, 0xEC, 0x1302, (), "OKP", "X25519", None),
    KeyKind.BLS12_381_G2: Traits(96, 32, 0xEB, 0x130A, (), "", "", None),
}
KIND_OF_ALGORITHM = {name: kind for kind, each in TRAITS.items() for name in each.algorithms}


class PublicKey(msgspec.Struct, frozen=True, gc=False):
    """A public key: its kind and its one encoding, points of curves compressed."""

    kind: KeyKind
    data: bytes

    @property
    def algorithm(self) -> str:
        """The usual JOSE name of its signatures; empty if it makes none that JOSE knows."""
        names = TRAITS[self.kind].algorithms
        return names[0] if names else ""


def load_public_key(kind: KeyKind, data: bytes) -> PublicKey:
    """Make a public key of bytes that strangers sent.

    Whether a BLS key is a point of its group is found by whoever verifies with it.

    Raises:
      Unsound: `KEY`: wrong length, no point of the curve, or of small order.
    """
    traits = TRAITS[kind]
    if len(data) != traits.public_bytes:
        raise Unsound(
            Fault.KEY, f"a {kind.value} key has {traits.public_bytes} bytes, this one {len(data)}"
        )
    try:
        if traits.suite is not None:
            check_public_key(traits.suite, data)
        elif kind is KeyKind.P384:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), data)
    except (Invalid, ValueError):
        raise Unsound(Fault.KEY, f"this is no {kind.value} public key: {data.hex()}") from None
    return PublicKey(kind, data)
