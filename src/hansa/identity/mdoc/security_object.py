"""The mobile security object: what the issuer signs of a document, and the items behind it.

The issuer signs a digest of each element, the device's key and the time for which they hold; an
element itself travels as an item with a random salt, so that a withheld one cannot be guessed.

Source: ISO/IEC 18013-5, sections 8.3.2.1.2.2, 9.1.2.4 and 9.1.2.5; Token Status List, section 6.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from hansa.identity.cose.keys import read_cose_key, write_cose_key
from hansa.identity.encoding.cbor import (
    TAG_TIME,
    CBORTag,
    decode_map,
    encode_cbor,
    encode_wrapped,
)
from hansa.identity.encoding.timestamp import read_timestamp, write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.status.reference import StatusReference, read_status

VERSION = "1.0"
SALT_BYTES_MIN = 16
SECURITY_OBJECT_BYTES_MAX = 131_072
ITEM_BYTES_MAX = 1 << 20

DIGESTS = MappingProxyType({"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"})
"""The digest algorithms of ISO/IEC 18013-5, and what Python calls them."""

Elements = Mapping[str, Mapping[str, Any]]
"""Values by namespace and name."""


class Validity(NamedTuple):
    """When the document was signed, and from when until when it holds; milliseconds since 1970."""

    signed_ms: int
    valid_from_ms: int
    valid_until_ms: int


class Item(NamedTuple):
    """One element with its salt; `raw` is its encoding, of which the issuer signed a digest."""

    digest_id: int
    name: str
    value: Any
    raw: bytes


class SecurityObject(NamedTuple):
    """What the issuer signs."""

    doc_type: str
    digest_algorithm: str
    digests: Mapping[str, Mapping[int, bytes]]
    """Digests of items by namespace and digest id."""
    device_key: PublicKey
    validity: Validity
    device_namespaces: frozenset[str] = frozenset()
    """The namespaces of which the device may add any element."""
    device_elements: frozenset[tuple[str, str]] = frozenset()
    """The other elements, by namespace and name, that the device may add."""
    status: StatusReference | None = None

    def check_device_elements(self, added: Elements, what: str) -> None:
        """Refuse what the device adds without the issuer's leave.

        Raises:
          Unsound: `DISCLOSURE`.
        """
        for namespace, elements in added.items():
            for name in elements:
                pair = (namespace, name)
                if namespace not in self.device_namespaces and pair not in self.device_elements:
                    raise Unsound(
                        Fault.DISCLOSURE,
                        f"the device of {what} may not add {name[:64]!r} in {namespace[:64]!r}",
                    )


def compute_digest(algorithm: str, item: bytes) -> bytes:
    """Compute the digest of an encoded item, its tag included; `algorithm` is one of `DIGESTS`."""
    return hashlib.new(DIGESTS[algorithm], encode_wrapped(item)).digest()


def write_item(digest_id: int, salt: bytes, name: str, value: Any) -> bytes:  # noqa: ANN401
    """Write an element with its salt.

    Raises:
      Unsound: `MALFORMED` or `TOO_LARGE`: a value that CBOR here does not know.
    """
    return encode_cbor(
        {"digestID": digest_id, "random": salt, "elementIdentifier": name, "elementValue": value}
    )


def read_item(raw: bytes, what: str) -> Item:
    """Read an element with its salt.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE` or `UNSUPPORTED`.
    """
    item = decode_map(raw, what, ITEM_BYTES_MAX)
    digest_id, name, salt = item.get("digestID"), item.get("elementIdentifier"), item.get("random")
    if not isinstance(digest_id, int) or isinstance(digest_id, bool) or digest_id < 0:
        raise _malformed(what, "digestID is no number")
    if not isinstance(name, str) or "elementValue" not in item:
        raise _malformed(what, "elementIdentifier or elementValue is missing")
    if not isinstance(salt, bytes) or len(salt) < SALT_BYTES_MIN:
        raise _malformed(what, f"random is not at least {SALT_BYTES_MIN} bytes")
    return Item(digest_id, name, item["elementValue"], raw)


def write_security_object(signed: SecurityObject) -> bytes:
    """Write what the issuer signs.

    Raises:
      Unsound: `KEY`: keys of the device's kind sign nothing in COSE; `MALFORMED`: its times do not
        follow one another.
    """
    _check_order(signed.validity, "the security object")
    key_info: dict[str, Any] = {"deviceKey": write_cose_key(signed.device_key)}
    rights = _write_rights(signed)
    if rights:
        key_info["keyAuthorizations"] = rights
    value: dict[str, Any] = {
        "version": VERSION,
        "digestAlgorithm": signed.digest_algorithm,
        "valueDigests": {name: dict(each) for name, each in signed.digests.items()},
        "deviceKeyInfo": key_info,
        "docType": signed.doc_type,
        "validityInfo": {
            "signed": _write_time(signed.validity.signed_ms),
            "validFrom": _write_time(signed.validity.valid_from_ms),
            "validUntil": _write_time(signed.validity.valid_until_ms),
        },
    }
    if signed.status is not None:
        value["status"] = {"status_list": {"idx": signed.status.index, "uri": signed.status.uri}}
    return encode_cbor(value)


def read_security_object(raw: bytes, what: str) -> SecurityObject:
    """Read what the issuer signed; `what` names the document in messages.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`, `UNSUPPORTED`, `KEY` or `ALGORITHM`.
    """
    what = f"the security object of {what}"
    value = decode_map(raw, what, SECURITY_OBJECT_BYTES_MAX)
    version, doc_type = value.get("version"), value.get("docType")
    if not isinstance(version, str) or not version.startswith("1."):
        raise Unsound(Fault.UNSUPPORTED, f"{what} is of version {str(version)[:16]}: 1.x is read")
    if not isinstance(doc_type, str):
        raise _malformed(what, "docType is no text")
    algorithm = value.get("digestAlgorithm")
    if not isinstance(algorithm, str) or algorithm not in DIGESTS:
        known = ", ".join(DIGESTS)
        raise Unsound(
            Fault.ALGORITHM, f"{what} has the digest {str(algorithm)[:16]!r}: {known} are read"
        )
    key_info = _require_map(value, "deviceKeyInfo", what)
    namespaces, elements = _read_rights(key_info.get("keyAuthorizations", {}), what)
    return SecurityObject(
        doc_type,
        algorithm,
        _read_digests(_require_map(value, "valueDigests", what), what),
        read_cose_key(key_info.get("deviceKey"), f"the device key in {what}"),
        _read_validity(_require_map(value, "validityInfo", what), what),
        namespaces,
        elements,
        read_status(value, what),
    )


def _write_rights(signed: SecurityObject) -> dict[str, Any]:
    rights: dict[str, Any] = {}
    if signed.device_namespaces:
        rights["nameSpaces"] = sorted(signed.device_namespaces)
    for namespace, name in sorted(signed.device_elements):
        rights.setdefault("dataElements", {}).setdefault(namespace, []).append(name)
    return rights


def _read_rights(value: Any, what: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:  # noqa: ANN401
    rights = value if isinstance(value, dict) else {"nameSpaces": None}
    namespaces: Any = rights.get("nameSpaces", [])
    elements: Any = rights.get("dataElements", {})
    lists = [[*elements], *elements.values()] if isinstance(elements, dict) else [None]
    if not all(map(_is_texts, [namespaces, *lists])):
        raise _malformed(what, "keyAuthorizations is not as the standard has it")
    pairs = ((namespace, name) for namespace, names in elements.items() for name in names)
    return frozenset(namespaces), frozenset(pairs)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _read_digests(value: dict[Any, Any], what: str) -> dict[str, dict[int, bytes]]:
    for namespace, digests in value.items():
        if not isinstance(namespace, str) or not isinstance(digests, dict):
            raise _malformed(what, "valueDigests is no map of maps")
        for digest_id, digest in digests.items():
            if type(digest_id) is not int or not isinstance(digest, bytes):
                raise _malformed(what, "a digest is no bytes, or its id no number")
    return value


def _read_validity(value: dict[Any, Any], what: str) -> Validity:
    names = ("signed", "validFrom", "validUntil")
    validity = Validity(*(_read_time(value.get(name), f"{name} of {what}") for name in names))
    _check_order(validity, what)
    return validity


def _check_order(validity: Validity, what: str) -> None:
    if not validity.signed_ms <= validity.valid_from_ms < validity.valid_until_ms:
        raise _malformed(what, "signed, validFrom and validUntil do not follow one another")


def _write_time(time_ms: int) -> CBORTag:
    return CBORTag(TAG_TIME, write_timestamp(time_ms))


def _read_time(value: Any, what: str) -> int:  # noqa: ANN401
    is_time = isinstance(value, CBORTag) and value.tag == TAG_TIME
    return read_timestamp(value.value if is_time else None, what)


def _require_map(value: dict[Any, Any], name: str, what: str) -> dict[Any, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise _malformed(what, f"{name} is no map")
    return found


def _malformed(what: str, why: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"{what} is not as it should be: {why}")
