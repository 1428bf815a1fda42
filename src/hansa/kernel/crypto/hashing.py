"""Hashes of a network's crypto profile, and the domains that keep signatures apart.

Source: FIPS 180-4 (SHA-256); GB/T 32905-2016 (SM3); docs/reference/wire.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from hansa.kernel.errors import Invalid, InvalidCode

HASH_BYTES = 32
ZERO_HASH = bytes(HASH_BYTES)


class Domain(StrEnum):
    """What a signature or identifier is for; nothing can be carried from one to another."""

    TX = "tx"
    BATCH = "batch"
    HEADER = "header"
    ATTESTATION = "attestation"
    OFFLINE = "offline"
    MESSAGE = "message"
    ACKNOWLEDGEMENT = "acknowledgement"
    POSSESSION = "possession"
    PRESENTATION = "presentation"
    PRESENTATION_NONCE = "presentation-nonce"
    NULLIFIER = "nullifier"


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


@dataclass(frozen=True, slots=True)
class CryptoProfile:
    """The hash a network uses everywhere; chosen once, in genesis."""

    name: str
    digest: Callable[[bytes], bytes]


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {"sha256": _sha256, "sm3": _sm3}


@cache
def crypto_profile(name: str) -> CryptoProfile:
    """Look a profile up by the name of its hash.

    Raises:
      Invalid: the name is not `sha256` or `sm3`.
    """
    if name not in _DIGESTS:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"unknown hash {name!r} in the crypto profile: use one of {sorted(_DIGESTS)}",
            hash=name,
        )
    return CryptoProfile(name, _DIGESTS[name])


def signing_prefix(domain: Domain, genesis_hash: bytes) -> bytes:
    """Bytes that stand before whatever is signed or identified in `domain` on one network."""
    return b"hansa\x00" + domain.value.encode() + b"\x00" + genesis_hash
