"""did:weid: a chain, and an address that derives from the first key of its subject.

Source: WeIdentity specification, "WeIdentity DID"; WeIdUtils of its Java SDK.
"""

from __future__ import annotations

from typing import NamedTuple

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.points import split_point
from hansa.identity.weid.hashing import compute_keccak

ADDRESS_BYTES = 20
CHAIN_DIGITS_MAX = 10
_DIGITS = frozenset("0123456789")
_HEXADECIMAL = frozenset("0123456789abcdef")


class WeId(NamedTuple):
    """A did:weid taken apart."""

    chain: int
    """The number by which its institutions know the chain."""
    address: str
    """`0x` and 40 hexadecimal digits, in lower case: in which case they stand means nothing."""

    def __str__(self) -> str:
        return f"did:weid:{self.chain}:{self.address}"


def read_weid(text: object) -> WeId:
    """Read a did:weid.

    Raises:
      Unsound: `MALFORMED`.
    """
    parts = text.split(":") if isinstance(text, str) else []
    if len(parts) != 4 or parts[:2] != ["did", "weid"]:  # noqa: PLR2004 - did, weid, chain, address
        raise _malformed(text)
    chain, address = parts[2], parts[3].lower()
    is_chain = 0 < len(chain) <= CHAIN_DIGITS_MAX and _DIGITS.issuperset(chain)
    is_number = is_chain and str(int(chain)) == chain
    is_address = len(address) == 2 + 2 * ADDRESS_BYTES and address.startswith("0x")
    if not is_number or not is_address or not _HEXADECIMAL.issuperset(address[2:]):
        raise _malformed(text)
    return WeId(int(chain), address)


def derive_address(key: PublicKey) -> str:
    """Compute the address of a secp256k1 key: the end of its hash, `0x` and 40 digits."""
    x, y = split_point(key)
    return "0x" + compute_keccak(x + y)[-ADDRESS_BYTES:].hex()


def _malformed(text: object) -> Unsound:
    return Unsound(
        Fault.MALFORMED,
        f"this is no WeIdentity DID, as did:weid:1:0x and 40 hexadecimal digits is: {text!r:.120}",
    )
