"""Proof values of `bbs-2023`: what stands in `proofValue` of an issued and of a shown credential.

| proof   | first bytes | then a list in CBOR                                               |
|---------|-------------|-------------------------------------------------------------------|
| base    | `d95d02`    | BBS signature, header, issuer's key, HMAC key, mandatory pointers |
| derived | `d95d03`    | BBS proof, labels, mandatory and selective indexes, presentation header |

The first goes to the holder alone. Other first bytes name features (holder binding, pseudonyms)
whose drafts are not settled; they are refused.

Source: W3C Data Integrity BBS Cryptosuites 1.0, sections 3.3.1, 3.3.2 and 3.3.4 to 3.3.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from hansa.identity.bbs_2023.selection import check_pointers
from hansa.identity.encoding.cbor import decode_cbor, encode_cbor
from hansa.identity.encoding.multibase import BASE64URL, decode_multibase, encode_multibase
from hansa.identity.faults import Fault, Unsound

HMAC_KEY_BYTES = 32
HEADER_BYTES = 64
"""The hashes of the proof's options and of the mandatory statements."""
PRESENTATION_HEADER_BYTES_MAX = 1_024
_BASE_PREFIX = bytes.fromhex("d95d02")
_DERIVED_PREFIX = bytes.fromhex("d95d03")
_OTHERS = {
    _BASE_PREFIX: "a base proof is for the holder, who derives from it one to show",
    _DERIVED_PREFIX: "a derived proof is for verifiers: take what the issuer gave",
    **{bytes.fromhex(f"d95d0{last}"): "holder binding is not supported" for last in "45"},
    **{bytes.fromhex(f"d95d0{last}"): "pseudonyms are not supported" for last in "6789"},
}
"""Why a proof of another kind, or with an optional feature, is not taken; by its first bytes."""
_LETTERS_MAX = 1 << 18
_PARTS = 5


class BaseProof(NamedTuple):
    """What an issuer gives a holder."""

    signature: bytes
    header: bytes
    public_key: bytes
    hmac_key: bytes
    mandatory_pointers: Sequence[str]


class DerivedProof(NamedTuple):
    """What a holder shows a verifier."""

    proof: bytes
    labels: Mapping[int, int]
    """From the verifier's canonical labels to those that were signed."""
    mandatory_indexes: Sequence[int]
    """Places of mandatory statements among those shown."""
    selective_indexes: Sequence[int]
    """Places of the other ones shown among all that are not mandatory."""
    presentation_header: bytes


def encode_base_proof(proof: BaseProof) -> str:
    """Write a base proof as `proofValue`."""
    return _encode(_BASE_PREFIX, [*proof[:4], [*proof.mandatory_pointers]])


def decode_base_proof(text: Any) -> BaseProof:  # noqa: ANN401 - a decode edge
    """Read `proofValue` of an issued credential.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, `DUPLICATE` or `UNSUPPORTED`.
    """
    parts = _decode(text, _BASE_PREFIX, "the base proof")
    *octets, pointers = parts
    if not all(isinstance(each, bytes) for each in octets) or not isinstance(pointers, list):
        raise _malformed("the base proof", "four byte strings and a list of pointers")
    signature, header, public_key, hmac_key = octets
    if len(header) != HEADER_BYTES or len(hmac_key) != HMAC_KEY_BYTES:
        raise _malformed("the base proof", "a header of 64 bytes and an HMAC key of 32")
    return BaseProof(signature, header, public_key, hmac_key, check_pointers(pointers))


def encode_derived_proof(proof: DerivedProof) -> str:
    """Write a derived proof as `proofValue`."""
    octets, labels, mandatory, selective, header = proof
    parts = [octets, dict(sorted(labels.items())), [*mandatory], [*selective], header]
    return _encode(_DERIVED_PREFIX, parts)


def decode_derived_proof(text: Any) -> DerivedProof:  # noqa: ANN401 - a decode edge
    """Read `proofValue` of a shown credential.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, `DUPLICATE` or `UNSUPPORTED`.
    """
    what = "the derived proof"
    octets, labels, mandatory, selective, header = _decode(text, _DERIVED_PREFIX, what)
    if not isinstance(octets, bytes) or not isinstance(header, bytes):
        raise _malformed(what, "a BBS proof and a presentation header in bytes")
    if len(header) > PRESENTATION_HEADER_BYTES_MAX:
        raise Unsound(
            Fault.TOO_LARGE, f"a presentation header of over {PRESENTATION_HEADER_BYTES_MAX} bytes"
        )
    if not _are_labels(labels):
        raise _malformed(what, "labels 0, 1, ... that each stand for another one")
    if not all(map(_are_places, (mandatory, selective))):
        raise _malformed(what, "indexes that rise from one to the next")
    return DerivedProof(octets, labels, mandatory, selective, header)


def _are_labels(value: Any) -> bool:  # noqa: ANN401 - a decode edge
    """Whether they are 0, 1, ... and stand for different ones.

    Were two nodes given one label, what was signed of one could be shown of the other.
    """
    if not isinstance(value, dict) or not all(type(each) is int for each in value):
        return False
    if any(type(each) is not int for each in value.values()):
        return False
    return sorted(value) == [*range(len(value))] and _rise(sorted(value.values()))


def _are_places(value: Any) -> bool:  # noqa: ANN401 - a decode edge
    """Whether they are a list of places, each once and in order."""
    if not isinstance(value, list) or any(type(each) is not int for each in value):
        return False
    return _rise(value)


def _rise(numbers: Sequence[int]) -> bool:
    return all(low < high for low, high in pairwise([-1, *numbers]))


def _encode(prefix: bytes, parts: list[Any]) -> str:
    return encode_multibase(prefix + encode_cbor(parts), BASE64URL)


def _decode(text: Any, prefix: bytes, what: str) -> list[Any]:  # noqa: ANN401 - a decode edge
    if not isinstance(text, str) or not text.startswith(BASE64URL):
        raise _malformed(what, "a text that begins with u")
    if len(text) > _LETTERS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"{what} has {len(text)} letters, over {_LETTERS_MAX}")
    data = decode_multibase(text, what)
    if not data.startswith(prefix):
        why = _OTHERS.get(data[:3], "its first bytes are not known")
        raise Unsound(Fault.UNSUPPORTED, f"{what} begins with {data[:3].hex()}: {why}")
    parts = decode_cbor(data[len(prefix) :], what)
    if not isinstance(parts, list) or len(parts) != _PARTS:
        raise _malformed(what, f"a list of {_PARTS}")
    return parts


def _malformed(what: str, asked: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"{what} is malformed: it must have {asked}")
