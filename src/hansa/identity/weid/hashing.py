"""Keccak-256, the hash of Ethereum-style chains; it pads otherwise than SHA3-256.

Source: Ethereum Yellow Paper, section 4 (KEC); the Keccak reference 3.0, section 1.1.
"""

from __future__ import annotations

from Crypto.Hash import keccak

HASH_BITS = 256
HASH_LETTERS = 66
"""Of a hash in text: `0x` and hexadecimal in lower case."""
_HEXADECIMAL = frozenset("0123456789abcdef")


def compute_keccak(data: bytes) -> bytes:
    """Hash bytes with Keccak-256."""
    return bytes(keccak.new(digest_bits=HASH_BITS, data=data).digest())


def hash_text(text: str) -> str:
    """Hash text as WeIdentity writes hashes, `0x` before hexadecimal."""
    return "0x" + compute_keccak(text.encode()).hex()


def is_hash(value: object) -> bool:
    """Whether this is a hash as `hash_text` writes them."""
    return (
        isinstance(value, str)
        and len(value) == HASH_LETTERS
        and value.startswith("0x")
        and _HEXADECIMAL.issuperset(value[2:])
    )
